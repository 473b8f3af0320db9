"""``edgeseg index duplicates``: which items of a catalogue show one and the same picture."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.montages import write_group_montage
from edgeseg.cli.options import JsonOption
from edgeseg.errors import EdgesegError

if TYPE_CHECKING:
    from edgeseg.duplicates import DuplicateGroup, Duplicates, Pair

_HELP = """List items of a catalogue that show one picture: the same photo under two SKUs.

Found are copies that were encoded anew, resized, cropped a little, put on a wider canvas, made
somewhat brighter or mirrored, and several of these at once. Colour variants of a style are not
listed. Each item is compared with its -k nearest ones, picture by picture: a difference of 0 is an
equal picture, and above 1 it is another one.

The pictures are read from where `index build` took them, or from --pictures. Pairs of which a
picture cannot be read are left out, and the command then ends with 1; --unchecked lists them by the
distance of their embeddings, which does not tell copies from colour variants.

Examples:

\b
  edgeseg index duplicates shop.catalogue
  edgeseg index duplicates shop.catalogue --montage duplicates.png
  edgeseg index duplicates shop.catalogue --limit 20 --json
  edgeseg index duplicates shop.catalogue --pictures items.csv --unchecked
"""

# Groups drawn into one montage; further ones would make a picture that no viewer opens.
_MAX_MONTAGE_GROUPS = 50
_MAX_TOLD_FAILURES = 20


def register(group: typer.Typer) -> None:
    """Add the command to the group ``index``."""
    group.command("duplicates", help=_HELP, no_args_is_help=True)(duplicates)


def duplicates(
    catalogue: Annotated[Path, typer.Argument(metavar="CATALOGUE", help="A catalogue file.")],
    k: Annotated[
        int, typer.Option("-k", min=1, max=1000, help="How many neighbours of each item to check.")
    ] = 10,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, metavar="N", help="List the N likest groups, not all."),
    ] = None,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Also list pairs whose pictures cannot be read."),
    ] = False,
    montage: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Also draw each group's pictures side by side."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="ITEMS",
            help="The ITEMS.csv or folder that the catalogue was built from, where it has moved.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List duplicates; see ``_HELP``."""
    console.settings.quiet = as_json
    if montage is not None and montage.suffix.lower() != ".png":
        raise typer.BadParameter(f"--montage {montage}: end it in .png")
    from edgeseg.catalogue import Catalogue
    from edgeseg.duplicates import find_duplicates

    start_s = time.perf_counter()
    shop = Catalogue.open(catalogue)
    from edgeseg.item_pictures import item_pictures

    places = item_pictures(catalogue, pictures)
    if not (unchecked or any(item.sku in places for item in shop.items)):
        raise EdgesegError(
            f"no picture of an item of {catalogue} is at hand: name the list or folder with "
            "--pictures ITEMS, or list pairs by their embeddings alone with --unchecked"
        )
    if montage is not None and _is_one_of(montage, [catalogue, *places.values()]):
        raise typer.BadParameter(f"--montage {montage} is the catalogue or a picture of its items")
    found = find_duplicates(shop, places, k, progress=console.progress_reporter)
    groups = found.groups[:limit]
    pairs = found.unchecked[:limit] if unchecked else []
    if as_json:
        document = {"catalogue": str(catalogue), "items": len(shop), **_document(found, groups)}
        if unchecked:
            document["unchecked"] = [_pair(pair) for pair in pairs]
        console.print_json({**document, "elapsed_s": round(time.perf_counter() - start_s, 3)})
    else:
        _print(found, groups, len(shop))
        _print_unchecked(found, pairs)
    if montage is not None and groups:
        write_group_montage(montage, groups[:_MAX_MONTAGE_GROUPS], places)
        console.print_note(f"drew {montage}")
    elif montage is not None:
        console.print_note(f"nothing to draw into {montage}")
    if found.unreadable:
        _tell_unreadable(found, unchecked)
        if not unchecked:
            raise typer.Exit(console.EXIT_FAILURE)


def _is_one_of(path: Path, others: list[Path]) -> bool:
    return path.exists() and path.resolve() in {other.resolve() for other in others}


def _document(found: Duplicates, groups: list[DuplicateGroup]) -> dict[str, Any]:
    return {
        "compared_pairs": found.compared_pairs,
        "found_groups": len(found.groups),
        "groups": [
            {
                "skus": list(group.skus),
                "pairs": [
                    {
                        **_pair(copy.pair),
                        "difference": round(copy.difference, 4),
                        "mirrored": copy.mirrored,
                    }
                    for copy in group.copies
                ],
            }
            for group in groups
        ],
        "unreadable": [{"sku": sku, "reason": reason} for sku, reason in found.unreadable.items()],
        "unchecked_pairs": found.unchecked_pairs,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {"sku": pair.sku, "other": pair.other, "distance": round(pair.distance, 6)}


def _print(found: Duplicates, groups: list[DuplicateGroup], items: int) -> None:
    if not groups:
        console.print_line(f"no duplicates: {found.compared_pairs} pairs of {items} items compared")
        return
    rows = [
        (
            number,
            copy.pair.sku,
            copy.pair.other,
            f"{copy.difference:.2f}",
            f"{copy.pair.distance:.4f}",
            "mirrored" if copy.mirrored else "",
        )
        for number, group in enumerate(groups, start=1)
        for copy in group.copies
    ]
    console.print_table(("group", "sku", "like", "difference", "distance", ""), rows)
    total = sum(len(group.skus) for group in found.groups)
    shown = f", the likest {len(groups)} shown" if len(groups) < len(found.groups) else ""
    console.print_line(
        f"{_counted(len(found.groups), 'group')} of {total} items that show one picture{shown}; "
        f"{found.compared_pairs} pairs of {items} items compared"
    )


def _print_unchecked(found: Duplicates, pairs: list[Pair]) -> None:
    if not pairs:
        return
    console.print_line(f"unchecked, the nearest {len(pairs)} of {found.unchecked_pairs} pairs:")
    rows = [(pair.sku, pair.other, f"{pair.distance:.4f}") for pair in pairs]
    console.print_table(("sku", "like", "distance"), rows)


def _tell_unreadable(found: Duplicates, accepted: bool) -> None:
    told = list(found.unreadable.items())
    for sku, reason in told[:_MAX_TOLD_FAILURES]:
        console.print_error(f"item {sku}: {reason}")
    if len(told) > _MAX_TOLD_FAILURES:
        console.print_error(f"... and {len(told) - _MAX_TOLD_FAILURES} more")
    pairs = _counted(found.unchecked_pairs, "pair")
    advice = "" if accepted else "; mend them, or list the pairs with --unchecked"
    console.print_error(f"{pairs} not compared, for {len(told)} pictures cannot be read{advice}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
