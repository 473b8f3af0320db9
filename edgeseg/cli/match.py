"""``edgeseg match``: which catalogue items are on these photos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console, match_output
from edgeseg.cli.montages import write_montage
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
    from edgeseg.catalogue import Catalogue, Match
    from edgeseg.matcher import Matcher, MatchResult, Query
    from edgeseg.presets import BundleSource

_HELP = """Find the garment on a photo in a catalogue.

The background is removed first; --no-segment matches the whole photo. Smaller distances are nearer.
--refine and --flip cut the garment out more finely, as in `edgeseg segment`; a match rarely needs
it.

--where takes only items with an attribute; several values of one name are alternatives. --group-by
shows of the items that share an attribute's value, such as a style, only the nearest, so that ten
colours of one shirt do not fill the list. --same-item takes all photos as views of one garment and
gives one answer.

Where `edgeseg calibrate` has told the bundle, as the shipped ones, the answer says how probable it
is that the first match is right, and when the garment may not be in the catalogue at all. That
holds for one photo, and is left out with --same-item.

Examples:

\b
  edgeseg match photo.jpg --catalogue shop.catalogue
  edgeseg match photo.jpg --store /var/lib/edgeseg
  edgeseg match photo.jpg --catalogue shop.catalogue -k 5 --json
  edgeseg match *.jpg --catalogue shop.catalogue --montage found.png
  edgeseg match front.jpg back.jpg --catalogue shop.catalogue --same-item
  edgeseg match photo.jpg --catalogue shop.catalogue --where category=shirt --group-by style
"""

# Photos drawn into one montage; further ones would make a picture that no viewer opens.
_MAX_MONTAGE_PHOTOS = 50


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("match", help=_HELP, no_args_is_help=True)(match)


def match(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="One or more photos.")],
    catalogue: Annotated[
        Path | None,
        typer.Option("--catalogue", metavar="CATALOGUE", help="The catalogue to search."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Search what `edgeseg sync` put into use here, with its own bundle."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many matches a photo.")] = 10,
    same_item: Annotated[
        bool, typer.Option("--same-item", help="The photos show one garment: one answer for all.")
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only items with this attribute. Repeatable."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the items that share this attribute, the nearest."),
    ] = None,
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

    if (catalogue is None) == (store is None):
        raise typer.BadParameter("name what to search: --catalogue or --store")
    if store is not None and bundle is not None:
        raise typer.BadParameter("--store has a bundle of its own: leave --bundle out")

    from edgeseg.item_pictures import item_pictures
    from edgeseg.matcher import Matcher

    shop, source, told_age = _searched(catalogue, store, bundle)
    attributes = _attributes(where or [])
    # Only once, and before any work.
    shop.rows_where(attributes)
    if group_by is not None:
        shop.attribute_column(group_by)
    matcher = Matcher(shop, source, threads, segmenter_options(refine, flip))
    if told_age is not None:
        console.print_note(told_age["age"])
    told = _Told([], [], [])
    asked = _Asked(photos, k, not no_segment, attributes, group_by, as_json)
    document = (_match_together if same_item else _match_each)(matcher, asked, told)
    if as_json:
        used = {"failed": len(told.failures), "refine": refine.value, "flip": flip}
        console.print_json({**document, **used, **({} if told_age is None else told_age)})
    if montage is not None and told.results:
        write_montage(
            montage, told.results[:_MAX_MONTAGE_PHOTOS], item_pictures(catalogue, pictures)
        )
        console.print_note(f"drew {montage}")
    for failure in told.failures:
        console.print_error(failure)
    if told.failures:
        raise typer.Exit(console.EXIT_FAILURE)


def _searched(
    catalogue: Path | None, store: Path | None, bundle: Path | None
) -> tuple[Catalogue, BundleSource, dict[str, Any] | None]:
    """What to search with which bundle, and how old a store's generation is."""
    from edgeseg.catalogue import Catalogue
    from edgeseg.sync.clock import now
    from edgeseg.sync.store import Store

    if catalogue is not None:
        return Catalogue.open(catalogue), bundle, None
    assert store is not None
    opened = Store(store).open_active()
    age = Store(store).state().age_told(now(), opened.installed)
    if opened.instead_of:
        console.print_error(f"{opened.instead_of}; the generation before it is searched")
    return opened.catalogue, opened.bundle, {"generation": opened.installed.generation, "age": age}


