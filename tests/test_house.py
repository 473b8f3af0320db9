"""The house keeps its rules: who imports whom, what loads what, what the README promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands_page import command_names, help_text, page

HEAVY = (
    "tensorflow", "keras", "tf_keras", "torch", "jax", "cv2", "numpy", "hnswlib", "ai_edge_litert",
    "safetensors", "matplotlib", "rich",
)  # fmt: skip
MAX_LINES = 300


def _python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )


def test_import_law(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_law_can_fail(tmp_path: Path) -> None:
    """The runtime importing a framework is what the law must catch, and this one does."""
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "matcher.py").write_text("def load():\n    import keras\n")
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = house\ninclude_external_packages = True\n"
        "[importlinter:contract:one]\nname = no framework\ntype = forbidden\n"
        "source_modules = house.matcher\nforbidden_modules = keras\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "keras" in done.stdout


@pytest.mark.parametrize(
    "statement", ["import edgeseg", "from edgeseg.cli import build_app as b; b()"]
)
def test_light_imports_stay_light(statement: str) -> None:
    done = _python(f"{statement}\nimport sys\nprint(sorted(set({HEAVY!r}) & set(sys.modules)))")
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_runtime_imports_no_framework() -> None:
    frameworks = ("tensorflow", "keras", "tf_keras", "torch", "jax", "safetensors")
    done = _python(
        "import edgeseg.matcher, edgeseg.evaluation.segmentation, edgeseg.evaluation.retrieval\n"
        f"import sys\nprint(sorted(set({frameworks!r}) & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_command_is_in_the_readme(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    absent = [name for name in command_names() if f"edgeseg {name}" not in readme]
    assert absent == []


@pytest.mark.parametrize("command", sorted(command_names()))
def test_every_command_explains_itself(command: str) -> None:
    text = help_text(command)
    assert f"Usage: edgeseg {command}" in text
    if command not in {"index", "eval", "label", "train", "keys", "sync", "bench"}:
        assert "Examples:" in text
        assert "--json" in text
        assert re.search(rf"^ +.*edgeseg {command}", text, re.MULTILINE), "an example of its own"


# The groups with a command that need not be named.
_DEFAULTS = {"sync": "sync now", "bench": "bench run"}


def test_readme_commands_exist(repository: Path) -> None:
    """Every `edgeseg ...` line of the README names a command and options that there are."""
    readme = (repository / "README.md").read_text(encoding="utf-8")
    names = set(command_names())
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(?:.*\| )?edgeseg (.+)$", blocks, re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        words = line.partition("#")[0].split()
        name = " ".join(words[:2]) if " ".join(words[:2]) in names else words[0]
        if name.startswith("--"):
            continue
        assert name in names, line
        known = help_text(_DEFAULTS.get(name, name))
        unknown = [word for word in words if word.startswith("--") and word not in known]
        assert unknown == [], line


def test_commands_page_is_current(repository: Path) -> None:
    typer = pytest.importorskip("typer")
    pinned = (repository / "constraints.txt").read_text(encoding="utf-8")
    if f"typer=={typer.__version__}; python_version >= '3.11'" not in pinned:
        pytest.skip("another typer lays its help out differently")
    stored = (repository / "docs" / "commands.md").read_text(encoding="utf-8")
    assert stored == page(), "an option has changed: run `make docs`"


def test_files_stay_short(repository: Path) -> None:
    sources = [
        path
        for package in ("edgeseg", "converters", "device_bench", "examples")
        for path in (repository / package).rglob("*.py")
    ]
    assert len(sources) > 20
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert {path: n for path, n in lengths.items() if n > MAX_LINES} == {}
