"""What a frozen classifier sees in photographs, computed once, so that a training takes seconds.

The encoder is a MobileNet v1 that has seen ImageNet and none of the photographs, nor any mask. Its
maps at four resolutions, of each photograph and its mirror image, are brought to few channels by
their principal components, which need no mask either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging

INPUT_PX = 160
# The finest map, and so the head's output, is this much smaller than the input.
STRIDE = 4
# Of the encoder's layers, the last of each resolution, and the channels that are kept of it.
LEVELS = (
    ("encoder3_relu", 24),
    ("encoder5_relu", 32),
    ("encoder11_relu", 48),
    ("encoder12_relu", 64),
)
_BATCH = 20
_PIXELS = 20_000


@dataclass(frozen=True, eq=False)
class Features:
    """Photographs as the head takes them.

    Attributes:
        maps: by level, ``(2, N, h, w, channels)`` float16; the mirror images are second.
        masks: ``(N, 160, 160)`` bool, the true masks at the input's size.
        targets: ``(N, 40, 40)`` float32 in [0, 1], the share of garment in each of the head's
            pixels.
    """

    maps: tuple[NDArray[np.float16], ...]
    masks: NDArray[np.bool_]
    targets: NDArray[np.float32]


def features_of(
    images: Sequence[NDArray[np.uint8]],
    masks: Sequence[NDArray[np.bool_]],
    encoder: Path,
    components: list[tuple[NDArray[np.float32], NDArray[np.float32]]] | None,
) -> tuple[Features, list[tuple[NDArray[np.float32], NDArray[np.float32]]]]:
    """Run the encoder.

    Args:
        images: ``(H, W, 3)`` uint8 RGB each.
        masks: ``(H, W)`` bool each.
        encoder: a ``.tflite`` MobileNet v1.
        components: mean and directions of each level, as an earlier call gave them; None finds them
            in these photographs.
    """
    network = _encoder(encoder)
    small = np.stack([imaging.resize(image, INPUT_PX, INPUT_PX) for image in images])
    pixels = [_shrunk(mask) for mask in masks]
    maps: list[list[NDArray[np.float16]]] = [[] for _ in LEVELS]
    found = list(components or [])
    for view in (small, small[:, :, ::-1]):
        raw: list[list[NDArray[np.float32]]] = [[] for _ in LEVELS]
        for start in range(0, len(view), _BATCH):
            inputs = view[start : start + _BATCH].astype(np.float32) / 127.5 - 1
            for level, output in enumerate(network.predict_on_batch(inputs)):
                raw[level].append(np.asarray(output))
        for level, (_, channels) in enumerate(LEVELS):
            stacked = np.concatenate(raw[level])
            raw[level].clear()
            if len(found) <= level:
                found.append(_components(stacked, channels))
            mean, directions = found[level]
            maps[level].append(((stacked - mean) @ directions).astype(np.float16))
    side = INPUT_PX // STRIDE
    soft = np.stack(pixels)
    targets = soft.reshape(-1, side, STRIDE, side, STRIDE).mean((2, 4)).astype(np.float32)
    return Features(tuple(np.stack(level) for level in maps), soft >= 0.5, targets), found


def targets_of(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float32]:
    """Other masks of the same photographs as ``Features.targets``."""
    side = INPUT_PX // STRIDE
    soft = np.stack([_shrunk(mask) for mask in masks])
    targets: NDArray[np.float32] = soft.reshape(-1, side, STRIDE, side, STRIDE).mean((2, 4))
    return targets


def save(features: Features, path: Path) -> None:
    """Keep features for a next run."""
    maps = {f"map{level}": array for level, array in enumerate(features.maps)}
    whole = path.with_suffix(".part.npz")
    np.savez(whole, masks=features.masks, targets=features.targets, **maps)
    whole.rename(path)


def load(path: Path) -> Features:
    """Read what ``save`` wrote."""
    with np.load(path) as stored:
        maps = tuple(stored[f"map{level}"] for level in range(len(LEVELS)))
        return Features(maps, stored["masks"], stored["targets"])


def _shrunk(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    return imaging.resize(mask.astype(np.float32), INPUT_PX, INPUT_PX)


def _encoder(path: Path) -> Any:
    import keras

    from edgeseg.training.checkpoint import get_weights, set_weights
    from edgeseg.training.networks.mobilenet_unet import MobileNetUNet
    from edgeseg.training.pretrained import encoder_arrays

    network = MobileNetUNet().build(keras, INPUT_PX)
    set_weights(network, {**get_weights(network), **_fitting(network, encoder_arrays(path))})
    return keras.Model(network.input, [network.get_layer(name).output for name, _ in LEVELS])


def _fitting(network: Any, arrays: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Those of the encoder that this network has; the file lacks layers that are not used here."""
    from edgeseg.training.checkpoint import get_weights

    own = get_weights(network)
    return {n: a for n, a in arrays.items() if n in own and own[n].shape == a.shape}


def _components(
    maps: NDArray[np.float32], channels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and leading directions, scaled so that what comes out has a variance of about 1."""
    flat = maps.reshape(-1, maps.shape[-1])
    rng = np.random.default_rng(0)
    sample = flat[rng.choice(len(flat), size=min(len(flat), _PIXELS), replace=False)]
    mean = sample.mean(axis=0)
    directions = np.linalg.svd(sample - mean, full_matrices=False)[2][:channels].T
    scale = float(np.sqrt(((sample - mean) @ directions).var(axis=0).mean()))
    return mean, directions / np.float32(scale)
