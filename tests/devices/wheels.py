"""hnswlib's wheels, compiled so that they run on any processor of their kind."""

from __future__ import annotations

import os
import re
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.devices.debian_root import Architecture
from tests.devices.errors import CannotRunError, run

REPOSITORY = Path(__file__).resolve().parents[2]
CONSTRAINTS = REPOSITORY / "constraints.txt"
# What hnswlib's pyproject.toml asks for to be built, and the tool that names a wheel's platform.
_BUILD_REQUIREMENTS = ("setuptools>=42", "wheel", "numpy>=1.10.0", "pybind11>=2.0")
# Registers that only AVX and its successors have: every x86-64 has xmm, by SSE2, and no more.
_BEYOND_X86_64 = re.compile(r"%[yz]mm\d|%k[1-7]\b|\bv[a-z0-9]+\s.*%xmm")
# The first version of Arm's 64-bit instructions has neither.
_BEYOND_ARM_V8 = re.compile(r"\b(?:[su]dot|[su]mmla|usmmla|bfdot|bfmmla|whilelo|ptrue)\b")
_BEYOND = {"x86-64": _BEYOND_X86_64, "aarch64": _BEYOND_ARM_V8}
_ELF_MACHINES = {62: "x86-64", 183: "aarch64", 40: "arm"}


def pip(python: str | Path | Sequence[str], *arguments: str | Path, what: str) -> str:
    """Run pip quietly under some Python (a path, or a command that ends with one)."""
    start = [str(python)] if isinstance(python, str | Path) else list(python)
    environment = {**os.environ, "HNSWLIB_NO_NATIVE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [*start, "-m", "pip", *(str(argument) for argument in arguments)]
    return run(command, what, environment=environment)


def project_wheel(folder: Path) -> Path:
    """The wheel that ``make smoke`` built.

    Raises:
        CannotRunError: it has not.
    """
    found = sorted(folder.glob("edgeseg-*.whl"))
    if len(found) != 1:
        raise CannotRunError(f"{folder} holds {len(found)} wheels of edgeseg: run `make smoke`")
    return found[0].absolute()


def make_venv(folder: Path, python: str | Path = sys.executable) -> Path:
    """A virtual environment, made once; its Python."""
    made = folder / "bin" / "python"
    if not made.is_file():
        run([str(python), "-m", "venv", str(folder)], f"a virtual environment of {python}")
    return made.absolute()


def native_hnswlib(python: Path, folder: Path) -> Path:
    """hnswlib's wheel for an environment's Python, built once and checked to be portable.

    Raises:
        CannotRunError: it cannot be built, or has this machine's own instructions.
    """
    built = sorted(folder.glob("hnswlib-*.whl"))
    if not built:
        version = _pinned_hnswlib()
        pip(python, "wheel", "--quiet", "--no-deps", "--no-binary", "hnswlib", "--no-cache-dir",
            "--wheel-dir", folder, version, what="building hnswlib")  # fmt: skip
        built = sorted(folder.glob("hnswlib-*.whl"))
    require_portable(built[0])
    return built[0].absolute()


def cross_hnswlib(folder: Path, work: Path, headers: Path, target: Architecture) -> Path:
    """hnswlib's wheel for another processor, compiled by this machine's cross compiler, once.

    Its own setup.py builds it, told by the environment variables that setuptools documents. The
    emulated root could compile it too, but its compiler would have to start programs there, which
    needs binfmt_misc, and takes a quarter of an hour.

    Args:
        folder: for the wheel.
        work: for the environment that builds it.
        headers: ``usr/include`` of the other processor's Debian.
        target: that processor's kind.

    Raises:
        CannotRunError: it cannot be built, or has instructions that not all of them have.
    """
    built = sorted(folder.glob("hnswlib-*.whl"))
    if not built:
        python = make_venv(work)
        pip(python, "install", "--quiet", *_BUILD_REQUIREMENTS, what="what builds hnswlib")
        includes = f"-I{headers / 'python3.11'} -I{headers}"
        command = [
            str(python), "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
            "--no-binary", "hnswlib", "--no-cache-dir", "--wheel-dir", str(folder),
            _pinned_hnswlib(),
        ]  # fmt: skip
        environment = {
            **os.environ,
            "HNSWLIB_NO_NATIVE": "1",
            "CC": f"{target.gnu}-gcc",
            "CXX": f"{target.gnu}-g++",
            "LDSHARED": f"{target.gnu}-g++ -shared",
            "LDCXXSHARED": f"{target.gnu}-g++ -shared",
            "CFLAGS": includes,
            "CXXFLAGS": includes,
            "SETUPTOOLS_EXT_SUFFIX": target.extension_suffix,
        }
        run(command, f"compiling hnswlib for {target.gnu}", environment=environment)
        (wheel,) = folder.glob("hnswlib-*.whl")
        # It is named after the Python and the machine that built it.
        run(
            [
                str(python), "-m", "wheel", "tags", "--remove", "--python-tag", "cp311",
                "--abi-tag", "cp311", "--platform-tag", target.wheel_platform, str(wheel),
            ],
            "naming the wheel",
        )  # fmt: skip
        built = sorted(folder.glob("hnswlib-*.whl"))
    require_portable(built[0])
    return built[0].absolute()


def _pinned_hnswlib() -> str:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("hnswlib=="))


def require_portable(wheel: Path) -> None:
    """Check that a wheel's code runs on every processor of its kind.

    Raises:
        CannotRunError: it does not, or holds no code that can be looked at.
    """
    found = 0
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                unpacked = wheel.with_name(f".{Path(name).name}")
                unpacked.write_bytes(archive.read(name))
                try:
                    special = special_instruction(unpacked)
                finally:
                    unpacked.unlink()
                found += 1
                if special is not None:
                    raise CannotRunError(
                        f"{wheel.name} runs on some processors only: {special}; build it with "
                        "HNSWLIB_NO_NATIVE=1"
                    )
    if not found:
        raise CannotRunError(f"{wheel.name} holds no compiled code")


def special_instruction(library: Path) -> str | None:
    """The first instruction in a shared library that not all processors of its kind have.

    Raises:
        CannotRunError: there is no rule for its kind, or no disassembler.
    """
    kind = elf_machine(library)
    beyond = _BEYOND.get(kind)
    if beyond is None:
        # 32-bit Arm: the compiler is Debian's, whose baseline is that of every armhf.
        return None
    prefix = "" if kind == "x86-64" and os.uname().machine == "x86_64" else f"{kind}-linux-gnu-"
    objdump = f"{prefix}objdump"
    if shutil.which(objdump) is None:
        raise CannotRunError(f"missing here: apt-get install binutils ({objdump})")
    told = run([objdump, "-d", "--no-show-raw-insn", str(library)], "objdump")
    match = next((line for line in told.splitlines() if beyond.search(line)), None)
    return None if match is None else " ".join(match.split()[1:])


def elf_machine(library: Path) -> str:
    """For which processors a shared library is.

    Raises:
        CannotRunError: it is no ELF file, or of a processor that is not known here.
    """
    head = library.read_bytes()[:20]
    machine = int.from_bytes(head[18:20], "little")
    if head[:4] != b"\x7fELF" or machine not in _ELF_MACHINES:
        raise CannotRunError(f"{library.name} is no library of a known processor")
    return _ELF_MACHINES[machine]
