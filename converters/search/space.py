"""A search space as data: candidates, each a Tiramisu at an input size.

A space is a JSON object:

* ``network``: a name in ``TIRAMISUS``, whose fields every candidate has unless it says otherwise;
* ``input_px``: the usual side of the input;
* ``reference``: the name of the candidate that every other is measured beside;
* ``peer``: on request, the name of the candidate that the report tells the others' speed by;
* ``notes``: on request, lines for the report, such as what was not tried;
* ``candidates``: objects with a ``name`` and the fields that differ (of :class:`Tiramisu`,
  ``network``, ``input_px``, ``quantization``). A list of values where a field takes one makes a
  candidate of each, and of each combination; the name says which by the field's name in braces, as
  in ``"k{growth_rate}-{input_px}"``.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from edgeseg.errors import EdgesegError
from edgeseg.files import read_bounded
from edgeseg.limits import MAX_INPUT_PX, MAX_MANIFEST_BYTES
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu

# A name is a file's name in the work folder too.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_CANDIDATES = 500
_TIRAMISU_FIELDS = {field.name for field in fields(Tiramisu)}
_CANDIDATE_FIELDS = {"name", "network", "input_px", "quantization"} | _TIRAMISU_FIELDS
_SPACE_FIELDS = {
    "description", "network", "input_px", "reference", "peer", "notes", "candidates",
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One network of a space.

    Attributes:
        name: unique in its space; letters, digits, dots, dashes and underscores.
        network: its architecture.
        input_px: side of its input.
        quantization: ``static`` int8, or ``none``: a float32 peer, measured and never trained.
    """

    name: str
    network: Tiramisu
    input_px: int
    quantization: Literal["none", "static"] = "static"

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "network": self.network.to_dict()}


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        name: for messages and the report.
        reference: every candidate's latency is measured in turn with this one's.
        candidates: reference and peer among them; names are unique.
        peer: how many times faster than this one a candidate is, the report tells; None leaves
            that out.
        description: one line.
        notes: lines for the report.
    """

    name: str
    reference: Candidate
    candidates: tuple[Candidate, ...]
    peer: Candidate | None = None
    description: str = ""
    notes: tuple[str, ...] = ()

    @property
    def largest_px(self) -> int:
        """The largest input among those that may be trained."""
        return max(c.input_px for c in self.candidates if c.quantization != "none")

    def chosen(self, names: list[str]) -> tuple[Candidate, ...]:
        """The candidates of these names, in the space's order; all of them for no name.

        Raises:
            EdgesegError: a name that no candidate has.
        """
        known = {candidate.name for candidate in self.candidates}
        if odd := sorted(set(names) - known):
            raise EdgesegError(f"no candidate {', '.join(odd)} in the space {self.name}")
        return tuple(c for c in self.candidates if not names or c.name in names)


def space_names() -> list[str]:
    """Names of the spaces that come with the package."""
    folder = resources.files("converters.search") / "spaces"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def load_space(name: str) -> Space:
    """A space of the package by its name, or one's own by the path of its JSON file.

    Raises:
        EdgesegError: there is none of that name, or it cannot be read.
    """
    if name in space_names():
        folder = resources.files("converters.search") / "spaces"
        text = (folder / f"{name}.json").read_text("utf-8")
    elif name.endswith(".json"):
        text = read_bounded(Path(name), MAX_MANIFEST_BYTES, "search space").decode(errors="replace")
        name = Path(name).stem
    else:
        raise EdgesegError(
            f"no search space {name!r}: take one of {', '.join(space_names())}, or a JSON file"
        )
    try:
        return _space(name, json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise EdgesegError(f"search space {name}: {reason}") from error


def _space(name: str, values: Any) -> Space:
    if not isinstance(values, dict):
        raise ValueError("must be a JSON object")
    _refuse_unknown(values, _SPACE_FIELDS)
    usual = {"network": values["network"], "input_px": values["input_px"]}
    candidates: list[Candidate] = []
    for entry in values["candidates"]:
        _refuse_unknown(entry, _CANDIDATE_FIELDS)
        candidates += [_candidate({**usual, **fixed}) for fixed in _combinations(entry)]
        if len(candidates) > _MAX_CANDIDATES:
            raise ValueError(f"more than {_MAX_CANDIDATES} candidates")
    by_name = {candidate.name: candidate for candidate in candidates}
    if len(by_name) < len(candidates):
        names = [candidate.name for candidate in candidates]
        twice = sorted({n for n in names if names.count(n) > 1})
        raise ValueError(f"two candidates of the name {twice[0]}: name the varied fields in braces")
    peer = values.get("peer")
    for role in ("reference", "peer"):
        if values.get(role) is not None and values[role] not in by_name:
            raise ValueError(f"the {role} {values[role]!r} is no candidate")
    reference = by_name[values["reference"]]
    if reference.quantization == "none":
        raise ValueError(f"the reference {reference.name} must be quantized as the others are")
    return Space(
        name,
        reference,
        tuple(candidates),
        peer=None if peer is None else by_name[peer],
        description=str(values.get("description", "")),
        notes=tuple(map(str, values.get("notes", ()))),
    )


def _combinations(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The entry once for each combination of the fields that list several values."""
    axes = {key: value for key, value in entry.items() if _is_axis(key, value)}
    found = []
    for values in itertools.product(*axes.values()):
        fixed = {**entry, **dict(zip(axes, values, strict=True))}
        shown = {
            key: "-".join(map(str, value)) if isinstance(value, list) else value
            for key, value in fixed.items()
        }
        found.append({**fixed, "name": str(entry["name"]).format_map(shown)})
    return found


def _is_axis(key: str, value: Any) -> bool:
    if not isinstance(value, list):
        return False
    # `down` is a list itself, so its values are lists of lists.
    return key not in ("down", "widths") or all(isinstance(v, list) for v in value)


def _candidate(values: dict[str, Any]) -> Candidate:
    name, network, side = values["name"], values["network"], values["input_px"]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name: letters, digits, dots, dashes and underscores")
    if network not in TIRAMISUS:
        raise ValueError(f"{name}: no network {network!r}: use one of {', '.join(TIRAMISUS)}")
    own = {key: value for key, value in values.items() if key in _TIRAMISU_FIELDS}
    built = Tiramisu.from_dict({**TIRAMISUS[network].to_dict(), **own})
    for key in ("bottleneck", "growth_rate", "stem_filters", "stem_stride"):
        value = getattr(built, key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name}: {key} must be a whole number above 0")
    if not isinstance(side, int) or not 0 < side <= MAX_INPUT_PX or side % built.total_stride:
        raise ValueError(f"{name}: input_px must be a multiple of {built.total_stride}")
    quantization = values.get("quantization", "static")
    if quantization not in ("none", "static"):
        raise ValueError(f"{name}: quantization must be static or none")
    return replace(Candidate(name, built, side), quantization=quantization)


def _refuse_unknown(values: dict[str, Any], known: set[str]) -> None:
    if odd := sorted(set(values) - known):
        raise ValueError(f"unknown field {', '.join(odd)}")
