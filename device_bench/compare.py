"""What changed from one run to another, beyond noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from device_bench.ratios import CONFIDENCE, Ratio, ratio_of_means, typical

Verdict = Literal["slower", "faster", "no change beyond noise", "cannot tell"]

#: A smaller change is not told, however sure: where code and data came to lie in memory moves a
#: model by about as much from one build to the next.
LEAST_CHANGE = 0.03
# Memory is a property of the libraries more than of chance: it hardly differs between processes.
_LEAST_MEMORY_CHANGE_BYTES = 2_000_000
# The same photos give the same masks: what differs at all is real, and this little is no matter.
_LEAST_QUALITY_CHANGE = 0.001
_QUALITIES = (("segmentation", "iou_mean"), ("match", "recall_at_1"), ("match", "recall_at_10"))


@dataclass(frozen=True)
class Change:
    """One target in one scenario, in both runs.

    Attributes:
        target: What the later run calls it.
        scenario: In which.
        before_ms, after_ms: Medians, as they were measured.
        ratio: After over before, each sample as a ratio to its yardstick where all have one.
        to_yardstick: Whether they do.
        verdict: Whether it is slower.
        why: What the verdict lacks, where it cannot be given.
    """

    target: str
    scenario: str
    before_ms: float
    after_ms: float
    ratio: Ratio | None
    to_yardstick: bool
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two runs.

    Attributes:
        changes: By target and scenario.
        others: What else changed (memory, quality), a sentence each.
        circumstances: What differs between the two machines, a sentence each.
        least_change: The smallest change that is told, as a share.
        confidence: That no verdict of all is wrong.
    """

    changes: tuple[Change, ...]
    others: tuple[str, ...]
    circumstances: tuple[str, ...]
    least_change: float
    confidence: float = CONFIDENCE

    @property
    def slower(self) -> list[Change]:
        """Those that became slower."""
        return [change for change in self.changes if change.verdict == "slower"]

    def headline(self) -> str:
        """The whole in a sentence."""
        told = [change for change in self.changes if change.verdict in ("slower", "faster")]
        if told:
            return "; ".join(
                f"{each.target} is {abs(each.ratio.ratio - 1):.0%} {each.verdict} ({each.scenario})"
                for each in told
                if each.ratio is not None
            )
        if all(change.verdict == "cannot tell" for change in self.changes):
            return "nothing can be told"
        return "no change beyond noise"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"headline": self.headline(), **asdict(self)}


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], least_change: float = LEAST_CHANGE
) -> Comparison:
    """Compare two reports, target by target.

    What is compared is processes, not samples: samples of one process are alike in what chance gave
    that process. What is typical of each (``ratios.typical``) is taken over the yardstick beside
    each sample, so that a machine that was slower cancels out, for good or for the blink of a
    neighbour, and the ratio of the two runs' trimmed geometric means is taken with its interval. A
    change is told where the interval, widened so that all verdicts together are right with
    ``CONFIDENCE`` (Bonferroni), leaves out 1, and the change is at least ``least_change``.

    Args:
        before: A report, see ``report.stored.read_report``.
        after: Another; its configurations stand for those of ``before`` in their order.
        least_change: As a share: 0.03 tells changes of 3% and more.
    """
    pairs = list(_pairs(before, after))
    comparable = sum(_enough(one) and _enough(other) for _, _, one, other in pairs)
    confidence = 1.0 - (1.0 - CONFIDENCE) / max(1, comparable)
    changes = tuple(
        _change(target, scenario, one, other, least_change, confidence)
        for target, scenario, one, other in pairs
    )
    others = (*_memory(pairs), *_quality(before, after), *_missing(before, after))
    return Comparison(changes, others, tuple(_circumstances(before, after)), least_change)


