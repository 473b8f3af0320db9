"""``edgeseg index``: build a catalogue from pictures, look into one, and bring it up to date."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli import console, duplicates, generations
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption

_BUILD_HELP = """Build a catalogue: embed each item's picture and index the embeddings.

ITEMS is a CSV with the columns `sku` and `image` (a path relative to the CSV; each further column
becomes an attribute), or a folder, where each file's stem is its SKU.

Examples:

\b
  edgeseg index build items.csv -o shop.catalogue
  edgeseg index build pictures/ -o shop.catalogue --skip-unreadable
"""

_INFO_HELP = """Say what a catalogue holds and which embedder it belongs to.

Examples:

\b
  edgeseg index info shop.catalogue
  edgeseg index info shop.catalogue --json
"""

# The names of unreadable pictures that are told one by one; a wrong folder has thousands.
_MAX_TOLD_FAILURES = 20


class PrecisionChoice(str, Enum):
    """What is kept of an embedding; the values of `formats.codes.PRECISIONS`."""

    int10 = "int10"
    int8 = "int8"
    float16 = "float16"
    float32 = "float32"


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(
        help="Build a catalogue from pictures, look into one, and bring it up to date.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("build", help=_BUILD_HELP, no_args_is_help=True)(build)
    group.command("info", help=_INFO_HELP, no_args_is_help=True)(info)
    duplicates.register(group)
    generations.register(group)
    app.add_typer(group, name="index")


def build(
    items: Annotated[Path, typer.Argument(metavar="ITEMS", help="ITEMS.csv, or a folder.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="CATALOGUE", help="The file to write (.catalogue)."),
    ],
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Index the rest when some pictures cannot be read."),
    ] = False,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="What is kept of each number of an embedding.")
    ] = PrecisionChoice.int10,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Build a catalogue; see ``_BUILD_HELP``."""
    console.settings.quiet = as_json
    if output.exists() and items.exists() and output.samefile(items):
        raise typer.BadParameter(f"-o {output} is the list of items itself")
    from edgeseg.embedder import Embedder
    from edgeseg.indexing import build_catalogue
    from edgeseg.items import read_items
    from edgeseg.presets import open_bundle
    from edgeseg.segmenter import Segmenter

    start_s = time.perf_counter()
    rows = read_items(items, allow_missing=skip_unreadable)
    opened = open_bundle(bundle)
    embedder = Embedder(opened, threads=threads)
    segmenter = Segmenter(opened, threads=threads)
    with console.progress_reporter("embedding") as report:
        catalogue, unreadable = build_catalogue(
            rows, embedder, segmenter, precision.value, on_progress=report
        )
    if unreadable and not skip_unreadable:
        _tell_unreadable(unreadable)
        console.print_error(
            f"{len(unreadable)} of {len(rows)} pictures cannot be read, and {output} is not "
            "written; mend them or add --skip-unreadable"
        )
        raise typer.Exit(console.EXIT_FAILURE)
    catalogue.save(output)
    from edgeseg.item_pictures import note_source

    note_source(output, items)
    document: dict[str, Any] = {
        "catalogue": str(output),
        "items": len(catalogue),
        "dim": catalogue.dim,
        "skipped": [{"sku": sku, "reason": reason} for sku, reason in unreadable],
        "bytes": output.stat().st_size,
        "elapsed_s": round(time.perf_counter() - start_s, 3),
    }
    if as_json:
        console.print_json(document)
        return
    _tell_unreadable(unreadable)
    console.print_line(
        f"{output}: {document['items']} items of dimension {document['dim']}, "
        f"{document['bytes']} bytes, {document['elapsed_s']:.1f} s"
    )


def _tell_unreadable(unreadable: list[tuple[str, str]]) -> None:
    for sku, reason in unreadable[:_MAX_TOLD_FAILURES]:
        console.print_error(f"item {sku}: {reason}")
    if len(unreadable) > _MAX_TOLD_FAILURES:
        console.print_error(f"... and {len(unreadable) - _MAX_TOLD_FAILURES} more")


def info(
    catalogue: Annotated[Path, typer.Argument(metavar="CATALOGUE", help="A catalogue file.")],
    as_json: JsonOption = False,
) -> None:
    """Print a catalogue's facts; see ``_INFO_HELP``."""
    from edgeseg.catalogue import Catalogue

    document = Catalogue.open(catalogue).info()
    if as_json:
        console.print_json(document)
        return
    rows = [
        (name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
        for name, value in document.items()
    ]
    console.print_table(("", str(catalogue)), rows)
