"""Refinement: the coarse mask's edge goes to the photo's, and only there is the photo read."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg import filters, imaging, refine
from edgeseg.evaluation.metrics import iou
from edgeseg.refine import LinearModel, band_blocks, fit_linear_model, guided, interpolated

METHODS = [guided, refine.grabcut]
RED, GREEN = (200.0, 40.0, 50.0), (80.0, 130.0, 90.0)


def disc(side: int, radius: float) -> np.ndarray:
    """How much of each pixel a centred disc covers: `(side, side)` float32, edge a pixel wide."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip(radius - np.hypot(x, y) + 0.5, 0.0, 1.0).astype(np.float32)


def painted(alpha: np.ndarray, noise: float = 4.0) -> np.ndarray:
    """Red of that alpha over green, `(H, W, 3)` uint8 RGB, with a camera's noise."""
    mixed = alpha[..., None] * np.array(RED) + (1 - alpha[..., None]) * np.array(GREEN)
    noisy = mixed + np.random.default_rng(0).normal(0, noise, mixed.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def coarse_confidence(true: np.ndarray, side: int = 64, shift: int = 1) -> np.ndarray:
    """What a network might say: small, a cell off, never quite sure."""
    small = imaging.resize(true, side, side)
    return (0.1 + 0.8 * np.roll(small, shift, axis=1)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_the_edge_goes_to_the_photos(method) -> None:
    true = disc(320, 110.0)
    photo, confidence = painted(true), coarse_confidence(true)
    before = imaging.resize_bilinear(confidence, 320, 320) >= 0.5
    after = method(photo, confidence) >= 0.5
    # A cell of the network is five pixels here, and the mask comes one cell off.
    assert iou(before, true >= 0.5) < 0.95
    assert iou(after, true >= 0.5) > 0.99


def test_a_soft_edge_is_recovered_from_a_hard_mask() -> None:
    # Colour is linear in alpha, the filter's own model: without noise the alpha comes back.
    alpha = imaging.resize_bilinear(disc(40, 13.0), 160, 160)
    model = fit_linear_model(
        painted(alpha, noise=0.0), (alpha >= 0.5).astype(np.float32), radius=6, epsilon=1e-6
    )
    soft = model.apply(painted(alpha, noise=0.0))
    edge = (alpha > 0.1) & (alpha < 0.9)
    assert edge.sum() > 500
    # The hard mask is off by 0.25 on average there; the fit of a step by a ramp leaves a fifth.
    assert np.abs((alpha >= 0.5) - alpha)[edge].mean() > 0.2
    assert np.abs(soft - alpha)[edge].mean() < 0.06
    assert np.abs(soft - alpha)[~edge].max() < 0.2


def test_it_is_the_published_filter() -> None:
    # The equations, window by window and pixel by pixel, on a picture small enough for it.
    rng = np.random.default_rng(3)
    guide = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    mask = rng.random((9, 11), dtype=np.float32)
    radius, epsilon = 1, 0.01

    def padded(values: np.ndarray) -> np.ndarray:
        edges = [(radius, radius)] * 2 + [(0, 0)] * (values.ndim - 2)
        return np.pad(values, edges, mode="symmetric")

    def window(values: np.ndarray, row: int, column: int) -> np.ndarray:
        side = 2 * radius + 1
        return padded(values)[row : row + side, column : column + side]

    slopes, offsets = np.zeros((9, 11, 3)), np.zeros((9, 11))
    for row in range(9):
        for column in range(11):
            colours = window(guide / 255.0, row, column).reshape(-1, 3)
            targets = window(mask.astype(np.float64), row, column).ravel()
            mu = colours.mean(axis=0)
            sigma = np.cov(colours.T, bias=True) + epsilon * np.eye(3)
            a = np.linalg.solve(sigma, colours.T @ targets / len(targets) - mu * targets.mean())
            slopes[row, column], offsets[row, column] = a, targets.mean() - a @ mu
    expected = np.zeros((9, 11))
    for row in range(9):
        for column in range(11):
            a = window(slopes, row, column).reshape(-1, 3).mean(axis=0)
            expected[row, column] = (
                a @ (guide[row, column] / 255.0) + window(offsets, row, column).mean()
            )
    found = fit_linear_model(guide, mask, radius, epsilon).apply(guide)
    # float32 coefficients: seven digits, of terms that reach about 10.
    np.testing.assert_allclose(found, expected.clip(0, 1), atol=2e-5)


@pytest.mark.parametrize(("height", "width"), [(300, 200), (17, 401), (3000, 5)])
def test_blocks_are_interpolated_as_the_whole_would_be(height: int, width: int) -> None:
    plane = np.random.default_rng(1).random((16, 12), dtype=np.float32)
    whole = imaging.resize_bilinear(plane, width, height)
    everywhere = np.ones((16, 12), np.bool_)
    seen = np.zeros((height, width), np.int32)
    for rows, columns in band_blocks(everywhere, height, width):
        seen[rows, columns] += 1
        block = interpolated(plane[None], rows, columns, height, width)[0]
        # OpenCV rounds its weights to 11 bits when shrinking a line to fewer pixels; ours don't.
        np.testing.assert_allclose(block, whole[rows, columns], atol=1e-3)
    assert (seen == 1).all()


def test_work_on_a_large_photo_grows_with_the_outline_not_the_area(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true = disc(160, 50.0)
    sides: list[int] = []
    real = filters.box_mean

    def watched(image: np.ndarray, radius: int) -> np.ndarray:
        sides.append(max(image.shape[:2]))
        return real(image, radius)

    monkeypatch.setattr(filters, "box_mean", watched)
    photo = imaging.resize(painted(true), 4000, 3000)
    model = fit_linear_model(painted(true), true, 4, 1e-4)
    worked = sum(
        (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows, columns in band_blocks(model.band, 3000, 4000)
    )
    assert 0 < worked < 0.55 * photo.shape[0] * photo.shape[1]
    largest = max(
        (rows.stop - rows.start) * (columns.stop - columns.start)
        for rows, columns in band_blocks(model.band, 3000, 4000)
    )
    assert largest <= 128 * 128, "temporaries are of a block's size"
    for method in METHODS:
        assert method(photo, true).shape == (3000, 4000)
    assert max(sides) <= refine.GRABCUT_SIDE_PX, "no filter runs at the photo's own size"


def test_off_the_band_the_mask_stays_as_it_is() -> None:
    true = disc(160, 50.0)
    photo = painted(true, noise=20.0)
    refined = guided(photo, true)
    distance = np.abs(np.hypot(*(np.mgrid[:160, :160] - 79.5)) - 50.0)
    # Two windows of radius 4 reach 8 pixels along each axis, so 11.4 across, and one for the edge.
    far = distance > 12.4
    np.testing.assert_allclose(refined[far], np.round(true[far]), atol=1e-6)
    assert (refined[~far] != np.round(true[~far])).any()


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_the_edge_lies_at_half_whatever_the_threshold(threshold: float) -> None:
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    flat = np.full((64, 64, 3), 128, np.uint8)
    refined = guided(flat, ramp, threshold)
    assert abs(int((refined >= 0.5).argmax(axis=1)[32]) - threshold * 63) <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.0, 0.3, 0.9, 1.0])
def test_an_empty_and_a_full_mask_stay_so(method, level: float) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    refined = method(photo, np.full((32, 32), level, np.float32))
    np.testing.assert_allclose(refined, float(level >= 0.5), atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (5, 4001)])
def test_odd_photo_sizes_do(method, shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    refined = method(photo, disc(32, 10.0))
    assert refined.shape == shape
    assert refined.dtype == np.float32
    assert 0.0 <= refined.min() <= refined.max() <= 1.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0, 77, 255])
def test_a_photo_of_one_colour_keeps_the_networks_edge(method, value: int) -> None:
    true = disc(64, 20.0)
    refined = method(np.full((64, 64, 3), value, np.uint8), true)
    assert np.isfinite(refined).all()
    assert iou(refined >= 0.5, true >= 0.5) > 0.9


def test_grabcut_that_disagrees_with_the_network_is_not_believed() -> None:
    # The network is half sure of the whole disc, and sure of its left half only; the right half
    # has the background's colour, so that GrabCut throws it away.
    true = disc(160, 60.0)
    left = true * (np.arange(160) < 80)
    photo = painted(left.astype(np.float32))
    confidence = (0.6 * true + 0.4 * left).astype(np.float32)
    believed = refine.grabcut(photo, confidence) >= 0.5
    np.testing.assert_array_equal(believed, guided(photo, confidence) >= 0.5)


def test_a_model_without_a_band_reads_no_photo() -> None:
    coefficients = np.zeros((4, 4, 4), np.float32)
    coefficients[:3], coefficients[3] = 9.0, 0.25
    model = LinearModel(coefficients, np.zeros((4, 4), np.bool_))
    assert (model.apply(np.full((50, 60, 3), 200, np.uint8)) == 0.25).all()
