"""``edgeseg doctor``: is this machine, this installation and this bundle fit for work."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption

_HELP = """Check this installation: interpreter, versions, processor, bundle.

Each network of the bundle runs once. Exits with 1 when something is broken.

Examples:

\b
  edgeseg doctor
  edgeseg doctor --bundle my.bundle --catalogue shop.catalogue --json
"""

# Instruction sets that the interpreter's int8 and float kernels choose between.
_TELLING_CPU_FEATURES = (
    "sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8",
    "neon", "asimd", "asimdhp", "asimddp", "i8mm", "sve",
)  # fmt: skip
_RUNTIME_DISTRIBUTIONS = ("numpy", "opencv-python-headless", "hnswlib", "typer", "rich")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", help=_HELP)(doctor)


def doctor(
    bundle: BundleOption = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(metavar="CATALOGUE", help="Also check that this catalogue fits the bundle."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Examine the machine; see ``_HELP``."""
    document: dict[str, Any] = {
        "edgeseg": _edgeseg(),
        "machine": _machine(),
        "versions": {name: _version(name) for name in _RUNTIME_DISTRIBUTIONS},
        "extras": _extras(),
    }
    problems: list[str] = []
    for name, version in document["versions"].items():
        if version is None:
            problems.append(f"{name} is not installed; run: pip install edgeseg")
    document["bundle"] = _examine(lambda: _bundle(bundle, catalogue), problems)
    document["problems"] = problems
    if as_json:
        console.print_json(document)
    else:
        _print(document)
    if problems:
        raise typer.Exit(console.EXIT_FAILURE)


def _examine(check: Any, problems: list[str]) -> dict[str, Any] | None:
    """Run a check; what edgeseg or an import says against it becomes a problem, not an end."""
    from edgeseg.errors import EdgesegError

    try:
        found: dict[str, Any] = check()
    except (EdgesegError, ImportError) as error:
        problems.append(str(error))
        return None
    return found


def _edgeseg() -> dict[str, Any]:
    from edgeseg import __version__

    return {"version": __version__, "python": platform.python_version(), "prefix": sys.prefix}


def _machine() -> dict[str, Any]:
    words: set[str] = set()
    model = platform.processor()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpuinfo = ""  # not Linux: the features stay unknown, which the empty list says
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            words.update(value.split())
        elif key.strip() in ("model name", "Model"):
            model = value.strip()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": model,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "cpu_features": [name for name in _TELLING_CPU_FEATURES if name in words],
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _extras() -> dict[str, bool]:
    """Which extras are complete, without importing anything of them."""
    return {
        extra: all(importlib.util.find_spec(module) is not None for module in modules)
        for extra, modules in console.EXTRA_MODULES.items()
    }


def _bundle(path: Path | None, catalogue_path: Path | None) -> dict[str, Any]:
    """Open the bundle (which verifies every digest), run its networks, compare the catalogue."""
    import numpy as np

    from edgeseg.errors import ModelContractError
    from edgeseg.formats.bundle import Bundle
    from edgeseg.interpreter import Interpreter
    from edgeseg.presets import bundle_path

    place = bundle_path(path)
    opened = Bundle.open(place)
    networks = {}
    models = {"segmenter": opened.segmenter_model, "embedder": opened.embedder_model}
    for role, model in models.items():
        if model is None:
            continue
        interpreter = Interpreter(model)
        batch = np.zeros(interpreter.input_shape, np.float32)
        interpreter.run(batch)
        start_s = time.perf_counter()
        output = interpreter.run(batch)
        if not np.isfinite(output).all():
            raise ModelContractError(f"the {role} of {place} gives numbers that are not finite")
        networks[role] = {
            "interpreter": interpreter.runtime,
            "input_shape": list(interpreter.input_shape),
            "output_shape": list(interpreter.output_shape),
            "model_bytes": len(model),
            "once_ms": round((time.perf_counter() - start_s) * 1000.0, 2),
        }
    found = {"path": str(place), "digest": opened.digest, "networks": networks}
    if catalogue_path is not None:
        from edgeseg.catalogue import Catalogue
        from edgeseg.matcher import Matcher

        catalogue = Catalogue.open(catalogue_path)
        Matcher(catalogue, opened)  # raises where they do not belong together
        found["catalogue"] = {"path": str(catalogue_path), "items": len(catalogue)}
    return found


def _print(document: dict[str, Any]) -> None:
    machine = document["machine"]
    rows: list[tuple[str, str]] = [
        ("edgeseg", f"{document['edgeseg']['version']} on Python {document['edgeseg']['python']}"),
        (
            "processor",
            f"{machine['processor']} ({machine['architecture']}), {machine['cores']} cores",
        ),
        ("memory", f"{machine['memory_bytes'] / 2**30:.1f} GiB"),
        ("CPU features", " ".join(machine["cpu_features"]) or "unknown"),
    ]
    rows += [(name, version or "MISSING") for name, version in document["versions"].items()]
    rows += [
        (f"extra {name}", "installed" if there else "not installed")
        for name, there in document["extras"].items()
    ]
    bundle = document["bundle"]
    if bundle is not None:
        rows.append(("bundle", f"{bundle['path']} (digests match)"))
        for role, facts in bundle["networks"].items():
            shape = "x".join(map(str, facts["input_shape"]))
            rows.append((role, f"{shape}, {facts['once_ms']} ms once, {facts['interpreter']}"))
        if "catalogue" in bundle:
            rows.append(("catalogue", f"{bundle['catalogue']['items']} items, fits the bundle"))
    console.print_table(("check", "found"), rows)
    for problem in document["problems"]:
        console.print_error(problem)
    if not document["problems"]:
        console.print_line("all is well")
