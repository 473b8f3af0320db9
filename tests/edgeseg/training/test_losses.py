"""The losses against the same formulas written out in numpy, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from edgeseg.training.losses import BceSoftIou, SoftTargetContrastive, VoidCrossEntropy

# Means over about a thousand float32 terms of up to about 10: rounding stays near 1e-6.
FLOAT32 = {"rtol": 2e-5, "atol": 2e-6}


def bce_soft_iou(true: Any, logits: Any, iou_weight: float) -> Any:
    confidence = 1 / (1 + np.exp(-logits.astype(np.float64)))
    bce = -(true * np.log(confidence) + (1 - true) * np.log(1 - confidence)).mean(axis=(1, 2, 3))
    intersection = (confidence * true).sum(axis=(1, 2, 3))
    union = (confidence + true - confidence * true).sum(axis=(1, 2, 3))
    return bce + iou_weight * (1 - (intersection + 1) / (union + 1))


@pytest.mark.parametrize("iou_weight", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("soft", [False, True])
def test_bce_soft_iou(iou_weight: float, soft: bool) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (4, 16, 12, 1)).astype(np.float32)
    true = rng.random((4, 16, 12, 1)).astype(np.float32)
    true = true if soft else np.round(true)
    loss = BceSoftIou(iou_weight)
    each = np.asarray(loss.call(true, logits))
    assert each.shape == (4,)
    expected = bce_soft_iou(true, logits, iou_weight)
    np.testing.assert_allclose(each, expected, **FLOAT32)
    np.testing.assert_allclose(float(loss(true, logits)), expected.mean(), **FLOAT32)


def test_a_perfect_prediction_costs_nothing_and_the_opposite_much() -> None:
    true = np.zeros((1, 20, 20, 1), np.float32)
    true[:, 5:15, 4:18] = 1
    logits = (true - 0.5) * 60
    assert float(BceSoftIou()(true, logits)) < 1e-6
    # Each pixel costs its logit of 30, and the IoU is (0 + 1) / (400 + 1).
    assert float(BceSoftIou()(true, -logits)) == pytest.approx(30 + 400 / 401, rel=1e-5)


def test_an_empty_mask() -> None:
    empty = np.zeros((1, 10, 10, 1), np.float32)
    assert float(BceSoftIou()(empty, empty - 40)) < 1e-6
    everywhere = float(BceSoftIou()(empty, empty + 40))
    assert everywhere == pytest.approx(40 + 100 / 101, rel=1e-5)


def test_large_logits_do_not_overflow() -> None:
    true = np.ones((1, 4, 4, 1), np.float32)
    for logit in (-1e4, 1e4, -1e30, 1e30):
        assert np.isfinite(np.asarray(BceSoftIou().call(true, true * np.float32(logit)))).all()


def test_a_small_garment_counts_as_much_as_a_large_one() -> None:
    true = np.zeros((2, 40, 40, 1), np.float32)
    true[0, :4, :4] = 1
    true[1, :36, :36] = 1
    missed = np.full_like(true, -40)
    by_iou = np.asarray(BceSoftIou().call(true, missed)) - np.asarray(
        BceSoftIou(0.0).call(true, missed)
    )
    # 1 - 1 / (n + 1) for n garment pixels: the smoothing of one pixel is all that differs.
    np.testing.assert_allclose(by_iou, [16 / 17, 1296 / 1297], rtol=1e-4)


def test_void_cross_entropy() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (2, 6, 5, 4)).astype(np.float32)
    ids = rng.integers(0, 4, (2, 6, 5), dtype=np.uint8)
    ids[0, :3], ids[1, 2] = 255, 4
    shares = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(-1, keepdims=True)
    counted = ids < 4
    picked = np.take_along_axis(shares, np.where(counted, ids, 0)[..., None].astype(int), -1)[
        ..., 0
    ]
    # One mean over all pixels that are not void, not a mean of the photos' means.
    expected = -np.log(picked[counted]).mean()
    np.testing.assert_allclose(float(VoidCrossEntropy()(ids, logits)), expected, **FLOAT32)
    changed = logits.copy()
    changed[~counted] += 1000 * rng.normal(size=4)
    assert float(VoidCrossEntropy()(ids, changed)) == pytest.approx(expected, rel=1e-5)
    nothing = np.full_like(ids, 255)
    assert float(VoidCrossEntropy()(nothing, logits)) == 0.0
    assert float(VoidCrossEntropy()(ids, logits * 1e4)) < 1e6


def unit_rows(count: int, dim: int, seed: int) -> Any:
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_soft_target_contrastive() -> None:
    batch, temperature, share = 5, 0.2, 0.4
    embeddings = unit_rows(2 * batch, 8, 0)
    targets = np.random.default_rng(1).random((batch, batch))
    targets = (targets / targets.sum(axis=1, keepdims=True)).astype(np.float32)
    alike = np.random.default_rng(2).uniform(-1, 1, (batch, batch)).astype(np.float32)
    given = np.block([[targets, alike], [targets.T, alike.T]])
    queries, pictures = embeddings[:batch].astype(float), embeddings[batch:].astype(float)
    expected = []
    sides = ((queries, pictures, targets, alike), (pictures, queries, targets.T, alike.T))
    for rows, columns, aims, colours in sides:
        for row, aim, colour in zip(rows, aims, colours, strict=True):
            seen = np.array([row @ column for column in columns])
            logits = ((1 - share) * seen + share * colour) / temperature
            shares = np.exp(logits) / np.exp(logits).sum()
            expected.append(-(aim * np.log(shares)).sum())
    each = np.asarray(SoftTargetContrastive(temperature, share).call(given, embeddings))
    assert each.shape == (2 * batch,)
    np.testing.assert_allclose(each, expected, **FLOAT32)


def test_contrastive_is_near_0_when_every_query_meets_its_own_picture() -> None:
    eye = np.eye(6, dtype=np.float32)
    # Colours that are all the same say nothing.
    targets = np.block([[eye, np.ones_like(eye)], [eye, np.ones_like(eye)]])
    loss = SoftTargetContrastive(0.025, 0.5)
    # Orthogonal others stand 0.5 / 0.025 = 20 logits lower: 5 exp(-20) remains.
    assert float(loss(targets, np.concatenate([eye, eye]))) < 1e-6
    assert float(loss(targets, np.concatenate([eye, np.roll(eye, 1, axis=0)]))) > 19
