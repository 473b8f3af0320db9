"""The two sides of a target's process: what it answers, and what its death looks like."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from device_bench import launcher, worker
from device_bench.errors import BenchError
from device_bench.launcher import Worker
from device_bench.target import Settings, Step, TargetSpec
from device_bench.targets import TARGETS

NULL = TargetSpec("null", "null")


class Recording:
    """A target that writes down what the harness does with it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def load(self) -> None:
        self.calls.append("load")

    def prepare(self, index: int) -> None:
        self.calls.append(f"prepare {index}")

    def steps(self) -> Sequence[Step]:
        return [
            Step("a", lambda: self.calls.append("a")),
            Step("b", lambda: self.calls.append("b")),
        ]

    def facts(self) -> Mapping[str, Any]:
        return {"calls": self.calls}


def _answers(*requests: Mapping[str, Any]) -> list[dict[str, Any]]:
    replies = io.StringIO()
    worker.serve(io.StringIO("".join(json.dumps(request) + "\n" for request in requests)), replies)
    return [json.loads(line) for line in replies.getvalue().splitlines()]


def test_untimed_invocations_are_made_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "recording", Recording)
    spec = TargetSpec("recording", "r").to_dict()
    _, _, sampled, ended = _answers(
        spec,
        {"do": "load"},
        {"do": "sample", "count": 1, "untimed": 1, "yardstick": False},
        {"do": "end"},
    )
    assert [set(sample) for sample in sampled["samples"]] == [{"a", "b"}]
    assert ended["facts"]["calls"] == ["load", "prepare 0", "a", "b", "prepare 1", "a", "b"]
    assert ended["cpu_share"] is None, "an empty step is too short to tell a share"


def test_an_error_of_any_type_is_answered_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Recording):
        def load(self) -> None:
            raise RuntimeError("first\nsecond")

    monkeypatch.setitem(TARGETS, "broken", Broken)
    answers = _answers(TargetSpec("broken", "b").to_dict(), {"do": "load"}, {"do": "end"})
    assert answers[1:] == [{"error": "RuntimeError: first second"}]
    assert "Traceback" in capsys.readouterr().err


def test_a_process_is_timed_and_leaves(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file of the user's beside which the bench runs must not be imported by the child.
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with Worker(NULL) as process:
        assert process.build() >= 0
        assert process.load() >= 0
        samples = process.sample(5, untimed=2)
        assert len(samples) == 5
        assert all(0 <= sample.total_ns < 50_000_000 for sample in samples)
        assert process.age_ns() > sum(sample.total_ns for sample in samples)
        number = process._process.pid
        assert process.end().facts == {}
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_the_childs_own_and_not_its_parents() -> None:
    ballast = bytearray(200_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    with Worker(NULL) as process:
        process.build()
        peak_bytes = process.end().peak_memory_bytes
    assert len(ballast) == 200_000_000
    assert 3_000_000 < peak_bytes < 100_000_000


@contextmanager
def _program(monkeypatch: pytest.MonkeyPatch, text: str) -> Iterator[Worker]:
    monkeypatch.setattr(launcher, "_PROGRAM", text)
    with Worker(TargetSpec("model", "bad.tflite")) as process:
        yield process


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (
            f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})",
            r"bad.tflite crashed .*SIGSEGV",
        ),
        (
            f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})",
            r"bad.tflite was killed .*memory",
        ),
        ("import sys; sys.exit(4)", r"bad.tflite: its process ended with status 4"),
        ("print('no JSON')", r"bad.tflite: its process gave no proper answer"),
    ],
)
def test_a_death_is_told_in_one_line(
    program: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        _program(monkeypatch, program) as process,
        pytest.raises(BenchError, match=message) as told,
    ):
        process.build()
    assert "\n" not in str(told.value)


def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "REPLY_TIMEOUT_S", 0.3)
    with (
        _program(monkeypatch, "import time; time.sleep(60)") as process,
        pytest.raises(BenchError, match="gave no answer"),
    ):
        process.build()
    assert process._process.poll() is not None


def test_what_a_native_library_prints_is_kept_for_debugging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = "import os; os.write(2, b'native banner'); os.abort()"
    with _program(monkeypatch, program) as process, pytest.raises(BenchError) as told:
        process.build()
    assert "native banner" in str(told.value.__cause__)


def test_a_target_that_prints_does_not_garble_the_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noisy = launcher._PROGRAM.replace(
        "sys.exit(main())",
        "from device_bench.targets import null; "
        "null.NullTarget.load = lambda self: print('hello', flush=True); sys.exit(main())",
    )
    assert noisy != launcher._PROGRAM
    monkeypatch.setattr(launcher, "_PROGRAM", noisy)
    with Worker(NULL) as process:
        process.build()
        assert process.load() > 0


def test_a_process_is_set_as_its_target_asks() -> None:
    variables = launcher._settings_variables(Settings(2, "tflite-runtime", xnnpack=False))
    assert variables["OMP_NUM_THREADS"] == variables["OPENCV_FOR_THREADS_NUM"] == "2"
    assert variables["EDGESEG_INTERPRETER"] == "tflite-runtime"
    assert variables["EDGESEG_XNNPACK"] == "off"
    usual = launcher._settings_variables(Settings())
    assert "EDGESEG_INTERPRETER" not in usual, "the user's own choice holds"


def test_samples_can_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = launcher._PROGRAM.replace(
        "sys.exit(main())",
        "import time; from device_bench.targets import null; "
        "null._nothing = lambda: time.sleep(0.2); sys.exit(main())",
    )
    monkeypatch.setattr(launcher, "_PROGRAM", slow)
    with Worker(NULL) as process:
        process.build()
        process.load()
        process.begin(1)
        assert process.busy()
        assert len(process.finish()) == 1
        assert process.end().steady_memory_bytes is not None
