from __future__ import annotations

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.evaluation.metrics import iou
from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.strokes import Stroke
from tests.edgeseg.labelling.drawn import body_confidence, garment


def click(x: float, y: float, foreground: bool) -> Stroke:
    return Stroke("brush", foreground, ((x, y),))


def found(corrector: Corrector) -> np.ndarray:
    return corrector.full_mask() != 0


def test_one_click_brings_the_sleeve() -> None:
    photo, truth = garment()
    corrector = Corrector(photo, body_confidence())
    assert iou(found(corrector), truth) < 0.85
    corrector.apply(click(92, 65, True))
    assert iou(found(corrector), truth) > 0.97


def test_one_click_takes_away_what_is_no_garment() -> None:
    photo, truth = garment()
    truth = truth.copy()
    truth[:, 80:] = False
    confidence = body_confidence()
    confidence[45:85, 80:105] = 0.99
    corrector = Corrector(photo, confidence)
    corrector.apply(click(95, 65, False))
    assert iou(found(corrector), truth) > 0.97


def test_a_mark_only_gives_its_own_label_and_only_near() -> None:
    photo, _ = garment(scale=4)
    confidence = body_confidence()
    confidence[100:, :] = 0.02
    for foreground in (True, False):
        corrector = Corrector(photo, confidence)
        before = found(corrector)
        corrector.apply(click(4 * 92, 4 * 65, foreground))
        changed = found(corrector) != before
        assert (found(corrector)[changed] == foreground).all()
        assert not changed[4 * 145 :].any()


def test_a_line_does_what_a_click_does_along_its_way() -> None:
    photo, truth = garment()
    confidence = np.full((160, 120), 0.02, np.float32)
    corrector = Corrector(photo, confidence)
    corrector.apply(Stroke("brush", True, ((45.0, 55.0), (65.0, 115.0), (45.0, 115.0)), 8.0))
    body = truth.copy()
    body[:, 80:] = False
    assert iou(found(corrector), body) > 0.95


def test_a_later_mark_wins_over_an_earlier_one() -> None:
    photo, _ = garment()
    corrector = Corrector(photo, body_confidence())
    for foreground in (True, False, True, False):
        corrector.apply(click(92, 65, foreground))
        assert found(corrector)[65, 92] == foreground
        corrector.apply(click(94, 66, not foreground))
        assert found(corrector)[66, 94] == (not foreground)


def test_a_rectangle_leaves_nothing_outside() -> None:
    photo, truth = garment()
    corrector = Corrector(photo, np.full((160, 120), 0.99, np.float32))
    corrector.apply(Stroke("rectangle", True, ((110.0, 135.0), (25.0, 35.0))))
    mask = found(corrector)
    assert not mask[:35].any()
    assert not mask[:, :25].any()
    assert not mask[:, 111:].any()
    assert iou(mask, truth) > 0.95, "and what is inside is found anew"


def test_polygon_and_eraser_are_exact() -> None:
    photo, _ = garment()
    corrector = Corrector(photo, body_confidence())
    before = found(corrector)
    corrector.apply(Stroke("polygon", True, ((2.0, 2.0), (22.0, 2.0), (22.0, 22.0), (2.0, 22.0))))
    added = found(corrector) & ~before
    assert added[2:23, 2:23].all()
    assert added.sum() == 21 * 21
    corrector.apply(Stroke("eraser", False, ((0.0, 10.0), (60.0, 10.0)), 41.0))
    assert not found(corrector)[:30].any()
    assert (found(corrector)[40:] == before[40:]).all()


def test_undo_gives_back_what_was_there_to_the_pixel() -> None:
    photo, _ = garment()
    corrector = Corrector(photo, body_confidence())
    strokes = [
        click(92, 65, True),
        Stroke("polygon", False, ((30.0, 40.0), (60.0, 40.0), (30.0, 80.0))),
        Stroke("brush", True, ((35.0, 45.0), (45.0, 55.0)), 6.0),
        Stroke("eraser", False, ((50.0, 100.0),), 9.0),
    ]
    masks = [found(corrector)]
    for stroke in strokes:
        corrector.apply(stroke)
        masks.append(found(corrector))
    assert corrector.strokes == tuple(strokes)
    for expected in reversed(masks[:-1]):
        corrector.undo()
        np.testing.assert_array_equal(found(corrector), expected)
    with pytest.raises(ValueError, match="no stroke"):
        corrector.undo()
    corrector.replay(strokes)
    np.testing.assert_array_equal(found(corrector), masks[-1])
    other = Corrector(photo, body_confidence())
    other.replay(strokes)
    np.testing.assert_array_equal(found(other), masks[-1])


@pytest.mark.parametrize(
    "stroke",
    [
        click(-50, -50, True),
        click(1e5, 3, False),
        Stroke("brush", True, ((-1e5, -1e5), (1e5, 1e5)), 1e5),
        Stroke("brush", True, ((-20.0, 80.0), (140.0, 80.0)), 1e5),
        Stroke("polygon", True, ((-1e5, -1e5), (1e5, -1e5), (0.0, 1e5))),
        Stroke("rectangle", True, ((-1e5, -1e5), (-1e4, -1e4))),
        Stroke("eraser", False, ((-3.0, -3.0),), 0.0),
    ],
)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_strokes_beyond_the_photo_never_fail(stroke: Stroke, level: float) -> None:
    photo, _ = garment()
    corrector = Corrector(photo, np.full((16, 12), level, np.float32))
    corrector.apply(stroke)
    assert corrector.full_mask().shape == (160, 120)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 3), (2000, 5)])
def test_odd_photos_never_fail(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    corrector = Corrector(photo, np.full((4, 4), 0.6, np.float32))
    for foreground in (True, False, True):
        corrector.apply(click(shape[1] / 2, shape[0] / 2, foreground))
    assert corrector.full_mask().shape == shape
    assert set(np.unique(corrector.mask(64, 48))) <= {0, 255}


def test_a_large_photo_gets_its_outline_at_its_own_size() -> None:
    photo, truth = garment(scale=8)
    corrector = Corrector(photo, body_confidence())
    corrector.apply(click(8 * 92, 8 * 65, True))
    mask = corrector.full_mask()
    assert mask.shape == truth.shape
    assert iou(mask != 0, truth) > 0.98
    screen = corrector.mask(300, 400)
    assert screen.shape == (400, 300)
    shown = imaging.resize(truth.astype(np.uint8) * np.uint8(255), 300, 400) >= 128
    assert iou(screen != 0, shown) > 0.97
