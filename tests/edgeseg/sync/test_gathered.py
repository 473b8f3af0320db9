"""What devices sent is gathered: each confirmation once, within bounds, whatever else is there."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg import limits
from edgeseg.errors import DatasetError
from edgeseg.sync.confirmations import Confirmation
from edgeseg.sync.gathered import Gathering, file_name, sender, sent_name
from tests.edgeseg.sync.test_confirmations import confirmation


def write(path: Path, *numbers: int, more: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(confirmation(number).to_line() for number in numbers) + more)
    return path


def gathered(*paths: Path) -> tuple[list[int], Gathering]:
    gathering = Gathering(paths)
    return [int(each.id, 16) for _, each in gathering], gathering


def test_each_comes_once_from_files_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    write(folder / "a.jsonl", 1, 2)
    write(folder / "deep" / "b.jsonl", 2, 3, more=b'\n{"torn')
    (folder / "report.json").write_text("no confirmation")
    lone = write(tmp_path / "confirmations.jsonl.older", 3, 4)
    numbers, gathering = gathered(folder, lone)
    assert sorted(numbers) == [1, 2, 3, 4]
    assert (gathering.arrived, gathering.damaged, gathering.unread, gathering.beyond) == (
        4, 1, [], 0,
    )  # fmt: skip
    assert gathering.problems() == ["1 damaged lines of confirmations are passed over"]
    # Read again, it counts again.
    assert len(list(gathering)) == 4
    assert gathering.damaged == 1
    assert gathered(tmp_path / "reports" / "a.jsonl")[1].problems() == []
    with pytest.raises(DatasetError, match="no such file"):
        Gathering([tmp_path / "nowhere"])


def test_damaged_lines_raise_nothing(tmp_path: Path) -> None:
    rng = random.Random(7)
    line = confirmation().to_line().rstrip(b"\n")
    lines = [
        b"null", b"[]", b'"text"', b"\xff\xfe", b"[" * 5_000, b"{}", b'{"a":1,"a":2}', b"NaN",
        line + line, b"\x00", line[:-1],
    ]  # fmt: skip
    fields = json.loads(line)
    huge = 10**400
    for name in fields:
        values = (None, True, huge, -huge, -1, 0.5, "", "\u202e", "\ud800", [], [[]], {}, "é" * 9)
        lines += [json.dumps(fields | {name: value}).encode() for value in values]
    lines += [json.dumps(fields | {"shown": [[sku, 0.1]]}).encode() for sku in (None, 1, "\n", {})]
    lines += [json.dumps(fields | {"shown": [["P1", far]]}).encode() for far in (huge, None, "1")]
    for _ in range(600):
        mutant = bytearray(line)
        for _ in range(rng.randint(1, 4)):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        lines.append(bytes(mutant).replace(b"\n", b"?"))
    path = tmp_path / "mutants.jsonl"
    path.write_bytes(b"\n".join(lines))
    gathering = Gathering([path])
    read = [each for _, each in gathering]
    assert all(isinstance(each, Confirmation) for each in read)
    # Some mutants are confirmations still, and most of them of one id; the others are counted.
    assert gathering.damaged > len(lines) // 2
    assert gathering.unread == []


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "reports"
    for number in range(5):
        write(folder / f"{number}.jsonl", number)
    one = (folder / "0.jsonl").stat().st_size
    monkeypatch.setattr(limits, "MAX_GATHERED_BYTES", 2 * one)
    numbers, gathering = gathered(folder)
    assert (numbers, gathering.beyond) == ([0, 1], 3)
    assert "3 files" in gathering.problems()[0]

    monkeypatch.setattr(limits, "MAX_GATHERED_BYTES", 100 * one)
    monkeypatch.setattr(limits, "MAX_DAMAGED_LINES", 10)
    write(folder / "0.jsonl", more=b"x\n" * 500 + confirmation(99).to_line())
    numbers, gathering = gathered(folder)
    # What hardly holds anything else is given up, and costs the others nothing.
    assert (numbers, gathering.damaged) == ([1, 2, 3, 4], 11)
    assert "0.jsonl: more than 10 are damaged" in gathering.unread[0]

    monkeypatch.setattr(limits, "MAX_CONFIRMATIONS_FILE_BYTES", one)
    write(folder / "1.jsonl", 1, 11, 12)
    (folder / "2.jsonl").unlink()
    (folder / "2.jsonl").mkdir()
    (folder / "3.jsonl").unlink()
    os.mkfifo(folder / "3.jsonl")
    numbers, gathering = gathered(folder)
    assert numbers == [4]
    assert len(gathering.unread) == 4
    assert gathering.problems()[0].startswith("4 files")


@pytest.mark.parametrize("device", ["scanner 7", "a-confirmations-b", "../../etc", "", "ä" * 99])
def test_a_file_names_its_device(device: str) -> None:
    name = sent_name(device, "confirmations-0123456789ab-1", 12)
    assert "/" not in name
    assert sender(Path("reports") / name) == file_name(device)


@pytest.mark.parametrize("name", ["confirmations.jsonl", "x-confirmations-1-2-3.jsonl", "a.json"])
def test_other_files_name_none(name: str) -> None:
    assert sender(Path(name)) is None


def test_a_number_that_no_float_holds_is_no_confirmation(tmp_path: Path) -> None:
    line = replace(confirmation(), probability=None).to_line()
    path = tmp_path / "kept.jsonl"
    path.write_bytes(line.replace(b'"probability":null', b'"probability":1' + b"0" * 400))
    assert gathered(path)[1].damaged == 1
