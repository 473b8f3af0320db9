"""Colours as a vector: what it depends on, what it does not, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.colour_descriptor import (
    HISTOGRAM_LENGTH,
    ColourDescriptor,
    normalized,
    root_histogram,
)
from edgeseg.embedder import Embedder
from edgeseg.errors import FormatError
from edgeseg.formats.bundle import Bundle
from tests.edgeseg.handmade import MakeBundle
from tests.edgeseg.test_embedder import on_white

RED, BLUE = (200, 30, 30), (30, 30, 200)


def descriptor(dim: int = 8, share: float = 0.25) -> ColourDescriptor:
    drawn = np.random.default_rng(0).normal(size=(HISTOGRAM_LENGTH, dim))
    data = ColourDescriptor(drawn.astype(np.float32), share).to_bytes()
    return ColourDescriptor.from_bytes(data, dim, share)


def test_a_histogram_tells_colours_and_not_sizes() -> None:
    red = root_histogram(on_white(RED))
    assert red.shape == (HISTOGRAM_LENGTH,)
    assert red.dtype == np.float32
    # One colour is one bin, of all its pixels.
    assert sorted(red)[-2:] == [0.0, 1.0]
    np.testing.assert_array_equal(root_histogram(on_white(RED, (50, 50, 70, 90))), red)
    assert float(root_histogram(on_white(BLUE)) @ red) == 0.0


def test_halves_of_two_colours_are_bhattacharyyas_coefficient_from_one() -> None:
    both = on_white(RED)
    both[20:90, 30:90] = BLUE
    # sqrt(1/2 * 1) of the shared half: the coefficient of (1/2, 1/2) and (1, 0).
    assert float(root_histogram(both) @ root_histogram(on_white(RED))) == pytest.approx(0.5**0.5)


def test_a_white_picture_is_described_whole() -> None:
    white = np.full((32, 32, 3), 255, np.uint8)
    assert float(np.linalg.norm(root_histogram(white))) == pytest.approx(1.0)


def test_joined_similarity_is_the_weighted_sum() -> None:
    colour, rng = descriptor(share=0.25), np.random.default_rng(1)
    seen = normalized(rng.normal(size=(2, 5)).astype(np.float32))
    colours = np.stack([colour.describe(on_white(each)) for each in (RED, BLUE)])
    one, other = colour.join(seen, colours)
    expected = 0.75 * float(seen[0] @ seen[1]) + 0.25 * float(colours[0] @ colours[1])
    # float32, 13 products.
    assert float(one @ other) == pytest.approx(expected, abs=1e-6)
    assert float(one @ one) == pytest.approx(1.0, abs=1e-6)


def test_colours_never_met_in_training_are_described_as_nothing() -> None:
    colour = ColourDescriptor(np.zeros((HISTOGRAM_LENGTH, 3), np.float32), 0.5)
    np.testing.assert_array_equal(colour.describe(on_white(RED)), np.zeros(3, np.float32))


def test_an_embedding_ends_with_the_colours(make_bundle: MakeBundle, tiny_bundle: Bundle) -> None:
    plain, colour = Embedder(tiny_bundle), descriptor(dim=8, share=0.25)
    embedder = Embedder(make_bundle(colour=colour))
    picture = on_white(RED)
    vector = embedder.embed(picture)
    assert vector.shape == (embedder.dim,) == (plain.dim + 8,)
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-6)
    # Normalisation of float32 twice: a few units in the last place.
    np.testing.assert_allclose(vector[:4], 0.75**0.5 * plain.embed(picture), atol=1e-6)
    resized = embedder.preprocessing.resized(picture)
    np.testing.assert_allclose(vector[4:], 0.5 * colour.describe(resized), atol=1e-6)
    assert embedder.digest != plain.digest
    assert Embedder(make_bundle(colour=descriptor(share=0.3))).digest != embedder.digest


def test_numbers_that_are_no_projection_are_refused() -> None:
    data = descriptor(dim=8).to_bytes()
    with pytest.raises(FormatError, match="6911 bytes, not 6912"):
        ColourDescriptor.from_bytes(data[:-1], 8, 0.5)
    with pytest.raises(FormatError, match="not finite"):
        ColourDescriptor.from_bytes(b"\x00\x7c" + data[2:], 8, 0.5)
