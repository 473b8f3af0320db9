"""Builds whose workers, nodes and drivers are killed at random moments."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.verify.cluster import Nodes, nodes
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.scale import real_list
from tests.verify.workbench import EDGESEG, REPOSITORY, Workbench, run

NAMES = ("scale-kills",)
_RUNS, _ITEMS, _NODES = 20, 600, 2
_KINDS = ("worker", "node", "driver")
_BUNDLE = "nano"
_MAX_BUILD_S = 300.0
_MAX_TRIES = 5


def checks(bench: Workbench) -> list[Check]:
    """The one of them."""
    return [
        Check(
            "scale-kills",
            (
                Figure(f"scale: {_RUNS} builds with a kill: other catalogues", "<=", 0, "{:.0f}"),
                Figure("scale: of them, items lost or doubled", "<=", 0, "{:.0f}"),
                Figure("scale: kills that hit a build", "told", form="{:.0f}"),
                Figure("scale: builds that had to be started again", "told", form="{:.0f}"),
                Figure("scale: pictures described twice, of all, at worst", "told", form="{:.1%}"),
            ),
            partial(_kills, bench),
        )
    ]  # fmt: skip


@dataclass
class _Tally:
    """What came of the runs."""

    others: int = 0
    wrong_items: int = 0
    hits: int = 0
    again: int = 0
    twice: list[float] = field(default_factory=list)


def _kills(bench: Workbench) -> Sequence[float]:
    folder = bench.work / "scale-kills"
    run(["rm", "-rf", str(folder)], "rm")
    source = real_list(bench, folder / "list", _ITEMS)
    rng = np.random.default_rng(8)
    tally = _Tally()
    with nodes(_NODES) as cluster:
        start_s = time.monotonic()
        whole = _Run(source, folder / "whole", cluster).finished()
        usual_s = time.monotonic() - start_s
        for number in range(_RUNS):
            kind = _KINDS[number % len(_KINDS)]
            build = _Run(source, folder / f"{number}-{kind}", cluster)
            _one(build, kind, usual_s, rng, whole, tally)
    return tally.others, tally.wrong_items, tally.hits, tally.again, max(tally.twice)


def _one(
    build: _Run, kind: str, usual_s: float, rng: np.random.Generator, whole: Any, tally: _Tally
) -> None:
    process = build.started()
    time.sleep(rng.uniform(0.0, usual_s))
    if process.poll() is None:
        if kind == "driver":
            process.send_signal(signal.SIGKILL)
            tally.hits += 1
        elif kind == "worker":
            tally.hits += build.cluster.kill_worker(rng)
        else:
            build.cluster.kill_node(rng)
            build.cluster.add()
            tally.hits += 1
    document = build.ended(process)
    while document is None:
        tally.again += 1
        document = build.finished()
    tally.others += document["catalogues"][0]["digest"] != whole["catalogues"][0]["digest"]
    tally.wrong_items += document["catalogues"][0]["items"] != _ITEMS
    described = sum(1 for _ in build.described())
    tally.twice.append(described / _ITEMS - 1)


@dataclass
class _Run:
    """One build, by the command in a process of its own."""

    source: Path
    folder: Path
    cluster: Nodes
    tries: int = 0

    def started(self) -> subprocess.Popen[str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tries += 1
        if self.tries > _MAX_TRIES:
            raise NotMeasuredError(f"{self.folder.name} was not done in {_MAX_TRIES} tries")
        options = [
            "index", "build", str(self.source), "-o", str(self.folder / "shop.catalogue"),
            "--bundle", _BUNDLE, "--cache", str(self.folder / "cache"),
            "--engine", "ray", "--address", self.cluster.address, "--json",
        ]  # fmt: skip
        return subprocess.Popen(
            [*EDGESEG, *options],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: subprocess.Popen[str]) -> Any | None:
        """Its document; None where it was killed, failed or hangs."""
        try:
            told, _ = process.communicate(timeout=_MAX_BUILD_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None
        return json.loads(told) if process.returncode == 0 else None

    def finished(self) -> Any:
        """The document of a build that is started until it is done."""
        document = None
        while document is None:
            document = self.ended(self.started())
        return document

    def described(self) -> Sequence[str]:
        """The addresses of all pictures that were described, as often as they were."""
        from edgeseg.scale.part import part_names, part_path, read_found

        (home,) = (self.folder / "cache").iterdir()
        counted: Counter[str] = Counter()
        for name in part_names(home / "parts"):
            for _, found, has_embedding in read_found(part_path(home / "parts", name)):
                counted[found.address] += has_embedding
        return list(counted.elements())
