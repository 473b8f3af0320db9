"""Which targets a run's configurations stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_bench.configuration import Configuration, labels
from device_bench.target import TargetSpec
from edgeseg.errors import ModelContractError
from edgeseg.formats import bundle as bundle_format
from edgeseg.formats.bundle import Bundle

#: What can be asked of a bundle, in the order in which it is reported.
BUNDLE_TARGETS = ("model", "segment", "embed", "search", "match")
#: ``segment`` and ``embed`` alone repeat stages of ``match``, and so wait to be asked for.
DEFAULT_TARGETS = ("model", "search", "match")
_IDENTIFIER_BYTES = 8


@dataclass(frozen=True)
class Inputs:
    """What the targets of a bundle work on.

    Attributes:
        folder: An existing folder for what has to be drawn. It must outlive the run.
        photos: Picture files; empty for drawn ones.
        labelled: Photos and their masks, to score the segmenter by; empty for none.
        queries: A CSV of photos and the items that they show, to score matches by; None for none.
    """

    folder: Path
    photos: Sequence[Path] = ()
    labelled: Sequence[tuple[Path, Path]] = ()
    queries: Path | None = None


@dataclass(frozen=True)
class Scoring:
    """A target that tells quality, and how many samples of it are all photos or queries."""

    spec: TargetSpec
    samples: int


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Attributes:
        labels: Of the configurations, in their order.
        timed: What every scenario times; the null target last.
        scored: What is asked for quality.
    """

    labels: list[str]
    timed: list[TargetSpec]
    scored: list[Scoring]


def plan(
    configurations: Sequence[Configuration],
    inputs: Inputs,
    targets: Sequence[str] = DEFAULT_TARGETS,
) -> Plan:
    """List the targets of some configurations, in their order.

    A bare TFLite file is a ``model``. A bundle is a ``model`` for each of its networks, and for
    each further kind asked for. A bundle without an embedder has no ``embed``, ``search`` or
    ``match``; its ``segment`` takes their place.

    Args:
        configurations: The same one may come twice, to see the noise.
        inputs: What the targets of a bundle work on.
        targets: Of ``BUNDLE_TARGETS``.

    Raises:
        EdgesegError: A file is missing or damaged, or a photo or catalogue cannot be read.
        ModelContractError: A model or bundle has nothing of what was asked for.
        ValueError: A target is not of ``BUNDLE_TARGETS``.
    """
    unknown = set(targets) - set(BUNDLE_TARGETS)
    if unknown:
        raise ValueError(f"no such target: {min(unknown)}")
    drawn = _Drawn(inputs)
    named = labels(configurations)
    timed: list[TargetSpec] = []
    scored: list[Scoring] = []
    for configuration, label in zip(configurations, named, strict=True):
        path = configuration.path
        if is_bundle(path):
            of_one = _OfBundle(configuration, label, drawn)
            planned = of_one.timed(targets)
            scored += of_one.scored(inputs)
        else:
            settings = configuration.settings
            options = {"path": str(path), "network": None, "threads": settings.threads}
            name = f"{label}: model"
            spec = TargetSpec("model", name, str(path), options, "model", label, settings)
            planned = [spec] if "model" in targets else []
        if not planned:
            raise ModelContractError(f"{path} has none of: {', '.join(targets)}")
        timed += planned
    null = TargetSpec("null", "null (the harness itself)", role="null")
    return Plan(named, [*timed, null], scored)


class _Drawn:
    """Photos and catalogues, drawn when first asked for."""

    def __init__(self, inputs: Inputs) -> None:
        self._folder = inputs.folder
        self._photos = [str(path) for path in inputs.photos]

    def photos(self) -> list[str]:
        if not self._photos:
            from device_bench.drawn import draw_photos

            self._photos = [str(path) for path in draw_photos(self._folder)]
        return self._photos

    def catalogue(self, of: Configuration, dim: int, embedder_digest: str) -> str:
        if of.catalogue is not None:
            return str(of.catalogue)
        from device_bench.drawn import draw_catalogue

        return str(draw_catalogue(self._folder, dim, embedder_digest, of.precision))


