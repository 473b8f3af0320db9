"""The HTML page: whole, harmless whatever a file is called, and asking for nothing."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from device_bench.report.page import page
from device_bench.report.plots import pareto
from device_bench.report.plots.marks import escape, in_rows
from device_bench.report.plots.pareto import Point
from device_bench.report.plots.scale import Scale
from tests.device_bench.drawn_reports import PROCESSES, SAMPLES, SCENARIOS, drawn_report

# Elements that HTML closes by themselves.
_VOID = {"meta", "link", "br", "hr", "img", "input"}
_HOSTILE = [
    "<script>alert(1)</script>.bundle",
    "\"onload='x'&amp;&copy;.bundle",
    "turned \u202exgpj.\u2066bundle",
    "bell\x07 escape\x1b[31m null\x00 line\nbreak.bundle",
    "bytes\udce9\udcff.bundle",
    "]]></style></svg><img src=x>.bundle",
    "javascript:alert(1)",
    "חולצה.bundle",
]


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return drawn_report()


def test_a_page_is_whole_and_holds_every_table_and_plot(report: dict[str, Any]) -> None:
    read = Reader(page(report))
    assert read.open == []
    shown = "".join(read.words)
    for told in (*SCENARIOS, "Quality beside time", "Stages", "In the course of time", "recall@10"):
        assert told in shown
    assert all(note in shown for note in report["notes"])
    titles = {each["aria-label"] for each in read.of("svg") if "aria-label" in each}
    for target in report["targets"]:
        assert any(str(title).startswith(target["name"]) for title in titles)
    assert len(read.of("table")) >= 2 * len(SCENARIOS)
    assert [each.get("class") for each in read.of("div")].count("card") == 2


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_report_of_one_scenario_and_no_quality_is_a_page_too(scenario: str) -> None:
    read = Reader(page(drawn_report(["only.bundle"], [scenario], quality=False)))
    assert read.open == []
    assert "Quality beside time" not in "".join(read.words)


def test_a_page_asks_for_nothing_and_lets_nothing_be_asked_for(report: dict[str, Any]) -> None:
    text = page(report)
    lowered = text.lower()
    for reference in ("http:", "https:", "//", "url(", "@import", "src=", "<script", "<iframe"):
        assert reference not in lowered
    read = Reader(text)
    policies = [
        each["content"]
        for each in read.of("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    assert [each["href"] for each in read.of("link")] == ["data:,"]
    assert not any(
        "style" in each or "href" in each for name, each in read.elements if name != "link"
    )


def test_a_name_is_only_ever_text(report: dict[str, Any]) -> None:
    plain = {name for name, _ in Reader(page(drawn_report(["plain.bundle"]))).elements}
    for hostile in _HOSTILE:
        text = page(drawn_report([hostile]))
        text.encode()
        read = Reader(text)
        assert read.open == []
        assert {name for name, _ in read.elements} == plain
        assert not any(key.startswith("on") for _, each in read.elements for key in each)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\ud800-\udfff]", text)


def test_every_text_of_a_report_is_escaped(report: dict[str, Any]) -> None:
    def poisoned(value: Any) -> Any:
        if isinstance(value, str):
            return f"{value}<b>&\"'"
        if isinstance(value, dict):
            return {key: poisoned(each) for key, each in value.items()}
        return [poisoned(each) for each in value] if isinstance(value, list) else value

    changed = poisoned(copy.deepcopy(report))
    for each in changed["targets"]:
        each["kind"] = each["kind"].split("<")[0]
    read = Reader(page(changed))
    assert read.open == []
    assert not read.of("b")


def test_escape_keeps_letters_and_shows_what_is_none() -> None:
    assert escape("größe\u200cחולצה") == "größe\u200cחולצה"
    assert escape("a\u202eb\x07\udce9") == "a\\u202eb\\x07\\udce9"
    assert escape("<a b='c' d=\"e\">&") == "&lt;a b=&#x27;c&#x27; d=&quot;e&quot;&gt;&amp;"
    assert escape("two\n\tlines") == "two lines"


def test_every_sample_and_the_warm_up_are_drawn() -> None:
    report = drawn_report(["only.bundle"], ["single_stream"], quality=False)
    model = report["targets"][0]["scenarios"]["single_stream"]
    # Each at a place of its own, so that none is drawn once for two.
    for number, process in enumerate(model["processes"]):
        process["samples_ms"] = [5.0 + number + index / 20 for index in range(SAMPLES // PROCESSES)]
    dots = [
        str(each["d"]).count("h0")
        for each in Reader(page(report)).of("path")
        if str(each["class"]).startswith("dot ")
    ]
    assert sum(dots[:3]) == SAMPLES + 3 * PROCESSES
    assert dots[0] == 3 * PROCESSES


def test_a_million_samples_are_no_million_marks() -> None:
    report = drawn_report(["only.bundle"], ["single_stream"], quality=False)
    for target in report["targets"]:
        for process in target["scenarios"]["single_stream"]["processes"]:
            process["samples_ms"] = [4.0 + index % 997 / 100 for index in range(20_000)]
    assert len(page(report)) < 4_000_000


def test_the_only_outlier_of_many_samples_is_drawn() -> None:
    report = drawn_report(["only.bundle"], ["single_stream"], quality=False)
    target = report["targets"][0]["scenarios"]["single_stream"]
    target["processes"][1]["samples_ms"][3] = 70.0
    xs = re.findall(r"M([\d.]+) ", next(
        str(each["d"]) for each in Reader(page(report)).of("path") if each["class"] == "dot odd"
    ))  # fmt: skip
    assert max(map(float, xs)) > 95


def test_times_of_nothing_at_all_still_make_a_page() -> None:
    """A clock of coarse steps gives zeros, which have no logarithm."""
    report = drawn_report(["only.bundle"], quality=False)
    for target in report["targets"]:
        for figures in target["scenarios"].values():
            for process in figures["processes"]:
                process["samples_ms"] = [0.0] * len(process["samples_ms"])
            for stage in figures["stages"].values():
                stage["p50_ms"] = 0.0
            for each in figures["slices"]:
                each["p50_ms"] = 0.0
    assert Reader(page(report)).open == []


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [([1, 9.9], False), ([1, 10], True), ([0, 10], False), ([5], False), ([0], False)],
)
def test_an_axis_is_logarithmic_from_a_power_of_ten_on(
    values: list[float], logarithmic: bool
) -> None:
    scale = Scale.over(values)
    assert scale.logarithmic == logarithmic
    assert all(0 <= scale.percent(value) <= 100 for value in values)
    assert all(0 <= scale.percent(tick) <= 100 for tick in scale.ticks())


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "ticks"),
    [
        (0, 10.2, False, [0, 5, 10]),
        (0.31, 0.64, False, [0.4, 0.5, 0.6]),
        (9.5, 21, False, [10, 15, 20]),
        (0.00031, 0.0013, False, [0.0004, 0.0006, 0.0008, 0.001, 0.0012]),
        (0.9, 11, True, [1, 2, 5, 10]),
        (0.2, 1200, True, [1, 10, 100, 1000]),
    ],
)
def test_ticks_are_round_and_few(
    low: float, high: float, logarithmic: bool, ticks: list[float]
) -> None:
    assert Scale(low, high, logarithmic).ticks() == ticks


def test_labels_that_would_collide_stand_in_rows() -> None:
    assert in_rows([(10, "p50"), (50, "p90"), (90, "p99")]) == [0, 0, 0]
    assert in_rows([(50, "p50"), (52, "p90"), (54, "p99")]) == [0, 1, 2]
    assert in_rows([(50, "p50"), (52, "p90"), (70, "p99")]) == [0, 1, 0]


def _point(time_ms: float, quality: float) -> Point:
    return Point(f"{time_ms}", time_ms, None, quality, None)


def test_the_front_is_what_no_other_beats() -> None:
    points = [_point(*each) for each in ((30, 0.9), (10, 0.8), (20, 0.8), (40, 0.9), (15, 0.85))]
    assert [point.time_ms for point in pareto.front(points)] == [10, 15, 30]
    assert [point.quality for point in pareto.front([_point(10, 0.7), _point(10, 0.8)])] == [0.8]


def test_points_are_labelled_by_name_where_there_is_room_else_by_number() -> None:
    def labels(names: list[str]) -> list[str]:
        text = page(drawn_report(names, ["single_stream"]))
        return re.findall(r'<text class="name"[^>]*>([^<]*)</text>', text)[: len(names)]

    assert labels(["a.bundle", "b.bundle"]) == ["a.bundle", "b.bundle"]
    long = [f"a name that is much too long for a phone {letter}" for letter in "ab"]
    assert labels(long) == ["1", "2"]
    assert len(set(labels([f"{number}.bundle" for number in range(9)]))) > 1


def test_of_many_configurations_the_fastest_and_the_slowest_stand_at_the_top() -> None:
    read = Reader(page(drawn_report([f"{number}.bundle" for number in range(9)])))
    assert [each.get("class") for each in read.of("div")].count("card") == 2
    shown = "".join(read.words)
    assert "the fastest: " in shown
    assert "the slowest: " in shown


def test_the_headline_is_of_single_stream_else_of_the_last_scenario() -> None:
    def card(scenarios: list[str]) -> str:
        text = page(drawn_report(["only.bundle"], scenarios))
        return text[text.index('class="headline"') : text.index("The circumstances")]

    assert "(single_stream, 40 samples)" in card(["single_stream", "sync_while_matching"])
    assert "(sustained, 40 samples)" in card(["cold_start", "sustained"])
