"""Building a catalogue in one process: each item's picture is decoded and described."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.catalogue import Catalogue
from edgeseg.description import Describer, EmbedsPictures, SegmentsPictures
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.formats.codes import DEFAULT_PRECISION
from edgeseg.imaging import Photo
from edgeseg.items import Item, check_item

# One picture is decoded while another is embedded; more would only hold more photos in memory.
_DECODE_AHEAD = 2


def build_catalogue(
    items: Sequence[tuple[Item, Path]],
    embedder: EmbedsPictures,
    segmenter: SegmentsPictures | None = None,
    precision: str = DEFAULT_PRECISION,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Catalogue, list[tuple[str, str]]]:
    """Embed each item's picture and make a catalogue of them.

    Equal pictures, items and embedder give an equal catalogue, in whatever order they come.

    Args:
        items: each with its picture's path.
        embedder: the one that photos will be matched with.
        segmenter: the one that photos will be matched with; None describes the pictures as they
            are.
        precision: what is kept of the embeddings, see :class:`edgeseg.formats.codes.Codes`.
        on_progress: told (done, all) after each item.

    Returns:
        The catalogue of what could be read, and the SKU and reason of each item that could not.

    Raises:
        DatasetError: no picture could be read, or an item cannot be held.
        ModelContractError: the embedder gives embeddings of another shape than it says, or ones
            that are zero or not finite.
    """
    for item, _ in items:
        check_item(item)
    describer = Describer(embedder, segmenter)
    kept: list[Item] = []
    embeddings: list[NDArray[np.float32]] = []
    unreadable: list[tuple[str, str]] = []
    for done, (item, path, picture) in enumerate(_pictures(items), start=1):
        if isinstance(picture, EdgesegError):
            unreadable.append((item.sku, str(picture)))
        else:
            embeddings.append(describer.describe(picture, path.name))
            kept.append(item)
        if on_progress is not None:
            on_progress(done, len(items))
    if not kept:
        raise DatasetError(nothing_readable(len(items), unreadable))
    catalogue = Catalogue.from_embeddings(kept, np.stack(embeddings), embedder.digest, precision)
    return catalogue, unreadable


def nothing_readable(pictures: int, unreadable: Sequence[tuple[str, str]]) -> str:
    """One line for a build that no picture is left for."""
    reason = f", such as item {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
    return f"none of {pictures} pictures can be read{reason}"


def _pictures(
    items: Sequence[tuple[Item, Path]],
) -> Iterator[tuple[Item, Path, Photo | EdgesegError]]:
    """Each item's picture, or why there is none, in order; decoded a little ahead."""
    left = iter(items)
    pending: deque[tuple[Item, Path, Future[Photo | EdgesegError]]] = deque()
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            for _ in items:
                room = _DECODE_AHEAD - len(pending)
                for item, path in itertools.islice(left, room):
                    pending.append((item, path, pool.submit(_read, path)))
                item, path, picture = pending.popleft()
                yield item, path, picture.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(path: Path) -> Photo | EdgesegError:
    try:
        return imaging.read_photo(path)
    except EdgesegError as error:
        return error
