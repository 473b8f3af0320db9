"""The Tiramisu paper's own table on CamVid: trains what is missing, then measures; ``make camvid``.

Hours on a GPU for each network (days and weeks on a CPU), on any backend of Keras 3: nothing here
imports TensorFlow unless ``KERAS_BACKEND`` is ``tensorflow``. A run that was interrupted goes on.
CamVid is CC BY-NC: for this check only, never for weights that are shipped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.cli.console import print_json, print_table
from tests.verify.figure import Check, Figure, NotMeasuredError, Row
from tests.verify.workbench import EDGESEG, REPOSITORY, run_json

# Mean IoU and global accuracy on the test split: Jégou et al., arXiv 1611.09326, table 3.
PAPER = {"56": (0.589, 0.889), "67": (0.658, 0.908), "103": (0.669, 0.915)}
# Within 1.5 points of the paper is promised of these.
PROMISED = ("56", "103")
TOLERANCE = 0.015
# A small network, minutes on a CPU: it shows that every step works, and nothing else.
QUICK = "_quick"
# The published test code's.
BATCH = 10
# Where `make camvid` leaves its runs, a folder for each network.
RUNS = REPOSITORY / "build" / "camvid"
_CHECKPOINT = "segmenter.safetensors"
_WHAT = (
    f"statistics of {BATCH} photographs: mean IoU",
    f"statistics of {BATCH} photographs: accuracy",
    "moving averages: mean IoU",
    "moving averages: accuracy",
)


@dataclass(frozen=True)
class Bench:
    """Where to measure.

    Attributes:
        data: CamVid, with ``train/``, ``trainannot/`` and so on.
        work: a folder for each network's run.
        training: further options of ``edgeseg train classes``; None trains nothing.
    """

    data: Path
    work: Path
    training: tuple[str, ...] | None = None


def checks(bench: Bench, networks: Sequence[str]) -> list[Check]:
    """The table's lines for some networks: keys of ``PAPER``, or ``QUICK``."""
    return [Check("camvid", _figures(name), partial(_measure, bench, name)) for name in networks]


def _figures(name: str) -> tuple[Figure, ...]:
    title = f"camvid{name}"
    if name not in PAPER:
        return tuple(Figure(f"{title}, {what}", "told") for what in _WHAT)
    each = [f"FC-DenseNet{name}, {what}" for what in _WHAT]
    return (
        *(
            Figure(f"{what} (paper {bar:.3f})", ">=", bar - TOLERANCE)
            if name in PROMISED
            else Figure(f"{what} (paper {bar:.3f})", "told")
            for what, bar in zip(each[:2], PAPER[name], strict=True)
        ),
        *(Figure(what, "told") for what in each[2:]),
    )


def _measure(bench: Bench, name: str) -> Sequence[float]:
    if not bench.data.is_dir():
        raise NotMeasuredError(f"{bench.data} is not on this machine")
    folder = bench.work / f"camvid{name}"
    checkpoint = folder / _CHECKPOINT
    if bench.training is not None:
        _train(bench, name, folder)
    elif not checkpoint.is_file():
        raise NotMeasuredError(f"there is no {checkpoint}: `make camvid` trains it on a GPU")
    figures: list[float] = []
    for statistics in ("batch", "moving"):
        told: dict[str, Any] = run_json(
            "eval", "classes", "--data", str(bench.data), "--split", "test",
            "--checkpoint", str(checkpoint), "--statistics", statistics, "--batch", str(BATCH),
        )  # fmt: skip
        figures += [told["mean_iou"], told["accuracy"]]
    return figures


def _train(bench: Bench, name: str, folder: Path) -> None:
    command = [
        *EDGESEG, "train", "classes", "--data", str(bench.data), "--recipe", f"camvid{name}",
        "-o", str(folder), *(bench.training or ()),
    ]  # fmt: skip
    # Its progress goes to this terminal: it is hours.
    code = subprocess.run(command, cwd=REPOSITORY, stdout=sys.stderr, check=False).returncode
    if code:
        raise NotMeasuredError(f"edgeseg train ended with exit code {code}")


def main(arguments: list[str] | None = None) -> int:
    """Train and measure; 0 when every figure was measured and held, else 1."""
    options = _parser().parse_args(arguments)
    training = ["--precision", options.precision, "--seed", str(options.seed)]
    if options.epochs is not None:
        training += ["--epochs", str(options.epochs)]
    bench = Bench(
        options.data.absolute(),
        options.work.absolute(),
        None if options.measure_only else tuple(training),
    )
    rows: list[Row] = []
    for check in checks(bench, options.network or list(PAPER)):
        rows += check.rows()
        for row in rows[-len(check.figures) :]:
            sys.stderr.write(f"{row.what}: {row.measured or '-'} ({row.bar}) {row.status}\n")
    if options.json:
        print_json({"rows": [row.to_dict() for row in rows], "held": all(r.fine for r in rows)})
    else:
        columns = ("what, on CamVid's test split", "bar", "measured", "")
        print_table(columns, [(row.what, row.bar, row.measured, row.status) for row in rows])
    return 0 if rows and all(row.fine for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.verify.camvid",
        description="Train FC-DenseNet56, 67 and 103 on CamVid as the Tiramisu paper does, and "
        "hold them against its table. Set KERAS_BACKEND to jax or torch where there is no "
        "TensorFlow. Started again, it goes on where it was.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=REPOSITORY.parent / "shared" / "data" / "camvid",
        help="CamVid (default: ../shared/data/camvid beside the repository)",
    )
    parser.add_argument(
        "--work", type=Path, default=RUNS, help="folder of the runs (default: build/camvid)"
    )
    parser.add_argument(
        "--network",
        action="append",
        choices=[*PAPER, QUICK],
        help=f"only this one; may be repeated. {QUICK} is a small one, minutes on a CPU",
    )
    parser.add_argument("--epochs", type=int, help="the most epochs of each stage")
    parser.add_argument("--seed", type=int, default=0, help="of weights and random choices")
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="of the layers"
    )
    parser.add_argument(
        "--measure-only", action="store_true", help="train nothing: measure what is there"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


if __name__ == "__main__":
    sys.exit(main())
