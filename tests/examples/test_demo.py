from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edgeseg.presets import preset_path
from examples.demo import __main__ as demo
from examples.demo.matching import Matched
from examples.demo.page import Figures, write_page


def figures() -> Figures:
    recall = {
        "recall_at_1": 0.5,
        "recall_at_5": 0.75,
        "recall_at_10": 1.0,
        "mrr": 0.6,
        "intervals": {
            key: [0.1, 0.9] for key in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr")
        },
    }
    scores = {"images": 2, "iou_mean": 0.9, "iou_p10": 0.8, "pixel_accuracy": 0.9}
    timed = {"p50_ms": 1.0, "p90_ms": None, "p99_ms": None, "peak_memory_bytes": 5_000_000}
    return Figures(
        recall=dict.fromkeys(("model", "none", "mask"), recall),
        segmentation={**scores, "boundary_f": 0.7},
        stages_ms={"decode": 4.0, "segment": 9.5},
        bench={
            "scenarios": ["single_stream"],
            "targets": [{"name": "<b>", "scenarios": {"single_stream": timed}}],
        },
        sizes_bytes={"bundle": 1_500_000},
        elapsed_s={"draw": 3.0},
    )


class Tags(HTMLParser):
    """Notes the elements that never close and every address that the page reaches for."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_page(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    drawn = "data:image/jpeg;base64,"
    assert all(address.startswith(drawn) for address in tags.addresses if address != "bench.html")
    assert "@import" not in page
    assert "url(" not in page


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    import cv2

    for sku in ("A", "B"):
        cv2.imwrite(str(tmp_path / f"{sku}.png"), np.full((40, 30, 3), 90, np.uint8))
    return tmp_path


def test_the_page_is_whole_and_frames_the_right_item(catalogue: Path, tmp_path: Path) -> None:
    photo = np.zeros((300, 200, 3), np.uint8)
    matched = [
        Matched("A", photo, photo, ["B", "A"], ["B"]),
        Matched("B", photo, photo, ["B", "A"], ["A", "B"]),
    ]
    write_page(tmp_path / "index.html", matched, catalogue, figures())
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    check_page(page)
    assert page.count('class="right"') == 3
    assert page.count("rank 2") == 2
    assert page.count("not in ten") == 1
    assert "&lt;b&gt;" in page
    assert "13 ms" in page or "14 ms" in page


def test_ranks_count_from_one_and_stop_at_the_list() -> None:
    photo = np.zeros((4, 4, 3), np.uint8)
    matched = Matched("A", photo, photo, ["B", "A"], ["B"])
    assert matched.rank(cut_out=True) == 2
    assert matched.rank(cut_out=False) is None


@pytest.mark.slow
def test_the_demo_runs_from_drawing_to_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it but the conversion, which takes minutes and has tests of its own."""
    run = demo.edgeseg

    def without_conversion(*arguments: str | Path, tell: Callable[[str], None]) -> str:
        if arguments[0] != "convert":
            return run(*arguments, tell=tell)
        shutil.copy(preset_path(), arguments[-1])
        return ""

    monkeypatch.setattr(demo, "edgeseg", without_conversion)
    # Other tests of this process may have loaded TensorFlow; the demo's own is tested below.
    monkeypatch.setattr("examples.demo.matching.FRAMEWORKS", ())
    page = demo.run_demo(tmp_path / "out", items=8, snapshots=3, calibration=1, jobs=1)
    check_page(page.read_text(encoding="utf-8"))
    told = capsys.readouterr().out
    assert str(page.resolve()) in told
    assert re.search(r"cut out +\d\.\d{3} +\d\.\d{3} +\d\.\d{3}", told)


def test_the_matching_process_loads_no_framework(repository: Path) -> None:
    code = (
        "import examples.demo.__main__, examples.demo.matching as m; print(m.loaded_frameworks())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_failing_command_ends_the_demo_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "_COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
    small = ["--items", "1", "--snapshots", "1", "--calibration", "1", "--jobs", "1"]
    assert demo.main(["--out", str(tmp_path / "out"), *small]) == 1
    assert capfd.readouterr().err == "demo: edgeseg convert ended with exit code 3\n"


def test_a_commands_error_line_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    assert demo.edgeseg("--version", tell=heard.append).startswith("edgeseg ")
    with pytest.raises(demo.StepFailedError, match="edgeseg index ended with exit code"):
        demo.edgeseg("index", "info", "no-such.catalogue", tell=heard.append)
    assert heard == []
    told = capfd.readouterr().err
    assert told.startswith("edgeseg: ")
    assert told.count("\n") == 1


def test_missing_checkpoints_are_told_before_anything_is_drawn(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nowhere"
    assert demo.main(["--out", str(tmp_path / "out"), "--checkpoints", str(nowhere)]) == 1
    assert capfd.readouterr().err == f"demo: there is no {nowhere / 'segmenter.safetensors'}\n"
    assert not (tmp_path / "out").exists()


def test_more_snapshots_than_items_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        demo.main(["--out", str(tmp_path), "--items", "2", "--snapshots", "3"])
    assert stopped.value.code == 2
