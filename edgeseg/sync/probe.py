"""The health probe: whether a generation works on this very device."""

from __future__ import annotations

import contextlib

import numpy as np

from edgeseg.errors import EdgesegError, ModelContractError, NoGarmentError, ProbeError
from edgeseg.matcher import Matcher
from edgeseg.sync.store import OpenGeneration

# A grey garment-like rectangle on white; what it matches does not matter, that it does, does.
_PICTURE_PX = 64


def probe(opened: OpenGeneration) -> float:
    """Ask golden queries, and put a picture through both networks.

    Returns:
        The golden queries' index recall, 1 where the catalogue carries none.

    Raises:
        ProbeError: they are answered too rarely, or a network does not run, or the bundle and the
            catalogue do not belong together.
    """
    generation = opened.installed.generation
    recall = opened.catalogue.golden_recall()
    golden = opened.catalogue.data.golden
    if golden is not None and recall < golden.recall_floor:
        raise ProbeError(
            f"generation {generation} finds {recall:.3f} of its golden queries' answers on this "
            f"device, and {golden.recall_floor:.3f} is the least that it allows"
        )
    try:
        matcher = Matcher(opened.catalogue, opened.bundle)
        if opened.catalogue.embedder_digest != opened.bundle.embedder_digest:
            raise ModelContractError("its bundle is not the one that its catalogue was made with")
        picture = np.full((_PICTURE_PX, _PICTURE_PX, 3), 255, np.uint8)
        picture[12:52, 16:48] = 90
        matcher.match(picture, k=1, segment=False)
        # A rectangle need not be a garment to the segmenter; it has run by then.
        with contextlib.suppress(NoGarmentError):
            matcher.query(picture)
    except EdgesegError as error:
        told = f"generation {generation} does not work on this device: {error}"
        raise ProbeError(told) from error
    return recall
