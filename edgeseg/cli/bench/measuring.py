"""The options that every measuring bench command has, and what they ask the harness for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console

if TYPE_CHECKING:
    from device_bench.configuration import Configuration
    from device_bench.plan import Plan
    from device_bench.scenario import Scenario

# Enough for a p90 with its interval, and for cold starts' median, which cost a process each.
SAMPLES = 100
COLD_SAMPLES = 10
PROCESSES = 5
MINUTES = 2.0


class ScenarioChoice(str, Enum):
    """Ways of timing."""

    cold_start = "cold_start"
    single_stream = "single_stream"
    sustained = "sustained"
    sync_while_matching = "sync_while_matching"


class TargetChoice(str, Enum):
    """What of a bundle is timed; the values of ``device_bench.plan.BUNDLE_TARGETS``."""

    model = "model"
    segment = "segment"
    embed = "embed"
    search = "search"
    match = "match"


class InterpreterChoice(str, Enum):
    """The values of ``edgeseg.runtime.INTERPRETERS``."""

    litert = "ai-edge-litert"
    tflite = "tflite-runtime"


FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[BUNDLE | MODEL.tflite]...", help="Default: the built-in bundle."),
]
CatalogueOption = Annotated[
    Path | None,
    typer.Option(metavar="CATALOGUE", help="Search this one. Default: a drawn one."),
]
PhotoOption = Annotated[
    list[Path] | None,
    typer.Option(metavar="PHOTO", help="A photo to match; repeat for more. Default: drawn."),
]
ImagesOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Score the segmenter on these photos...")
]
MasksOption = Annotated[Path | None, typer.Option(metavar="DIR", help="... by these true masks.")]
SplitOption = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="Score on the photos of one split: image, mask, split."),
]
SplitNameOption = Annotated[str, typer.Option(metavar="NAME", help="Which split of --split.")]
QueriesOption = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="Score matches in --catalogue by these: image, sku."),
]
ScenarioOption = Annotated[
    list[ScenarioChoice] | None,
    typer.Option(help="Repeat for more. Default: cold_start and single_stream."),
]
TargetOption = Annotated[
    list[TargetChoice] | None,
    typer.Option(
        help="Of a bundle, time only this; repeat for more. Default: model, search and match."
    ),
]
SamplesOption = Annotated[
    int, typer.Option(min=1, max=1_000_000, help="Invocations of each target.")
]
PercentileOption = Annotated[
    int | None,
    typer.Option(
        min=50, max=99, help="Take as many samples as this percentile needs for its interval."
    ),
]
ProcessesOption = Annotated[
    int, typer.Option(min=1, max=1000, help="Among how many processes they are divided.")
]
ResolveOption = Annotated[
    float | None,
    typer.Option(
        metavar="PERCENT",
        min=1.0,
        max=100.0,
        help="Go on with further processes, ten times as many at most, until compare would see a "
        "change of so much.",
    ),
]
ColdSamplesOption = Annotated[
    int, typer.Option(min=0, max=10_000, help="Fresh processes of each target; 0 for none.")
]
MinutesOption = Annotated[
    float, typer.Option(min=0.01, max=1440, help="Of each target under --scenario sustained.")
]
SyncFromOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Where sync_while_matching syncs from. Default: a drawn release."
    ),
]
SyncRootOption = Annotated[
    Path | None, typer.Option(metavar="ROOT_JSON", help="The root.json of --sync-from.")
]


@dataclass(frozen=True)
class Measuring:
    """What is to be measured; the attributes are the options of the same names."""

    scenarios: Sequence[ScenarioChoice]
    targets: Sequence[TargetChoice] | None
    photos: Sequence[Path]
    images: Path | None
    masks: Path | None
    split: Path | None
    split_name: str
    queries: Path | None
    samples: int
    percentile: int | None
    processes: int
    resolve: float | None
    cold_samples: int = 0
    minutes: float = MINUTES
    sync_from: str | None = None
    sync_root: Path | None = None

    def check(self, catalogue: Path | None) -> None:
        """Refuse what does not go together.

        Raises:
            typer.BadParameter: And says why.
        """
        if (self.images is None) != (self.masks is None):
            raise typer.BadParameter("--images and --masks go together")
        if self.queries is not None and catalogue is None:
            raise typer.BadParameter("--queries needs the --catalogue that holds their items")
        if (self.sync_from is None) != (self.sync_root is None):
            raise typer.BadParameter("--sync-from and --sync-root go together")
        if not self.scenarios:
            raise typer.BadParameter("cold_start alone needs --cold-samples")

    def labelled(self) -> list[tuple[Path, Path]]:
        """The photos to score the segmenter by, with their masks."""
        if self.images is None and self.split is None:
            return []
        from edgeseg.cli.eval import pairing_of

        found = pairing_of(self.images, self.masks, self.split, self.split_name)
        return [(pair.image, pair.mask) for pair in found.pairs]


def chosen(scenarios: list[ScenarioChoice] | None, cold_samples: int) -> list[ScenarioChoice]:
    """The scenarios asked for, else the usual ones; none of no samples."""
    wanted = scenarios or [ScenarioChoice.cold_start, ScenarioChoice.single_stream]
    return [each for each in wanted if each is not ScenarioChoice.cold_start or cold_samples]


def or_built_in(paths: list[Path] | None) -> list[Path]:
    """The files given, else the built-in bundle; a built-in one may be given by its name."""
    from edgeseg.presets import bundle_path, preset_path

    return [bundle_path(path) for path in paths] if paths else [preset_path()]


def measure(configurations: Sequence[Configuration], asked: Measuring) -> dict[str, Any]:
    """Run the harness; gives the report's document."""
    from device_bench.plan import DEFAULT_TARGETS, Inputs, plan
    from device_bench.report.document import to_dict
    from device_bench.runner import run_bench

    kinds = [each.value for each in asked.targets] if asked.targets else list(DEFAULT_TARGETS)
    with tempfile.TemporaryDirectory(prefix="edgeseg-bench-") as folder:
        inputs = Inputs(Path(folder), asked.photos, asked.labelled(), asked.queries)
        planned = plan(configurations, inputs, kinds)
        scenarios = _scenarios(asked, planned, Path(folder))
        result = run_bench(planned, scenarios, console.progress)
    return to_dict(result, configurations)


