from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeseg import __version__
from edgeseg.diagnosis import installation
from edgeseg.diagnosis.child import in_child
from edgeseg.diagnosis.finding import pip
from edgeseg.diagnosis.installation import Installation
from tests.edgeseg.diagnosis.conftest import Fake, Installed

PIP = f"{sys.executable} -m pip"
KNOWN = Installation(
    __version__,
    "<3.14,>=3.10",
    (
        "sick-one>=2; extra == 'sync'",
        "json-like; extra == 'sync'",
        "nowhere; (platform_machine == 'vax') and extra == 'peers'",
    ),
    ("sync", "peers"),
)


def test_edgeseg_is_what_is_installed() -> None:
    assert installation.edgeseg_finding(KNOWN).status == "ok"
    by_hand = installation.edgeseg_finding(Installation(None, "", (), ()))
    assert by_hand.status == "warning"
    other = Installation("0.0.1", "", (), ())
    assert "0.0.1 is installed" in installation.edgeseg_finding(other).why


def test_the_metadata_beside_it_is_read(sick_path: Path, installed: Installed) -> None:
    installed("edgeseg", "9.9")
    path = sick_path / "edgeseg-9.9.dist-info" / "METADATA"
    path.write_text(
        path.read_text()
        + "Requires-Dist: numpy>=1.26\nProvides-Extra: sync\n"
        + "Requires-Dist: numpy<2,>=1.26; extra == 'tflite'\n"
    )
    known = installation.read_installation()
    assert (known.version, known.extras) == ("9.9", ("sync",))
    assert known.requirement("numpy").versions == ">=1.26"
    assert known.requirement("numpy", "tflite").versions == ">=1.26,<2"
    assert known.requirement("hnswlib").versions == ""


@pytest.mark.parametrize(
    ("version", "status"),
    [("3.9.2", "broken"), ("3.10.0", "ok"), ("3.13.1", "ok"), ("3.14.0", "broken")],
)
def test_a_python_that_it_is_not_made_for(version: str, status: str) -> None:
    finding = installation.python_finding(KNOWN, version)
    assert finding.status == status
    assert finding.mend.startswith("python3.11 -m venv" if status == "broken" else "")


def test_pure_distributions() -> None:
    assert installation.pure_finding(KNOWN, "typer").status == "ok"
    absent = installation.pure_finding(KNOWN, "no_such_module")
    assert (absent.status, absent.mend) == ("broken", f"{PIP} install no_such_module")


def test_an_extra_is_a_problem_only_where_it_is_needed() -> None:
    for needed, status in ((False, "absent"), (True, "broken")):
        finding = installation.extra_finding(KNOWN, "sync", ["json"], needed)
        assert finding.status == status
        assert finding.facts["lacks"] == ["json-like", "sick-one>=2"]
        assert finding.mend == f"{PIP} install 'edgeseg[sync]'"


def test_an_extra_of_other_versions(installed: Installed) -> None:
    installed("sick-one", "1.9")
    installed("json-like", "1")
    finding = installation.extra_finding(KNOWN, "sync", ["json"], needed=True)
    assert finding.status == "warning"
    assert "sick-one 1.9 (asked for: >=2)" in finding.why


def test_an_extra_that_this_machine_cannot_have() -> None:
    finding = installation.extra_finding(KNOWN, "peers", ["nowhere"], needed=True)
    assert (finding.status, finding.mend) == ("broken", "")
    assert "not published for" in finding.why


def test_an_extra_that_the_metadata_does_not_know_is_judged_by_its_modules() -> None:
    for module, status in (("json", "ok"), ("no_such_module", "absent")):
        assert installation.extra_finding(KNOWN, "new", [module], False).status == status


def test_a_needed_extra_is_tried(installed: Installed, fake: Fake) -> None:
    """As TensorFlow on a processor without AVX."""
    installed("sick-one", "2.0")
    installed("json-like", "1")
    fake("sick_one", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    finding = installation.extra_finding(KNOWN, "sync", ["sick_one"], needed=True)
    assert finding.status == "ok"
    tried = installation.tried_extra_finding(
        finding, in_child("modules", {"modules": ["sick_one"]})
    )
    assert tried.status == "broken"
    assert "SIGILL" in tried.why
    assert tried.mend == f"{PIP} install --force-reinstall 'edgeseg[sync]'"


def test_pip_is_brought_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgeseg.diagnosis import finding

    monkeypatch.setattr(finding.importlib.util, "find_spec", lambda _name: None)
    assert pip("install", "numpy") == f"{sys.executable} -m ensurepip && {PIP} install numpy"
