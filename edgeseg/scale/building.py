"""A build from its list to its catalogues: list, look, describe what is new, assemble.

All that takes time is kept in the cache folder as soon as it is done, and found there again: a
build that was killed goes on, and one of tomorrow does what changed since.
"""

from __future__ import annotations

import csv
import io
import itertools
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseg import __version__, limits
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.files import made_folder, pieces_of, sha256_hex, write_atomic
from edgeseg.formats.catalogue_file import KIND, SUFFIX
from edgeseg.formats.shard_list import Shard, ShardList, check_slugs
from edgeseg.indexing import nothing_readable
from edgeseg.lock import Lock
from edgeseg.scale.assembly import ShardDone, ShardWork, found_assembled, write_items
from edgeseg.scale.chunk import chunk_size, write_chunks
from edgeseg.scale.engine import Engine
from edgeseg.scale.ledger import Ledger
from edgeseg.scale.listing import Listed, read_list
from edgeseg.scale.plan import Built, Description, Plan
from edgeseg.scale.summary import Summary
from edgeseg.scale.worker import Work

OnProgress = Callable[[str, int, int], None]
# A list's length is known at its end.
_TOLD_EVERY = 1000
# The rest is in the file of them all.
_TOLD_UNREADABLE = 20


def build(
    plan: Plan, description: Description, engine: Engine, on_progress: OnProgress | None = None
) -> Built:
    """Build catalogues.

    Equal lists, pictures and descriptions give equal catalogues, whatever the engine, the number of
    its workers and the order of the list, and whatever was built before.

    Args:
        plan: what to build.
        description: of the pictures.
        engine: does the work.
        on_progress: told (step, done, all); 0 of all where that is not known yet.

    Raises:
        DatasetError: the list is unusable, or no picture can be read.
        ModelContractError: the networks give what they should not.
        EdgesegError: another build uses the cache, or something cannot be written.
    """
    tell = on_progress or (lambda _step, _done, _all: None)
    home = made_folder(plan.home(description))
    parts = made_folder(home / "parts")
    with Lock(home / "lock"), engine:
        for left in home.glob("work-*"):
            shutil.rmtree(left, ignore_errors=True)
        run = secrets.token_hex(8)
        folder = made_folder(home / f"work-{run}")
        try:
            with Ledger(home / "ledger.sqlite", parts) as ledger:
                return _Build(plan, description, engine, tell, ledger, home, folder, run).built()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Build:
    """One build while it goes on."""

    plan: Plan
    description: Description
    engine: Engine
    tell: OnProgress
    ledger: Ledger
    home: Path
    folder: Path
    run: str

    def __post_init__(self) -> None:
        self.summary = Summary(self.engine.name)

    def built(self) -> Built:
        with self.summary.step("list"):
            self.summary.learnt = self.ledger.take_parts()
            lines = read_list(self.plan.source, self.plan.shard_by)
            sharded = self.plan.shard_by is not None
            self.summary.items = self.ledger.list_items(self._counted(lines), sharded=sharded)
        if not self.summary.items:
            raise DatasetError(f"{self.plan.source} has no items")
        self._check_shards()
        with self.summary.step("describe"):
            self._describe()
        first = self._tell_unreadable()
        if self.summary.unreadable and not self.plan.skip_unreadable:
            return Built(self.summary, False, first, self._unreadable_file)
        with self.summary.step("assemble"):
            shards = self._assemble()
        if not shards:
            told = [(sku, reason) for sku, _, reason in first]
            raise DatasetError(nothing_readable(self.summary.items, told))
        self._put_out(shards)
        return Built(
            self.summary,
            True,
            first,
            self._unreadable_file if self.summary.unreadable else None,
        )

    @property
    def _unreadable_file(self) -> Path:
        return self.plan.output.with_name(f"{self.plan.output.name}.unreadable.csv")

    @property
    def _catalogues(self) -> Path:
        return self.home / "catalogues"

    def _check_shards(self) -> None:
        """Before the work, what it could not be put out as."""
        if self.plan.shard_by is None:
            return
        names = self.ledger.shards()
        if not names:
            raise DatasetError(f"no item of {self.plan.source} says its {self.plan.shard_by}")
        if len(names) > limits.MAX_SHARDS:
            raise DatasetError(
                f"{len(names)} values of {self.plan.shard_by}, and at most {limits.MAX_SHARDS} "
                "shards are built"
            )
        for name in names:
            if len(name) > limits.MAX_SHARD_NAME_CHARS:
                raise DatasetError(
                    f"the shard {name[:40]!a}... has a name of more than "
                    f"{limits.MAX_SHARD_NAME_CHARS} characters"
                )
        check_slugs(names)

    def _counted(self, lines: Iterator[Listed]) -> Iterator[Listed]:
        for count, line in enumerate(lines, start=1):
            yield line
            if count % _TOLD_EVERY == 0:
                self.tell("listing", count, 0)

    def _describe(self) -> None:
        known = self.ledger.known_pictures()
        size = chunk_size(self.ledger.unread(), self.engine.workers, self.plan.chunk_pictures)
        cut = write_chunks(self.folder, self.ledger.unread_places(), known, size)
        if not cut.chunks:
            return
        work = Work(self.run, self.folder, self.home / "parts", self.description.open_describer)
        self.tell("describing", 0, cut.pictures)
        seen: set[int] = set()
        for done in self.engine.work(work, cut.chunks):
            # An engine may tell of a chunk twice, where it lost the first answer.
            if done.number not in seen:
                seen.add(done.number)
                self.ledger.take_part(done.part)
                self.summary.take(done)
                self.tell("describing", self.summary.pictures, cut.pictures)
        if len(seen) != cut.chunks:
            raise EdgesegError(
                f"{cut.chunks - len(seen)} of {cut.chunks} chunks were not done: run it again to "
                "go on"
            )

    def _tell_unreadable(self) -> list[tuple[str, str, str]]:
        """Write the list of them, or remove the one of a build before."""
        rows = self.ledger.unreadable()
        first = list(itertools.islice(rows, _TOLD_UNREADABLE))
        if not first:
            self._unreadable_file.unlink(missing_ok=True)
            return first
        count = 0

        def pieces() -> Iterator[bytes]:
            nonlocal count
            yield b"sku,place,reason\n"
            for row in itertools.chain(first, rows):
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerow(row)
                count += 1
                yield text.getvalue().encode("utf-8", "replace")

        write_atomic(self._unreadable_file, pieces())
        self.summary.unreadable = count
        return first

    def _assemble(self) -> list[tuple[ShardDone, Path]]:
        made_folder(self._catalogues)
        works: list[ShardWork] = []
        kept: set[Path] = set()
        for number, name in enumerate(self.ledger.shards()):
            items = self.folder / f"items-{number}.parquet"
            count, digest = write_items(items, self.ledger.described(name))
            if not count:
                continue
            # Another version may build another graph of the same items.
            key = sha256_hex(
                f"{__version__} {KIND.format_version} {self.description.embedder_digest} "
                f"{self.plan.precision} {digest}".encode()
            )
            output = self._catalogues / f"{key[:32]}{SUFFIX}"
            kept.add(output)
            works.append(
                ShardWork(
                    name=name,
                    items=items,
                    parts=self.home / "parts",
                    output=output,
                    dim=self.description.dim,
                    embedder_digest=self.description.embedder_digest,
                    precision=self.plan.precision,
                )
            )
        there = [done for work in works if (done := found_assembled(work)) is not None]
        self.summary.reused = len(there)
        names = {done.name for done in there}
        missing = [work for work in works if work.name not in names]
        self.tell("assembling", len(there), len(works))
        for done in self.engine.assemble(missing):
            there.append(done)
            self.tell("assembling", len(there), len(works))
        for path in self._catalogues.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)
        outputs = {work.name: work.output for work in works}
        return [(done, outputs[done.name]) for done in sorted(there, key=lambda each: each.name)]

    def _put_out(self, shards: list[tuple[ShardDone, Path]]) -> None:
        self.summary.shards = [done for done, _ in shards]
        if self.plan.shard_by is None:
            self._copy(shards[0][1], self.plan.output)
            return
        made_folder(self.plan.output)
        before = _files_of(self.plan.output)
        listed = []
        for done, path in shards:
            shard = Shard(done.name, done.items, done.digest)
            self._copy(path, self.plan.output / shard.file_name)
            listed.append(shard)
        ShardList(self.plan.shard_by, tuple(listed)).write(self.plan.output)
        for gone in before - {shard.file_name for shard in listed}:
            (self.plan.output / gone).unlink(missing_ok=True)

    def _copy(self, source: Path, target: Path) -> None:
        write_atomic(target, pieces_of(source, 0, KIND.max_bytes, "catalogue"))


def _files_of(folder: Path) -> set[str]:
    """The catalogues of a build before, of which a shard may be gone now."""
    try:
        return {shard.file_name for shard in ShardList.read(folder).shards}
    except EdgesegError:
        return set()
