"""Room light and a phone's camera, with the faults of both."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from examples.drawing.geometry import floats
from examples.drawing.noise import Field, smooth_noise


def room_light(rng: np.random.Generator, height_px: int, width_px: int) -> Field:
    """Uneven light, ``(H, W)`` float32 about 1: a falling-off lamp, now and then a hard shadow."""
    rows, columns = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    x, y = columns / width_px - 0.5, rows / height_px - 0.5
    angle = float(rng.uniform(0, 6.283))
    fall = float(rng.uniform(0, 0.4))
    light = 1 + fall * (x * np.cos(angle) + y * np.sin(angle))
    light += float(rng.uniform(0, 0.12)) * smooth_noise(rng, height_px, width_px, 2, 2)
    centre = rng.normal(0, 0.15, 2)
    far = np.hypot(x - centre[0], y - centre[1])
    light *= 1 - float(rng.uniform(0, 0.25)) * far**2 * 2
    kind = rng.random()
    if kind < 0.16:  # the photographer's own shadow
        at = rng.uniform(-0.5, 0.5, 2) + np.array([0, 0.35])
        blob = np.exp(-(((x - at[0]) / 0.3) ** 2 + ((y - at[1]) / 0.4) ** 2) * 2)
        light *= 1 - float(rng.uniform(0.15, 0.45)) * np.clip(blob * 2, 0, 1)
    elif kind < 0.26:  # sun through a window
        across = x * np.cos(angle + 1) + y * np.sin(angle + 1)
        edge = 1 / (
            1 + np.exp(-(across - float(rng.uniform(-0.3, 0.3))) * float(rng.uniform(20, 90)))
        )
        light *= 0.8 + float(rng.uniform(0.15, 0.5)) * edge
    return floats(light)


def photographed(scene: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The scene as a phone would store it: white balance, exposure, blur, noise, sharpening, JPEG.

    Args:
        scene: ``(H, W, 3)`` float32 RGB, about [0, 1].
        rng: where the faults come from.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    warmth = float(rng.normal(0.02, 0.07))
    gains = floats([1 + warmth, 1 + rng.normal(0, 0.015), 1 - warmth])
    exposure = float(np.clip(rng.normal(1.12, 0.16), 0.65, 1.4))
    picture: Any = np.clip(scene * gains * np.float32(exposure), 0, None)
    picture = np.power(picture, np.float32(rng.uniform(0.85, 1.2)))
    veil = float(rng.uniform(0, 0.07))  # a phone lens flares: black is never quite black
    picture = veil + picture * (1 - veil)
    picture = np.where(picture > 0.85, 0.85 + 0.15 * np.tanh((picture - 0.85) / 0.15), picture)
    softness = rng.random()
    if softness < 0.75:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.3)))
    elif softness < 0.85:
        length = int(rng.integers(3, 9))
        kernel = np.zeros((length, length), np.float32)
        ends = rng.integers(0, length, 2).tolist()
        cv2.line(kernel, (0, int(ends[0])), (length - 1, int(ends[1])), 1.0, 1)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    if rng.random() < 0.5:
        blurred: Any = cv2.GaussianBlur(picture, (0, 0), 1.6)
        picture = picture + float(rng.uniform(0.2, 0.8)) * (picture - blurred)
    grain = rng.normal(0, float(rng.uniform(0.002, 0.022)), picture.shape).astype(np.float32)
    stored = np.clip((picture + grain) * 255 + 0.5, 0, 255).astype(np.uint8)
    quality = int(rng.integers(55, 95))
    _, encoded = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1])
