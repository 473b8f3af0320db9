"""``edgeseg match``: which catalogue items are on these photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.montages import item_pictures, write_montage
from edgeseg.cli.options import (
    BundleOption,
    FlipOption,
    JsonOption,
    RefineChoice,
    RefineOption,
    ThreadsOption,
    segmenter_options,
)

if TYPE_CHECKING:
    from edgeseg.matcher import MatchResult

_HELP = """Find the garment on a photo in a catalogue.

The background is removed first; --no-segment matches the whole photo. Smaller distances are nearer.
--refine and --flip cut the garment out more finely, as in `edgeseg segment`; a match rarely needs
it.

Examples:

\b
  edgeseg match photo.jpg --catalogue shop.catalogue
  edgeseg match photo.jpg --catalogue shop.catalogue -k 5 --json
  edgeseg match *.jpg --catalogue shop.catalogue --montage found.png
"""

# Photos drawn into one montage; further ones would make a picture that no viewer opens.
_MAX_MONTAGE_PHOTOS = 50


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("match", help=_HELP, no_args_is_help=True)(match)


def match(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="One or more photos.")],
    catalogue: Annotated[
        Path, typer.Option("--catalogue", metavar="CATALOGUE", help="The catalogue to search.")
    ],
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many matches a photo.")] = 10,
    no_segment: Annotated[
        bool, typer.Option("--no-segment", help="Match the whole photo, background and all.")
    ] = False,
    refine: RefineOption = RefineChoice.none,
    flip: FlipOption = False,
    montage: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG", help="Also draw each photo, its cutout and its matches into one picture."
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="ITEMS",
            help="The ITEMS.csv or folder that the catalogue was built from, where it has moved; "
            "for --montage.",
        ),
    ] = None,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Match photos; see ``_HELP``."""
    console.settings.quiet = as_json
    if no_segment and (flip or refine is not RefineChoice.none):
        raise typer.BadParameter("--no-segment leaves nothing for --refine or --flip to do")
    if montage is not None and montage.suffix.lower() != ".png":
        raise typer.BadParameter(f"--montage {montage}: end it in .png")
    if montage is not None and any(_same_file(photo, montage) for photo in photos):
        raise typer.BadParameter(f"--montage {montage} is one of the photos")

    from edgeseg.catalogue import Catalogue
    from edgeseg.errors import EdgesegError
    from edgeseg.matcher import Matcher

    matcher = Matcher(Catalogue.open(catalogue), bundle, threads, segmenter_options(refine, flip))
    results: list[tuple[Path, MatchResult]] = []
    entries: list[dict[str, Any]] = []
    failures: list[str] = []
    for photo in console.progress(photos, len(photos), "matching"):
        try:
            result = matcher.match(photo, k=k, segment=not no_segment)
        except EdgesegError as error:
            # One bad photo must not keep the others from being matched.
            failures.append(str(error))
            entries.append({"photo": str(photo), "matches": [], "error": str(error)})
            continue
        entries.append(_entry(photo, result))
        if montage is not None and len(results) < _MAX_MONTAGE_PHOTOS:
            results.append((photo, result))
        if not as_json:
            _print(photo, result, several=len(photos) > 1)
    if as_json:
        used = {"refine": refine.value, "flip": flip}
        console.print_json({"photos": entries, "failed": len(failures), **used})
    if montage is not None and results:
        write_montage(montage, results, item_pictures(catalogue, pictures))
        console.print_note(f"drew {montage}")
    for failure in failures:
        console.print_error(failure)
    if failures:
        raise typer.Exit(console.EXIT_FAILURE)


def _entry(photo: Path, result: MatchResult) -> dict[str, Any]:
    return {
        "photo": str(photo),
        "matches": [
            {
                "rank": found.rank,
                "sku": found.sku,
                "distance": round(found.distance, 6),
                "attributes": dict(found.attributes),
            }
            for found in result.matches
        ],
        "timings_ms": {stage: round(time_ms, 3) for stage, time_ms in result.timings_ms.items()},
    }


def _print(photo: Path, result: MatchResult, *, several: bool) -> None:
    if several:
        console.print_line(str(photo))
    # Columns in the catalogue's own order, and only those that one of these matches fills.
    names = list(dict.fromkeys(name for found in result.matches for name in found.attributes))
    rows = [
        (
            found.rank,
            found.sku,
            f"{found.distance:.4f}",
            *(found.attributes.get(name, "") for name in names),
        )
        for found in result.matches
    ]
    console.print_table(("rank", "sku", "distance", *names), rows)


def _same_file(photo: Path, other: Path) -> bool:
    try:
        return photo.samefile(other)
    except OSError:
        return False
