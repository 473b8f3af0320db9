"""One ``edgeseg`` command within a little machine's limits; a process of its own.

``python limited.py REPORT [--group DIR] [--data BYTES] [--address BYTES] [--core N] -- ARGUMENTS``
takes the limits upon itself before anything is imported, runs the command in the same process, and
leaves its exit code and peak memory in REPORT. A process that is killed leaves none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from pathlib import Path


def main() -> int:
    """Take the limits, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("--group", type=Path, help="a memory control group to enter")
    parser.add_argument("--data", type=int, help="bytes of private writable memory (RLIMIT_DATA)")
    parser.add_argument("--address", type=int, help="bytes of address space (RLIMIT_AS)")
    parser.add_argument("--core", type=int, help="the one processor to run on")
    parser.add_argument("arguments", nargs="+", help="of edgeseg")
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    if given.group is not None:
        (given.group / "cgroup.procs").write_text(str(os.getpid()))
    for kind, size_bytes in (
        (resource.RLIMIT_DATA, given.data),
        (resource.RLIMIT_AS, given.address),
    ):
        if size_bytes is not None:
            resource.setrlimit(kind, (size_bytes, size_bytes))
    from edgeseg.cli import main as edgeseg

    code = edgeseg(given.arguments)
    # Not ru_maxrss, which a process inherits from the one that started it.
    told = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in told.splitlines() if line.startswith("VmHWM"))
    given.report.write_text(json.dumps({"code": code, "peak_bytes": int(peak.split()[1]) * 1024}))
    return code


if __name__ == "__main__":
    sys.exit(main())
