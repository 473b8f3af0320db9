"""That a check for portable code can fail; and what is missing here is told by package."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.devices import debian_root
from tests.devices.debian_root import AARCH64, ARMHF, DebianRoot, require_tools
from tests.devices.errors import CannotRunError, run
from tests.devices.wheels import project_wheel, require_portable, special_instruction

SUM = (
    "float sum(const float *v) { float s = 0; for (int i = 0; i < 4096; i++) s += v[i]; return s; }"
)


def _library(folder: Path, *flags: str, compiler: str = "c++") -> Path:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not on this machine")
    source, library = folder / "sum.cpp", folder / "sum.so"
    source.write_text(SUM)
    command = [compiler, "-O3", "-ffast-math", "-shared", "-fPIC", *flags]
    subprocess.run([*command, str(source), "-o", str(library)], check=True)
    return library


def _wheel(folder: Path, library: Path | None) -> Path:
    wheel = folder / "hnswlib-0.8.0-x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("hnswlib.txt", "")
        if library is not None:
            archive.write(library, "hnswlib.so")
    return wheel


def test_portable_code_passes(tmp_path: Path) -> None:
    require_portable(_wheel(tmp_path, _library(tmp_path)))


def test_code_for_some_processors_only_is_refused(tmp_path: Path) -> None:
    if "x86_64" not in run(["uname", "-m"], "uname"):
        pytest.skip("flags of x86-64")
    wheel = _wheel(tmp_path, _library(tmp_path, "-mavx2"))
    with pytest.raises(CannotRunError, match="HNSWLIB_NO_NATIVE=1"):
        require_portable(wheel)


def test_code_for_some_arm_processors_only_is_refused(tmp_path: Path) -> None:
    compiler = f"{AARCH64.gnu}-g++"
    assert special_instruction(_library(tmp_path, compiler=compiler)) is None
    library = _library(tmp_path, "-march=armv8-a+sve", compiler=compiler)
    assert special_instruction(library) is not None


def test_a_wheel_without_code_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="no compiled code"):
        require_portable(_wheel(tmp_path, None))


def test_a_wheel_that_was_not_built_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRunError, match="make smoke"):
        project_wheel(tmp_path)


@pytest.mark.parametrize("architecture", [AARCH64, ARMHF])
def test_missing_tools_are_told_by_their_packages(
    architecture: debian_root.Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool, path=None: None)
    with pytest.raises(CannotRunError) as told:
        require_tools(architecture)
    assert str(told.value) == (
        "missing here: apt-get install binutils debootstrap dpkg "
        f"g++-{architecture.gnu} qemu-user-static"
    )


def test_the_emulated_processor_is_also_what_the_root_tells(tmp_path: Path) -> None:
    root = DebianRoot(tmp_path, AARCH64)
    command = root.python("cortex-a53", "-c", "pass")
    assert command[:5] == ["qemu-aarch64-static", "-cpu", "cortex-a53", "-L", str(tmp_path)]
    assert "CPU part\t: 0xd03" in (tmp_path / "proc" / "cpuinfo").read_text()


def test_how_a_command_ended_is_told_in_one_line() -> None:
    with pytest.raises(CannotRunError, match=r"^sh: died of signal 11 \(gone\)$"):
        run(["sh", "-c", "echo gone >&2; kill -11 $$"], "sh")
    with pytest.raises(CannotRunError, match=r"^sh: exit code 3 \(no message\)$"):
        run(["sh", "-c", "exit 3"], "sh")
