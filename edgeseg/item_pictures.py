"""Where the items' pictures are, for whoever shows them.

A catalogue carries embeddings and no pictures, since a handheld has no room for them. So that they
can be shown where they are at hand, ``edgeseg index build`` notes in a small file beside the
catalogue where it took them from. Nothing else reads that file, and it need not travel with the
catalogue.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from edgeseg.errors import EdgesegError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.items import read_items

_NOTE_SUFFIX = ".pictures.json"
_MAX_NOTE_BYTES = 64 * 1024


def note_source(catalogue: Path, items: Path) -> None:
    """Write down, beside a catalogue, which CSV or folder its pictures came from."""
    place = os.path.relpath(items.resolve(), catalogue.resolve().parent)
    write_atomic(_note_path(catalogue), json.dumps({"items": place}).encode() + b"\n")


def item_pictures(catalogue: Path | None, source: Path | None) -> dict[str, Path]:
    """Where each SKU's picture is.

    Args:
        catalogue: the catalogue's path; None where it has none that is known.
        source: the CSV or folder that the user named; None takes the one noted at the build.

    Returns:
        Paths by SKU; empty when nothing is known.

    Raises:
        EdgesegError: `source` was named and cannot be read.
    """
    place = source or (None if catalogue is None else _noted_source(catalogue))
    if place is None:
        return {}
    try:
        return {item.sku: picture for item, picture in read_items(place, allow_missing=True)}
    except EdgesegError:
        if source is not None:
            raise
        return {}  # moved or changed since the build, and nobody asked for it by name


def _note_path(catalogue: Path) -> Path:
    return catalogue.with_name(catalogue.name + _NOTE_SUFFIX)


def _noted_source(catalogue: Path) -> Path | None:
    """What ``note_source`` wrote, if it is there and still leads somewhere."""
    note = _note_path(catalogue)
    if not note.is_file():
        return None
    try:
        document = json.loads(read_bounded(note, _MAX_NOTE_BYTES, "note"))
        place = catalogue.resolve().parent / str(document["items"])
    except (EdgesegError, ValueError, KeyError, TypeError):
        return None  # an aid for pictures only: without it, items are shown without theirs
    return place if place.exists() else None
