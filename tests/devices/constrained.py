"""A little machine: 512 MB, one core, a catalogue of 100,000 items."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.catalogue import Catalogue, Item
from edgeseg.embedder import Embedder
from edgeseg.imaging import read_photo
from tests.devices.errors import CannotRunError
from tests.devices.golden import make_job
from tests.devices.memory_group import memory_group

LIMITED = Path(__file__).with_name("limited.py")
ITEMS = 100_000
MEMORY_BYTES = 512 * 1000 * 1000
# From less than Python with NumPy and OpenCV takes to what may be enough: wherever it ends, a
# picture that it writes is whole or is not there.
TOO_LITTLE_BYTES = tuple(megabytes * 1000 * 1000 for megabytes in (40, 90, 120, 150, 180))
_CLUSTERS = 2_000
_SEED = 9
_TIMEOUT_S = 300
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a command within limits.

    Attributes:
        limit: ``cgroup`` (what it touches, files' pages included), ``data`` (RLIMIT_DATA: private
            writable memory, touched or not) or ``address`` (RLIMIT_AS: all that it maps, which a
            runtime of 64 bits maps far more of than it uses).
        limit_bytes: how much of that it had.
        code: its exit code; negative: the signal that ended it.
        peak_bytes: the most that was resident (VmHWM); None if it was killed.
        group_peak_bytes: the most that its control group held; None without one.
        stdout: what it printed.
        stderr: likewise.
    """

    limit: str
    limit_bytes: int
    code: int
    peak_bytes: int | None
    group_peak_bytes: int | None
    stdout: str
    stderr: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON, without what it printed."""
        told = asdict(self)
        del told["stdout"]
        told["stderr"] = self.stderr.strip().splitlines()[-1:]
        return told


def run_limited(
    arguments: Sequence[str | Path],
    limit: str,
    limit_bytes: int,
    *,
    python: str | Path = sys.executable,
) -> Outcome:
    """Run an ``edgeseg`` command on one core and within so much memory.

    Args:
        arguments: what follows ``edgeseg``.
        limit: as in :class:`Outcome`.
        limit_bytes: how much.
        python: of the environment whose edgeseg runs.

    Raises:
        CannotRunError: the limit cannot be set here.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgeseg-limited-")))
        report = folder / "report.json"
        options = ["--core", str(min(os.sched_getaffinity(0)))]
        group = None
        if limit == "cgroup":
            group = stack.enter_context(memory_group(limit_bytes))
            options += ["--group", str(group.folder)]
        else:
            options += [f"--{limit}", str(limit_bytes)]
        command = [python, LIMITED, report, *options, "--", *arguments]
        done = subprocess.run(
            [str(each) for each in command],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
        )
        told = json.loads(report.read_text()) if report.is_file() else {}
        return Outcome(
            limit=limit,
            limit_bytes=limit_bytes,
            code=done.returncode,
            peak_bytes=told.get("peak_bytes"),
            group_peak_bytes=None if group is None else group.peak_bytes,
            stdout=done.stdout,
            stderr=done.stderr,
        )


def measure(work: Path, wheels: Path, data: Path, tell: Tell) -> dict[str, Any]:
    """Match a photo in a large catalogue within little memory, and within too little.

    Returns:
        ``runs``: with 512 MB by each limit, and with too little; each with whether it did as it
        must.

    Raises:
        CannotRunError: no limit at all can be set here.
    """
    del wheels
    job, catalogue = make_job(work / "job", data), large_catalogue(work)
    tell(f"{catalogue.name}: {catalogue.stat().st_size / 1e6:.1f} MB, {ITEMS} items")
    photo = job / "photos" / "drawn_snapshot_0000.jpg"
    match = ["match", photo, "--catalogue", catalogue, "--json"]
    runs, absent = [], []
    for limit in ("cgroup", "data"):
        try:
            outcome = run_limited(match, limit, MEMORY_BYTES)
        except CannotRunError as error:
            absent.append(f"{limit}: {error}")
            continue
        runs.append({**outcome.to_dict(), "held": matched(outcome)})
        tell(_line(outcome))
        for limit_bytes in TOO_LITTLE_BYTES:
            with tempfile.TemporaryDirectory() as name:
                montage = Path(name) / "found.png"
                small = run_limited([*match, "--montage", montage], limit, limit_bytes)
                whole = matched(small) and read_photo(montage).size > 0
                fine = whole or (refused(small) and not montage.exists())
            runs.append({**small.to_dict(), "held": fine})
            tell(_line(small))
        if not any(run["code"] for run in runs if run["limit"] == limit):
            raise CannotRunError(
                f"{limit}: {TOO_LITTLE_BYTES[0]} bytes were enough: no limit at all"
            )
    if not runs:
        raise CannotRunError("; ".join(absent))
    return {"runs": runs, "absent": absent, "catalogue_bytes": catalogue.stat().st_size}


def matched(outcome: Outcome) -> bool:
    """Whether ``edgeseg match --json`` gave ten matches."""
    if outcome.code != 0:
        return False
    (photo,) = json.loads(outcome.stdout)["photos"]
    return len(photo["matches"]) == 10


def refused(outcome: Outcome) -> bool:
    """Whether it ended by the limit: killed, or with one line and without a traceback."""
    told = outcome.stderr.strip()
    return outcome.code < 0 or (outcome.code == 1 and bool(told) and "Traceback" not in told)


def large_catalogue(work: Path, items: int = ITEMS) -> Path:
    """A catalogue of made-up items about some centres, for the default bundle; made once."""
    embedder = Embedder()
    path = work / f"large-{items}-{embedder.digest[:12]}.catalogue"
    if not path.is_file():
        rng = np.random.default_rng(_SEED)
        centres = rng.standard_normal((_CLUSTERS, embedder.dim), dtype=np.float32)
        vectors = centres[rng.integers(0, _CLUSTERS, items)]
        vectors += np.float32(0.5) * rng.standard_normal(vectors.shape, dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        named = [Item(f"P{row:06d}", {}) for row in range(items)]
        Catalogue.from_embeddings(named, vectors, embedder.digest).save(path)
    return path


def table(document: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The document's runs for people."""
    columns = ["limit", "MB", "exit", "resident MB", "group MB", "told", ""]
    return columns, [
        (
            each["limit"],
            f"{each['limit_bytes'] / 1e6:.0f}",
            str(each["code"]),
            _megabytes(each["peak_bytes"]),
            _megabytes(each["group_peak_bytes"]),
            "".join(each["stderr"])[:80],
            "held" if each["held"] else "short",
        )
        for each in document["runs"]
    ]


def held(document: dict[str, Any]) -> bool:
    """Whether each run did as it must."""
    return all(each["held"] for each in document["runs"])


def _megabytes(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / 1e6:.0f}"


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.limit} {outcome.limit_bytes / 1e6:.0f} MB: exit {outcome.code}, resident "
        f"{_megabytes(outcome.peak_bytes)} MB, group {_megabytes(outcome.group_peak_bytes)} MB"
    )
