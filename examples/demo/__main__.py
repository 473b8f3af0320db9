"""Draw, convert, index, match, measure: ``python -m examples.demo --out build/demo``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeseg.errors import EdgesegError
from edgeseg.presets import DEFAULT_PRESET, checkpoint_path
from examples.demo.matching import loaded_frameworks, match_all
from examples.demo.page import Figures, write_page
from examples.demo.shop import draw_shop

_COMMAND = (sys.executable, "-c", "import sys; from edgeseg.cli import main; sys.exit(main())")


class StepFailedError(Exception):
    """A command of the demo failed; it has told why on stderr."""


class Clock:
    """Says what goes on, with the time since the start, and keeps each step's seconds."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.elapsed_s: dict[str, float] = {}

    def tell(self, line: str) -> None:
        """Prints one progress line."""
        print(f"[{time.perf_counter() - self._start:5.1f} s] {line}", flush=True)

    @contextmanager
    def step(self, name: str, line: str) -> Iterator[None]:
        """Announces a step and notes how long it took."""
        self.tell(line)
        start = time.perf_counter()
        yield
        self.elapsed_s[name] = time.perf_counter() - start


def edgeseg(*arguments: str | Path, tell: Callable[[str], None]) -> str:
    """Runs an edgeseg command and returns what it printed on stdout.

    Args:
        arguments: what follows ``edgeseg`` on the command line.
        tell: is given the command's own progress lines.

    Raises:
        StepFailedError: if it failed; its error line is on stderr by then.
    """
    environment = {"OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    # A file takes any amount of output while stderr is read; a second pipe would fill and block.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        with subprocess.Popen(
            [*_COMMAND, *map(str, arguments)],
            env=environment,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
        ) as process:
            for line in process.stderr or ():
                if line.startswith("edgeseg:"):
                    print(line, end="", file=sys.stderr)
                else:
                    tell(f"  {line.rstrip()}")
        if process.returncode != 0:
            raise StepFailedError(
                f"edgeseg {arguments[0]} ended with exit code {process.returncode}"
            )
        output.seek(0)
        return output.read()


def run_demo(
    out: Path,
    items: int = 500,
    snapshots: int = 60,
    calibration: int = 32,
    jobs: int = 2,
    checkpoints: Path | None = None,
) -> Path:
    """Runs the demo and returns the page's path.

    Args:
        out: folder to write into; files of an earlier run are replaced.
        items: size of the drawn catalogue.
        snapshots: photos to match.
        calibration: photos that set the int8 ranges.
        jobs: processes that draw.
        checkpoints: folder of ``segmenter.safetensors`` and ``embedder.safetensors``; None takes
            those that edgeseg carries.

    Raises:
        StepFailedError: if a command failed.
        EdgesegError: if a file cannot be used.
    """
    clock = Clock()
    networks = {
        "segmenter": checkpoint_path(DEFAULT_PRESET),
        "embedder": checkpoint_path("embedder"),
    }
    if checkpoints is not None:
        networks = {role: checkpoints / f"{role}.safetensors" for role in networks}
    for path in networks.values():
        if not path.is_file():
            raise EdgesegError(f"there is no {path}")
    bundle, catalogue = out / "demo.bundle", out / "demo.catalogue"

    def measured(*arguments: str | Path) -> Any:
        return json.loads(edgeseg(*arguments, "--json", tell=clock.tell))

    with clock.step("draw", f"drawing {items} garments and {snapshots} snapshots of some of them"):
        shop = draw_shop(out, items, snapshots, calibration, jobs, clock.tell)
    with clock.step("convert", "converting the shipped checkpoints to an int8 bundle"):
        edgeseg(
            *("convert", networks["segmenter"]),
            *("--embedder", networks["embedder"]),
            *("--recipe", "static_wi8_ai8", "--representative", shop.calibration),
            *("--parity", shop.calibration, "-o", bundle),
            tell=clock.tell,
        )
    with clock.step("index", "building the catalogue"):
        given: tuple[str | Path, ...] = ("--bundle", bundle, "-o", catalogue)
        edgeseg("index", "build", shop.items_csv, *given, tell=clock.tell)
    with clock.step("match", "matching every snapshot, with its background and without"):
        matched, stages_ms = match_all(shop.queries_csv, catalogue, bundle)
    clock.tell(f"  frameworks loaded in the matching process: {loaded_frameworks() or 'none'}")
    with clock.step("measure", "measuring masks and matches"):
        given = ("--images", shop.photos, "--masks", shop.masks, "--bundle", bundle)
        segmentation = measured("eval", "segmentation", *given)
        given = ("--queries", shop.queries_csv, "--catalogue", catalogue, "--bundle", bundle)
        recall = {
            background: measured("eval", "retrieval", *given, "--background", background)
            for background in ("model", "none", "mask")
        }
    with clock.step("bench", "timing the bundle"):
        given = ("--catalogue", catalogue, "--photo", min(shop.photos.iterdir()))
        counts = ("--samples", "60", "--cold-samples", "3", "--processes", "2")
        bench = measured("bench", bundle, *given, *counts, "--html", out / "bench.html")
    sizes = {
        **{f"{name} checkpoint": path.stat().st_size for name, path in networks.items()},
        "bundle": bundle.stat().st_size,
        f"catalogue of {items} items": catalogue.stat().st_size,
    }
    figures = Figures(recall, segmentation, stages_ms, bench, sizes, clock.elapsed_s)
    page = out / "index.html"
    write_page(page, matched, out / "catalogue", figures)
    _summarize(clock, figures, page)
    return page


def _summarize(clock: Clock, figures: Figures, page: Path) -> None:
    clock.tell("done")
    print("\n               recall@1  recall@5  recall@10")
    for background, name in (
        ("none", "background in"),
        ("model", "cut out"),
        ("mask", "true cutout"),
    ):
        row = figures.recall[background]
        cells = (row[f"recall_at_{k}"] for k in (1, 5, 10))
        print(f"{name:<15}" + "".join(f"{cell:<10.3f}" for cell in cells).rstrip())
    print(
        f"IoU {figures.segmentation['iou_mean']:.3f}, "
        f"worst tenth {figures.segmentation['iou_p10']:.3f}"
    )
    print(f"{sum(figures.stages_ms.values()):.0f} ms from photo to matches (median, one thread)")
    print(f"\n{page.resolve()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="folder to write")
    parser.add_argument("--items", type=int, default=500, help="garments in the catalogue (500)")
    parser.add_argument("--snapshots", type=int, default=60, help="photos to match (60)")
    parser.add_argument("--calibration", type=int, default=32, help="photos to calibrate on (32)")
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw (2)")
    parser.add_argument("--checkpoints", type=Path, help="folder of other checkpoints to convert")
    given = parser.parse_args(arguments)
    if min(given.items, given.snapshots, given.calibration, given.jobs) < 1:
        parser.error("all numbers are 1 or more")
    if given.snapshots > given.items:
        parser.error("there are at most as many snapshots as items")
    try:
        run_demo(
            given.out,
            given.items,
            given.snapshots,
            given.calibration,
            given.jobs,
            given.checkpoints,
        )
    except (EdgesegError, StepFailedError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
