"""Peers: a feature extractor, the colour histogram, and PCA against another way to compute it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.errors import EdgesegError, ModelContractError
from edgeseg.evaluation.peers import HistogramPeer, PrincipalComponents, TflitePeer
from edgeseg.interpreter import Interpreter
from tests.edgeseg.handmade import SIDE_PX, colour_embedder, red_segmenter, two_output_model


def picture(colour: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    drawn = np.full((height, width, 3), 255, np.uint8)
    drawn[5:-5, 5:-5] = colour
    return drawn


def test_a_peer_is_fed_as_mobilenet_is(tmp_path: Path) -> None:
    model = colour_embedder()
    (tmp_path / "peer.tflite").write_bytes(model)
    peer = TflitePeer(tmp_path / "peer.tflite")
    assert peer.dim == 4
    assert peer.digest == TflitePeer(model).digest != TflitePeer(colour_embedder(24)).digest
    # Twice as high as wide, so a quarter of the square is white on either side.
    drawn = np.full((64, 32, 3), (200, 100, 0), np.uint8)
    square = np.full((1, SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    square[:, :, 8:24] = (200, 100, 0)
    given = Interpreter(model).run(square.astype(np.float32) / 128 - 1).reshape(-1)
    np.testing.assert_allclose(peer.embed(drawn), given / np.linalg.norm(given), atol=1e-6)
    assert np.linalg.norm(peer.embed(drawn)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (red_segmenter, r"gives \(1, 32, 32, 1\), not one vector"),
        (two_output_model, "1 inputs and 2 outputs"),
        (lambda: b"not a model", "not a TFLite file"),
    ],
)
def test_a_model_that_is_no_feature_extractor_is_refused(
    model: object, reason: str, tmp_path: Path
) -> None:
    assert callable(model)
    path = tmp_path / "odd.tflite"
    path.write_bytes(model())
    with pytest.raises(ModelContractError, match=rf"odd\.tflite.*{reason}") as raised:
        TflitePeer(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(EdgesegError, match="there is no such file"):
        TflitePeer(tmp_path / "none.tflite")


def test_the_histogram_tells_colours_and_not_shapes() -> None:
    peer = HistogramPeer()
    red = peer.embed(picture((200, 20, 20), 400, 200))
    wide_red = peer.embed(picture((200, 20, 20), 200, 300))
    assert red.shape == (peer.dim,)
    assert np.linalg.norm(red) == pytest.approx(1.0, abs=1e-6)
    assert red @ wide_red > 0.95
    assert red @ peer.embed(picture((20, 20, 200), 400, 200)) < 0.3


def test_principal_components_are_those_of_the_covariance() -> None:
    rng = np.random.default_rng(1)
    vectors = (rng.normal(size=(60, 12)) * np.linspace(3, 0.1, 12) + 5).astype(np.float32)
    found = PrincipalComponents.fit(vectors, 4)
    variances, axes = np.linalg.eigh(np.cov(vectors.astype(np.float64).T))
    expected = (vectors - vectors.mean(axis=0)) @ axes[:, ::-1][:, :4]
    projected = found.project(vectors)
    # An axis may point either way.
    signs = np.sign((expected * projected).sum(axis=0))
    np.testing.assert_allclose(projected * signs, expected, atol=1e-4)
    np.testing.assert_allclose(projected.var(axis=0, ddof=1), variances[::-1][:4], rtol=1e-4)
    np.testing.assert_allclose(found.project(vectors[3]), projected[3], atol=1e-5)


def test_all_components_keep_every_distance() -> None:
    vectors = np.random.default_rng(2).normal(size=(8, 5)).astype(np.float32)
    projected = PrincipalComponents.fit(vectors, 5).project(vectors)
    for first in range(8):
        kept = np.linalg.norm(projected - projected[first], axis=1)
        np.testing.assert_allclose(
            kept, np.linalg.norm(vectors - vectors[first], axis=1), atol=1e-5
        )


@pytest.mark.parametrize("dim", [0, 4, 6])
def test_there_are_no_more_components_than_differences(dim: int) -> None:
    with pytest.raises(ValueError, match="principal components"):
        PrincipalComponents.fit(np.eye(4, 6, dtype=np.float32), dim)
