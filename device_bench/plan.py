"""Which targets a command's files stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        photos: Picture files; empty for drawn ones.
        catalogue: A catalogue file; None for a drawn one.
        folder: An existing folder for what has to be drawn. It must outlive the run.
        threads: Threads of each interpreter.
    """

    photos: Sequence[Path]
    catalogue: Path | None
    folder: Path
    threads: int = 1


def plan(
    paths: Sequence[Path], inputs: Inputs, targets: Sequence[str] = DEFAULT_TARGETS
) -> list[TargetSpec]:
    """List the targets of some files, in their order, and the null target after them.

    A bare TFLite file is a ``model``. A bundle is a ``model`` for each of its networks, and for
    each further kind asked for. A bundle without an embedder has no ``embed``, ``search`` or
    ``match``; its ``segment`` takes their place.

    Args:
        paths: TFLite files and bundles; the same file may come twice, to see the noise.
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
    shown = _Shown(inputs)
    specs: list[TargetSpec] = []
    for path, label in zip(paths, _labels(paths), strict=True):
        if is_bundle(path):
            planned = _of_bundle(path, label, shown, targets)
        else:
            options = {"path": str(path), "network": None, "threads": inputs.threads}
            planned = [TargetSpec("model", label, str(path), options)] if "model" in targets else []
        if not planned:
            raise ModelContractError(f"{path} has none of: {', '.join(targets)}")
        specs += planned
    return [*specs, TargetSpec("null", "null (the harness itself)")]


class _Shown:
    """Photos and catalogues, drawn when first asked for."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self._photos = [str(path) for path in inputs.photos]

    def photos(self) -> list[str]:
        if not self._photos:
            from device_bench.drawn import draw_photos

            self._photos = [str(path) for path in draw_photos(self.inputs.folder)]
        return self._photos

    def catalogue(self, dim: int, embedder_digest: str) -> str:
        if self.inputs.catalogue is not None:
            return str(self.inputs.catalogue)
        from device_bench.drawn import draw_catalogue

        return str(draw_catalogue(self.inputs.folder, dim, embedder_digest))


def _of_bundle(path: Path, label: str, shown: _Shown, targets: Sequence[str]) -> list[TargetSpec]:
    bundle = Bundle.open(path)
    source, threads = str(path), shown.inputs.threads
    network = bundle.manifest.embedder
    specs = []
    if "model" in targets:
        roles = ["segmenter"] if network is None else ["segmenter", "embedder"]
        specs += [
            TargetSpec(
                "model",
                f"{label}: {role}",
                source,
                {"path": source, "network": role, "threads": threads},
            )
            for role in roles
        ]
    complete = network is not None
    if "segment" in targets or ("match" in targets and not complete):
        options = {"bundle": source, "photos": shown.photos(), "threads": threads}
        specs.append(TargetSpec("segment", f"{label}: segment", source, options))
    if network is None or network.dim is None or bundle.embedder_digest is None:
        return specs
    if "embed" in targets:
        options = {"bundle": source, "photos": shown.photos(), "threads": threads}
        specs.append(TargetSpec("embed", f"{label}: embed", source, options))
    if "search" in targets or "match" in targets:
        catalogue = shown.catalogue(network.dim, bundle.embedder_digest)
        if "search" in targets:
            specs += [
                TargetSpec(
                    "search", f"{label}: {name}", source, {"catalogue": catalogue, "exact": exact}
                )
                for name, exact in (("search", False), ("search, exact", True))
            ]
        if "match" in targets:
            options = {
                "bundle": source,
                "catalogue": catalogue,
                "photos": shown.photos(),
                "threads": threads,
            }
            specs.append(TargetSpec("match", f"{label}: match", source, options))
    return specs


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


def _labels(paths: Sequence[Path]) -> list[str]:
    """File names, or whole paths where names are alike, numbered where paths are too."""
    names = [path.name for path in paths]
    shown = [str(path) if names.count(path.name) > 1 else path.name for path in paths]
    return [
        f"{label} (#{shown[: number + 1].count(label)})" if shown.count(label) > 1 else label
        for number, label in enumerate(shown)
    ]
