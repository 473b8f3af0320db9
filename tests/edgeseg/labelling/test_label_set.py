from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edgeseg import files
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.imaging import encode_png, read_mask
from edgeseg.labelling import filling
from edgeseg.labelling.filling import add_photo, create_label_set, set_priorities, sweep
from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.records import ClaimedError, NewPhoto
from edgeseg.labelling.store import FILE_NAME
from edgeseg.labelling.strokes import Stroke

CLICK = Stroke("brush", True, ((3.0, 4.0),))
LINE = Stroke("brush", False, ((3.0, 4.0), (9.0, 9.0)), 5.0)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def png(value: int) -> bytes:
    """A mask of 8 x 6 pixels with `value` of them on the garment."""
    mask = np.zeros(48, np.bool_)
    mask[:value] = True
    return encode_png(mask.reshape(6, 8))


def new_photo(name: str, group: str = "") -> NewPhoto:
    return NewPhoto(name, "ab" * 32, 8, 6, group or name, "otsu", png(1), png(1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def labels(tmp_path: Path, clock: Clock) -> LabelSet:
    """Three photos to label, two of one group."""
    create_label_set(tmp_path / "labels", tmp_path / "photos")
    made = LabelSet(tmp_path / "labels", clock)
    for name, group in (("a.jpg", "x"), ("b.jpg", "x"), ("c.jpg", "y")):
        add_photo(made, new_photo(name, group))
    return made


def masks(labels: LabelSet) -> list[str]:
    return sorted(path.name for path in (labels.folder / "masks").glob("*.png"))


def test_no_label_set_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no label set: make one with `edgeseg label auto"):
        LabelSet(tmp_path)


def test_a_set_about_other_photos_is_refused(labels: LabelSet, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds labels of"):
        create_label_set(labels.folder, tmp_path / "others")


def test_set_and_photos_can_be_moved_together(labels: LabelSet, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    new = tmp_path.with_name(f"{tmp_path.name}-moved")
    tmp_path.rename(new)
    moved = LabelSet(new / "labels")
    assert moved.photo_path(moved.record(1)) == new / "photos" / "a.jpg"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../a.jpg", "x/../../a.jpg", "a\x00.jpg"])
def test_a_path_out_of_the_folder_is_refused(labels: LabelSet, path: str) -> None:
    with pytest.raises(DatasetError, match="does not stay below"):
        add_photo(labels, new_photo(path))


@pytest.mark.parametrize("damage", [b"", b"not a database at all, but long enough" * 40])
def test_a_damaged_database_is_one_line(labels: LabelSet, damage: bytes) -> None:
    (labels.folder / FILE_NAME).write_bytes(damage)
    with pytest.raises(DatasetError, match=FILE_NAME):
        labels.records()


def test_a_newer_format_is_refused(labels: LabelSet) -> None:
    with sqlite3.connect(labels.folder / FILE_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(DatasetError, match="of format version 99"):
        LabelSet(labels.folder)


def test_adding_twice_changes_nothing_but_what_was_unreadable(labels: LabelSet) -> None:
    labels.accept(1, "ann", png(5))
    assert add_photo(labels, new_photo("a.jpg")) == 1
    assert labels.record(1).state == "accepted"
    bad = NewPhoto("d.jpg", "", 0, 0, "d.jpg", "otsu", problem="d.jpg: cut short")
    assert add_photo(labels, bad) == 4
    assert labels.record(4).note == "d.jpg: cut short"
    with pytest.raises(DatasetError, match=r"d\.jpg cannot be labelled: d\.jpg: cut short"):
        labels.claim(4, "ann")
    assert add_photo(labels, new_photo("d.jpg")) == 4
    assert labels.record(4).state == "todo"


def test_two_people_get_different_photos_until_there_are_none(labels: LabelSet) -> None:
    got = [labels.claim_next(who) for who in ("ann", "bob", "cy", "dee")]
    assert [record and record.path for record in got] == ["a.jpg", "b.jpg", "c.jpg", None]
    again = labels.claim_next("bob")
    assert again is not None
    assert again.path == "b.jpg", "a reload gives what one has"


def test_what_is_taught_most_comes_first(labels: LabelSet) -> None:
    set_priorities(labels, {3: 2.0, 2: 1.0})
    got = [labels.claim_next(who) for who in ("ann", "bob", "cy")]
    assert [record and record.path for record in got] == ["c.jpg", "b.jpg", "a.jpg"]


def test_a_lease_ends_and_every_action_renews_it(labels: LabelSet, clock: Clock) -> None:
    labels.claim(1, "ann", lease_s=60)
    with pytest.raises(ClaimedError, match=r"a\.jpg is with ann"):
        labels.add_stroke(1, "bob", CLICK)
    clock.now_s += 59
    labels.add_stroke(1, "ann", CLICK)
    clock.now_s += 300
    with pytest.raises(ClaimedError):
        labels.claim(1, "bob")
    clock.now_s += 600
    assert labels.claim(1, "bob").claimed_by == "bob"
    with pytest.raises(ClaimedError, match="with bob"):
        labels.accept(1, "ann", png(3))
    labels.release(1, "ann")
    assert labels.record(1).claimed_by == "bob"
    labels.release(1, "bob")
    assert labels.claim(1, "ann").claimed_by == "ann"


def test_processes_and_threads_never_share_a_photo(tmp_path: Path) -> None:
    create_label_set(tmp_path / "labels", tmp_path)
    labels = LabelSet(tmp_path / "labels")
    for number in range(24):
        add_photo(labels, new_photo(f"{number}.jpg"))

    script = (
        "import sys\nfrom edgeseg.labelling.label_set import LabelSet\n"
        "labels = LabelSet(sys.argv[1])\n"
        "for n in range(6):\n    print(labels.claim_next(f'{sys.argv[2]}{n}').id)\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(labels.folder), name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("p", "q")
    ]
    with ThreadPoolExecutor(4) as pool:
        mine = list(pool.map(lambda n: labels.claim_next(f"thread{n}"), range(12)))
    claimed = [record.id for record in mine if record is not None]
    for child in children:
        claimed += [int(line) for line in child.communicate(timeout=60)[0].split()]
    assert sorted(claimed) == list(range(1, 25))


def test_strokes_undo_and_redo_outlive_a_restart(labels: LabelSet) -> None:
    for stroke in (CLICK, LINE):
        labels.add_stroke(1, "ann", stroke)
    assert labels.undo(1, "ann").can_redo
    again = LabelSet(labels.folder, lambda: 1_001.0)
    assert again.strokes(1) == [CLICK]
    record = again.redo(1, "ann")
    assert again.strokes(1) == [CLICK, LINE]
    assert (record.can_undo, record.can_redo) == (True, False)
    again.undo(1, "ann")
    again.undo(1, "ann")
    assert again.undo(1, "ann").strokes_done == 0, "nothing is left to undo"
    again.add_stroke(1, "ann", LINE)
    assert again.strokes(1) == [LINE]
    assert again.redo(1, "ann").strokes_known == 1, "a new stroke ends what could be redone"


def test_accepting_keeps_who_how_and_when(labels: LabelSet, clock: Clock) -> None:
    for stroke in (CLICK, LINE, CLICK, LINE):
        labels.add_stroke(1, "ann", stroke)
    labels.undo(1, "ann")
    clock.now_s = 5_000.0
    record = labels.accept(1, "ann", png(7))
    assert (record.state, record.decided_by, record.decided_at) == ("accepted", "ann", 5_000.0)
    assert record.how == "otsu + 1 background + 2 click"
    assert record.claimed_by == ""
    path = labels.mask_path(record)
    assert path is not None
    assert read_mask(path).sum() == 7
    assert [what for _, _, what in labels.events(1)][-2:] == ["undone", "accepted"]
    with pytest.raises(DatasetError, match="is accepted: reopen it"):
        labels.add_stroke(1, "ann", CLICK)


def test_a_reopened_photo_keeps_its_mask_and_strokes(labels: LabelSet) -> None:
    labels.add_stroke(1, "ann", LINE)
    accepted = labels.accept(1, "ann", png(7))
    reopened = labels.reopen(1, "bob")
    assert (reopened.state, reopened.mask, reopened.decided_by) == ("todo", accepted.mask, "")
    assert labels.strokes(1) == [LINE]
    labels.accept(1, "bob", png(9))
    assert len(masks(labels)) == 3, "the mask before is gone"


def test_rejected_and_skipped_photos_are_nobodys_next(labels: LabelSet) -> None:
    labels.reject(1, "ann", "no garment")
    labels.skip(2, "ann")
    assert labels.record(1).note == "no garment"
    record = labels.claim_next("ann")
    assert record is not None
    assert record.id == 3
    counts = labels.progress().counts
    assert counts == {"todo": 1, "accepted": 0, "rejected": 1, "skipped": 1, "unreadable": 0}


def test_coverage_by_group(labels: LabelSet) -> None:
    labels.accept(1, "ann", png(3))
    groups = labels.progress_by_group()
    assert [(each.group, each.total, each.coverage) for each in groups] == [
        ("x", 2, 0.5),
        ("y", 1, 0.0),
    ]


@pytest.mark.parametrize("who", ["", "a\nb", "x" * 101])
def test_a_name_is_one_short_line(labels: LabelSet, who: str) -> None:
    with pytest.raises(DatasetError, match="printable"):
        labels.claim_next(who)


def test_failing_at_any_write_leaves_the_old_mask_or_the_new(
    labels: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each system call of an accept fails in turn; after each the set is whole, and goes on."""
    labels.accept(1, "ann", png(10))
    steps = ("open", "write", "fsync", "replace", "sync_folder", "commit", "unlink")
    for count, step in enumerate(steps, start=11):
        labels.reopen(1, "ann")
        before = labels.record(1)
        with monkeypatch.context() as patch:
            _fail_at(patch, step)
            try:
                labels.accept(1, "ann", png(count))
            except (EdgesegError, OSError):
                now = labels.record(1)
                assert (now.state, now.mask) == ("todo", before.mask), step
            else:
                assert step == "unlink", step
        path = labels.mask_path(labels.record(1))
        assert path is not None
        assert read_mask(path).sum() == (count if step == "unlink" else 10), step
    sweep(labels)
    assert len(masks(labels)) == 3, "the mask that could not be removed is swept later"


def _fail_at(patch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    if step == "open":
        patch.setattr(files.os, "open", fail)
    elif step == "write":
        patch.setattr(files, "write_all", fail)
    elif step == "fsync":
        patch.setattr(files.os, "fsync", fail)
    elif step == "replace":
        patch.setattr(files.Path, "replace", fail)
    elif step == "sync_folder":
        patch.setattr(files, "sync_folder", fail)
    elif step == "commit":
        patch.setattr(LabelSet, "_decide", fail)
    else:
        patch.setattr(files.Path, "unlink", fail)


def test_sweep_removes_only_what_nobody_names(labels: LabelSet) -> None:
    filling.write_picture(labels.folder / "masks", 1, png(33))
    (labels.folder / "masks" / ".edgeseg-0.tmp").write_bytes(b"half")
    assert sweep(labels) == 1
    assert all(path.is_file() for each in labels.records() if (path := labels.mask_path(each)))


_WORKER = """
import sys
import numpy as np
from edgeseg.imaging import encode_png
from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.strokes import Stroke
labels = LabelSet(sys.argv[1])
rng = np.random.default_rng(int(sys.argv[2]))
while True:
    for photo in (1, 2, 3):
        labels.reopen(photo, "ann")
        labels.add_stroke(photo, "ann", Stroke("brush", True, ((1.0, 2.0),)))
        labels.undo(photo, "ann")
        size = int(rng.integers(1, 2000))
        mask = np.zeros((300, 400), np.bool_)
        mask.flat[:size] = True
        print("begin", photo, size, flush=True)
        labels.accept(photo, "ann", encode_png(mask))
        # Told only once it is accepted: from here on it must be found.
        print("done", photo, size, flush=True)
"""


def test_a_process_killed_at_any_moment_loses_no_accepted_mask(labels: LabelSet) -> None:
    sizes = {1: 1, 2: 1, 3: 1}
    for photo, size in sizes.items():
        labels.accept(photo, "ann", png(size))
    rng = np.random.default_rng(7)
    accepted = 0
    for attempt in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(labels.folder), str(attempt)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        lines = [child.stdout.readline()]
        reader = threading.Thread(target=lines.extend, args=(child.stdout,))
        reader.start()
        time.sleep(float(rng.uniform(0.0, 0.3)))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        reader.join()
        possible = {photo: {size} for photo, size in sizes.items()}
        for line in lines:
            what, photo, size = line.split()
            if what == "done":
                possible[int(photo)] = {int(size)}
                accepted += 1
            else:
                possible[int(photo)].add(int(size))
        for record in labels.records():
            path = labels.mask_path(record)
            assert path is not None
            sizes[record.id] = int(read_mask(path).sum())
            assert sizes[record.id] in possible[record.id], (attempt, lines[-6:])
        sweep(labels)
        assert len(masks(labels)) == 3
    assert accepted > 10, "the child was killed before it did anything"
