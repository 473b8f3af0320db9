"""The report itself: what counts as held, and that a figure that is missing never passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.verify import __main__ as verify
from tests.verify import device, quality
from tests.verify.figure import Check, Figure, NotMeasuredError, Rule
from tests.verify.workbench import Workbench, run


@pytest.mark.parametrize(
    ("rule", "value", "status"),
    [
        (">=", 0.88, "held"),
        (">=", 0.8799, "short"),
        ("<=", 0.88, "held"),
        ("<=", 0.8801, "short"),
        (">", 0.88, "short"),
        ("<", 0.88, "short"),
        ("<", 0.87, "held"),
        (">=", float("nan"), "short"),
        ("<", float("nan"), "short"),
        ("told", 0.1, "told"),
    ],
)
def test_a_value_is_held_against_its_bar(rule: Rule, value: float, status: str) -> None:
    row = Figure("IoU", rule, 0.88).row(value)
    assert row.status == status
    assert row.fine == (status in ("held", "told"))


def test_a_figure_without_a_measurement_is_not_fine() -> None:
    def measure() -> list[float]:
        raise NotMeasuredError("no photographs")

    rows = Check("segmentation", (Figure("a", ">=", 1), Figure("b", "told")), measure).rows()
    assert [row.status for row in rows] == ["not run: no photographs"] * 2
    assert not any(row.fine for row in rows)


def test_fewer_values_than_figures_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Check("x", (Figure("a", ">=", 1), Figure("b", "told")), lambda: [1.0]).rows()


def test_a_failing_command_tells_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match="sh ended with exit code 3: gone"):
        run(["sh", "-c", "echo banner >&2; echo gone >&2; exit 3"], "sh", tmp_path)
    with pytest.raises(NotMeasuredError, match="no such program"):
        run([str(tmp_path / "nothing")], "no such program", tmp_path)


def test_without_data_every_row_says_so_and_the_exit_code_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(tmp_path), "--json", "--only", "segmentation"]
    assert verify.main(arguments) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["held"] is False
    assert len(document["rows"]) == 8
    for row in document["rows"]:
        assert set(row) == {"what", "bar", "measured", "status", "value"}
        assert row["status"].endswith("is not on this machine")


def test_all_held_is_exit_code_0(monkeypatch: pytest.MonkeyPatch) -> None:
    def checks(bench: Workbench) -> list[Check]:
        return [Check("latency", (Figure("faster", ">=", 10, "{:.1f}x"),), lambda: [12.0])]

    monkeypatch.setattr(quality, "checks", lambda bench: [])
    monkeypatch.setattr(device, "checks", checks)
    assert verify.main(["--only", "latency"]) == 0
    assert verify.main(["--only", "retrieval"]) == 1


def test_a_bundle_of_another_recipe_is_no_int8_bundle(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, tmp_path, tmp_path / "none.bundle", tmp_path / "none")
    with pytest.raises(NotMeasuredError, match=r"none\.bundle"):
        bench.int8_bundle()
    with pytest.raises(NotMeasuredError, match="no checkpoint"):
        assert bench.float_bundle
