"""What a reader must know before trusting a run's figures."""

from __future__ import annotations

from collections.abc import Iterator

from device_bench.runner import BenchResult
from device_bench.scenarios.sustained import drift
from device_bench.stats import PERCENTILES, samples_for_interval, samples_needed

# Below this share of CPU time in wall-clock time, samples waited for other processes.
LEAST_CPU_SHARE = 0.9
# More than this between the start and the end of a sustained run is not noise of single slices.
TELLING_DRIFT = 0.05
# A clock that changed by more than this between the start and the end of a run was changed.
TELLING_CLOCK_CHANGE = 0.1


def notes(result: BenchResult) -> list[str]:
    """A sentence each, the graver first."""
    parts = (_machine, _starved, _drifting, _unresolved, _few, _told)
    return list(dict.fromkeys(note for part in parts for note in part(result)))


def _machine(result: BenchResult) -> Iterator[str]:
    environment = result.environment
    if environment.get("busy"):
        yield (
            f"the machine was busy before the run (load average {environment['load_average']} on "
            f"{environment['usable_cores']} cores): trust the ratios, not the times"
        )
    others = [name for name in environment.get("governors", []) if name != "performance"]
    if others:
        yield f"the CPU governor is {', '.join(others)}: the clock may have changed during the run"
    before, after = (each.get("frequencies_mhz") for each in (environment, result.afterwards))
    if before and after and abs(max(after) / max(before) - 1) > TELLING_CLOCK_CHANGE:
        yield (
            f"the CPU's clock was {max(before):.0f} MHz before the run and {max(after):.0f} MHz "
            "after it"
        )


def _starved(result: BenchResult) -> Iterator[str]:
    least: dict[str, float] = {}
    for scenario in result.scenarios:
        for spec, outcome in zip(result.plan.timed, result.outcomes[scenario.name], strict=True):
            shares = [each.cpu_share for each in outcome.processes if each.cpu_share is not None]
            least[spec.name] = min([*shares, least.get(spec.name, 1.0)])
    starved = [f"{name} ({share:.0%})" for name, share in least.items() if share < LEAST_CPU_SHARE]
    if starved:
        yield (
            "the CPU did something else for part of the timed spans of "
            f"{', '.join(starved)}: repeat on an idle machine"
        )


def _drifting(result: BenchResult) -> Iterator[str]:
    for scenario in result.scenarios:
        for spec, outcome in zip(result.plan.timed, result.outcomes[scenario.name], strict=True):
            ratio = drift(outcome.slices)
            if ratio is not None and abs(ratio - 1) > TELLING_DRIFT and not spec.of_harness:
                word = "slower" if ratio > 1 else "faster"
                yield (
                    f"{scenario.name}: {spec.name} became {abs(ratio - 1):.0%} {word} in the "
                    "course of the run"
                )
            restless = [each for each in outcome.processes if not each.settled]
            if restless:
                yield (
                    f"{scenario.name}: {spec.name} had not settled after "
                    f"{len(restless[0].warm_up_ns)} invocations of warm-up"
                )


def _unresolved(result: BenchResult) -> Iterator[str]:
    for scenario in result.scenarios:
        asked = scenario.settings().get("resolve")
        for spec, outcome in zip(result.plan.timed, result.outcomes[scenario.name], strict=True):
            seen = outcome.resolution()
            if asked is not None and not spec.of_harness and (seen is None or seen > asked):
                said = "none" if seen is None else f"one of {seen:.0%}"
                yield (
                    f"{scenario.name}: of {spec.name} a change of {asked:.0%} was to be seen, and "
                    f"after {len(outcome.processes)} processes {said} can be"
                )


def _few(result: BenchResult) -> Iterator[str]:
    for scenario in result.scenarios:
        count = min(len(outcome.samples) for outcome in result.outcomes[scenario.name])
        untold = [p for p in PERCENTILES if count < samples_needed(p)]
        unsure = [p for p in PERCENTILES if samples_needed(p) <= count < samples_for_interval(p)]
        said = [f"too few for p{p}, which takes {samples_needed(p)}" for p in untold]
        said += [f"too few for p{p}'s interval, {samples_for_interval(p)}" for p in unsure]
        if said:
            yield f"{scenario.name}: {count} samples are {', '.join(said)}"


def _told(result: BenchResult) -> Iterator[str]:
    for scenario in result.scenarios:
        for outcome in result.outcomes[scenario.name]:
            yield from outcome.facts.get("notes", [])
