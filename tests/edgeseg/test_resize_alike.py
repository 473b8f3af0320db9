"""A shrunk picture is the same on every processor: the nearest values to the true averages."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg import imaging


def _overlaps(old: int, new: int) -> NDArray[np.int64]:
    """``(new, old)``: how far each old pixel lies in each new one, in 1/``new`` of an old one."""
    overlaps = np.zeros((new, old), dtype=np.int64)
    for row in range(new):
        # The new pixel is `old` such units long, and each old one `new`.
        start, end = row * old, (row + 1) * old
        for each in range(start // new, -(-end // new)):
            overlaps[row, each] = min(end, (each + 1) * new) - max(start, each * new)
    return overlaps


def _averages(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float64]:
    """The true averages: whole numbers up to the last division."""
    rows, columns = image.shape[:2]
    down, across = _overlaps(rows, height), _overlaps(columns, width)
    sums = np.einsum("hr,rcv,wc->hwv", down, image.astype(np.int64), across, optimize=True)
    return sums / np.float64(rows * columns)


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((320, 240), (224, 224)), ((533, 400), (224, 224)), ((449, 449), (224, 224)),
     ((60, 90), (30, 30)), ((97, 61), (13, 60))],
)  # fmt: skip
def test_a_shrunk_picture_holds_the_nearest_values(
    size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    height, width = wanted
    shrunk = imaging.resize(noise, width, height)
    assert shrunk.dtype == np.uint8
    # OpenCV's weights are float32: an average of up to 255 is off by some 1e-5.
    assert np.abs(shrunk - _averages(noise, width, height)).max() < 0.5 + 1e-4


def test_a_half_always_goes_up() -> None:
    """OpenCV alone rounds two in five of them down, others on another processor."""
    noise = np.random.default_rng(1).integers(0, 256, (320, 240, 3), dtype=np.uint8)
    averages = _averages(noise, 224, 224)
    halves = np.abs(averages % 1 - 0.5) < 1e-9
    assert np.count_nonzero(halves) > 1000
    assert np.array_equal(imaging.resize(noise, 224, 224)[halves], np.ceil(averages[halves]))


def test_extremes_stay_extremes() -> None:
    for value in (0, 255):
        flat = np.full((320, 240, 3), value, dtype=np.uint8)
        assert np.all(imaging.resize(flat, 224, 224) == value)


def test_floats_are_resized_by_opencvs_own_code() -> None:
    assert not cv2.ipp.useIPP()


_IN_A_THREAD = """
import hashlib, sys, threading
if sys.argv[1] == "used":
    import cv2, numpy
    cv2.resize(numpy.random.default_rng(0).random((90, 70), numpy.float32), (200, 310))
import numpy as np
from edgeseg import filters, imaging
confidence = np.random.default_rng(2).random((56, 56), np.float32)

def tell():
    digest = hashlib.sha256(imaging.resize_bilinear(confidence, 335, 447).tobytes())
    digest.update(imaging.resize(confidence, 401, 300).tobytes())
    digest.update(imaging.resize(confidence, 31, 17).tobytes())
    digest.update(filters.box_mean(confidence, 3).tobytes())
    print(digest.hexdigest())

tell()
thread = threading.Thread(target=tell)
thread.start()
thread.join()
"""


@pytest.mark.parametrize("opencv", ["unused", "used"])
def test_a_thread_computes_what_the_first_one_does(opencv: str) -> None:
    """Also in a program that has used OpenCV before."""
    told = subprocess.run(
        [sys.executable, "-c", _IN_A_THREAD, opencv], capture_output=True, text=True, check=True
    )
    first, second = told.stdout.split()
    assert first == second
