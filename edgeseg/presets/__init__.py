"""What the wheel carries: the trained default bundle and the checkpoints it was made of."""

from __future__ import annotations

import os
from pathlib import Path

from edgeseg.errors import EdgesegError
from edgeseg.formats.bundle import Bundle

BundleSource = Bundle | str | os.PathLike[str] | None


def default_bundle_path() -> Path:
    """Path of the bundle that is used when none is named."""
    return Path(__file__).with_name("default.bundle")


def open_bundle(source: BundleSource) -> Bundle:
    """Give a bundle: the one passed, the one at a path, or for None the default.

    Raises:
        FormatError: If the file is damaged or no bundle.
        EdgesegError: If it can't be read.
    """
    if isinstance(source, Bundle):
        return source
    if source is not None:
        return Bundle.open(source)
    path = default_bundle_path()
    if not path.is_file():
        raise EdgesegError(
            f"this installation has no default bundle ({path}): name one, or reinstall edgeseg"
        )
    return Bundle.open(path)
