"""The self-test: the presets' answers to one drawn picture, against those stored on x86-64.

A wrong kernel or a miscompiled library runs without an error and answers otherwise. The answers are
written by ``python -m tests.edgeseg.diagnosis.write_answers`` after the presets have changed.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.embedder import Embedder
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import Photo
from edgeseg.segmenter import Segmenter

_ANSWERS = "answers.json"
_HEIGHT_PX, _WIDTH_PX = 288, 240


def drawn_picture(on_white: bool = False) -> Photo:
    """A shirt on a striped floor or on white, in integers alone: the same on every machine.

    Returns:
        ``(288, 240, 3)`` uint8 RGB.
    """
    y, x = np.mgrid[:_HEIGHT_PX, :_WIDTH_PX].astype(np.int32)
    from_middle = np.abs(x - _WIDTH_PX // 2)
    body = (y >= 60) & (y < 240) & (from_middle < 48 + y // 24)
    sleeves = (y >= 60) & (from_middle * 5 > (y - 60) * 3) & (from_middle < 92 - abs(y - 96) // 2)
    sleeves &= y < 62 + from_middle
    neck = (y - 58) ** 2 * 3 + from_middle**2 < 24**2
    garment = (body | (sleeves & (y < 150))) & ~neck
    folds = (x * 3 + y) % 41 // 8 + (y // 9 % 3) * 4
    shirt = np.stack([178 - folds, 34 + folds, 52 + folds // 2], axis=-1)
    grain = (x * 7 + y * 13) % 23 + (y % 48 < 3) * -40
    floor = np.stack([150 + grain, 128 + grain, 98 + grain], axis=-1)
    ground = np.full_like(floor, 255) if on_white else floor
    return np.where(garment[..., None], shirt, ground).astype(np.uint8)


def answer(bundle: Bundle) -> dict[str, Any]:
    """What a bundle's networks make of the drawn picture.

    Returns:
        ``mask``: ``(h, w)`` bool at the network's resolution; ``embedding``: ``(dim,)`` float32.

    Raises:
        ModelContractError: the bundle has no embedder, or another kind of segmenter.
    """
    confidence = Segmenter(bundle).network_confidence(drawn_picture())
    # Of the picture on white, so that a pixel of the mask's edge does not reach the embedding.
    embedding = Embedder(bundle).embed(drawn_picture(on_white=True))
    return {"mask": confidence > 0.5, "embedding": embedding}


def stored_answer(digest: str) -> dict[str, Any] | None:
    """The stored answer of a bundle; None for a bundle that is no preset."""
    stored = json.loads(Path(__file__).with_name(_ANSWERS).read_text(encoding="ascii"))
    if digest not in stored:
        return None
    told = stored[digest]
    bits = np.frombuffer(zlib.decompress(base64.b64decode(told["mask"])), np.uint8)
    shape = tuple(told["mask_shape"])
    return {
        "mask": np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(bool),
        "embedding": np.array(told["embedding"], np.float32),
    }


def packed(found: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as it is stored."""
    mask: NDArray[np.bool_] = found["mask"]
    return {
        "mask": base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode("ascii"),
        "mask_shape": list(mask.shape),
        "embedding": [round(float(value), 5) for value in found["embedding"]],
    }


def agreement(found: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, float]:
    """How far two answers agree.

    Returns:
        ``iou`` of the masks and ``cosine`` of the embeddings; 0 where their shapes differ.
    """
    iou = cosine = 0.0
    if found["mask"].shape == stored["mask"].shape:
        union = int((found["mask"] | stored["mask"]).sum())
        iou = int((found["mask"] & stored["mask"]).sum()) / union if union else 1.0
    if found["embedding"].shape == stored["embedding"].shape:
        norms = np.linalg.norm(found["embedding"]) * np.linalg.norm(stored["embedding"])
        cosine = float(np.dot(found["embedding"], stored["embedding"]) / norms)
    return {"iou": round(iou, 5), "cosine": round(cosine, 5)}
