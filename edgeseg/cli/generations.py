"""``edgeseg index verify``, ``delta`` and ``apply``: a catalogue's generations."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption

_VERIFY_HELP = """Say whether a catalogue is whole, and how much its index finds of an exact search.

Digests and every rule of the format are checked on opening; then the golden queries that the
catalogue carries are asked, and queries drawn between its items, each also by exact search. Below
the floor that the catalogue states for its golden queries, the exit code is 1.

Examples:

\b
  edgeseg index verify shop.catalogue
  edgeseg index verify shop.catalogue --queries 1000 --json
"""

_DELTA_HELP = """Write what leads from a catalogue to its next generation: changed items only.

OLD is the catalogue that scanners have, NEW one with the items that they are to have; items are
told apart by SKU. The delta is applied at once, as a scanner will apply it, and what comes out can
be kept with --result: it is the OLD of the next delta.

Examples:

\b
  edgeseg index delta monday.catalogue tuesday.catalogue -o tuesday.delta --result next.catalogue
"""

_APPLY_HELP = """Apply a delta to the catalogue that it starts from.

A delta that starts from another catalogue is refused before anything is changed. So is a result in
which golden queries are found less often than the catalogue's floor.

Examples:

\b
  edgeseg index apply monday.catalogue tuesday.delta -o tuesday.catalogue
"""


def register(group: typer.Typer) -> None:
    """Add the commands to the group ``index``."""
    group.command("verify", help=_VERIFY_HELP, no_args_is_help=True)(verify)
    group.command("delta", help=_DELTA_HELP, no_args_is_help=True)(delta)
    group.command("apply", help=_APPLY_HELP, no_args_is_help=True)(apply)


def verify(
    catalogue: Annotated[Path, typer.Argument(metavar="CATALOGUE", help="A catalogue file.")],
    queries: Annotated[int, typer.Option(min=1, max=10_000, help="How many to draw.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Verify a catalogue; see ``_VERIFY_HELP``."""
    from edgeseg.catalogue import Catalogue

    opened = Catalogue.open(catalogue)
    golden = opened.data.golden
    document: dict[str, Any] = {
        "catalogue": str(catalogue),
        "digest": opened.data.digest,
        "generation": opened.data.generation,
        "items": len(opened),
        "tombstones": len(opened.data.codes) - len(opened),
        "golden_queries": 0 if golden is None else len(golden.queries),
        "golden_recall": None if golden is None else opened.golden_recall(),
        "recall_floor": None if golden is None else golden.recall_floor,
        "drawn_queries": min(queries, len(opened)),
        "index_recall_at_10": opened.index_recall(queries),
    }
    if as_json:
        console.print_json(document)
    else:
        rows = [
            (name.replace("_", " "), f"{value:.4f}" if isinstance(value, float) else str(value))
            for name, value in document.items()
        ]
        console.print_table(("", str(catalogue)), rows[1:])
    if golden is not None and document["golden_recall"] < golden.recall_floor:
        console.print_error(
            f"{catalogue}: golden queries are found in {document['golden_recall']:.3f}, and "
            f"{golden.recall_floor:.3f} is the least that it allows"
        )
        raise typer.Exit(console.EXIT_FAILURE)


def delta(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="What scanners have.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The items that they are to have.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DELTA", help="The file to write (.delta).")
    ],
    result: Annotated[
        Path | None,
        typer.Option(metavar="CATALOGUE", help="Keep what a scanner will have afterwards."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a delta; see ``_DELTA_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.files import write_atomic
    from edgeseg.formats.catalogue_file import encode_catalogue, read_catalogue
    from edgeseg.formats.delta_file import encode_delta
    from edgeseg.index.delta import make_delta

    start_s = time.perf_counter()
    base = read_catalogue(old)
    made, after = make_delta(base, read_catalogue(new), base.generation + 1)
    write_atomic(output, encode_delta(made))
    if result is not None:
        write_atomic(result, encode_catalogue(after))
    document = {
        "delta": str(output),
        "base_generation": made.base_generation,
        "generation": made.generation,
        "added": made.added,
        "updated": made.updated,
        "relabelled": made.relabelled,
        "removed": made.removed,
        "bytes": output.stat().st_size,
        "elapsed_s": round(time.perf_counter() - start_s, 3),
    }
    if as_json:
        console.print_json(document)
        return
    console.print_line(
        f"{output}: generation {made.generation}, {made.added} added, {made.updated} updated, "
        f"{made.relabelled} relabelled, {made.removed} removed, {document['bytes']:,} bytes"
    )


def apply(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The catalogue it starts from.")],
    delta_path: Annotated[Path, typer.Argument(metavar="DELTA", help="A delta file.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="CATALOGUE", help="The file to write.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Apply a delta; see ``_APPLY_HELP``."""
    console.settings.quiet = as_json
    from edgeseg.catalogue import Catalogue
    from edgeseg.errors import DeltaError
    from edgeseg.formats.catalogue_file import read_catalogue
    from edgeseg.formats.delta_file import read_delta
    from edgeseg.index.delta import apply_delta

    start_s = time.perf_counter()
    after = Catalogue(apply_delta(read_catalogue(base), read_delta(delta_path)))
    recall, golden = after.golden_recall(), after.data.golden
    if golden is not None and recall < golden.recall_floor:
        raise DeltaError(
            f"{delta_path}: golden queries would be found in {recall:.3f}, and "
            f"{golden.recall_floor:.3f} is the least that the catalogue allows; {output} is not "
            "written"
        )
    after.save(output)
    document = {
        "catalogue": str(output),
        "generation": after.data.generation,
        "items": len(after),
        "golden_recall": recall,
        "bytes": output.stat().st_size,
        "elapsed_s": round(time.perf_counter() - start_s, 3),
    }
    if as_json:
        console.print_json(document)
        return
    console.print_line(
        f"{output}: generation {document['generation']}, {len(after)} items, golden recall "
        f"{recall:.3f}"
    )
