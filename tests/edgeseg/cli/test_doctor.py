from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeseg import __version__
from tests.edgeseg.cli.conftest import Ran, RunCli

_MAIN = "import sys; from edgeseg.cli import main; sys.exit(main())"
# What doctor may not load itself: it runs where these are missing or kill their process.
_NATIVE = ("numpy", "cv2", "hnswlib", "ai_edge_litert", "tflite_runtime")


def _findings(ran: Ran) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(ran.out)["findings"]}


def _doctor(repository: Path, sick: Path, *arguments: str) -> Ran:
    """In a process of its own, with a folder of sick modules before all others."""
    done = subprocess.run(
        [sys.executable, "-c", _MAIN, "doctor", *arguments],
        env=os.environ | {"PYTHONPATH": f"{sick}{os.pathsep}{repository}"},
        capture_output=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode())


def test_all_is_well(cli: RunCli, bundle_path: Path, catalogue: Path) -> None:
    ran = cli("doctor", "--bundle", bundle_path, "--catalogue", catalogue, "--json")
    assert ran.code == 0, (ran.out, ran.err)
    told = json.loads(ran.out)
    assert set(told) == {"format_version", "status", "findings"}
    assert told["format_version"] == 1
    assert told["status"] in ("ok", "warning")
    for finding in told["findings"]:
        assert set(finding) == {"name", "status", "found", "why", "mend", "facts"}
        assert finding["status"] in ("ok", "warning", "broken", "absent")
    found = _findings(ran)
    assert list(found)[:10] == [
        "edgeseg", "python", "architecture", "processor", "threads", "typer", "rich", "numpy",
        "opencv", "hnswlib",
    ]  # fmt: skip
    assert found["edgeseg"]["facts"]["version"] == __version__
    assert found["embedder"]["facts"]["output_shape"] == [1, 4]
    assert found["catalogue"]["facts"]["items"] == 3
    assert found["self-test"]["facts"]["iou"] > 0.99
    assert found["memory"]["facts"]["match_peak_bytes"] > 10_000_000


def test_for_people(cli: RunCli, bundle_path: Path) -> None:
    ran = cli("doctor", "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    told = ran.out.decode()
    assert "check" in told.splitlines()[1]
    assert "self-test" in told
    assert told.splitlines()[-1].startswith("all is well")


def test_a_damaged_bundle_is_a_problem_and_the_rest_is_still_told(
    cli: RunCli, bundle_path: Path, tmp_path: Path
) -> None:
    data = bytearray(bundle_path.read_bytes())
    data[len(data) // 2] ^= 255
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(data)
    ran = cli("doctor", "--bundle", damaged, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["status"] == "broken"
    found = _findings(ran)
    broken = [name for name, finding in found.items() if finding["status"] == "broken"]
    assert broken == ["bundle"]
    assert str(damaged) in found["bundle"]["why"]
    assert found["self-test"]["status"] == "ok"


def test_an_extra_is_a_problem_when_it_is_asked_for(
    cli: RunCli, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgeseg.cli import console

    modules = {"sync": frozenset({"no_such_module"})}
    monkeypatch.setattr(console, "EXTRA_MODULES", modules)
    assert cli("doctor", "--bundle", bundle_path).code == 0
    ran = cli("doctor", "--bundle", bundle_path, "--need", "sync")
    assert ran.code == 1
    assert ran.lines[0].startswith("edgeseg: extra sync: it was asked for, and has no ")
    assert cli("doctor", "--need", "nonsense").code == 2


def test_it_answers_where_everything_native_is_missing(repository: Path, tmp_path: Path) -> None:
    for name in _NATIVE:
        (tmp_path / f"{name}.py").write_text(
            f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')\n"
        )
    ran = _doctor(repository, tmp_path)
    assert ran.code == 1
    assert "Traceback" not in ran.err
    problems = [line for line in ran.lines if line.startswith("edgeseg: ")]
    named = {line.split(": ")[1] for line in problems}
    assert {"numpy", "opencv", "hnswlib"} <= named
    # Each problem's command is the whole of the next line.
    command = ran.lines[ran.lines.index(problems[0]) + 1]
    assert command.startswith(f"{sys.executable} -m pip install")
    assert "numpy" in command
    told = ran.out.decode()
    assert "not tried without numpy and opencv" in told
    assert "all is well" not in told


def test_it_survives_what_kills_its_process(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "hnswlib.py").write_text("import os\nos.kill(os.getpid(), 4)\n")
    ran = _doctor(repository, tmp_path, "--json")
    assert ran.code == 1, ran.err
    found = _findings(ran)
    assert {name for name, each in found.items() if each["status"] == "broken"} == {"hnswlib"}
    assert "SIGILL" in found["hnswlib"]["why"]
    assert "HNSWLIB_NO_NATIVE=1" in found["hnswlib"]["mend"]


def test_it_loads_nothing_native_itself(repository: Path) -> None:
    script = (
        "import sys\n"
        "from edgeseg.cli import main\n"
        "code = main(['doctor', '--json'])\n"
        f"sys.stderr.write(repr(sorted(set({_NATIVE!r}) & set(sys.modules))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]"


def test_version(cli: RunCli) -> None:
    ran = cli("--version")
    assert (ran.code, ran.out.decode()) == (0, f"edgeseg {__version__}\n")
