"""What the wheel carries: trained bundles in three sizes, and the checkpoints they were made of."""

from __future__ import annotations

import os
from pathlib import Path

from edgeseg.errors import EdgesegError
from edgeseg.formats.bundle import Bundle

BundleSource = Bundle | str | os.PathLike[str] | None

# From the fastest to the most exact.
PRESETS = ("nano", "small", "base")
DEFAULT_PRESET = "small"


def preset_path(name: str = DEFAULT_PRESET) -> Path:
    """Path of a preset's bundle."""
    return Path(__file__).with_name(f"{name}.bundle")


def checkpoint_path(name: str = DEFAULT_PRESET) -> Path:
    """Path of the float network of a preset's segmenter, or of the ``embedder`` of them all."""
    return Path(__file__).with_name(f"{name}.safetensors")


def bundle_path(source: str | os.PathLike[str] | None) -> Path:
    """Path of a bundle that is named by its path or as a preset; None is the default preset.

    A file comes before a preset of the same name.
    """
    if source is None:
        return preset_path()
    path = Path(source)
    return preset_path(str(source)) if str(source) in PRESETS and not path.exists() else path


def preset_of(source: str | os.PathLike[str] | None) -> str | None:
    """The preset that a bundle named so is; None for a bundle of somebody's own."""
    path = bundle_path(source)
    of_edgeseg = path.absolute().parent == Path(__file__).absolute().parent
    return path.stem if of_edgeseg and path.stem in PRESETS else None


def open_bundle(source: BundleSource) -> Bundle:
    """Give a bundle: the one passed, the one at a path, a preset by its name, or the default.

    Raises:
        FormatError: If the file is damaged or no bundle.
        EdgesegError: If it can't be read.
    """
    if isinstance(source, Bundle):
        return source
    path = bundle_path(source)
    if path.parent == Path(__file__).parent and not path.is_file():
        raise EdgesegError(
            f"this installation has no bundle {path.name} ({path}): name one, or reinstall edgeseg"
        )
    return Bundle.open(path)