@dataclass(frozen=True)
class _Asked:
    """What is to be matched, and how."""

    photos: list[Path]
    k: int
    segment: bool
    where: dict[str, list[str]]
    group_by: str | None
    quiet: bool


@dataclass(frozen=True)
class _Told:
    """What there is to tell: by photo for JSON, for the montage, and what failed.

    One bad photo does not keep the others from being matched.
    """

    entries: list[dict[str, Any]]
    results: list[tuple[Path, MatchResult]]
    failures: list[str]


def _match_each(matcher: Matcher, asked: _Asked, told: _Told) -> dict[str, Any]:
    from edgeseg.errors import EdgesegError

    for photo in console.progress(asked.photos, len(asked.photos), "matching"):
        try:
            result = matcher.match(
                photo, asked.k, asked.segment, where=asked.where, group_by=asked.group_by
            )
        except EdgesegError as error:
            told.failures.append(str(error))
            told.entries.append({"photo": str(photo), "matches": [], "error": str(error)})
            continue
        verdict = match_output.verdict(matcher, result)
        matches = {"matches": match_output.matches_told(result.matches)}
        told.entries.append(
            {"photo": str(photo), **verdict, **matches, **match_output.timings(result)}
        )
        # Pictures are large: no more than are drawn.
        if len(told.results) < _MAX_MONTAGE_PHOTOS:
            told.results.append((photo, result))
        if not asked.quiet:
            match_output.print_matches(str(photo) if len(asked.photos) > 1 else "", result.matches)
            if verdict["probability"] is not None:
                doubt = "" if verdict["accepted"] else "; the garment may not be in the catalogue"
                console.print_line(
                    f"the first match is right with a probability of {verdict['probability']:.2f}"
                    + doubt
                )
    return {"photos": told.entries}


def _match_together(matcher: Matcher, asked: _Asked, told: _Told) -> dict[str, Any]:
    from edgeseg.errors import EdgesegError
    from edgeseg.matcher import MatchResult

    queries: list[Query] = []
    for photo in console.progress(asked.photos, len(asked.photos), "matching"):
        try:
            query = matcher.query(photo, asked.segment)
        except EdgesegError as error:
            told.failures.append(str(error))
            told.entries.append({"photo": str(photo), "error": str(error)})
            continue
        queries.append(query)
        told.entries.append({"photo": str(photo), **match_output.timings(query)})
        told.results.append((photo, MatchResult([], query.segmentation, query.picture)))
    matches: list[Match] = []
    if queries:
        matches = matcher.match_same_item(
            queries, asked.k, where=asked.where, group_by=asked.group_by
        )
        # The one answer stands beside the first photo.
        photo, first = told.results[0]
        told.results[0] = (photo, replace(first, matches=matches))
        if not asked.quiet:
            match_output.print_matches(
                f"{len(queries)} photos of one item" if len(queries) > 1 else "", matches
            )
    return {"photos": told.entries, "matches": match_output.matches_told(matches)}


def _attributes(texts: list[str]) -> dict[str, list[str]]:
    """Attributes by name from ``NAME=VALUE`` each."""
    asked: dict[str, list[str]] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise typer.BadParameter(f"{text!r}: write NAME=VALUE", param_hint="--where")
        asked.setdefault(name, []).append(value)
    return asked


def _same_file(photo: Path, other: Path) -> bool:
    try:
        return photo.samefile(other)
    except OSError:
        return False
