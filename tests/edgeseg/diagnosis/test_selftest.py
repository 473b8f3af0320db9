from __future__ import annotations

import platform
from collections.abc import Callable

import numpy as np
import pytest

from edgeseg.diagnosis import selftest
from edgeseg.diagnosis.child import in_child
from edgeseg.diagnosis.networks import LEAST_COSINE, LEAST_IOU
from edgeseg.files import sha256_hex
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import Photo
from edgeseg.presets import PRESETS, preset_path


def test_the_picture_is_the_same_everywhere() -> None:
    pictures = [selftest.drawn_picture(), selftest.drawn_picture(on_white=True)]
    assert [sha256_hex(picture.tobytes())[:16] for picture in pictures] == [
        "001694df28898118",
        "e18ea9c4ae78ae9c",
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_answers_as_it_is_stored(name: str) -> None:
    """Fails after a preset was made anew, until its answers are: see ``write_answers``."""
    bundle = Bundle.open(preset_path(name))
    stored = selftest.stored_answer(bundle.digest)
    assert stored is not None
    found = selftest.agreement(selftest.answer(bundle), stored)
    assert found["iou"] >= LEAST_IOU
    assert found["cosine"] >= LEAST_COSINE
    # A self-test on a picture without a garment would agree on nothing.
    assert 0.1 < stored["mask"].mean() < 0.9
    if platform.machine() == "x86_64":
        assert found["iou"] > 0.999


def _channels_swapped(picture: Photo) -> Photo:
    return picture[:, :, ::-1].copy()


def _shifted(picture: Photo) -> Photo:
    return np.roll(picture, 4, axis=1)


@pytest.mark.parametrize("wrong", [_channels_swapped, _shifted])
def test_what_is_computed_wrongly_is_seen(
    wrong: Callable[[Photo], Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = selftest.drawn_picture
    monkeypatch.setattr(selftest, "drawn_picture", lambda on_white=False: wrong(drawn(on_white)))
    bundle = Bundle.open(preset_path())
    stored = selftest.stored_answer(bundle.digest)
    assert stored is not None
    found = selftest.agreement(selftest.answer(bundle), stored)
    assert found["iou"] < LEAST_IOU or found["cosine"] < LEAST_COSINE


def test_another_shape_agrees_in_nothing() -> None:
    one = {"mask": np.ones((4, 4), bool), "embedding": np.ones(3, np.float32)}
    other = {"mask": np.ones((4, 5), bool), "embedding": np.ones(4, np.float32)}
    assert selftest.agreement(one, other) == {"iou": 0.0, "cosine": 0.0}
    assert selftest.agreement(one, one) == {"iou": 1.0, "cosine": 1.0}


def test_in_a_child_it_tells_what_a_match_takes() -> None:
    outcome = in_child("selftest")
    assert outcome.done, outcome
    assert 20_000_000 < outcome.facts["peak_bytes"] < 1_000_000_000
    assert outcome.facts["address_space_bytes"] > outcome.facts["peak_bytes"]
    assert outcome.facts["created"].startswith("20")
