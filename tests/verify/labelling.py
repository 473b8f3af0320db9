"""What labelling by hand promises: clicks to a good mask, and the time from a stroke to a mask.

The clicks are the robot annotator's of :mod:`edgeseg.labelling.robot`, on the validation photos of
`segmentation/snapshots`, on which neither the segmenter nor the corrector was tuned. GrabCut only
is GrabCut from a rectangle 5 px inside the frame, run again after each click with the click's disc
as certain: what the labelling tools did before.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging
from edgeseg.evaluation.labelled import pairs_of_split
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.grabcut import ITERATIONS, MARGIN_PX, cut_undecided, grabcut_mask
from edgeseg.imaging import Photo, encode_png
from edgeseg.labelling.correction import Corrector
from edgeseg.labelling.robot import MAX_CLICKS, Click, Correction, correct
from edgeseg.labelling.strokes import Stroke
from edgeseg.postprocess import SegmenterOptions
from edgeseg.segmenter import Segmenter
from tests.verify.figure import Check, Figure
from tests.verify.quality import SNAPSHOTS
from tests.verify.workbench import Workbench

NAMES = ("clicks", "stroke")
# Of GrabCut-only's clicks: the corrector chooses its own reach.
_DISC_RADIUS_PX = 5
_SCREEN_PX = 1280
_LARGE_WIDTH_PX, _LARGE_HEIGHT_PX = 4000, 3000
_STROKES_A_PHOTO = 4


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "clicks",
            (
                Figure("snapshots val, GrabCut only: mean NoC@95", "told", form="{:.2f}"),
                Figure("snapshots val, GrabCut only: done within 20 clicks", "told", form="{:.0%}"),
                Figure("snapshots val, from the model: median NoC@95", "<=", 3, "{:.1f}"),
                Figure("snapshots val, from the model: mean NoC@95", "told", form="{:.2f}"),
                Figure("the same, as a share of GrabCut only's", "<=", 0.5, "{:.2f}"),
                Figure("the same, done within 20 clicks", ">=", 0.9, "{:.0%}"),
            ),
            partial(_clicks, bench),
        ),
        Check(
            "stroke",
            (
                Figure("a stroke to an encoded mask, 12 megapixels: p90 ms", "<", 400, "{:.0f}"),
                Figure("the same: p50 ms", "told", form="{:.0f}"),
            ),
            partial(_stroke, bench),
        ),
    ]


def from_model(
    photo: Photo, truth: NDArray[np.bool_], confidence: NDArray[np.float32]
) -> Correction:
    """Click a mask that starts from a confidence mask."""
    corrector = Corrector(photo, confidence)

    def click(at: Click) -> NDArray[np.bool_]:
        corrector.apply(Stroke("brush", at.foreground, ((at.x + 0.5, at.y + 0.5),)))
        return corrector.full_mask() != 0

    return correct(corrector.full_mask() != 0, truth, click)


def from_rectangle(photo: Photo, truth: NDArray[np.bool_]) -> Correction:
    """Click a mask that starts from GrabCut in a rectangle, and is GrabCut's after each click."""
    mask = grabcut_mask(photo, MARGIN_PX, ITERATIONS)
    decided = np.ones(mask.shape, np.bool_)
    decided[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX] = False

    def click(at: Click) -> NDArray[np.bool_]:
        nonlocal mask
        point = np.array([[at.x, at.y]], np.int32)
        disc = imaging.drawn_line(mask.shape, point, 2 * _DISC_RADIUS_PX)
        mask = mask | disc if at.foreground else mask & ~disc
        decided[disc] = True
        found = cut_undecided(photo, mask, decided, 1)
        if found is not None:
            mask = found
        return mask

    return correct(mask, truth, click)


def corrections(bench: Workbench) -> Iterator[tuple[Correction, Correction]]:
    """Each validation photo's clicks: from GrabCut alone, and from the model."""
    (table,) = bench.need(SNAPSHOTS)
    segmenter = Segmenter(bench.bundle, 1, SegmenterOptions(flip=True))
    for pair in pairs_of_split(Path(table), "val").pairs:
        photo, truth = read_pair(pair)
        confidence = segmenter.network_confidence(photo)
        yield from_rectangle(photo, truth), from_model(photo, truth, confidence)


def noc(of: Sequence[Correction]) -> list[int]:
    """Clicks for each photo; the most that are made where they were in vain."""
    return [each.clicks if each.reached else MAX_CLICKS for each in of]


def _clicks(bench: Workbench) -> Sequence[float]:
    grabcut, model = zip(*corrections(bench), strict=True)
    grabcut_mean, model_mean = statistics.mean(noc(grabcut)), statistics.mean(noc(model))
    return [
        grabcut_mean,
        statistics.mean(each.reached for each in grabcut),
        statistics.median(noc(model)),
        model_mean,
        model_mean / grabcut_mean,
        statistics.mean(each.reached for each in model),
    ]


def _stroke(bench: Workbench) -> Sequence[float]:
    """Strokes of every kind on photos that were enlarged to 12 megapixels."""
    (table,) = bench.need(SNAPSHOTS)
    segmenter = Segmenter(bench.bundle, 1, SegmenterOptions(flip=True))
    times_ms = []
    for pair in pairs_of_split(Path(table), "val").pairs[::5]:
        photo, truth = (
            imaging.resize(each, _LARGE_WIDTH_PX, _LARGE_HEIGHT_PX)
            for each in _as_bytes(*read_pair(pair))
        )
        corrector = Corrector(photo, segmenter.network_confidence(photo))
        for stroke in _strokes(truth != 0):
            start_s = time.perf_counter()
            corrector.apply(stroke)
            encode_png(corrector.mask(_SCREEN_PX, _SCREEN_PX * 3 // 4))
            times_ms.append((time.perf_counter() - start_s) * 1000.0)
    return [float(np.percentile(times_ms, 90)), float(np.percentile(times_ms, 50))]


def _as_bytes(
    photo: Photo, truth: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return photo, truth.astype(np.uint8)


def _strokes(truth: NDArray[np.bool_]) -> Iterator[Stroke]:
    """Clicks and lines across the photo, each with the label that is right where it starts."""
    height, width = truth.shape
    rng = np.random.default_rng(0)
    for number in range(_STROKES_A_PHOTO):
        points = rng.uniform((0, 0), (width, height), (2 if number % 2 else 1, 2))
        x, y = points[0]
        line = tuple((float(px), float(py)) for px, py in points)
        width_px = float(rng.uniform(20, 200)) if len(line) > 1 else 0.0
        yield Stroke("brush", bool(truth[int(y), int(x)]), line, width_px)
