from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgeseg.diagnosis.child import Outcome, in_child
from edgeseg.diagnosis.libraries import HEADLESS, library_finding, opencv_finding
from edgeseg.diagnosis.requirements import parse_requirement
from tests.edgeseg.diagnosis.conftest import Fake

HNSWLIB = parse_requirement("hnswlib>=0.8,<0.9")
OPENCV = parse_requirement("opencv-python-headless>=4.10")
NUMPY = parse_requirement("numpy>=1.26")
PIP = f"{sys.executable} -m pip"


def test_hnswlib_of_another_processor_is_to_be_compiled_here(fake: Fake) -> None:
    fake("hnswlib", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    finding = library_finding("hnswlib", HNSWLIB, "0.8.0", True, in_child("hnswlib"))
    assert (finding.status, finding.found) == ("broken", "0.8.0")
    assert "SIGILL" in finding.why
    assert finding.mend == (
        f"HNSWLIB_NO_NATIVE=1 {PIP} install --force-reinstall --no-deps --no-cache-dir "
        "--no-binary hnswlib 'hnswlib>=0.8,<0.9'"
    )


def test_without_a_compiler_that_comes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = library_finding("hnswlib", HNSWLIB, None, False, Outcome("import"))
    assert finding.found == "not installed"
    assert finding.mend.startswith("sudo apt-get install g++ python3-dev && HNSWLIB_NO_NATIVE=1 ")


def test_a_version_out_of_range_that_works_is_a_warning() -> None:
    finding = library_finding("numpy", NUMPY, "1.25.2", True, Outcome("done"))
    assert finding.status == "warning"
    assert finding.mend == f"{PIP} install 'numpy>=1.26'"
    assert library_finding("numpy", NUMPY, "2.4.6", True, Outcome("done")).status == "ok"


def test_one_unpacked_by_hand_is_well_without_metadata() -> None:
    finding = library_finding("numpy", NUMPY, None, True, Outcome("done", {"version": "2.1.0"}))
    assert (finding.status, finding.found) == ("ok", "2.1.0, without metadata")


def test_what_works_on_a_broken_library_is_not_blamed(fake: Fake) -> None:
    fake("numpy", "raise ImportError('wrong architecture')")
    finding = library_finding("hnswlib", HNSWLIB, "0.8.0", True, in_child("hnswlib"), ["numpy"])
    assert (finding.status, finding.mend) == ("broken", "")
    assert finding.why == "could not be tried without numpy: mend that first"


def test_what_is_not_installed_is_so_whatever_it_needs() -> None:
    finding = library_finding("hnswlib", HNSWLIB, None, False, Outcome("import"), ["numpy"])
    assert (finding.status, finding.found) == ("broken", "not installed")
    assert "install --no-binary hnswlib 'hnswlib>=0.8,<0.9'" in finding.mend


def test_files_that_another_opencv_took_along_are_installed_again() -> None:
    """Metadata stays when `pip uninstall opencv-python` removes the files of both."""
    gone = Outcome("import", stage="importing cv2", detail="No module named 'cv2'")
    finding = opencv_finding(OPENCV, {HEADLESS: "4.11.0.86"}, False, gone)
    assert (finding.status, finding.found) == ("broken", "4.11.0.86")
    assert "--force-reinstall --no-deps" in finding.mend


@pytest.mark.parametrize("works", [True, False])
def test_two_opencvs_are_both_removed_first(works: bool) -> None:
    both = {HEADLESS: "4.11.0.86", "opencv-python": "4.11.0.86"}
    outcome = Outcome("done") if works else Outcome("import", detail="ImportError: no cv2.cv2")
    finding = opencv_finding(OPENCV, both, True, outcome)
    assert finding.status == ("warning" if works else "broken")
    assert "overwrite each other" in finding.why
    assert finding.mend == (
        f"{PIP} uninstall -y opencv-python-headless opencv-python && "
        f"{PIP} install 'opencv-python-headless>=4.10'"
    )


def test_the_desktops_opencv_misses_the_desktops_libraries(fake: Fake) -> None:
    fake("cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")
    outcome = in_child("opencv")
    finding = opencv_finding(OPENCV, {"opencv-python": "4.12.0.88"}, True, outcome)
    assert finding.status == "broken"
    assert "libGL.so.1" in finding.why
    assert f"pip uninstall -y opencv-python && {PIP} install" in finding.mend
    by_hand = opencv_finding(OPENCV, {}, True, outcome)
    assert by_hand.status == "broken"
    assert "made for a desktop" in by_hand.why
    assert "opencv-python-headless" in by_hand.mend


def test_want_of_memory_is_not_mended_by_pip() -> None:
    finding = library_finding(
        "numpy", NUMPY, "2.4.6", True, Outcome("memory", stage="importing numpy")
    )
    assert (finding.status, finding.mend) == ("broken", "")
    assert finding.why == "ran out of memory while importing numpy"
