"""OpenCV, as it computes on every processor: the one file that imports it.

x86-64 builds of OpenCV resize and blur floats by Intel's library, whose results differ from
OpenCV's own code, the only one on other processors, by more than rounding: masks would have other
edges. Whether it is used is kept for each thread, so who computes with OpenCV says :func:`alike`
first. (The environment could say it for all threads, and OpenCV would warn of that on stderr.)
"""

from __future__ import annotations

import threading

import cv2 as cv2


class _Settled(threading.local):
    """Made anew in each thread that looks at it."""

    def __init__(self) -> None:
        cv2.ipp.setUseIPP(False)
        self.here = True


_SETTLED = _Settled()


def alike() -> None:
    """Have OpenCV compute in this thread as on other processors, from now on."""
    _SETTLED.here  # noqa: B018 (the first look in a thread does it)
