"""The page and the picture of a search: what each network costs, and what it can do."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from converters.search.findings import Findings
from edgeseg.files import write_atomic

PAGE_FILE = "device-networks.md"
PLOT_FILE = "device-networks.png"
_TICKS = (0.1, 0.15, 0.25, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6)


def write_report(result: Findings, output: Path) -> list[Path]:
    """Writes the page, and the plot where a candidate was trained, into a folder.

    Raises:
        EdgesegError: the folder cannot be written to.
    """
    page, plot = output / PAGE_FILE, output / PLOT_FILE
    written = []
    if result.trained:
        write_atomic(plot, _plot(result))
        written.append(plot)
    write_atomic(page, _page(result).encode())
    return [page, *written]


def _page(result: Findings) -> str:
    space, trained = result.space, result.trained
    others = [f for f in result.found if f.score is None]
    parts = ["# Networks for the device", space.description, _how_measured(result)]
    if trained:
        parts += [
            "## Latency against IoU",
            f"![latency against IoU, with the front]({PLOT_FILE})",
            _how_trained(result),
            _markdown(*result.table(trained)),
        ]
    if others:
        parts += ["## Measured for latency only", _markdown(*result.table(others))]
    known = {f.candidate for f in result.found}
    if pending := [c.name for c in space.candidates if c not in known]:
        parts.append(f"Not measured yet: {', '.join(pending)}.")
    if space.notes:
        parts += ["## What these figures do not say", "\n".join(f"- {n}" for n in space.notes)]
    parts += ["## To make this page again", _commands(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _how_measured(result: Findings) -> str:
    measured = f"{', '.join(result.runtimes)}, one thread, batch 1, {'; '.join(result.machines)}"
    reference = result.space.reference.name
    return (
        f"Latency: {measured}. `ms` is the median processor time of an invocation; `ratio` is its "
        f"share of `{reference}`'s, measured in turn with it, and is the figure to compare by. "
        "Weights are random there, which costs what trained ones cost. Networks are int8, but for "
        "those whose name says otherwise; KB are of the TFLite file; partitions are the pieces in "
        "which XNNPACK runs it, for the operators between them are the interpreter's own."
    )


def _how_trained(result: Findings) -> str:
    set_up = result.set_up or {}
    taught = f", taught by {set_up['teacher']}" if set_up["teacher"] else ""
    return (
        f"IoU: the mean over the validation photographs, of the float network after "
        f"{set_up['photographs']:,} photographs each (drawn from {set_up['train_photographs']:,}, "
        f"changed anew every time, in the same order for all; {set_up['precision']}, seed "
        f"{set_up['seed']}{taught}). That says which are worth a longer training: trained in full, "
        "each becomes far better, and the order may change. "
        "On the front is what no other network beats in both latency and mean IoU."
    )


def _commands(result: Findings) -> str:
    set_up, space = result.set_up, result.space.name
    lines = [f"edgeseg search {space} --phase latency --work runs/search"]
    if set_up is not None:
        data: list[str] = []
        unlabelled: list[str] = []
        for name, weight in zip(set_up["folders"], set_up["folder_weights"], strict=True):
            labelled = name in result.validated
            option = "--data" if labelled else "--unlabelled"
            (data if labelled else unlabelled).append(f"{option} {name}/={weight:g}")
        taught = ["--teacher TEACHER.safetensors"] if set_up["teacher"] else []
        lines += [
            f"edgeseg search {space} --phase train --work runs/search \\",
            f"    {' '.join([*data, *unlabelled, *taught])} \\",
            f"    --photographs {set_up['photographs']} --precision {set_up['precision']} "
            f"--seed {set_up['seed']} \\",
            "    " + " ".join(f"--only {f.candidate.name}" for f in result.trained),
        ]
    lines.append(f"edgeseg search {space} --phase report --work runs/search -o docs")
    return "```sh\n" + "\n".join(lines) + "\n```"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _plot(result: Findings) -> bytes:
    """Latency against IoU, with a step line along the front, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    points = [(f, f.ratio, f.score) for f in result.trained if f.score is not None]
    for f, ratio, score in points:
        colour = "tab:red" if f.on_front else "tab:grey"
        axes.scatter(ratio, score, color=colour, s=12 + f.model_bytes / 20_000)
        label = f"{f.candidate.name} ({f.candidate.input_px} px)"
        axes.annotate(label, (ratio, score), xytext=(5, -9), textcoords="offset points", size=7)
    front = [(ratio, score) for f, ratio, score in points if f.on_front]
    axes.step([r for r, _ in front], [s for _, s in front], where="post", color="tab:red")
    ratios = [ratio for _, ratio, _ in points]
    ticks = [t for t in _TICKS if min(ratios) / 1.3 <= t <= max(ratios) * 1.3]
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(f"latency, as a share of {result.space.reference.name}'s")
    axes.set_ylabel("validation IoU, mean over the data folders")
    axes.set_title("Marks are as large as the int8 file; the line is the front", size=9)
    axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
