"""The published schema fits what is measured, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from device_bench.report.document import read_schema
from device_bench.report.page import page
from edgeseg.cli import main
from edgeseg.presets import preset_path
from tests.device_bench.drawn_reports import SCENARIOS, drawn_report

jsonschema = pytest.importorskip("jsonschema", reason="needs the dev extra")


def _faults(report: Any) -> list[str]:
    return [
        error.message
        for error in jsonschema.Draft202012Validator(read_schema()).iter_errors(report)
    ]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return drawn_report()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(read_schema())


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == read_schema()


def test_every_field_is_described_and_every_object_but_a_few_is_closed() -> None:
    open_objects = []

    def walk(schema: Any, where: str) -> None:
        for name, each in schema.get("properties", {}).items():
            assert each.get("description", "").endswith("."), f"{where}.{name} is not described"
            walk(each, f"{where}.{name}")
        for name, each in schema.get("$defs", {}).items():
            walk(each, name)
        for each in schema.get("anyOf", []):
            walk(each, where)
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            open_objects.append(where.rpartition(".")[2])

    walk(read_schema(), "report")
    # By name of a library, a stage, a scenario, a figure; and what a target tells about itself.
    assert sorted(open_objects) == ["facts", "intervals", "libraries", "scenarios", "stages"]


def test_units_are_told() -> None:
    units = {
        "_ms": "milliseconds",
        "_bytes": "bytes",
        "_j": "joules",
        "_mhz": "MHz",
        "_s": "seconds",
    }

    def fields(schema: Any) -> Iterator[tuple[str, str]]:
        for name, each in schema.get("properties", {}).items():
            yield name, each["description"]
            yield from fields(each)
        for each in [*schema.get("$defs", {}).values(), *schema.get("anyOf", [])]:
            yield from fields(each)

    checked = 0
    for name, description in fields(read_schema()):
        for ending, unit in units.items():
            if name.endswith(ending) and name != "harness_overhead_ms":
                assert unit in description, name
                checked += 1
    assert checked > 30


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_report_of_each_scenario_is_valid(scenario: str) -> None:
    assert _faults(drawn_report(scenarios=[scenario], quality=False)) == []


def test_a_report_of_all_with_quality_is_valid(report: dict[str, Any]) -> None:
    assert _faults(report) == []


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["targets"][1]["scenarios"]["single_stream"]
    return found


@pytest.mark.parametrize(
    "damage",
    [
        lambda report: report.pop("notes"),
        lambda report: report.update(more=1),
        lambda report: report.update(format_version=1),
        lambda report: report.update(kind="another report"),
        lambda report: report["environment"].pop("governors"),
        lambda report: report["environment"].update(cores="2"),
        lambda report: report["afterwards"].update(cpu="x"),
        lambda report: report["scenarios"].update(another={"timed": "x"}),
        lambda report: report["scenarios"]["sustained"].update(samples=3),
        lambda report: report["scenarios"]["sync_while_matching"].pop("url"),
        lambda report: report["configurations"][0].update(threads=0),
        lambda report: report["configurations"][0]["quality"]["segmentation"].update(iou_mean=1.2),
        lambda report: report["configurations"][0]["quality"]["match"].pop("recall_at_10"),
        lambda report: report["targets"][0].pop("role"),
        lambda report: report["targets"][0]["scenarios"].update(another={}),
        lambda report: _figures(report).update(p50_ms=None),
        lambda report: _figures(report).update(p50_ms="8"),
        lambda report: _figures(report).update(p90_interval_ms=[1.0]),
        lambda report: _figures(report).update(processes=[]),
        lambda report: _figures(report)["stages"].update(decode={"p50_ms": 1.0}),
        lambda report: _figures(report)["processes"][0].update(settled=1),
        lambda report: _figures(report)["processes"][0]["samples_ms"].append(-1.0),
        lambda report: report["targets"][0]["scenarios"]["sustained"]["slices"][0].pop("until_s"),
    ],
)  # fmt: skip
def test_a_missing_another_or_a_mistyped_field_is_not(
    damage: Callable[[dict[str, Any]], object], report: dict[str, Any]
) -> None:
    damaged = copy.deepcopy(report)
    damage(damaged)
    assert _faults(damaged)


@pytest.mark.slow
@pytest.mark.long
def test_what_is_really_measured_is_valid_and_makes_a_page(tmp_path: Path) -> None:
    """Every scenario and both qualities, on the smallest bundle that the wheel carries."""
    pytest.importorskip("tuf", reason="a sync needs the publish extra")
    import numpy as np

    from edgeseg.imaging import encode_png

    for folder, picture in (
        ("images", np.full((60, 80, 3), 120, np.uint8)),
        ("masks", np.full((60, 80), 255, np.uint8)),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.png").write_bytes(encode_png(picture))
    (tmp_path / "items.csv").write_text("sku,image\nA,images/one.png\n")
    (tmp_path / "queries.csv").write_text("image,sku\nimages/one.png,A\n")
    bundle = str(preset_path("nano"))
    catalogue = str(tmp_path / "one.catalogue")
    index = ["index", "build", str(tmp_path / "items.csv"), "-o", catalogue, "--bundle", bundle]
    assert main([*index, "--json"]) == 0
    arguments = [
        bundle, "--target", "match", "--catalogue", catalogue,
        "--images", str(tmp_path / "images"), "--masks", str(tmp_path / "masks"),
        "--queries", str(tmp_path / "queries.csv"),
        "--samples", "4", "--processes", "2", "--cold-samples", "1", "--minutes", "0.01",
        *(option for scenario in SCENARIOS for option in ("--scenario", scenario)),
        "--out", str(tmp_path / "report.json"), "--html", str(tmp_path / "report.html"),
    ]  # fmt: skip
    assert main(["bench", *arguments]) == 0
    measured = json.loads((tmp_path / "report.json").read_text())
    assert _faults(measured) == []
    assert set(measured["configurations"][0]["quality"]) == {"segmentation", "match"}
    assert (tmp_path / "report.html").read_text() == page(measured)
