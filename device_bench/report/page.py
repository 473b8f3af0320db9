"""A report as one HTML page that needs nothing beside it: no script, no font, no request."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from device_bench.report.plots import course, pareto, samples, stages
from device_bench.report.plots.marks import escape, tag
from device_bench.report.tables import (
    Table,
    environment_lines,
    most_complete,
    ms,
    of_configurations,
    of_courses,
    of_stages,
    of_targets,
    scenario_lines,
    telling_scenario,
)

# Whatever a name in the report might be made to ask for, a browser fetches nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# Of more, only the fastest and the slowest stand at the top; the tables have them all.
_MOST_CARDS = 6
_DOES = {
    "match": "from a photo's file to its matches",
    "segment": "from a decoded photo to its mask",
    "model": "one invocation of the network",
    "embed": "from a decoded picture to its embedding",
    "search": "one search of the catalogue",
}


def page(report: Mapping[str, Any]) -> str:
    """The whole document.

    Args:
        report: As ``document.to_dict`` makes it.
    """
    title = f"edgeseg bench: {_measured(report)}"
    style = (importlib.resources.files("device_bench.report") / "page.css").read_text("utf-8")
    body = [
        tag("h1", escape(title)),
        _headline(report),
        _notes(report),
        tag("section", tag("h2", "The circumstances"), _list(environment_lines(report))),
        tag("section", tag("h2", "What was timed"), _list(scenario_lines(report))),
        _quality(report),
        *(_scenario(report, name) for name in report["scenarios"]),
        _changes(report),
        tag("p", escape(f"Measured by edgeseg {report['edgeseg']}."), class_="faint"),
    ]
    # Each part on lines of its own, for whoever reads the source.
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            tag("title", escape(title)),
            f"<style>\n{style}</style></head><body>",
            *body,
            "</body></html>\n",
        ]
    )


def _measured(report: Mapping[str, Any]) -> str:
    names = [each["name"] for each in report["configurations"]]
    return names[0] if len(names) == 1 else f"{len(names)} configurations"


def _headline(report: Mapping[str, Any]) -> str:
    """The one figure that matters, of each configuration or of the fastest and the slowest."""
    scenario = telling_scenario(report)
    found = [
        (each, target)
        for each in report["configurations"]
        if (target := most_complete(report, each["name"])) is not None
    ]
    words = [""] * len(found)
    if len(found) > _MOST_CARDS:
        found.sort(key=lambda each: float(each[1]["scenarios"][scenario]["p50_ms"]))
        found, words = [found[0], found[-1]], ["the fastest", "the slowest"]
    machine = report["environment"]["cpu"] or report["environment"]["machine"]
    return tag(
        "div",
        *(
            _card(word, configuration, target, scenario, machine)
            for word, (configuration, target) in zip(words, found, strict=True)
        ),
        class_="headline",
    )


def _card(
    word: str,
    configuration: Mapping[str, Any],
    target: Mapping[str, Any],
    scenario: str,
    machine: str,
) -> str:
    figures = target["scenarios"][scenario]
    threads = configuration["threads"]
    count = figures["samples"]
    told = (
        f"{_DOES[target['kind']]} on {machine}, {threads} thread{'s' * (threads > 1)} "
        f"({scenario}, {count} sample{'s' * (count > 1)})"
    )
    if figures["p50_interval_ms"] is not None:
        ends = " to ".join(map(ms, figures["p50_interval_ms"]))
        told += f"; the p50 lies with 95% confidence from {ends} ms"
    p90 = f"{ms(figures['p90_ms'])} ms" if figures["p90_ms"] is not None else "too few samples"
    shown = (
        ("p50", f"{ms(figures['p50_ms'])} ms"),
        ("p90", p90),
        ("peak memory", f"{figures['peak_memory_bytes'] / 1e6:.0f} MB"),
    )
    pairs = "".join(
        tag("div", tag("dt", escape(name)), tag("dd", escape(value))) for name, value in shown
    )
    return tag(
        "div",
        tag("h3", f"{escape(word)}: " if word else "", tag("bdi", escape(configuration["name"]))),
        tag("dl", pairs),
        tag("p", escape(told), class_="faint"),
        class_="card",
    )


def _notes(report: Mapping[str, Any]) -> str:
    if not report["notes"]:
        return ""
    return tag(
        "aside",
        tag("h2", "Before you trust these figures"),
        _list(report["notes"]),
        class_="notes",
    )


def _quality(report: Mapping[str, Any]) -> str:
    table = of_configurations(report)
    if not table[2]:
        return ""
    return tag("section", tag("h2", escape(table[0])), _table(table), pareto.plots(report))


def _scenario(report: Mapping[str, Any], name: str) -> str:
    parts = [
        tag("h2", escape(name)),
        tag("p", escape(f"Timed: {report['scenarios'][name]['timed']}."), class_="faint"),
        _table(of_targets(report, name)),
    ]
    watched = course.plots(report, name)
    if watched:
        parts += [tag("h3", "In the course of time"), watched]
    parts += [
        tag("h3", "Every sample"),
        tag("p", escape(samples.LEGEND), class_="faint"),
        samples.plots(report, name),
    ]
    staged = of_stages(report, name)
    if staged:
        parts.append(tag("h3", "Stages"))
        parts.append(stages.plots(report, name))
        parts += [_table(table) for table in staged]
    return tag("section", *parts)


def _changes(report: Mapping[str, Any]) -> str:
    table = of_courses(report)
    return tag("section", tag("h2", escape(table[0])), _table(table)) if table[2] else ""


def _table(table: Table) -> str:
    title, columns, rows = table
    head = tag("tr", *(tag("th", escape(column), scope="col") for column in columns))
    body = "".join(tag("tr", *_cells(row)) for row in rows)
    shown = tag("table", tag("thead", head), tag("tbody", body))
    # A region that scrolls must be reachable without a pointer.
    return tag("div", shown, class_="scroll", tabindex="0", role="region", aria_label=title)


def _cells(row: Sequence[str]) -> Iterator[str]:
    yield tag("th", tag("bdi", escape(row[0])), scope="row")
    yield from (tag("td", escape(cell)) for cell in row[1:])


def _list(lines: Sequence[str]) -> str:
    return tag("ul", *(tag("li", escape(line)) for line in lines))
