"""Which photo is written where: the file-name rules of ``edgeseg segment``."""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from edgeseg.errors import EdgesegError, PhotoError

# Files of other kinds in a folder (notes, CSVs, thumbnails databases) are passed over in silence;
# a file that has one of these suffixes and is no photo is told as a failure.
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
_JPEG_SUFFIXES = frozenset({".jpg", ".jpeg"})


@dataclass(frozen=True)
class Job:
    """One photo to read and the picture file to write.

    Attributes:
        source: the photo.
        target: the picture; its suffix decides between PNG and JPEG.
        make_folder: create the target's folder first (folder runs keep their structure).
    """

    source: Path
    target: Path
    make_folder: bool = False

    def write(self, picture: Any) -> None:
        """Encode and write a picture, atomically.

        Args:
            picture: `(H, W)`, `(H, W, 3)` RGB or `(H, W, 4)` RGBA, uint8.

        Raises:
            EdgesegError: it cannot be written.
        """
        from edgeseg.files import write_atomic
        from edgeseg.imaging import encode_jpeg, encode_png

        if self.make_folder:
            try:
                self.target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise EdgesegError(
                    f"cannot make the folder {self.target.parent}: {error.strerror}"
                ) from error
        jpeg = self.target.suffix.lower() in _JPEG_SUFFIXES
        write_atomic(self.target, encode_jpeg(picture) if jpeg else encode_png(picture))


def plan_photo(source: Path, output: str | None, kind: str, *, jpeg_allowed: bool) -> Job:
    """Where the picture of a single photo goes.

    Args:
        source: the photo.
        output: what `-o` says: a .png or .jpg file, an existing folder or a name that ends in a
            slash, or None for `<stem>.<kind>.png` beside the photo.
        kind: "white", "cutout" or "mask", for default names.
        jpeg_allowed: JPEG has no transparency and blurs a mask's edge.

    Raises:
        EdgesegError: the target is the source itself.
        typer.BadParameter: the output's suffix cannot hold this picture.
    """
    if output == "-":
        raise typer.BadParameter(
            "-o - (stdout) goes with - (stdin); use `edgeseg segment - < PHOTO`"
        )
    default_name = f"{source.stem}.{kind}.png"
    make_folder = False
    if output is None:
        target = source.with_name(default_name)
    elif output.endswith(os.sep) or Path(output).is_dir():
        target = Path(output) / default_name
        make_folder = True
    else:
        target = Path(output)
        suffix = target.suffix.lower()
        if suffix != ".png" and suffix not in _JPEG_SUFFIXES:
            raise typer.BadParameter(f"-o {output}: end it in .png or .jpg, or name a folder")
        if suffix != ".png" and not jpeg_allowed:
            raise typer.BadParameter(f"-o {output}: a {kind} needs .png")
    if _same_file(source, target):
        raise EdgesegError(f"{target} is the photo itself; give -o another name to keep it")
    return Job(source, target, make_folder)


def plan_folder(folder: Path, output: str | None, kind: str) -> list[Job]:
    """A job for each photo below a folder, its structure kept, in a fixed order.

    Hidden files and folders are passed over, links to folders are not followed, and the output
    folder itself is left out where it lies inside.

    Args:
        folder: where the photos are.
        output: the folder to write; None for `<folder>-<kind>` beside it.
        kind: "white", "cutout" or "mask".

    Raises:
        EdgesegError: no photo in there, or the output is the source folder or a file.
    """
    if output == "-":
        raise typer.BadParameter("a folder's pictures cannot all go to stdout; give -o a folder")
    resolved = folder.resolve()
    target = Path(output) if output is not None else resolved.with_name(f"{resolved.name}-{kind}")
    if target.exists() and not target.is_dir():
        raise EdgesegError(f"{target} is a file; give -o a folder")
    if target.resolve() == resolved:
        raise EdgesegError(f"{target} holds the photos themselves; give -o another folder")
    photos = _photos_below(folder, target.resolve())
    if not photos:
        raise EdgesegError(f"no photos ({', '.join(sorted(PHOTO_SUFFIXES))}) below {folder}")
    stems = Counter(photo.with_suffix("") for photo in photos)
    jobs = []
    for photo in photos:
        # a.jpg and a.png side by side would both become a.png.
        name = f"{photo.name}.png" if stems[photo.with_suffix("")] > 1 else f"{photo.stem}.png"
        place = target / photo.relative_to(folder).parent / name
        jobs.append(Job(photo, place, make_folder=True))
    sources = {photo.resolve() for photo in photos}
    for job in jobs:
        if job.target.resolve() in sources:
            raise EdgesegError(f"{job.target} is one of the photos; give -o another folder")
    return jobs


def _photos_below(folder: Path, excluded: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise EdgesegError(f"cannot read the folder {error.filename}: {error.strerror}") from error

    photos = []
    for parent, folders, files in os.walk(folder, onerror=fail):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (Path(parent) / name).resolve() != excluded
        )
        photos += [
            Path(parent) / name
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in PHOTO_SUFFIXES
        ]
    return photos


def _same_file(source: Path, target: Path) -> bool:
    try:
        return source.samefile(target)
    except OSError:
        return False


def read_stdin() -> bytes:
    """The bytes on stdin, at most one photo's worth.

    Raises:
        PhotoError: there are none, or too many.
    """
    from edgeseg.limits import MAX_PHOTO_BYTES

    data = sys.stdin.buffer.read(MAX_PHOTO_BYTES + 1)
    if not data:
        raise PhotoError("nothing came on stdin; use `edgeseg segment - < PHOTO`")
    if len(data) > MAX_PHOTO_BYTES:
        raise PhotoError(f"more than {MAX_PHOTO_BYTES >> 20} MiB came on stdin")
    return data
