from __future__ import annotations

import numpy as np

from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.robot import Click, correct, next_click
from edgeseg.labelling.strokes import Stroke
from tests.edgeseg.labelling.drawn import body_confidence, garment

NEVER = np.zeros((50, 60), np.bool_)


def test_it_clicks_the_middle_of_the_widest_error() -> None:
    truth = NEVER.copy()
    truth[10:31, 10:31] = True
    mask = NEVER.copy()
    mask[40:49, 5:55] = True  # more pixels, but narrow
    assert next_click(mask, truth, NEVER) == Click(20, 20, True)
    assert next_click(mask | truth, truth, NEVER) == Click(9, 44, False)
    assert next_click(truth, truth, NEVER) is None


def test_an_error_at_the_frame_is_clicked_inside() -> None:
    mask = NEVER.copy()
    mask[:21, :] = True
    chosen = next_click(mask, NEVER, NEVER)
    assert chosen is not None
    assert (chosen.y, chosen.foreground) == (10, False)


def test_no_pixel_is_clicked_twice_and_it_gives_up() -> None:
    truth = NEVER.copy()
    truth[5:8, 5:8] = True
    clicked: list[Click] = []

    def stubborn(click: Click) -> np.ndarray:
        clicked.append(click)
        return NEVER

    done = correct(NEVER, truth, stubborn)
    assert not done.reached
    assert done.clicks == len(set(clicked)) == 9, "there are nine pixels to click"
    truth[5:20, 5:20] = True
    assert correct(NEVER, truth, stubborn).clicks == 20


def test_a_good_mask_needs_no_click_and_a_corrector_few() -> None:
    photo, truth = garment()
    corrector = Corrector(photo, body_confidence())

    def click(at: Click) -> np.ndarray:
        corrector.apply(Stroke("brush", at.foreground, ((at.x + 0.5, at.y + 0.5),)))
        return corrector.full_mask() != 0

    done = correct(corrector.full_mask() != 0, truth, click)
    assert done.reached
    assert done.clicks == 1
    assert done.ious[-1] >= 0.95
    assert correct(truth, truth, click).clicks == 0