class _OfBundle:
    """The targets of one bundle."""

    def __init__(self, configuration: Configuration, label: str, drawn: _Drawn) -> None:
        self._configuration = configuration
        self._label = label
        self._drawn = drawn
        bundle = Bundle.open(configuration.path)
        network = bundle.manifest.embedder
        self._roles = ["segmenter"] if network is None else ["segmenter", "embedder"]
        # Of its embeddings, and whose they are; None where they cannot be searched for.
        self._embedding: tuple[int, str] | None = None
        if network is not None and network.dim is not None and bundle.embedder_digest is not None:
            self._embedding = network.dim, bundle.embedder_digest

    def timed(self, targets: Sequence[str]) -> list[TargetSpec]:
        """In the order of ``BUNDLE_TARGETS``."""
        bundle, threads = str(self._configuration.path), self._configuration.settings.threads
        specs = []
        if "model" in targets:
            specs += [
                self._spec("model", role, path=bundle, network=role, threads=threads)
                for role in self._roles
            ]
        if "segment" in targets or ("match" in targets and len(self._roles) == 1):
            photos = self._drawn.photos()
            specs.append(
                self._spec("segment", "segment", bundle=bundle, photos=photos, threads=threads)
            )
        if self._embedding is None:
            return specs
        if "embed" in targets:
            photos = self._drawn.photos()
            specs.append(
                self._spec("embed", "embed", bundle=bundle, photos=photos, threads=threads)
            )
        if "search" in targets:
            catalogue = self._catalogue()
            for role, exact in (("search", False), ("search, exact", True)):
                specs.append(self._spec("search", role, catalogue=catalogue, exact=exact))
        if "match" in targets:
            given: dict[str, Any] = {"catalogue": self._catalogue(), "threads": threads}
            photos = self._drawn.photos()
            specs.append(self._spec("match", "match", bundle=bundle, photos=photos, **given))
        return specs

    def scored(self, inputs: Inputs) -> list[Scoring]:
        """What can be scored of it by the pictures given."""
        bundle, threads = str(self._configuration.path), self._configuration.settings.threads
        scorings = []
        if inputs.labelled:
            pairs = [[str(photo), str(mask)] for photo, mask in inputs.labelled]
            options: dict[str, Any] = {"bundle": bundle, "photos": pairs, "threads": threads}
            spec = self._spec("segmentation_quality", "segmentation", **options)
            scorings.append(Scoring(spec, len(pairs)))
        if inputs.queries is not None and self._embedding is not None:
            from edgeseg.evaluation.retrieval import read_queries

            options = {"bundle": bundle, "threads": threads, "queries": str(inputs.queries)}
            spec = self._spec("match_quality", "match", catalogue=self._catalogue(), **options)
            scorings.append(Scoring(spec, len(read_queries(inputs.queries))))
        return scorings

    def _catalogue(self) -> str:
        assert self._embedding is not None
        return self._drawn.catalogue(self._configuration, *self._embedding)

    def _spec(self, kind: str, role: str, **options: Any) -> TargetSpec:
        source, settings = str(self._configuration.path), self._configuration.settings
        name = f"{self._label}: {role}"
        return TargetSpec(kind, name, source, options, role, self._label, settings)


def is_bundle(path: Path) -> bool:
    """Tell by the first bytes; whatever is neither is left to the reader that its name suggests."""
    try:
        with path.open("rb") as file:
            start = file.read(_IDENTIFIER_BYTES)
    except OSError:
        start = b""  # the reader says what is wrong with it
    if start[:8] == bundle_format.KIND.magic:
        return True
    return start[4:8] != b"TFL3" and path.suffix != ".tflite"