def _pairs(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Target's name, scenario, and the figures of both, for all that both runs have."""
    known = _by_key(before)
    for key, target in _by_key(after).items():
        for scenario, figures in target["scenarios"].items():
            if key in known and scenario in known[key]["scenarios"]:
                yield target["name"], scenario, known[key]["scenarios"][scenario], figures


def _by_key(report: Mapping[str, Any]) -> dict[tuple[int, str], Mapping[str, Any]]:
    """The targets by the number of their configuration and their role; none of the harness."""
    numbers = {each["name"]: number for number, each in enumerate(report["configurations"])}
    return {
        (numbers[target["configuration"]], target["role"]): target
        for target in report["targets"]
        if target.get("configuration") in numbers
    }


def _enough(figures: Mapping[str, Any]) -> bool:
    return len(figures["processes"]) >= 2


def _change(
    target: str,
    scenario: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    least_change: float,
    confidence: float,
) -> Change:
    both = before["processes"], after["processes"]
    measured = all(process.get("yardstick_ms") for processes in both for process in processes)
    took = [[_took(process, measured) for process in processes] for processes in both]
    ratio = ratio_of_means(took[0], took[1], confidence)
    verdict: Verdict = "no change beyond noise"
    why = ""
    if ratio is None:
        verdict, why = (
            "cannot tell",
            "one process tells no spread; measure with --processes 5",
        )
    elif ratio.low > 1 and ratio.ratio >= 1 + least_change:
        verdict = "slower"
    elif ratio.high < 1 and ratio.ratio <= 1 / (1 + least_change):
        verdict = "faster"
    elif ratio.high / ratio.low > (1 + 2 * least_change) ** 2:
        why = "noisy: --resolve 5 in both runs, or an idle machine, would tell smaller changes"
    return Change(
        target, scenario, before["p50_ms"], after["p50_ms"], ratio, measured, verdict, why
    )


def _took(process: Mapping[str, Any], to_yardstick: bool) -> float:
    return typical(process["samples_ms"], process["yardstick_ms"] if to_yardstick else None)


def _memory(
    pairs: Sequence[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]],
) -> Iterator[str]:
    for target, scenario, before, after in pairs:
        change_bytes = after["peak_memory_bytes"] - before["peak_memory_bytes"]
        share = abs(change_bytes) / max(1, before["peak_memory_bytes"])
        if abs(change_bytes) >= _LEAST_MEMORY_CHANGE_BYTES and share >= LEAST_CHANGE:
            word = "more" if change_bytes > 0 else "less"
            yield (
                f"{target} takes {abs(change_bytes) / 1e6:.0f} MB {word} at its peak "
                f"({after['peak_memory_bytes'] / 1e6:.0f} MB, {scenario})"
            )


def _quality(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    both = zip(before["configurations"], after["configurations"], strict=False)
    for earlier, later in both:
        for part, name in _QUALITIES:
            values = [each["quality"].get(part, {}).get(name) for each in (earlier, later)]
            if None in values or abs(values[1] - values[0]) < _LEAST_QUALITY_CHANGE:
                continue
            word = "higher" if values[1] > values[0] else "lower"
            yield (
                f"{later['name']}: {name} is {abs(values[1] - values[0]):.4f} {word} "
                f"({values[0]:.4f}, now {values[1]:.4f})"
            )


def _missing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    known, now = _by_key(before), _by_key(after)
    for name, one, other in (("later", known, now), ("earlier", now, known)):
        lacking = [target["name"] for key, target in one.items() if key not in other]
        if lacking:
            yield f"the {name} run has no {', '.join(lacking)}"


def _circumstances(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    one, other = before["environment"], after["environment"]
    for key in ("cpu", "machine", "usable_cores", "governors", "interpreters", "python", "system"):
        if one.get(key) != other.get(key):
            yield f"{key} differs: {_said(one.get(key))}, then {_said(other.get(key))}"
    libraries = [each.get("libraries") or {} for each in (one, other)]
    for name in sorted(libraries[0].keys() | libraries[1].keys()):
        if libraries[0].get(name) != libraries[1].get(name):
            versions = [_said(each.get(name)) for each in libraries]
            rest = ", and with it the yardstick" if name == "numpy" else ""
            yield f"{name} differs: {versions[0]}, then {versions[1]}{rest}"
    both = zip(before["configurations"], after["configurations"], strict=False)
    for earlier, later in both:
        for key in ("threads", "interpreter", "xnnpack"):
            if earlier.get(key) != later.get(key):
                yield (
                    f"{later['name']}: {key} differs: {_said(earlier.get(key))}, then "
                    f"{_said(later.get(key))}"
                )
    if any(each.get("busy") for each in (one, other)):
        yield "a machine was busy before its run"


def _said(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
