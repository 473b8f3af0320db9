"""Syncs that are cut short at every step, by a kill and by a power cut.

Run as a program of its own, before anything starts a thread: it forks for each step.

    python -m tests.verify.interruptions kill|power STORE URL ROOT_JSON [EVERY [SHARD]]

STORE is a scanner's store before the sync, which stays as it is; with EVERY, only each so-manieth
step is one to be killed at; with SHARD, the sync is a move to that one. Prints one JSON object: at
how many steps the sync was cut short, and what was wrong after which.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from edgeseg.errors import EdgesegError
from edgeseg.sync.client import SyncOptions, sync
from edgeseg.sync.store import Store

# A name in a folder leads to a file's inode, or to None: a folder.
_Names = dict[str, int | None]
_STEPS = ("write", "fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "ftruncate", "open")


class Steps:
    """Calls ``before(kind)`` ahead of whatever changes the disk or reads from the network."""

    def __init__(self, before: Callable[[str], None], after: Callable[[str, Any], None]) -> None:
        self._before, self._after = before, after

    def watch(self) -> None:
        """From now on, in this process."""
        for name in _STEPS:
            setattr(os, name, self._watched(name, getattr(os, name)))
        receive = socket.socket.recv_into

        def recv_into(own: socket.socket, *arguments: Any) -> int:
            self._before("receive")
            return receive(own, *arguments)

        socket.socket.recv_into = recv_into  # type: ignore[method-assign, assignment]

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            self._before(name)
            if name == "write" and len(arguments[1]) > 1:
                # Half of it, as a full disk or a signal does; the caller goes on with the rest.
                arguments = (arguments[0], arguments[1][: (len(arguments[1]) + 1) // 2])
            result = real(*arguments, **options)
            self._after(name, arguments[0] if name != "open" else result)
            return result

        return step


class Disk:
    """What of a folder would be there after a power cut: only what was flushed.

    Of names that were not flushed, either none is there or all are; of bytes, none.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bytes: dict[int, bytes] = {}
        self._names: dict[Path, _Names] = {}
        # Held open, so that no inode is used again.
        self._held: list[int] = []
        for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            self._names[folder] = _listed(folder)
        for path in root.rglob("*"):
            if path.is_file():
                self._held.append(os.open(path, os.O_RDONLY))
                self._bytes[path.stat().st_ino] = path.read_bytes()

    def flushed(self, kind: str, subject: Any) -> None:
        """Take note of a step that was done."""
        if kind == "open":
            self._held.append(os.dup(subject))
        if kind != "fsync":
            return
        here = Path(f"/proc/self/fd/{subject}").readlink()
        status = os.fstat(subject)
        if stat.S_ISDIR(status.st_mode):
            self._names[here] = _listed(here)
        else:
            self._bytes[status.st_ino] = Path(f"/proc/self/fd/{subject}").read_bytes()

    def images(self) -> Iterator[dict[str, bytes | None]]:
        """What could be there now: bytes by path, None for a folder."""
        for names in (_listed, lambda folder: self._names.get(folder, {})):
            yield dict(self._image(self._root, names))

    def _image(
        self, folder: Path, names: Callable[[Path], _Names]
    ) -> Iterator[tuple[str, bytes | None]]:
        for name, inode in names(folder).items():
            path = folder / name
            if inode is None:
                yield str(path.relative_to(self._root)), None
                yield from self._image(path, names)
            else:
                yield str(path.relative_to(self._root)), self._bytes.get(inode, b"")


def _listed(folder: Path) -> _Names:
    return {
        entry.name: None if entry.is_dir(follow_symlinks=False) else entry.inode()
        for entry in os.scandir(folder)
    }


def killed(store: Path, url: str, options: SyncOptions, every: int = 1) -> dict[str, Any]:
    """Kill a sync before each of its steps in turn, or before each so-manieth."""
    steps, kills, wrong = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "store")
        before = _generation(Store(store))
        while True:
            steps += every
            _copied(store, work)
            last = _forked(partial(_killed_at, steps, work, url, options)) == ""
            if problem := _forked(partial(_checked, work, url, options, before)):
                wrong.append(f"killed at step {steps}: {problem}")
            if last:
                return {"steps": kills, "wrong": wrong}
            kills += 1