def _scenarios(asked: Measuring, planned: Plan, folder: Path) -> list[Scenario]:
    from device_bench.energy import EnergyMeter
    from device_bench.scenarios.cold_start import ColdStart
    from device_bench.scenarios.single_stream import SingleStream
    from device_bench.scenarios.sustained import Sustained
    from device_bench.scenarios.sync_while_matching import SyncWhileMatching
    from device_bench.stats import samples_for_interval

    meter = EnergyMeter()
    samples = asked.samples
    if asked.percentile is not None:
        samples = max(samples, samples_for_interval(asked.percentile))
    made: list[Scenario] = []
    for each in asked.scenarios:
        if each is ScenarioChoice.cold_start:
            made.append(ColdStart(asked.cold_samples))
        elif each is ScenarioChoice.single_stream:
            fine = meter if meter.fine else None
            share = None if asked.resolve is None else asked.resolve / 100
            made.append(SingleStream(samples, asked.processes, share, fine))
        elif each is ScenarioChoice.sustained:
            made.append(Sustained(asked.minutes, meter))
        else:
            made.append(SyncWhileMatching(samples, _sync_target(asked, planned, folder)))
    return made


def _sync_target(asked: Measuring, planned: Plan, folder: Path) -> Any:
    from device_bench.drawn import draw_release
    from device_bench.target import TargetSpec

    if asked.sync_from is not None:
        options = {"url": asked.sync_from, "root": str(asked.sync_root)}
    else:
        match = next((spec for spec in planned.timed if spec.kind == "match"), None)
        if match is None:
            raise typer.BadParameter("sync_while_matching needs --sync-from, or a bundle to match")
        with console.needs_extra("publish"):
            released = draw_release(folder, match.options["catalogue"], match.options["bundle"])
        options = {"url": str(released.url), "root": str(released.root)}
    return TargetSpec("sync", "sync", options["url"], options, "sync")
