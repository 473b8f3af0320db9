"""The whole examination: which checks there are, and what each of them needs of the others."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from edgeseg.diagnosis import (
    capacity,
    child,
    clock,
    installation,
    interpreter,
    libraries,
    networks,
    room,
    stored,
)
from edgeseg.diagnosis.child import Outcome
from edgeseg.diagnosis.finding import Finding, worst
from edgeseg.diagnosis.installation import Installation
from edgeseg.diagnosis.machine import read_machine
from edgeseg.diagnosis.requirements import installed_version

# Of the JSON document that :func:`document` makes; a field may be added to it without a new number.
FORMAT_VERSION = 1
_PURE = ("typer", "rich")
_UNTRIED_SELFTEST = Outcome("untried", detail="not tried without an interpreter that works")


@dataclass(frozen=True)
class Request:
    """What is to be examined beside the machine and the installation.

    Attributes:
        bundle: a file or a preset's name; empty for the built-in one.
        catalogue: a file; empty for none.
        store: a folder; empty for the usual place, where there may be none.
        needed: extras that have to be there.
        extras: the modules that each extra brings, by name.
        timeout_s: after which a check that runs native code counts as hanging.
    """

    bundle: str = ""
    catalogue: str = ""
    store: str = ""
    needed: Collection[str] = ()
    extras: Mapping[str, Collection[str]] = field(default_factory=dict)
    timeout_s: float = child.DEFAULT_TIMEOUT_S


def examine(request: Request) -> Iterator[Finding]:
    """Examine; gives each finding as soon as it is known.

    Nothing that is wrong with this machine raises: it is a finding.

    Args:
        request: what is to be examined.
    """
    known = installation.read_installation()
    machine = read_machine()

    def run(task: str, **arguments: Any) -> Outcome:
        return child.in_child(task, arguments, request.timeout_s)

    yield installation.edgeseg_finding(known)
    yield installation.python_finding(known)
    yield from capacity.machine_findings(machine)
    for name in _PURE:
        yield installation.pure_finding(known, name)
    broken: list[str] = []
    for finding in _libraries(known, run):
        if finding.status == "broken":
            broken.append(finding.name)
        yield finding
    # Nothing of what follows does without these two; hnswlib is for large catalogues.
    blocked = [name for name in ("numpy", "opencv") if name in broken]
    bundle = request.bundle or None

    def run_unless_blocked(task: str, **arguments: Any) -> Outcome:
        if blocked:
            return Outcome("untried", detail=f"not tried without {' and '.join(blocked)}")
        return run(task, **arguments)

    # The built-in bundle shows whether the interpreter works; any other is to blame for its own.
    tested = run_unless_blocked("selftest")
    ran = run_unless_blocked("networks", bundle=bundle)
    trial = tested if tested.done or interpreter.is_to_blame(tested) else ran
    trial = replace(trial, facts={**ran.facts, **tested.facts})
    versions = interpreter.versions_here()
    yield interpreter.interpreter_finding(known, machine, versions, trial)
    blamed = interpreter.is_to_blame(trial)
    yield from networks.network_findings(request.bundle, ran, blame=not blamed)
    yield networks.selftest_finding(_UNTRIED_SELFTEST if blamed else tested)
    outcomes = [tested]
    if request.catalogue:
        searched = run_unless_blocked("catalogue", bundle=bundle, catalogue=request.catalogue)
        outcomes.append(searched)
        yield stored.catalogue_finding(request.catalogue, searched)
    followed = run_unless_blocked("store", store=request.store or None)
    outcomes.append(followed)
    yield stored.store_finding(request.store, followed)

    yield capacity.memory_finding(machine, _most(outcomes, "peak_bytes"))
    yield capacity.limits_finding(machine, _most(outcomes, "address_space_bytes"))
    yield room.temporary_finding()
    if followed.facts.get("generation") is not None:
        yield room.store_finding(followed.facts["folder"], followed.facts["active_bytes"])
    elif request.store:
        yield room.store_finding(request.store, 0)
    yield clock.clock_finding(
        datetime.now(timezone.utc),
        tested.facts.get("created"),
        clock.installed_moment(),
        followed.facts.get("clock_floor"),
    )
    yield from _extras(request, known, run)


def document(findings: list[Finding]) -> dict[str, Any]:
    """The findings as one JSON document.

    Returns:
        ``format_version``; ``status``: ``ok``, ``warning`` or ``broken``, the worst of all; and
        ``findings``: each with ``name``, ``status``, ``found``, ``why``, ``mend`` and ``facts``.
    """
    return {
        "format_version": FORMAT_VERSION,
        "status": worst(findings),
        "findings": [finding.to_dict() for finding in findings],
    }


def _libraries(known: Installation, run: Callable[[str], Outcome]) -> Iterator[Finding]:
    # Where tflite-runtime is the interpreter, NumPy and OpenCV have to be older, as its extra says.
    versions = interpreter.versions_here()
    extra = "tflite" if versions[interpreter.TFLITE] and not versions[interpreter.LITERT] else ""
    asked = known.requirement("numpy", extra)
    version, there = installed_version("numpy"), _is_there("numpy")
    numpy = libraries.library_finding("numpy", asked, version, there, run("numpy"))
    yield numpy
    needs = ["numpy"] if numpy.status == "broken" else []
    asked = known.requirement(libraries.HEADLESS, extra)
    found = {name: installed_version(name) for name in libraries.OPENCVS}
    installed = {name: version for name, version in found.items() if version is not None}
    yield libraries.opencv_finding(asked, installed, _is_there("cv2"), run("opencv"), needs)
    asked, version = known.requirement("hnswlib"), installed_version("hnswlib")
    there = _is_there("hnswlib")
    yield libraries.library_finding("hnswlib", asked, version, there, run("hnswlib"), needs)


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _extras(
    request: Request, known: Installation, run: Callable[..., Outcome]
) -> Iterator[Finding]:
    for extra in sorted({*request.extras, *request.needed}):
        modules = request.extras.get(extra, ())
        needed = extra in request.needed
        finding = installation.extra_finding(known, extra, modules, needed)
        # What is asked for is tried as well: TensorFlow dies on a processor without AVX.
        if needed and finding.status != "broken":
            there = [name for name in sorted(modules) if _is_there(name)]
            finding = installation.tried_extra_finding(finding, run("modules", modules=there))
        yield finding


def _most(outcomes: list[Outcome], fact: str) -> int | None:
    told = [int(outcome.facts[fact]) for outcome in outcomes if fact in outcome.facts]
    return max(told, default=None)
