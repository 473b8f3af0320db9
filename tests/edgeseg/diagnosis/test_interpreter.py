from __future__ import annotations

import platform
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg.diagnosis.child import Outcome, in_child
from edgeseg.diagnosis.installation import Installation
from edgeseg.diagnosis.interpreter import LITERT, TFLITE, interpreter_finding, is_to_blame
from edgeseg.diagnosis.machine import Machine, read_machine
from edgeseg.diagnosis.networks import network_findings, selftest_finding
from tests.edgeseg.diagnosis.conftest import Fake, Installed

PIP = f"{sys.executable} -m pip"
KNOWN = Installation(
    "0.1.0",
    "<3.14,>=3.10",
    (
        "ai-edge-litert<2.2,>=2.0; platform_machine == 'aarch64'",
        "ai-edge-litert<3,>=2.0; platform_machine == 'x86_64'",
    ),
    (),
)
NONE: dict[str, str | None] = {LITERT: None, TFLITE: None, "numpy": "2.4.6"}


def _machine(monkeypatch: pytest.MonkeyPatch, machine: str, **changes: object) -> Machine:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    values = vars(read_machine()) | {"machine": machine, "bits": 64, "libc": "glibc 2.36"}
    return Machine(**values | changes)


def test_it_runs() -> None:
    run = in_child("networks", {"bundle": None})
    assert run.done, run
    tried = replace(run, facts={**run.facts, **in_child("selftest").facts})
    finding = interpreter_finding(KNOWN, read_machine(), NONE | {LITERT: "2.1.6"}, tried)
    assert (finding.status, finding.facts["ending"]) == ("ok", "done")
    assert "operators of the segmenter" in finding.found
    assert [each.status for each in network_findings("", run)] == ["ok", "ok", "ok"]


def test_tflite_runtime_beside_numpy_2(fake: Fake, installed: Installed) -> None:
    """As it is: it imports, and its Interpreter raises a SystemError."""
    fake("ai_edge_litert.interpreter", "raise ImportError('not here')")
    fake(
        "tflite_runtime.interpreter",
        "class Interpreter:\n    def __init__(self, **_): raise SystemError('initialization')\n",
    )
    installed("tflite-runtime", "2.14.0")
    run = in_child("selftest")
    versions = {LITERT: None, TFLITE: "2.14.0", "numpy": "2.4.6"}
    finding = interpreter_finding(KNOWN, read_machine(), versions, run)
    assert finding.status == "broken"
    assert "does not work beside NumPy 2.4.6" in finding.why
    assert finding.mend == f"{PIP} install 'edgeseg[tflite]'"
    assert is_to_blame(run)
    run = in_child("networks", {"bundle": None})
    told = {each.name: each.status for each in network_findings("", run, blame=False)}
    assert told == {"bundle": "ok", "segmenter": "absent", "embedder": "absent"}


def test_litert_2_3_dies_on_arm(
    fake: Fake, installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(
        "ai_edge_litert.interpreter",
        "import enum, numpy as np, os, signal\n"
        "OpResolverType = enum.Enum('OpResolverType', 'AUTO BUILTIN_WITHOUT_DEFAULT_DELEGATES')\n"
        "class Interpreter:\n"
        "    def __init__(self, **_): self.side = 224\n"
        "    def allocate_tensors(self): pass\n"
        "    def get_input_details(self):\n"
        "        shape = (1, 224, 224, 3)\n"
        "        return [{'shape': shape, 'dtype': np.float32, 'index': 0}]\n"
        "    get_output_details = get_input_details\n"
        "    def set_tensor(self, *_): pass\n"
        "    def invoke(self): os.kill(os.getpid(), signal.SIGSEGV)\n",
    )
    installed("ai-edge-litert", "2.3.0")
    run = in_child("networks", {"bundle": None})
    assert (run.detail, run.stage) == ("SIGSEGV", "running the segmenter")
    machine = _machine(monkeypatch, "aarch64")
    finding = interpreter_finding(KNOWN, machine, NONE | {LITERT: "2.3.0"}, run)
    assert finding.status == "broken"
    assert finding.found == "ai-edge-litert 2.3.0"
    assert finding.mend == f"{PIP} install 'ai-edge-litert>=2.0,<2.2'"


def test_one_out_of_range_that_works_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Outcome("done", {"interpreter": "ai-edge-litert 2.3.0"}, "running the embedder")
    for name, status in (("aarch64", "warning"), ("x86_64", "ok")):
        machine = _machine(monkeypatch, name)
        assert interpreter_finding(KNOWN, machine, NONE | {LITERT: "2.3.0"}, run).status == status


@pytest.mark.parametrize(
    ("machine", "changes", "python", "why", "mend"),
    [
        ("x86_64", {}, "3.11.7", "no TFLite", f"{PIP} install 'ai-edge-litert>=2.0,<3'"),
        ("aarch64", {}, "3.13.0", "no TFLite", f"{PIP} install 'ai-edge-litert>=2.0,<2.2'"),
        ("armv7l", {"bits": 32}, "3.11.2", "no TFLite", f"{PIP} install 'edgeseg[tflite]'"),
        ("armv7l", {"bits": 32}, "3.12.1", "Python 3.11 at most", "python3.11 -m venv "),
        ("riscv64", {}, "3.11.2", "published for riscv64", ""),
        ("aarch64", {"libc": "musl"}, "3.11.2", "published for musl", ""),
    ],
)
def test_where_there_is_none_the_one_that_there_can_be_is_named(
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
    changes: dict[str, object],
    python: str,
    why: str,
    mend: str,
) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: python)
    here = _machine(monkeypatch, machine, **changes)
    run = Outcome("import", {}, "importing the interpreter", "no TFLite interpreter is installed")
    finding = interpreter_finding(KNOWN, here, NONE, run)
    assert (finding.status, finding.found) == ("broken", "not installed")
    assert why in finding.why
    assert finding.mend.startswith(mend)
    assert bool(finding.mend) == bool(mend)


def test_a_damaged_bundle_is_no_fault_of_the_interpreter(tmp_path: Path) -> None:
    from edgeseg.presets import preset_path

    data = bytearray(preset_path().read_bytes())
    data[len(data) // 2] ^= 1
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(data)
    run = in_child("networks", {"bundle": str(damaged)})
    installed = NONE | {LITERT: "2.1.6"}
    assert interpreter_finding(KNOWN, read_machine(), installed, run).status == "ok"
    (bundle,) = network_findings(str(damaged), run)
    assert (bundle.name, bundle.status) == ("bundle", "broken")
    assert "damaged" in bundle.why


def test_a_network_is_to_blame_where_another_one_runs() -> None:
    facts = {"bundle": {"path": "own.bundle", "embedder": True}}
    run = Outcome("signal", facts, "running the segmenter", "SIGSEGV")
    segmenter, embedder = list(network_findings("own.bundle", run))[1:]
    assert (segmenter.status, embedder.status) == ("broken", "absent")
    assert "died with SIGSEGV while running the segmenter" in segmenter.why


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"iou": 0.9996, "cosine": 0.99987}, "ok"),
        ({"iou": 0.994, "cosine": 1.0}, "broken"),
        ({"iou": 1.0, "cosine": 0.998}, "broken"),
        ({}, "broken"),
    ],
)
def test_the_self_test_allows_rounding_and_no_more(facts: dict[str, float], status: str) -> None:
    assert selftest_finding(Outcome("done", facts)).status == status
