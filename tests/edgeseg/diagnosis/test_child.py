from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.diagnosis import child
from edgeseg.diagnosis.child import in_child
from tests.edgeseg.diagnosis.conftest import Fake


def test_what_is_well_comes_to_its_end() -> None:
    for task in ("numpy", "opencv", "hnswlib"):
        outcome = in_child(task)
        assert outcome.done, (task, outcome)
        assert Path(outcome.facts["place"]).exists()


@pytest.mark.parametrize("signal_name", ["SIGILL", "SIGSEGV", "SIGABRT"])
def test_a_child_that_dies_is_told_by_its_signal(fake: Fake, signal_name: str) -> None:
    fake("hnswlib", f"import os, signal\nos.kill(os.getpid(), signal.{signal_name})\n")
    outcome = in_child("hnswlib")
    assert (outcome.ending, outcome.detail) == ("signal", signal_name)
    assert f"died with {signal_name} while importing hnswlib" in outcome.told()


def test_it_dies_later_and_what_was_told_before_is_kept(fake: Fake) -> None:
    """As a library with one wrong instruction does: it imports, and dies at its first real work."""
    fake(
        "hnswlib",
        "import os, signal\n"
        "class Index:\n"
        "    def __init__(self, **_): pass\n"
        "    def init_index(self, *_, **__): os.kill(os.getpid(), signal.SIGILL)\n",
    )
    outcome = in_child("hnswlib")
    assert outcome.stage == "building an index"
    assert outcome.facts["place"].endswith("hnswlib.py")


def test_one_that_hangs_is_ended_with_all_that_it_started(fake: Fake, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    fake(
        "cv2",
        "import pathlib, subprocess, time\n"
        "started = subprocess.Popen(['sleep', '1000'])\n"
        f"pathlib.Path({str(told)!r}).write_text(str(started.pid))\n"
        "time.sleep(1000)\n",
    )
    outcome = in_child("opencv", timeout_s=6.0)
    assert (outcome.ending, outcome.detail) == ("timeout", "6")
    assert outcome.told() == "did not answer within 6 s while importing cv2"
    status = Path(f"/proc/{told.read_text()}/stat")
    # A zombie waits for an init that this container may lack; it runs no more.
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_library_may_print_what_it_likes(fake: Fake) -> None:
    fake("typing_test", "import os\nprint('{\"error\": 1}')\nos.write(1, b'no json')\n")
    outcome = in_child("modules", {"modules": ["typing_test", "json"]})
    assert outcome.done, outcome
    assert set(outcome.facts) == {"typing_test", "json"}


@pytest.mark.parametrize(
    ("source", "ending", "detail"),
    [
        ("raise ImportError('libGL.so.1: cannot open')", "import", "ImportError: libGL.so.1"),
        ("import no_such_module", "import", "No module named 'no_such_module'"),
        ("raise SystemError('initialization failed')", "error", "SystemError: initialization"),
        ("raise MemoryError", "memory", ""),
        ("import os; os.write(2, b'bad\\nworse\\n'); os._exit(3)", "error", "worse"),
        ("import sys; sys.exit(4)", "error", "SystemExit: 4"),
    ],
)
def test_every_other_end_is_told(fake: Fake, source: str, ending: str, detail: str) -> None:
    fake("sick_module", source)
    outcome = in_child("modules", {"modules": ["sick_module"]})
    assert outcome.ending == ending
    assert detail in outcome.detail
    assert outcome.stage == "importing sick_module"


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(child.sys, "executable", str(tmp_path / "absent"))
    outcome = in_child("numpy")
    assert outcome.ending == "unstarted"
    assert "No such file" in outcome.told()
