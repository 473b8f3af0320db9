"""Drawn inputs, for a bench that was given none: photos as files, and a catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.catalogue import Catalogue, Item
from edgeseg.formats.codes import DEFAULT_PRECISION

PHOTO_WIDTH_PX, PHOTO_HEIGHT_PX = 1200, 1600
PHOTOS = 3
# Enough that a catalogue builds its graph (``nearest.EXACT_SEARCH_MAX_ITEMS``).
CATALOGUE_ITEMS = 5000
_GROUPS = 100
_SEED = 11


def draw_photos(folder: Path) -> list[Path]:
    """Write some JPEG files of the size that messengers send: a plain shirt on a grained floor.

    The content hardly changes a network's time; decoding and clean-up want a picture with noise
    and one large region, which these have.

    Args:
        folder: Where to write; it exists.

    Returns:
        The files, in order.
    """
    generator = np.random.default_rng(_SEED)
    paths = []
    for number in range(PHOTOS):
        path = folder / f"drawn-{number + 1}.jpg"
        path.write_bytes(imaging.encode_jpeg(_draw_photo(generator)))
        paths.append(path)
    return paths


def draw_catalogue(
    folder: Path, dim: int, embedder_digest: str, precision: str | None = None
) -> Path:
    """Write a catalogue of drawn, L2-normalised embeddings, unless it is there already.

    As garments do, they stand in groups that shade into each other; in a cloud without any
    structure an index finds less than in any shop.

    Args:
        folder: Where to write; it exists.
        dim: Length of an embedding.
        embedder_digest: The embedder that it shall pass for.
        precision: Of its codes; None for the default.

    Returns:
        The file.
    """
    generator = np.random.default_rng(_SEED)
    centres = generator.normal(size=(_GROUPS, dim))
    spread = generator.normal(size=(CATALOGUE_ITEMS, dim))
    drawn = (centres[np.arange(CATALOGUE_ITEMS) % _GROUPS] + spread).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    items = [Item(f"drawn-{number:05d}", {}) for number in range(CATALOGUE_ITEMS)]
    precision = precision or DEFAULT_PRECISION
    path = folder / f"drawn-{dim}-{embedder_digest[:12]}-{precision}.catalogue"
    if not path.exists():
        Catalogue.from_embeddings(items, drawn, embedder_digest, precision).save(path)
    return path


@dataclass(frozen=True)
class DrawnRelease:
    """A release that a scanner can sync: the folder that serves it, and what it trusts."""

    url: Path
    root: Path


def draw_release(folder: Path, catalogue: str, bundle: str) -> DrawnRelease:
    """Publish a catalogue and a bundle with new keys.

    Args:
        folder: Where to write; it exists.
        catalogue: A catalogue file.
        bundle: A bundle file.

    Raises:
        ModuleNotFoundError: What the extra ``publish`` brings is not installed.
        EdgesegError: They cannot be published.
    """
    from edgeseg.publishing.keys import Keys, init_keys
    from edgeseg.publishing.publisher import publish
    from edgeseg.sync.clock import now

    keys, url = folder / "keys", folder / "www"
    init_keys(keys, {}, now())
    publish([catalogue, bundle], str(url), Keys([keys]), now())
    return DrawnRelease(url, keys / "root.json")


def _draw_photo(generator: np.random.Generator) -> NDArray[np.uint8]:
    """`(1600, 1200, 3)` uint8 RGB: body, two sleeves and a neckline, in units of the frame."""
    y, x = np.mgrid[0 : 1 : PHOTO_HEIGHT_PX * 1j, 0 : 1 : PHOTO_WIDTH_PX * 1j]
    x = x + generator.uniform(-0.05, 0.05)
    from_centre = np.abs(x - 0.5)
    body = (from_centre < 0.22) & (y > 0.2) & (y < 0.85)
    sleeves = (from_centre < 0.4) & (np.abs(y - 0.2 - 0.6 * (from_centre - 0.1)) < 0.12) & (y > 0.2)
    neckline = (from_centre / 0.08) ** 2 + ((y - 0.2) / 0.06) ** 2 < 1
    shirt = (body | sleeves) & ~neckline
    floor, cloth = generator.integers(150, 220, 3), generator.integers(20, 120, 3)
    light = 1.0 + 0.15 * np.sin(4 * x) + 0.05 * np.sin(60 * y)
    picture = np.where(shirt[..., None], cloth, floor) * light[..., None]
    grain = generator.normal(0, 6, picture.shape[:2])[..., None]
    noisy: NDArray[np.uint8] = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return noisy
