"""Reading with a bound, hashing, atomic and piecewise writing: the only ways to touch files.

``write_atomic`` is what makes "the old file or the new one, never a third thing" true: the bytes go
into a temporary file of the same folder, are flushed to the disk, and take the name in one rename.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import mmap
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgeseg import limits
from edgeseg.errors import EdgesegError, LimitExceededError

_TEMPORARY_PREFIX = ".edgeseg-"
_TEMPORARY_SUFFIX = ".tmp"
_CHUNK_BYTES = 1 << 20

PathLike = str | os.PathLike[str]


def sha256_hex(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 of ``data`` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def read_bounded(path: PathLike, limit_bytes: int, what: str) -> bytes:
    """Read a whole regular file of at most ``limit_bytes``.

    Args:
        path: the file.
        limit_bytes: the largest size to accept, in bytes.
        what: the kind of file for messages, as in "bundle" or "photo".

    Returns:
        The file's bytes; never more than ``limit_bytes`` are held.

    Raises:
        LimitExceededError: the file is larger.
        EdgesegError: it is missing, a folder, a device or pipe, or cannot be read.
    """
    with _opened(path, limit_bytes, what) as (file, size_bytes):
        pieces: list[bytes] = []
        length = 0
        try:
            # The stated size plus one: a file that grows meanwhile is still seen and bounded.
            while piece := file.read(size_bytes + 1 - length or 1):
                pieces.append(piece)
                length += len(piece)
                if length > limit_bytes:
                    raise _too_large(path, what, length, limit_bytes)
                if length > size_bytes:
                    raise EdgesegError(f"cannot read {what} {shown_path(path)}: it grew while read")
        except OSError as error:
            raise EdgesegError(cannot("read", what, path, error)) from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def map_bounded(path: PathLike, limit_bytes: int, what: str) -> memoryview:
    """Map a whole regular file of at most ``limit_bytes`` into memory.

    The system fetches its pages when they are used, and can drop them again. A file that is
    replaced, as ``write_atomic`` replaces files, stays mapped as it was; one that is cut short in
    place ends the process, so map only files that nothing writes in place.

    Args:
        path: the file.
        limit_bytes: the largest size to accept, in bytes.
        what: the kind of file for messages, as in "catalogue".

    Returns:
        The file's bytes, read-only.

    Raises:
        LimitExceededError, EdgesegError: as :func:`read_bounded`.
    """
    with _opened(path, limit_bytes, what) as (file, size_bytes):
        try:
            # An empty file cannot be mapped.
            if not size_bytes:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), size_bytes, access=mmap.ACCESS_READ))
        except OSError as error:
            raise EdgesegError(cannot("read", what, path, error)) from error


def pieces_of(path: PathLike, start: int, limit_bytes: int, what: str) -> Iterator[bytes]:
    """What a regular file of at most ``limit_bytes`` holds from ``start`` on, piece by piece.

    Unlike a mapped file, it may be cut short or vanish meanwhile.

    Raises:
        LimitExceededError, EdgesegError: as :func:`read_bounded`.
    """
    with _opened(path, limit_bytes, what) as (file, _):
        try:
            file.seek(start)
            while piece := file.read(_CHUNK_BYTES):
                yield piece
        except OSError as error:
            raise EdgesegError(cannot("read", what, path, error)) from error


@contextlib.contextmanager
def _opened(path: PathLike, limit_bytes: int, what: str) -> Iterator[tuple[io.FileIO, int]]:
    """A regular file and its size, which is within the limit."""
    try:
        # O_NONBLOCK: opening a named pipe must fail the check below, not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise EdgesegError(cannot("read", what, path, error)) from error
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        # Checked here because Python makes no file object of a folder's descriptor.
        os.close(descriptor)
        raise EdgesegError(f"cannot read {what} {shown_path(path)}: it is a folder")
    with io.FileIO(descriptor) as file:
        if not stat.S_ISREG(status.st_mode):
            raise EdgesegError(f"cannot read {what} {shown_path(path)}: it is not a regular file")
        if status.st_size > limit_bytes:
            raise _too_large(path, what, status.st_size, limit_bytes)
        yield file, status.st_size


def write_atomic(
    path: PathLike, data: bytes | Iterable[bytes | memoryview], mode: int = 0o666
) -> None:
    """Write ``data`` so that ``path`` holds the old bytes or all of the new ones at any moment.

    Args:
        path: the file to make or replace. A symbolic link keeps pointing where it does.
        data: the bytes, or pieces of them in order.
        mode: who may read and write it, less the umask; as `open` makes files unless told.

    Raises:
        EdgesegError: the folder is missing or not writable, or the disk is full. The file that was
            there, if any, is as before, and no temporary file stays.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "not a regular file"
        raise EdgesegError(f"cannot write {shown_path(path)}: it is {kind}")
    _remove_stale_temporaries(target.parent)
    temporary = target.parent / f"{_TEMPORARY_PREFIX}{secrets.token_hex(8)}{_TEMPORARY_SUFFIX}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, mode)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                for piece in _chunks(data):
                    write_all(file.fileno(), piece)
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            # Also on KeyboardInterrupt: an interrupted save must leave nothing behind.
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(target.parent)
    except OSError as error:
        raise EdgesegError(cannot("write", "", path, error)) from error


