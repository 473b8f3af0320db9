"""Random changes of a labelled photograph that leave its label true.

Every function takes its randomness from the generator passed in, so that sample ``i`` of epoch
``e`` is the same whatever was drawn before it: a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.opencv import alike, cv2

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Augmentation:
    """How strongly a photograph is changed; ``p_*`` are probabilities, angles in degrees.

    Attributes:
        flip: probability of a horizontal flip.
        rotation_deg: rotation is uniform in plus or minus this.
        p_quarter_turn: probability of a further turn by a multiple of 90 degrees.
        scale: range of the zoom, log-uniform.
        stretch: largest change of the aspect ratio, as a factor.
        shift: largest shift, as a share of the frame.
        p_background: probability that what is not garment is replaced.
        p_recolour: probability that the garment alone gets another hue and tone.
        brightness, contrast, saturation, hue_deg, white_balance, gamma: largest change of the
            whole photograph.
        p_grey: probability that colour is taken away.
        p_shadow: probability of a soft shadow across the frame.
        p_blur, p_noise, p_jpeg: probabilities of a phone camera's faults.
    """

    flip: float = 0.5
    rotation_deg: float = 0.0
    p_quarter_turn: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    stretch: float = 1.0
    shift: float = 0.0
    p_background: float = 0.0
    p_recolour: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue_deg: float = 0.0
    white_balance: float = 0.0
    gamma: float = 0.0
    p_grey: float = 0.0
    p_shadow: float = 0.0
    p_blur: float = 0.0
    p_noise: float = 0.0
    p_jpeg: float = 0.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Augmentation:
        """Reads the fields from JSON types.

        Raises:
            ValueError: an unknown field, or a value that cannot be drawn from.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown augmentation field {', '.join(sorted(unknown))}")
        low, high = (float(value) for value in values.get("scale", cls.scale))
        single = {name: float(value) for name, value in values.items() if name != "scale"}
        options = cls(**single, scale=(low, high))
        if not (0 < low <= high < np.inf and 0 < options.stretch < np.inf):
            raise ValueError("augmentation: scale is [low, high] above 0, and stretch is above 0")
        return options


def augment(
    image: Image,
    mask: Image,
    size_px: int,
    options: Augmentation,
    backgrounds: Sequence[Image],
    rng: np.random.Generator,
    target: Image | None = None,
) -> tuple[Image, Image]:
    """One random variant of a labelled photograph, stretched to the network's square.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` uint8, 0 or 1.
        size_px: side of the square.
        options: how strongly to change it.
        backgrounds: pictures free of garments to put behind it; none leaves the background alone.
        rng: the sample's own generator.
        target: ``(H, W)`` uint8, 0 to 255: what is to be learnt where that is not the mask, such as
            a teacher's confidence.

    Returns:
        ``(size_px, size_px, 3)`` uint8 RGB and ``(size_px, size_px)`` uint8, 0 to 255: the share of
        each pixel that the garment covers, or the target.
    """
    alike()
    # Both masks go through one warp, as two channels.
    masks = mask * 255 if target is None else np.dstack([mask * 255, target])
    image, soft = warp(image, masks, size_px, options, rng)
    learnt = soft
    if target is not None:
        soft, learnt = np.ascontiguousarray(soft[..., 0]), np.ascontiguousarray(soft[..., 1])
    if backgrounds and rng.random() < options.p_background:
        image = replace_background(image, soft, backgrounds, rng)
    if rng.random() < options.p_recolour:
        image = _blend(recolour(image, rng), image, soft)
    image = change_tone(image, options, rng)
    return add_camera_faults(image, options, rng), learnt


