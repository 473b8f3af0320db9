"""Checks of the bench's HTML report in a real browser: it fits a phone and asks for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial

from edgeseg.presets import preset_path
from tests.verify.browser import Browser
from tests.verify.figure import Check, Figure
from tests.verify.workbench import Workbench

NAMES = ("page",)

_PHONE_PX, _DESK_PX = 360, 1200
# Nothing in it where a line may be broken.
_LONG_NAME = "segmenter_and_embedder_of_the_autumn_catalogue_int8_recalibrated.bundle"


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "page",
            (
                Figure("HTML report: wider than a phone by (px)", "<=", 0, "{:.0f}"),
                Figure("HTML report: outside requests", "<=", 0, "{:.0f}"),
            ),
            partial(_page, bench),
        )
    ]


def _page(bench: Workbench) -> Sequence[float]:
    with Browser() as browser:
        long = bench.work / _LONG_NAME
        shutil.copyfile(preset_path("nano"), long)
        page = bench.work / "report.html"
        bench.edgeseg(
            "bench", str(preset_path("small")), str(long), "--html", str(page),
            "--samples", "40", "--processes", "2", "--cold-samples", "2", "--minutes", "0.02",
            "--scenario", "cold_start", "--scenario", "single_stream", "--scenario", "sustained",
        )  # fmt: skip
        visits = [
            browser.visit(page, width_px, dark=dark)
            for width_px in (_PHONE_PX, _DESK_PX)
            for dark in (False, True)
        ]
    for visit, name in zip(visits, ("phone", "phone-dark", "desk", "desk-dark"), strict=True):
        (bench.work / f"report-{name}.png").write_bytes(visit.picture)
    return [
        max(visit.excess_px for visit in visits[:2]),
        sum(len(visit.requested) for visit in visits),
    ]
