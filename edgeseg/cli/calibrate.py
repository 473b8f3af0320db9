"""``edgeseg calibrate``: tell a bundle from which distances on a match is to be believed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption

if TYPE_CHECKING:
    from edgeseg.evaluation.acceptance import AcceptanceFit

_HELP = """Tell a bundle when a garment is probably not in the catalogue.

QUERIES is a CSV with the columns `image` and `sku`, paths relative to it: photos whose items are in
the catalogue. Each is asked of the catalogue with its item and without it, and a regression learns
from the two nearest distances how probable it is that the first match is right. The bundle written
holds it, and `edgeseg match` then says so; catalogues stay valid. The curve printed is of items
that the regression was not fitted to (five folds).

Examples:

\b
  edgeseg calibrate queries.csv --catalogue shop.catalogue -o shop.bundle
  edgeseg calibrate queries.csv --catalogue shop.catalogue --bundle small \\
      --false-accepts 0.02 -o careful.bundle
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("calibrate", help=_HELP, no_args_is_help=True)(calibrate)


def calibrate(
    queries: Annotated[
        Path, typer.Argument(metavar="QUERIES", help="CSV with the columns image and sku.")
    ],
    catalogue: Annotated[
        Path, typer.Option(metavar="CATALOGUE", help="Holds the items of the queries.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="BUNDLE", help="The bundle to write.")
    ],
    false_accepts: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=0.5,
            help="Share of the garments that are not in the catalogue which may pass for a match.",
        ),
    ] = 0.05,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Calibrate a bundle; see ``_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.catalogue import Catalogue
    from edgeseg.errors import DatasetError
    from edgeseg.evaluation.acceptance import ask, fit_acceptance
    from edgeseg.evaluation.retrieval import query_picture, read_queries
    from edgeseg.formats.bundle import write_bundle
    from edgeseg.matcher import Matcher
    from edgeseg.presets import open_bundle

    asked_of = Catalogue.open(catalogue)
    opened = open_bundle(bundle)
    matcher = Matcher(asked_of, opened, threads)
    photos = read_queries(queries)
    known = {item.sku for item in asked_of.items}
    if missing := next((query.sku for query in photos if query.sku not in known), None):
        raise DatasetError(f"{queries}: item {missing} is not in {catalogue}")
    answers = []
    for query in console.progress(photos, len(photos), "matching"):
        picture, _ = query_picture(query, matcher, "model")
        answers.append(ask(asked_of, query.sku, matcher.embedder.embed(picture)))
    fit = fit_acceptance(answers, false_accepts)
    embedder = opened.manifest.embedder
    assert embedder is not None  # A matcher has one.
    told = replace(opened.manifest, embedder=replace(embedder, acceptance=fit.acceptance))
    write_bundle(output, told, opened.sections())
    _print(fit, output, as_json)


def _print(fit: AcceptanceFit, output: Path, as_json: bool) -> None:
    if as_json:
        console.print_json({"bundle": str(output), **fit.to_dict()})
        return
    rows = [
        (
            f"{point.false_accepts:.3f}",
            f"{point.threshold:.3f}",
            f"{point.accepted_right:.3f}",
            f"{point.accepted_all:.3f}",
        )
        for point in fit.curve
    ]
    columns = ("false accepts", "probability from", "right matches kept", "all queries kept")
    console.print_table(columns, rows)
    console.print_line(
        f"{output}: accepts a match from a probability of {fit.acceptance.threshold:.3f} on; "
        f"{fit.right} of {fit.queries} queries were answered rightly"
    )