def warp(
    image: Image, masks: Image, size_px: int, options: Augmentation, rng: np.random.Generator
) -> tuple[Image, Image]:
    """Flip, rotation, zoom, stretch and shift in the photograph's own geometry, in one step.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        masks: ``(H, W)`` or ``(H, W, C)`` uint8, 0 to 255.
        size_px: side of the square.
        options: how strongly to change it.
        rng: the sample's own generator.

    Returns:
        The two, warped alike, of ``size_px`` square.
    """
    height, width = masks.shape[:2]
    angle = rng.uniform(-options.rotation_deg, options.rotation_deg)
    if rng.random() < options.p_quarter_turn:
        angle += 90.0 * int(rng.integers(1, 4))
    zoom = float(np.exp(rng.uniform(*np.log(options.scale))))
    stretch = float(np.exp(rng.uniform(-1, 1) * np.log(options.stretch)))
    shift = rng.uniform(-options.shift, options.shift, size=2) * (width, height)
    flip = -1.0 if rng.random() < options.flip else 1.0

    # A turned frame is fitted to the square by its own bounding box, as a turned phone would.
    turned = abs(np.sin(np.radians(angle))) > np.sin(np.pi / 4)
    frame_w, frame_h = (height, width) if turned else (width, height)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([flip, 1.0])
    linear = np.diag([zoom * stretch, zoom / stretch]) @ linear
    linear = np.diag([size_px / frame_w, size_px / frame_h]) @ linear
    centre = np.array([(width - 1) / 2, (height - 1) / 2]) + shift
    offset = (size_px - 1) / 2 - linear @ centre
    matrix = np.hstack([linear, offset[:, None]])
    size = (size_px, size_px)
    border = cv2.BORDER_REFLECT_101
    warped = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    soft = cv2.warpAffine(masks, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return warped, soft


def replace_background(
    image: Image, soft: Image, backgrounds: Sequence[Image], rng: np.random.Generator
) -> Image:
    """The garment on another background, with a feathered edge."""
    size = image.shape[0]
    picked = backgrounds[int(rng.integers(len(backgrounds)))]
    behind = _fill(picked, size, rng)
    behind = np.rot90(behind, int(rng.integers(4)))
    tone = rng.uniform(0.6, 1.3) * (1 + rng.uniform(-0.1, 0.1, size=3))
    behind = np.clip(behind * tone, 0, 255).astype(np.uint8)
    edge = cv2.GaussianBlur(soft, (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        # The shadow that the garment throws on what it lies on.
        dx, dy = rng.integers(-6, 7, size=2)
        shadow = cv2.GaussianBlur(np.roll(edge, (dy, dx), (0, 1)), (0, 0), rng.uniform(2, 6))
        darker = 1 - rng.uniform(0.2, 0.6) * shadow[..., None].astype(np.float32) / 255
        behind = (behind * darker).astype(np.uint8)
    return _blend(image, behind, edge)


def recolour(image: Image, rng: np.random.Generator) -> Image:
    """Another hue, saturation and tone, folds and prints kept."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 180)) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.3, 2.0) + rng.uniform(0, 60), 0, 255)
    value = hsv[..., 2] / 255
    hsv[..., 2] = 255 * np.clip(value ** np.exp(rng.uniform(-0.7, 0.7)), 0, 1)
    if rng.random() < 0.15:
        hsv[..., 2] = 255 - hsv[..., 2]
    recoloured: Image = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    return recoloured


def change_tone(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Brightness, contrast, gamma, white balance, saturation, hue and soft shadow."""
    change = np.ones(3) + rng.uniform(-options.white_balance, options.white_balance, size=3)
    contrast = 1 + rng.uniform(-options.contrast, options.contrast)
    brightness = 255 * rng.uniform(-options.brightness, options.brightness)
    gamma = float(np.exp(rng.uniform(-options.gamma, options.gamma)))
    levels = 255 * (np.arange(256) / 255) ** gamma
    table = (levels[:, None] - 128) * contrast + 128 + brightness
    table = np.clip(table * change, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[:, None, :])
    if options.saturation or options.hue_deg:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        turn = rng.uniform(-options.hue_deg, options.hue_deg) / 2
        factor = 1 + rng.uniform(-options.saturation, options.saturation)
        hues = ((np.arange(256) + turn) % 180).astype(np.uint8)
        saturations = np.clip(np.arange(256) * factor, 0, 255).astype(np.uint8)
        same = np.arange(256, dtype=np.uint8)
        hsv = cv2.LUT(hsv, np.stack([hues, saturations, same], axis=-1)[:, None, :])
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if rng.random() < options.p_grey:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < options.p_shadow:
        coarse = rng.uniform(rng.uniform(0.3, 0.8), 1.1, size=(3, 3)).astype(np.float32)
        light = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        image = np.clip(image * light[..., None], 0, 255).astype(np.uint8)
    return image


def add_camera_faults(image: Image, options: Augmentation, rng: np.random.Generator) -> Image:
    """Blur, sensor noise and JPEG blocks."""
    if rng.random() < options.p_blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.6))
    if rng.random() < options.p_noise:
        noise = rng.normal(0, rng.uniform(2, 14), size=image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < options.p_jpeg:
        quality = int(rng.integers(25, 90))
        done, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image


def garment_free_part(image: Image, mask: Image, least_share: float = 0.08) -> Image | None:
    """The largest full-width or full-height strip beside the garment, to serve as a background.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` uint8, 0 or 1.
        least_share: smallest share of the photograph that is worth keeping.

    Returns:
        ``(h, w, 3)`` uint8 RGB, or None where the garment leaves no such strip.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return image
    height, width = mask.shape
    gap = max(2, min(height, width) // 50)
    strips = (
        image[: max(0, rows[0] - gap)],
        image[rows[-1] + 1 + gap :],
        image[:, : max(0, columns[0] - gap)],
        image[:, columns[-1] + 1 + gap :],
    )
    largest = max(strips, key=lambda strip: strip.shape[0] * strip.shape[1])
    share = largest.shape[0] * largest.shape[1] / (height * width)
    return largest.copy() if share >= least_share else None


def _fill(picture: Image, size_px: int, rng: np.random.Generator) -> Image:
    """A ``size_px`` square of a background: a zoomed crop, or tiles mirrored at their edges."""
    height, width = picture.shape[:2]
    factor = size_px / min(height, width) * rng.uniform(0.5, 2.0)
    scaled = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    height, width = scaled.shape[:2]
    down, right = max(0, size_px - height), max(0, size_px - width)
    if down or right:
        tiled = cv2.BORDER_REFLECT if rng.random() < 0.5 else cv2.BORDER_WRAP
        scaled = cv2.copyMakeBorder(scaled, 0, down, 0, right, tiled)
    top = int(rng.integers(scaled.shape[0] - size_px + 1))
    left = int(rng.integers(scaled.shape[1] - size_px + 1))
    square: Image = scaled[top : top + size_px, left : left + size_px]
    return square


def _blend(front: Image, behind: Image, soft: Image) -> Image:
    alpha = soft[..., None].astype(np.float32) / 255
    mixed = front * alpha + behind * (1 - alpha)
    return np.asarray(mixed, dtype=np.uint8)
