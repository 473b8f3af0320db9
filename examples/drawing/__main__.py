"""Draws a training folder of snapshots and masks: ``python -m examples.drawing --out DIR``.

The folder has ``images/``, ``masks/`` and ``split.csv`` with the columns image, mask, split, group
(paths relative to the CSV), as `edgeseg train segmenter --data DIR` reads it. Equal seeds write
equal folders, and a longer folder starts with the shorter one's drawings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.drawing.folder import write_folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.drawing", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--snapshots", type=int, default=200, help="how many photos (200)")
    parser.add_argument("--seed", type=int, default=0, help="0 or more (0)")
    parser.add_argument("--width", type=int, default=400, help="pixels (400)")
    parser.add_argument("--height", type=int, default=533, help="pixels (533)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that draw (1)")
    given = parser.parse_args(arguments)
    if given.snapshots < 1 or given.seed < 0 or given.jobs < 1:
        parser.error("--snapshots and --jobs are 1 or more, --seed is 0 or more")
    if not 64 <= min(given.width, given.height) <= max(given.width, given.height) <= 4096:
        parser.error("--width and --height are 64 to 4096 pixels")
    write_folder(given.out, given.snapshots, given.seed, (given.width, given.height), given.jobs)
    print(given.out / "split.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
