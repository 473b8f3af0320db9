"""Drawn photos of a garment whose mask is known."""

from __future__ import annotations

import numpy as np


def garment(scale: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A red body with a blue sleeve on green ground: `(H, W, 3)` uint8 RGB, and its bool mask."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((160, 120), np.bool_)
    mask[40:130, 30:80] = True
    sleeve = np.zeros_like(mask)
    sleeve[45:85, 80:105] = True
    photo = rng.normal((90, 130, 90), 8, (160, 120, 3))
    photo[mask] = rng.normal((190, 40, 50), 8, (int(mask.sum()), 3))
    photo[sleeve] = rng.normal((40, 50, 190), 8, (int(sleeve.sum()), 3))
    picture = photo.clip(0, 255).astype(np.uint8)
    whole = mask | sleeve
    return (
        picture.repeat(scale, axis=0).repeat(scale, axis=1),
        whole.repeat(scale, axis=0).repeat(scale, axis=1),
    )


def body_confidence() -> np.ndarray:
    """A network that is sure of the red body and blind to the sleeve."""
    confidence = np.full((160, 120), 0.02, np.float32)
    confidence[40:130, 30:80] = 0.99
    return confidence
