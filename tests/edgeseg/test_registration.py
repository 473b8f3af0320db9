"""Registration: a known shift and scale is found again, whatever the brightness."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg import registration
from edgeseg.imaging import resize

SIDE = 48


def patches(seed: int) -> np.ndarray:
    """Smooth grey patches, `(SIDE, SIDE)` float32, which no shift makes alike."""
    random = np.random.default_rng(seed)
    return resize(random.uniform(30, 220, (8, 8)).astype(np.float32), SIDE, SIDE)


def in_place(count: int) -> np.ndarray:
    return np.tile(np.array(registration.IN_PLACE, np.float32), (count, 1))


def test_in_place_a_picture_is_drawn_as_it_is() -> None:
    pictures = np.stack([patches(1), patches(2)])
    drawn, inside = registration.resample(pictures, in_place(2))
    # The weights of a pixel and its neighbour are 1 and 0 up to float32 rounding of the place.
    np.testing.assert_allclose(drawn, pictures, atol=0.01)
    assert inside.all()
    assert drawn.dtype == np.float32


def test_what_the_moving_picture_does_not_reach_is_told() -> None:
    shifted = np.array([[1.0, 0.5, 1.0, 0.0]], np.float32)
    _, inside = registration.resample(patches(1)[None], shifted)
    assert inside[0, :, : SIDE * 3 // 4].all()
    assert not inside[0, :, SIDE * 3 // 4 :].any()


@pytest.mark.parametrize(
    "known",
    [(1.0, 0.0, 1.0, 0.0), (0.92, 0.0, 0.92, 0.0), (1.05, 0.04, 1.0, -0.06), (1.0, 0.0, 0.9, 0.05)],
)
def test_a_known_placement_is_found_again(known: tuple[float, ...]) -> None:
    moving = np.stack([patches(seed) for seed in range(20)])
    wanted = np.tile(np.array(known, np.float32), (20, 1))
    fixed, _ = registration.resample(moving, wanted)
    fixed = 0.9 * fixed + 10.0
    found = registration.register(fixed, moving, in_place(20), steps=12)
    # A fifth of a pixel; a pixel is 2 / 48 of the picture's -1 to 1. Where the copy reaches beyond
    # the original, its repeated border pixels pull a little.
    assert np.abs(found - wanted).max() < 0.2 * 2 / SIDE
    assert registration.correlation(fixed, moving, found).min() > 0.99


def test_pairs_in_one_call_do_not_meet() -> None:
    pairs = np.stack([patches(seed) for seed in range(4)])
    fixed, moving = pairs[[0, 1, 2]], pairs[[3, 1, 0]]
    together = registration.register(fixed, moving, in_place(3), steps=4)
    for place in range(3):
        alone = registration.register(fixed[place][None], moving[place][None], in_place(1), steps=4)
        # Sums in another order: float32 rounding, enlarged by four steps.
        np.testing.assert_allclose(alone[0], together[place], atol=1e-4)


def test_flat_pictures_correlate_with_flat_ones_only() -> None:
    flat, other = np.full((SIDE, SIDE), 200, np.float32), np.full((SIDE, SIDE), 30, np.float32)
    fixed, moving = np.stack([flat, flat, patches(1)]), np.stack([other, patches(1), flat])
    found = registration.register(fixed, moving, in_place(3), steps=4)
    assert np.isfinite(found).all()
    assert registration.correlation(fixed, moving, found).tolist() == [1.0, 0.0, 0.0]


def test_a_placement_stays_within_its_bounds() -> None:
    fixed, moving = (np.stack([patches(seed + many) for seed in range(20)]) for many in (0, 50))
    found = registration.register(fixed, moving, in_place(20), steps=12)
    assert found[:, ::2].min() >= 0.8
    assert found[:, ::2].max() <= 1.25
    assert np.abs(found[:, 1::2]).max() <= 0.25