def made_folder(path: PathLike) -> Path:
    """A folder, made with those above it where they are absent, so that it outlives a power cut.

    Raises:
        EdgesegError: it cannot be made.
    """
    folder = Path(path)
    try:
        for each in reversed([folder, *folder.parents]):
            if not each.is_dir():
                each.mkdir(exist_ok=True)
                sync_folder(each.parent)
    except OSError as error:
        raise EdgesegError(cannot("make", "folder", path, error)) from error
    return folder


def _chunks(data: bytes | Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    pieces = (data,) if isinstance(data, bytes | bytearray | memoryview) else data
    for piece in pieces:
        view = memoryview(piece).cast("B")
        for start in range(0, len(view), _CHUNK_BYTES):
            yield view[start : start + _CHUNK_BYTES]


def write_all(descriptor: int, piece: memoryview) -> None:
    """Write to the end: ``os.write`` may take a part only (a signal, a nearly full disk)."""
    while piece:
        piece = piece[os.write(descriptor, piece) :]


def sync_folder(folder: Path) -> None:
    """Make a rename itself outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems refuse to sync a folder; the data itself is synced.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def _remove_stale_temporaries(folder: Path) -> None:
    """Remove what a killed save left, by age, so that a save in progress is never touched."""
    oldest_s = time.time() - limits.STALE_TEMPORARY_AGE_S
    with contextlib.suppress(OSError):
        for entry in folder.glob(f"{_TEMPORARY_PREFIX}*{_TEMPORARY_SUFFIX}"):
            if entry.lstat().st_mtime < oldest_s:
                entry.unlink(missing_ok=True)


def shown_path(path: PathLike) -> str:
    """A path on one line, whatever is in its name."""
    text = str(path)
    return text if text and text.isprintable() else ascii(text)


def _too_large(path: PathLike, what: str, size_bytes: int, limit_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        f"{what} {shown_path(path)} is too large: {size_bytes} bytes or more, "
        f"and at most {limit_bytes} are read"
    )


def cannot(verb: str, what: str, path: PathLike, error: Exception) -> str:
    """One line that says why something could not be done with a file."""
    subject = f"{what} {shown_path(path)}" if what else shown_path(path)
    number = error.errno if isinstance(error, OSError) else None
    reasons = {
        errno.ENOENT: "its folder does not exist" if verb != "read" else "there is no such file",
        errno.EACCES: "permission denied",
        errno.EISDIR: "it is a folder",
        errno.ENOSPC: "the disk is full; free some space and run it again",
        errno.EDQUOT: "the disk quota is used up; free some space and run it again",
        errno.EROFS: "the file system is read-only",
        errno.ENAMETOOLONG: "the name is too long",
        errno.ENOTDIR: "a part of its path is not a folder",
    }
    reason = reasons.get(number) if number is not None else None
    if reason is None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"cannot {verb} {subject}: {reason}"
