"""Prints what was promised, what was measured and whether it held; see ``--help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from edgeseg.cli.console import print_json, print_table
from edgeseg.presets import checkpoint_path
from tests.verify import (
    active_order,
    bench,
    compression,
    device,
    devices,
    devices_parallel,
    handheld_page,
    label_page,
    labelling,
    match,
    page,
    preprocessing,
    profile,
    published,
    quality,
    remote,
    scale,
    scale_forward,
    scale_kills,
    scale_large,
    second_look,
    sync,
)
from tests.verify.figure import Check, Row
from tests.verify.recorded import record
from tests.verify.workbench import REPOSITORY, Workbench

# In the order in which a person meets them: label, what next, look again, and the two pages.
PAGES = (labelling, active_order, second_look, label_page, handheld_page)
SCALE = (scale, scale_kills, scale_large, scale_forward, devices_parallel)
SUITES = {
    "main": ("segmentation", "parity", "retrieval", "latency", "handheld"),
    "compression": compression.NAMES,
    "match": match.NAMES,
    "sync": (*sync.NAMES, *published.NAMES),
    "bench": (
        *bench.NAMES,
        *profile.NAMES,
        *preprocessing.NAMES,
        *remote.NAMES,
        *page.NAMES,
        *devices.NAMES,
    ),
    "pages": tuple(name for part in PAGES for name in part.NAMES),
    "scale": tuple(name for part in SCALE for name in part.NAMES),
}


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; 0 when every figure was measured and held, else 1."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="edgeseg-verify-") as folder:
        work = Path(folder)
        if options.work is not None:
            work = options.work.absolute()
            work.mkdir(parents=True, exist_ok=True)
        bundle = options.bundle.absolute() if options.bundle else None
        place = Workbench(options.data.absolute(), work, bundle, options.segmenter.absolute())
        checks = checks_of(options, place)
        rows = measure(checks, options.only)
    if options.record is not None:
        promised = [figure.what for check in checks for figure in check.figures]
        record(options.record, options.suite, rows, promised)
        record(REPOSITORY / "README.md", "figures", rows)
    if options.json:
        print_json({"rows": [row.to_dict() for row in rows], "held": all(r.fine for r in rows)})
    else:
        columns = ("what", "bar", "measured", "")
        print_table(columns, [(row.what, row.bar, row.measured, row.status) for row in rows])
    return 0 if rows and all(row.fine for row in rows) else 1


def checks_of(options: argparse.Namespace, place: Workbench) -> list[Check]:
    """The checks of the suite that was asked for."""
    if options.suite == "compression":
        return compression.checks(place, options.teacher and options.teacher.absolute())
    if options.suite == "match":
        return match.checks(place)
    if options.suite == "sync":
        return [*sync.checks(place), *published.checks(place)]
    if options.suite == "bench":
        parts = (bench, profile, preprocessing, remote, page, devices)
        return [check for part in parts for check in part.checks(place)]
    if options.suite in ("pages", "scale"):
        parts = PAGES if options.suite == "pages" else SCALE
        return [check for part in parts for check in part.checks(place)]
    return [*quality.checks(place), *device.checks(place)]


def measure(checks: list[Check], only: list[str] | None) -> list[Row]:
    """The rows of the checks whose name is in ``only``, or of all; tells each as it is done."""
    rows: list[Row] = []
    for check in checks:
        if only and check.name not in only:
            continue
        start_s = time.perf_counter()
        measured = check.rows()
        rows += measured
        seconds = time.perf_counter() - start_s
        for row in measured:
            told = f"{row.what}: {row.measured or '-'} ({row.bar}) {row.status}"
            sys.stderr.write(f"[{seconds:5.0f} s] {told}\n")
            sys.stderr.flush()
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify",
        description="Measure every figure that edgeseg promises, on real photographs. "
        "Exit code 0 when each was measured and held.",
    )
    parser.add_argument(
        "suite",
        nargs="?",
        choices=list(SUITES),
        default="main",
        help="which promises: of the whole, of the presets' compression, of the match, of "
        "catalogues on their way to scanners, of the bench and the devices, of the pages in a "
        "browser, or of builds beyond one machine (default: main)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=REPOSITORY.parent / "shared" / "data",
        help="folder of the photographs (default: ../shared/data beside the repository)",
    )
    parser.add_argument("--bundle", type=Path, help="measure this bundle, not the default one")
    parser.add_argument(
        "--segmenter",
        type=Path,
        default=checkpoint_path(),
        help="the float checkpoint that the bundle was made from (default: the shipped one)",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        help="checkpoint of the teacher that the presets are held against (default: the figures "
        "that their checkpoints record of it)",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=sorted({name for names in SUITES.values() for name in names}),
        help="measure only these; may be repeated",
    )
    parser.add_argument(
        "--work", type=Path, help="keep catalogues and conversions in this folder, for a next run"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--record", type=Path, help="write the rows into this page, as in docs/figures.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
