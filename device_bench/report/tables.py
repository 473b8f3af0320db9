"""A report's document as rows of tables, for whatever shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A title, columns and rows.
Table = tuple[str, list[str], list[list[str]]]


def tables(report: Mapping[str, Any]) -> list[Table]:
    """All tables of a report that have rows, those of quality first."""
    made = [of_configurations(report)]
    for scenario in report["scenarios"]:
        made += [of_targets(report, scenario), *of_stages(report, scenario)]
    made += [of_courses(report)]
    return [table for table in made if table[2]]


def environment_lines(report: Mapping[str, Any]) -> list[str]:
    """The circumstances, a sentence a line."""
    told = report["environment"]
    clocks = told["frequencies_mhz"]
    cores = [f"{told['usable_cores']} of {told['cores']} cores"]
    cores += [f"{max(clocks):.0f} MHz"] if clocks else []
    cores += [f"governor {', '.join(told['governors']) or 'unreadable'}"]
    heat = told["temperature_c"]
    cores += [f"{heat} degrees C before"] if heat is not None else []
    after = report["afterwards"]["temperature_c"]
    cores += [f"{after} after"] if after is not None else []
    features = " ".join(told["cpu_features"]) or "none known"
    libraries = [f"{name} {version}" for name, version in told["libraries"].items()]
    memory = f", {told['memory_bytes'] / 1e9:.1f} GB" if told["memory_bytes"] else ""
    overhead = report["harness_overhead_ms"]
    lines = [f"measured on {told['on']}"] if told.get("on") else []
    lines += [
        f"{told['cpu'] or told['machine']} ({told['machine']}; {', '.join(cores)}; {features})"
        + memory,
        ", ".join(
            [
                *(told["interpreters"] or ["no interpreter"]), told["python"], *libraries,
                told["system"], *([told["libc"]] if told["libc"] else []),
            ]
        ),
    ]  # fmt: skip
    if overhead is not None:
        lines.append(
            f"the harness itself takes {overhead['p50_ms'] * 1000:.1f} microseconds a sample "
            f"(at most {overhead['max_ms'] * 1000:.0f})"
        )
    return lines


def scenario_lines(report: Mapping[str, Any]) -> list[str]:
    """What was timed in each scenario, a sentence a line."""
    lines = []
    for name, scenario in report["scenarios"].items():
        said = [
            f"{scenario[key]} {unit}"
            for key, unit in (("samples", "samples"), ("minutes", "minutes"))
            if key in scenario
        ]
        if scenario["processes"] > 1 and name != "cold_start":
            said.append(f"{scenario['processes']} processes")
        lines.append(f"{name}: {scenario['timed']}; {', '.join(said)} a target")
    return lines


def of_targets(report: Mapping[str, Any], scenario: str) -> Table:
    """What every target took in a scenario."""
    figures = [target["scenarios"][scenario] for target in report["targets"]]
    spent = any(each["energy_j"] is not None for each in figures)
    columns = ["target", "p50 ms", "p90 ms", "p99 ms", "max ms", "load ms", "peak MB", "steady MB"]
    columns += [*(["mJ"] if spent else []), "ratio"]
    rows = []
    for target, each in zip(report["targets"], figures, strict=True):
        row = [target["name"], *_percentiles(each), ms(each["max_ms"]), ms(each["load_ms"])]
        for key in ("peak_memory_bytes", "steady_memory_bytes"):
            row.append("-" if each[key] is None else f"{each[key] / 1e6:.0f}")
        if spent:
            joules = each["energy_j"]
            row.append("-" if joules is None else f"{joules * 1000:.1f}")
        ratio = each["ratio_to_first"]
        row.append("-" if ratio is None else f"{ratio:.2f}x")
        rows.append(row)
    return scenario, columns, rows


def of_configurations(report: Mapping[str, Any]) -> Table:
    """Quality beside milliseconds, where there is quality or something to choose from."""
    configurations = report["configurations"]
    told = [
        column
        for column in _CONFIGURATION_COLUMNS
        if any(column.told(report, each) != "-" for each in configurations)
    ]
    columns = ["configuration", *(column.title for column in told)]
    worth = len(configurations) > 1 or any(each["quality"] for each in configurations)
    rows = [
        [each["name"], *(column.told(report, each) for column in told)]
        for each in (configurations if worth else ())
    ]
    return "Quality beside time", columns, rows


@dataclass(frozen=True)
class _Column:
    title: str
    told: Callable[[Mapping[str, Any], Mapping[str, Any]], str]


def _segmentation(_report: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    figures = configuration["quality"].get("segmentation", {})
    return _quality(figures.get("iou_mean"), figures.get("iou_mean_interval"))


def _recall(k: int) -> Callable[[Mapping[str, Any], Mapping[str, Any]], str]:
    def told(_report: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
        figures = configuration["quality"].get("match", {})
        name = f"recall_at_{k}"
        return _quality(figures.get(name), figures.get("intervals", {}).get(name))

    return told


def _index_recall(report: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    for target in report["targets"]:
        if target["configuration"] == configuration["name"] and target["role"] == "search":
            told = target["facts"].get("index_recall")
            return f"{told:.4f}" if isinstance(told, float) else "-"
    return "-"


def _telling_figures(
    report: Mapping[str, Any], configuration: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    target = most_complete(report, configuration["name"])
    return target["scenarios"][telling_scenario(report)] if target else None


def _percentile(position: int) -> Callable[[Mapping[str, Any], Mapping[str, Any]], str]:
    def told(report: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
        figures = _telling_figures(report, configuration)
        return _percentiles(figures)[position] if figures else "-"

    return told


def _peak(report: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    figures = _telling_figures(report, configuration)
    return f"{figures['peak_memory_bytes'] / 1e6:.0f}" if figures else "-"


_CONFIGURATION_COLUMNS = (
    _Column("IoU", _segmentation),
    _Column("recall@1", _recall(1)),
    _Column("recall@10", _recall(10)),
    _Column("index recall@10", _index_recall),
    _Column("p50 ms", _percentile(0)),
    _Column("p90 ms", _percentile(1)),
    _Column("peak MB", _peak),
)


def most_complete(report: Mapping[str, Any], configuration: str) -> Mapping[str, Any] | None:
    """A configuration's target that contains its others; None where it has none.

    A match contains all the others, and a segmentation its network.
    """
    for kind in ("match", "segment", "model", "embed", "search"):
        for target in report["targets"]:
            if target["configuration"] == configuration and target["kind"] == kind:
                found: Mapping[str, Any] = target
                return found
    return None


def telling_scenario(report: Mapping[str, Any]) -> str:
    """The one whose figures stand for a target: ``single_stream``, else the last one run."""
    return (
        "single_stream" if "single_stream" in report["scenarios"] else list(report["scenarios"])[-1]
    )


def of_stages(report: Mapping[str, Any], scenario: str) -> list[Table]:
    """The medians of the stages of every target that has more than one; alike ones in a table."""
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for target in report["targets"]:
        stages = target["scenarios"][scenario]["stages"]
        if len(stages) > 1:
            medians = [ms(stage["p50_ms"]) for stage in stages.values()]
            found.setdefault(tuple(stages), []).append([target["name"], *medians])
    return [
        (f"{scenario}: stages", ["target", *(f"{name} p50 ms" for name in names)], rows)
        for names, rows in found.items()
    ]


def of_courses(report: Mapping[str, Any]) -> Table:
    """What a scenario changed: from its start to its end, or against the baseline."""
    columns = ["target", "scenario", "before p50 ms", "p50 ms", "before p99 ms", "p99 ms", "ratio"]
    rows = []
    for target in report["targets"]:
        for name, figures in target["scenarios"].items():
            baseline = figures["baseline"]
            if baseline is not None:
                ratio = figures["p50_ms"] / baseline["p50_ms"] if baseline["p50_ms"] else None
                told = [ms(each[p]) for p in ("p50_ms", "p99_ms") for each in (baseline, figures)]
            elif figures["drift"] is not None:
                ratio = figures["drift"]
                ends = [figures["slices"][at]["p50_ms"] for at in (0, -1)]
                told = [*map(ms, ends), "-", "-"]
            else:
                continue
            rows.append([target["name"], name, *told, "-" if ratio is None else f"{ratio:.2f}x"])
    return "Before, and under the scenario", columns, rows


def _percentiles(figures: Mapping[str, Any]) -> Sequence[str]:
    median = ms(figures["p50_ms"])
    if figures["p50_interval_ms"] is not None:
        median += " ({}-{})".format(*(ms(end) for end in figures["p50_interval_ms"]))
    return [median, ms(figures["p90_ms"]), ms(figures["p99_ms"])]


def _quality(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")


def ms(value: float | None) -> str:
    """Milliseconds to the digits that mean something; ``-`` where there are none."""
    if value is None:
        return "-"
    if value < 0.01:
        return f"{value:.2g}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"
