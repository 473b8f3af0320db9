"""Bounded reads, atomic writes that survive a real SIGKILL, and the lock."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from edgeseg import limits
from edgeseg.errors import EdgesegError, LimitExceededError
from edgeseg.files import map_bounded, read_bounded, sha256_hex, write_atomic
from edgeseg.lock import Lock

# Dies just before the call number KILL_AT among those that touch the disk; with a number too high
# it finishes.
_DYING_WRITER = """
import os, pathlib, signal, sys
target, kill_at = sys.argv[1], int(sys.argv[2])
from edgeseg import files
calls = 0
def dying(function):
    def wrapped(*arguments, **options):
        global calls
        calls += 1
        if calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return wrapped
os.open, os.write, os.fsync = dying(os.open), dying(os.write), dying(os.fsync)
pathlib.Path.replace = dying(pathlib.Path.replace)
files.write_atomic(target, [b"new" * 500_000, b"!"])
print(calls)
"""
_OLD = b"old" * 1000
_NEW = b"new" * 500_000 + b"!"


def _run_writer(target: Path, kill_at: int, repository: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_DYING_WRITER), str(target), str(kill_at)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_kill_before_any_disk_call_leaves_the_old_or_the_new_file(
    tmp_path: Path, repository: Path
) -> None:
    target = tmp_path / "shop.catalogue"
    whole = _run_writer(target, 10_000, repository)
    assert whole.returncode == 0, whole.stderr
    calls = int(whole.stdout)
    assert calls >= 6  # open, two writes or more, fsync, rename, and the folder's open and fsync
    seen = []
    for kill_at in range(1, calls + 1):
        target.write_bytes(_OLD)
        died = _run_writer(target, kill_at, repository)
        assert died.returncode == -signal.SIGKILL
        seen.append(target.read_bytes())
    assert set(seen) == {_OLD, _NEW}
    assert seen == sorted(seen, reverse=True), "once the new file is there, it must stay"


def test_a_kill_leaves_no_file_where_there_was_none(tmp_path: Path, repository: Path) -> None:
    target = tmp_path / "shop.catalogue"
    died = _run_writer(target, 3, repository)
    assert died.returncode == -signal.SIGKILL
    assert not target.exists()
    # What the killed writer left is cleared by a later save, once no live one can own it.
    (left,) = tmp_path.iterdir()
    write_atomic(target, b"x")
    assert left.exists()
    old_s = time.time() - limits.STALE_TEMPORARY_AGE_S - 60
    os.utime(left, (old_s, old_s))
    write_atomic(target, b"y")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space")])
def test_a_failed_write_keeps_the_old_file_and_removes_the_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    target = tmp_path / "a.bundle"
    target.write_bytes(_OLD)

    def fail(descriptor: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else EdgesegError
    with pytest.raises(expected) as caught:
        write_atomic(target, _NEW)
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == _OLD
    if expected is EdgesegError:
        assert "disk is full" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_real_full_device_is_told_in_one_line(tmp_path: Path) -> None:
    # RLIMIT_FSIZE makes the kernel refuse bytes, as a full disk does, without needing one.
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "from edgeseg.files import write_atomic\n"
        "from edgeseg.errors import EdgesegError\n"
        "try: write_atomic(sys.argv[1], b'x' * 5000)\n"
        "except EdgesegError as error: print(error)\n"
    )
    target = tmp_path / "a.bundle"
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(target)],
        env={**os.environ, "PYTHONPATH": str(repository), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"cannot write {target}: ")
    assert list(tmp_path.iterdir()) == []


def test_write_atomic_follows_a_link_and_keeps_the_umask(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(_OLD)
    link.symlink_to(real)
    write_atomic(link, _NEW)
    assert link.is_symlink()
    assert real.read_bytes() == _NEW
    umask = os.umask(0)
    os.umask(umask)
    assert real.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("data", [b"", b"abc", [b"ab", memoryview(b"c")], iter([])])
def test_write_atomic_takes_bytes_or_pieces(tmp_path: Path, data: object) -> None:
    target = tmp_path / "f"
    write_atomic(target, data)  # type: ignore[arg-type]
    assert target.read_bytes() in (b"", b"abc")
    assert read_bounded(target, 3, "file") == target.read_bytes()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.write_bytes(b"12345"), "too large: 5 bytes or more, and at most 4"),
    ],
)
def test_read_bounded_says_what_is_wrong(tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "thing"
    make(path)  # type: ignore[operator]
    with pytest.raises(EdgesegError, match=words) as caught:
        read_bounded(path, 4, "bundle")
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, LimitExceededError) == ("too large" in words)


def test_read_bounded_reads_up_to_its_limit_and_files_without_a_size(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"1234")
    assert read_bounded(path, 4, "file") == b"1234"
    with pytest.raises(EdgesegError, match="grew while read"):
        read_bounded("/proc/self/status", 1 << 20, "file")


def test_a_path_with_a_line_break_stays_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(EdgesegError) as caught:
        read_bounded(tmp_path / "a\nb\x1b[31m", 4, "photo")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["", "nul\0byte", "x" * 5000])
def test_impossible_paths_are_errors_too(path: str) -> None:
    with pytest.raises(EdgesegError):
        read_bounded(path, 4, "photo")


def test_writing_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match="its folder does not exist"):
        write_atomic(tmp_path / "none" / "f", b"")
    with pytest.raises(EdgesegError, match="it is a folder"):
        write_atomic(tmp_path, b"")
    with pytest.raises(EdgesegError, match="not a regular file"):
        write_atomic("/dev/null", b"")


def test_the_lock_excludes_another_process_and_ends_with_it(
    tmp_path: Path, repository: Path
) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from edgeseg.lock import Lock\n"
            "lock = Lock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(60)",
            str(path),
        ],
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(EdgesegError, match="in use by another process"), Lock(path):
            pass
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()
    with Lock(path):
        pass
    with Lock(path):
        pass


def test_sha256_hex() -> None:
    # FIPS 180-2, appendix B.1.
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_mapped_file_stays_as_it_was_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"first")
    mapped = map_bounded(path, 5, "file")
    assert mapped.readonly
    write_atomic(path, b"second")
    assert bytes(mapped) == b"first"
    path.write_bytes(b"")
    assert bytes(map_bounded(path, 5, "file")) == b""


def test_what_cannot_be_mapped_is_refused_as_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"123456")
    with pytest.raises(LimitExceededError, match="6 bytes"):
        map_bounded(path, 5, "file")
    for place, words in ((tmp_path, "is a folder"), (tmp_path / "none", "no such file")):
        with pytest.raises(EdgesegError, match=words):
            map_bounded(place, 5, "file")
