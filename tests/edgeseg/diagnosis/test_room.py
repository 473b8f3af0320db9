from __future__ import annotations

import errno
import os
import resource
import tempfile
from pathlib import Path
from typing import Any

import pytest

from edgeseg import limits
from edgeseg.diagnosis import room

MIB = 1024 * 1024


def test_what_is_written_does_not_stay(tmp_path: Path) -> None:
    finding = room.room_finding("here", str(tmp_path), MIB, MIB)
    assert finding.status == "ok", finding
    assert finding.facts["free_bytes"] > MIB
    assert list(tmp_path.iterdir()) == []


def test_little_room_is_a_warning(tmp_path: Path) -> None:
    finding = room.store_finding(str(tmp_path), 1 << 60)
    assert finding.status == "warning"
    assert f"{(limits.SPARE_DISK_BYTES + (1 << 60)) / MIB:,.0f} MiB are wanted" in finding.why
    assert finding.mend == f"du -xh {tmp_path} | sort -h | tail"


@pytest.mark.parametrize("after", [0, 1])
def test_a_full_disk_is_found_by_writing(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a quota is: the system tells of free space, and the write fails."""
    write, left = os.write, [after]

    def failing(descriptor: int, data: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", failing)
    finding = room.room_finding("store's disk", str(tmp_path), 3 * MIB, 3 * MIB)
    assert finding.status == "broken"
    assert "the disk is full" in finding.why
    assert finding.mend.startswith(f"du -xh {tmp_path}")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_the_kernel_refuses_to_grow(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB // 2, before[1]))
        finding = room.room_finding("here", str(tmp_path), MIB, MIB)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert finding.status == "broken"
    assert "File too large" in finding.why
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_to_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "no such"
    finding = room.room_finding("store's disk", str(folder), 1, 1)
    assert (finding.status, finding.mend) == ("broken", f"mkdir -p '{folder}'")


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    finding = room.temporary_finding()
    assert (finding.status, finding.found) == ("broken", "none")
    assert "export TMPDIR=" in finding.mend
