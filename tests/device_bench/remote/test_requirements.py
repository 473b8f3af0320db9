"""What a device lacks gets there, or one line says how: through a pretended adb, no network."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from device_bench.errors import BenchError
from device_bench.remote import requirements, wheel
from device_bench.remote.address import AdbAddress
from device_bench.remote.connection import Connection
from device_bench.remote.requirements import CONTAINED, Device, provide
from device_bench.remote.transport import transport_for
from tests.device_bench.remote.adb import Phone

NEEDED = "edgeseg-needs-this"
METADATA = (
    "Metadata-Version: 2.1\nName: edgeseg\nVersion: 1\n"
    f"Requires-Dist: {NEEDED}>=2 ; python_version >= '3.10'\n"
    f"Requires-Dist: {NEEDED}<9 ; extra == 'tflite'\n"
    "Requires-Dist: numpy>=1.26\n"
    "Requires-Dist: litert>=2 ; platform_machine == 'x86_64'\n"
    "Requires-Dist: litert<2.2 ; platform_machine == 'aarch64' or platform_machine == 'arm64'\n"
)


@pytest.fixture(autouse=True)
def needy(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edgeseg that needs NumPy, which is there, and something that is nowhere."""
    modules = {"numpy": ("numpy",), "edgeseg_needs_this": (NEEDED,)}
    monkeypatch.setattr(requirements, "_MODULES", modules)
    monkeypatch.setattr(requirements, "metadata", lambda: METADATA)


def _wheel(folder: Path, version: str, content: str = "") -> None:
    folder.mkdir(exist_ok=True)
    name = NEEDED.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NEEDED}\n"
                         f"Version: {version}\nRequires-Dist: numpy\n")  # fmt: skip
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
                         "Tag: py3-none-any\n")  # fmt: skip
        archive.writestr(f"{info}/RECORD", "")


def _provided(
    phone: Phone, wheels: Path | None, then: Callable[[Connection, str], None] | None = None
) -> list[str]:
    lines: list[str] = []
    transport = transport_for(AdbAddress(phone.serial))
    with Connection(transport, phone.python, None) as connection:
        told = connection.ask("probe")
        device = Device(told["python"], told["executable"], told["machine"], told["libc"])
        python = provide(connection, device, wheels, lines.append)
        if then is not None:
            then(connection, python)
    return lines


def test_what_is_lacking_is_installed_from_the_wheels_given(phone: Phone, tmp_path: Path) -> None:
    _wheel(tmp_path / "wheels", "1.0")
    _wheel(tmp_path / "wheels", "3.0", "what = 'the newer'\n")

    def use(connection: Connection, python: str) -> None:
        program = "import numpy, edgeseg_needs_this as it; print(it.what, it.__file__)"
        done = connection.run([python, "-c", program], CONTAINED)
        assert done.output.decode().startswith(f"the newer {phone.tmp}/edgeseg-bench.")

    told = "\n".join(_provided(phone, tmp_path / "wheels", use))
    assert "copying 2 wheels" in told
    assert f"installing {NEEDED} from the wheels given" in told
    assert phone.gone()


def test_wheels_that_do_not_suffice_tell_what_would(phone: Phone, tmp_path: Path) -> None:
    _wheel(tmp_path / "wheels", "1.0")
    with pytest.raises(BenchError) as caught:
        _provided(phone, tmp_path / "wheels")
    line = str(caught.value)
    assert "\n" not in line
    assert f"{phone.address}: {NEEDED} cannot be installed there" in line
    assert "wheels does not suffice: fill it with `pip download --only-binary=:all: " in line
    assert f" -d wheels '{NEEDED}>=2'`, and give it as --wheels wheels" in line
    assert re.search(r"--python-version 3\.1[0-3] ", line)
    assert phone.gone()


def test_a_module_that_kills_python_is_named(
    phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "edgeseg_needs_this.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    )
    monkeypatch.setitem(CONTAINED, "PYTHONPATH", str(tmp_path))
    with pytest.raises(BenchError, match=rf"importing {NEEDED} kills Python there \(SIGILL\)"):
        _provided(phone, None)


def test_a_python_without_pip_says_so(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = requirements._PROBE
    monkeypatch.setattr(requirements, "_PROBE", probe.replace("tell(venv=able", "able = "
                        "lambda name: name == 'venv'\ntell(venv=able"))  # fmt: skip
    with pytest.raises(BenchError, match="neither pip nor ensurepip"):
        _provided(phone, None)
    monkeypatch.setattr(requirements, "_PROBE", probe.replace("tell(venv=able", "able = "
                        "lambda name: False\ntell(venv=able"))  # fmt: skip
    with pytest.raises(BenchError, match="and venv to install them with"):
        _provided(phone, None)


@pytest.mark.parametrize("wheels", ["absent", "empty"])
def test_a_folder_without_wheels(phone: Phone, tmp_path: Path, wheels: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match=wheels):
        _provided(phone, tmp_path / wheels)


def test_requirements_are_edgesegs_own() -> None:
    assert requirements._requirements([NEEDED], "aarch64") == [f"{NEEDED}>=2 ; python_version "
                                                               ">= '3.10'"]  # fmt: skip
    assert requirements._requirements([NEEDED], "armv7l")[1:] == [f"{NEEDED}<9"]
    (line,) = requirements._requirements(["litert"], "aarch64")
    assert line.startswith("litert<2.2 ;")
    assert requirements._requirements(["litert"], "armv7l") == []


def test_wheels_for_a_device_are_tagged_by_its_libc() -> None:
    old = Device("3.11.2", "/usr/bin/python3", "aarch64", ["glibc", "2.27"])
    assert requirements._platforms(old)[:2] == ["manylinux_2_27_aarch64", "manylinux_2_26_aarch64"]
    assert requirements._platforms(old)[-1] == "manylinux2014_aarch64"
    musl = Device("3.12.1", "/usr/bin/python3", "x86_64", ["", ""])
    assert requirements._platforms(musl) == ["musllinux_1_2_x86_64"]


def test_edgeseg_travels_without_what_no_bench_reads(tmp_path: Path) -> None:
    path = tmp_path / "edgeseg.zip"
    for _ in range(2):
        with path.open("wb") as file:
            wheel.write_wheel(file)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} > {"edgeseg", "device_bench"}
    assert "edgeseg/presets/nano.bundle" in names
    assert "device_bench/worker.py" in names
    assert any(name.endswith(".dist-info/METADATA") for name in names)
    assert not [name for name in names if name.endswith((".pyc", ".safetensors"))]