def cut_off(store: Path, url: str, options: SyncOptions) -> dict[str, Any]:
    """Cut the power after each step of a sync in turn."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        work, images = Path(folder, "store"), Path(folder, "images")
        images.mkdir()
        before = _generation(Store(store))
        _copied(store, work)
        if problem := _forked(partial(_imaged, work, images, url, options)):
            wrong.append(problem)
        kept = sorted(images.iterdir())
        for image in kept:
            if problem := _forked(partial(_checked, image, url, options, before)):
                wrong.append(f"power cut, {image.name}: {problem}")
        return {"steps": len(kept), "wrong": wrong}


def _killed_at(number: int, work: Path, url: str, options: SyncOptions) -> str:
    left = number

    def before(_kind: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    Steps(before, lambda _kind, _subject: None).watch()
    sync(Store(work), url, options)
    return ""


def _imaged(work: Path, images: Path, url: str, options: SyncOptions) -> str:
    disk = Disk(work)
    seen: set[str] = set()
    busy = False

    def after(kind: str, subject: Any) -> None:
        nonlocal busy
        if busy:
            return
        busy = True
        disk.flushed(kind, subject)
        for image in disk.images():
            digest = hashlib.sha256(repr(sorted(image.items())).encode()).hexdigest()
            if digest not in seen:
                seen.add(digest)
                _drawn(image, images / f"{len(seen):04d}-{kind}")
        busy = False

    Steps(lambda _kind: None, after).watch()
    sync(Store(work), url, options)
    return ""


def _drawn(image: dict[str, bytes | None], folder: Path) -> None:
    folder.mkdir()
    for name, data in image.items():
        path = folder / name
        if data is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(data)


def _checked(work: Path, url: str, options: SyncOptions, before: int | None) -> str:
    """The old or the new generation answers, and the next sync ends well; else what is wrong."""
    store = Store(work)
    found = _generation(store)
    report = sync(store, url, options)
    if found not in (before, report.to_generation):
        return f"generation {found} answers, between {before} and {report.to_generation}"
    if _generation(store) != report.published_generation:
        return f"generation {_generation(store)} answers after the next sync"
    left = {path.name.partition(".")[0] for path in (work / "blobs").iterdir()}
    left |= {path.name for path in (work / "downloads").iterdir()}
    return f"files are left: {sorted(left - store.state().files)}" * bool(
        left - store.state().files
    )


def _generation(store: Store) -> int | None:
    """The one that answers its golden queries; None before the first."""
    if not store.state_path.exists() or store.state().active is None:
        return None
    opened = store.open_active()
    golden = opened.catalogue.data.golden
    if golden is None or opened.catalogue.golden_recall() < golden.recall_floor:
        raise EdgesegError("golden queries are not answered")
    return opened.installed.generation


def _copied(store: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    if store.exists():
        shutil.copytree(store, work, symlinks=True)
    else:
        work.mkdir()


def _forked(run: Callable[[], str]) -> str:
    """What a function says in a process of its own; ``killed`` where that was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            said = run()
        except BaseException as error:  # noqa: BLE001 (whatever it was, the parent tells it)
            said = f"{type(error).__name__}: {error}"
        # Not through `os.write`, which may be watched.
        with os.fdopen(writer, "w") as pipe:
            pipe.write(said)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else said


def main() -> None:
    """Run the program, see the module."""
    how, store, url, root, *further = sys.argv[1:]
    every, shard = (*further, "1")[0], (*further, None, None)[1]
    options = SyncOptions(root=Path(root).read_bytes(), shard=shard)
    cut = cut_off if how == "power" else partial(killed, every=int(every))
    sys.stdout.write(json.dumps(cut(Path(store), url, options)) + "\n")


if __name__ == "__main__":
    main()
