"""Building a catalogue: each item's picture is decoded, framed and embedded.

A studio picture often shows more than the item: whoever wears it, and what else they wear. A
worker's photo does not, or its segmenter leaves that out. So an item is described by the mean of
two embeddings, of the picture framed as it is and of the garment that the segmenter finds in it:
near to a query of either kind, and still one vector.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.catalogue import Catalogue
from edgeseg.embedder import studio_crop
from edgeseg.errors import DatasetError, EdgesegError, ModelContractError
from edgeseg.formats.codes import DEFAULT_PRECISION
from edgeseg.imaging import Photo
from edgeseg.index.nearest import unit_vector
from edgeseg.items import Item, check_item
from edgeseg.postprocess import Segmentation, cutout_on_white

# One picture is decoded while another is embedded; more would only hold more photos in memory.
_DECODE_AHEAD = 2


class EmbedsPictures(Protocol):
    """What a build needs of an embedder; :class:`edgeseg.embedder.Embedder` is one."""

    @property
    def dim(self) -> int:
        """Length of the embeddings."""

    @property
    def digest(self) -> str:
        """Names the network and its preprocessing."""

    def embed(self, picture: Photo) -> NDArray[np.float32]:
        """``(H, W, 3)`` uint8 RGB, a crop on white, to ``(dim,)`` float32, L2-normalised."""


class SegmentsPictures(Protocol):
    """What a build needs of a segmenter; :class:`edgeseg.segmenter.Segmenter` is one."""

    def segment(self, photo: Photo) -> Segmentation:
        """``(H, W, 3)`` uint8 RGB to its masks."""


def catalogue_views(picture: Photo, segmenter: SegmentsPictures | None) -> list[Photo]:
    """The framings of a catalogue picture that describe its item together.

    Args:
        picture: ``(H, W, 3)`` uint8 RGB.
        segmenter: finds the garment in it; None leaves that framing out.

    Returns:
        The picture framed as it is and, where the segmenter finds one, the garment on white.
    """
    views = [studio_crop(picture)]
    if segmenter is not None:
        segmentation = segmenter.segment(picture)
        if segmentation.found:
            views.append(cutout_on_white(picture, segmentation))
    return views


def build_catalogue(
    items: Sequence[tuple[Item, Path]],
    embedder: EmbedsPictures,
    segmenter: SegmentsPictures | None = None,
    precision: str = DEFAULT_PRECISION,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Catalogue, list[tuple[str, str]]]:
    """Embed each item's picture and make a catalogue of them.

    Equal pictures, items and embedder give an equal catalogue.

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
    kept: list[Item] = []
    embeddings: list[NDArray[np.float32]] = []
    unreadable: list[tuple[str, str]] = []
    for done, (item, path, picture) in enumerate(_pictures(items), start=1):
        if isinstance(picture, EdgesegError):
            unreadable.append((item.sku, str(picture)))
        else:
            views = catalogue_views(picture, segmenter)
            embeddings.append(_mean_embedding(embedder, views, path))
            kept.append(item)
        if on_progress is not None:
            on_progress(done, len(items))
    if not kept:
        reason = f", such as item {unreadable[0][0]}: {unreadable[0][1]}" if unreadable else ""
        raise DatasetError(f"none of {len(items)} pictures can be read{reason}")
    catalogue = Catalogue.from_embeddings(kept, np.stack(embeddings), embedder.digest, precision)
    return catalogue, unreadable


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


def _mean_embedding(
    embedder: EmbedsPictures, views: Sequence[Photo], path: Path
) -> NDArray[np.float32]:
    embeddings = [embedder.embed(view) for view in views]
    for embedding in embeddings:
        if embedding.shape != (embedder.dim,):
            raise ModelContractError(
                f"the embedder gives shape {embedding.shape} where ({embedder.dim},) was declared"
            )
    try:
        return unit_vector(np.mean(embeddings, axis=0))
    except ValueError as error:
        raise ModelContractError(f"the embedder fails on {path.name}: {error}") from error
