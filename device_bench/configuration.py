"""What is compared in a run: a file, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device_bench.target import Settings


@dataclass(frozen=True)
class Configuration:
    """A model or bundle under one set of settings.

    Attributes:
        path: A TFLite file or a bundle.
        settings: Of its processes.
        catalogue: What it searches; None for a drawn one.
        precision: Of a drawn catalogue's codes; None for the default.
    """

    path: Path
    settings: Settings = field(default_factory=Settings)
    catalogue: Path | None = None
    precision: str | None = None


# What tells configurations of one file apart, and how it is said.
_SAID: tuple[Callable[[Configuration], str], ...] = (
    lambda each: f"{each.settings.threads} thread{'s' * (each.settings.threads > 1)}",
    lambda each: each.settings.interpreter or "default interpreter",
    lambda each: f"XNNPACK {'on' if each.settings.xnnpack else 'off'}",
    lambda each: each.catalogue.name if each.catalogue else "drawn catalogue",
    lambda each: f"{each.precision or 'default'} codes",
)


def labels(configurations: Sequence[Configuration]) -> list[str]:
    """A name for each: its file's, what differs among them, and a number where they are alike.

    Files of one name are told by their whole paths.
    """
    paths = [each.path for each in configurations]
    names = {path: {other for other in paths if other.name == path.name} for path in paths}
    telling = [say for say in _SAID if len({say(each) for each in configurations}) > 1]
    shown = []
    for each in configurations:
        name = each.path.name if len(names[each.path]) == 1 else str(each.path)
        differs = ", ".join(say(each) for say in telling)
        shown.append(f"{name} ({differs})" if differs else name)
    return [
        f"{label} (#{shown[: number + 1].count(label)})" if shown.count(label) > 1 else label
        for number, label in enumerate(shown)
    ]
