"""The edgeseg of the desk, as one archive to unpack onto a device's ``PYTHONPATH``.

What is measured is the code that the desk has, whatever the device has installed. Its packages are
pure Python, so a build tool would add nothing: a wheel is these same files with the same metadata.
Left out is what no bench reads: the converters, and the checkpoints that only training starts from.
"""

from __future__ import annotations

import importlib.metadata
import os
import zipfile
from pathlib import Path
from typing import IO

import device_bench
import edgeseg

_PACKAGES = (edgeseg, device_bench)
_LEFT_OUT_SUFFIXES = frozenset({".pyc", ".safetensors"})
_LEFT_OUT_FOLDERS = frozenset({"__pycache__"})
# The least that a zip file can state: the archive depends on its content alone.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_wheel(target: IO[bytes]) -> None:
    """Write the archive: the two packages, and edgeseg's metadata."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for package in _PACKAGES:
            root = Path(str(package.__file__)).parent
            for file in _files(root):
                name = Path(package.__name__) / file.relative_to(root)
                archive.writestr(_entry(name.as_posix()), file.read_bytes())
        info = f"edgeseg-{edgeseg.__version__}.dist-info/METADATA"
        archive.writestr(_entry(info), metadata())


def metadata() -> str:
    """The installed edgeseg's metadata; the least that makes some where it is not installed."""
    try:
        text = importlib.metadata.distribution("edgeseg").read_text("METADATA")
    except importlib.metadata.PackageNotFoundError:
        text = None
    return text or f"Metadata-Version: 2.1\nName: edgeseg\nVersion: {edgeseg.__version__}\n"


def _files(root: Path) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _LEFT_OUT_FOLDERS]
        found += [Path(folder, name) for name in names]
    return sorted(path for path in found if path.suffix not in _LEFT_OUT_SUFFIXES)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
