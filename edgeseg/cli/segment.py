"""``edgeseg segment``: photos in, pictures without background out."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import (
    BundleOption,
    FlipOption,
    JsonOption,
    RefineChoice,
    RefineOption,
    ThreadsOption,
    segmenter_options,
)
from edgeseg.cli.pictures import plan_folder, plan_photo, read_stdin

if TYPE_CHECKING:
    from edgeseg.imaging import Photo
    from edgeseg.segmenter import Segmentation, Segmenter, SegmenterOptions

_HELP = """Cut the garment out of a photo, or of every photo in a folder.

By default the garment is put on white and cropped. Folders keep their structure, and `-` reads a
photo from stdin. A source photo is never replaced.

--refine moves the mask's edge, which the network sees on a coarse grid, onto the photo's own:
`guided` is a guided filter, a few milliseconds; `grabcut` lets colour decide where the network is
unsure, tens of milliseconds, better where garment and background differ in colour. --matte makes
the edge of the crop soft and takes the background's colour out of it.

Examples:

\b
  edgeseg segment jacket.jpg                        writes jacket.white.png beside it
  edgeseg segment jacket.jpg -o out.png --cutout    transparent background
  edgeseg segment jacket.jpg --cutout --refine guided --matte
  edgeseg segment photos/ -o masks/ --mask          every photo below photos/
  edgeseg segment jacket.jpg -o j.jpg --background "#f0e0d0"
  cat jacket.jpg | edgeseg segment - > jacket.png
"""


@dataclass(frozen=True)
class Look:
    """How a segmentation becomes a picture.

    Attributes:
        kind: "white" (crop on a colour), "cutout" (crop, transparent) or "mask" (0/255).
        colour: RGB behind a "white" crop.
        matte: soft alpha about the edge of a crop.
        allow_empty: without a garment, use the whole photo (or an empty mask) instead of failing.
    """

    kind: str
    colour: tuple[int, int, int]
    matte: bool
    allow_empty: bool

    def apply(self, photo: Photo, segmentation: Segmentation, name: str) -> Any:
        """The picture: `(h, w, 3)` RGB, `(h, w, 4)` RGBA or `(H, W)` mask, uint8.

        Raises:
            NoGarmentError: nothing was found, and `allow_empty` is not set.
        """
        from edgeseg.errors import NoGarmentError
        from edgeseg.imaging import over_colour
        from edgeseg.postprocess import cutout_on_white, cutout_rgba

        if not segmentation.found:
            if not self.allow_empty:
                raise NoGarmentError(
                    f"no garment found in {name}; --allow-empty keeps the whole photo instead"
                )
            return segmentation.category_mask * 255 if self.kind == "mask" else photo
        if self.kind == "mask":
            return segmentation.category_mask * 255
        if self.kind == "white" and not self.matte and self.colour == (255, 255, 255):
            return cutout_on_white(photo, segmentation)
        rgba = cutout_rgba(photo, segmentation, matte=self.matte)
        return rgba if self.kind == "cutout" else over_colour(rgba, self.colour)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("segment", help=_HELP, no_args_is_help=True)(segment)


def segment(
    photo: Annotated[str, typer.Argument(help="A photo, a folder of photos, or - for stdin.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="A .png or .jpg file, a folder, or - for stdout. Default: beside the source.",
        ),
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Write the mask: 255 garment, 0 not.")
    ] = False,
    cutout: Annotated[
        bool, typer.Option("--cutout", help="Write the crop with a transparent background.")
    ] = False,
    white: Annotated[
        bool, typer.Option("--white", help="Write the crop on white (the default).")
    ] = False,
    background: Annotated[
        str | None,
        typer.Option(metavar="COLOUR", help="Another colour than white: #rrggbb or a name."),
    ] = None,
    matte: Annotated[
        bool, typer.Option("--matte", help="Make the crop's edge soft, in alpha and in colour.")
    ] = False,
    refine: RefineOption = RefineChoice.none,
    flip: FlipOption = False,
    allow_empty: Annotated[
        bool,
        typer.Option("--allow-empty", help="Where no garment is found, write the uncropped photo."),
    ] = False,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Segment one photo, a folder, or stdin; see ``_HELP``."""
    look = _look(mask, cutout, white, background, matte, allow_empty)
    used = {"refine": refine.value, "flip": flip, "matte": matte}
    console.settings.quiet = as_json
    jpeg_allowed = look.kind == "white"
    if photo == "-":
        _segment_stdin(
            output, look, bundle, threads, segmenter_options(refine, flip), used, as_json
        )
        return
    source = Path(photo)
    if source.is_dir():
        jobs = plan_folder(source, output, look.kind)
    else:
        jobs = [plan_photo(source, output, look.kind, jpeg_allowed=jpeg_allowed)]

    from edgeseg.errors import EdgesegError
    from edgeseg.segmenter import Segmenter

    segmenter = Segmenter(bundle, threads, segmenter_options(refine, flip))
    entries: list[dict[str, Any]] = []
    failures: list[str] = []
    for job in console.progress(jobs, len(jobs), "segmenting"):
        try:
            picture, entry = _segment_one(segmenter, job.source, str(job.source), look)
            job.write(picture)
        except EdgesegError as error:
            # One bad photo in a folder must not keep the others from being done.
            failures.append(str(error))
            entries.append({"photo": str(job.source), "output": None, "error": str(error)})
            continue
        entries.append({"photo": str(job.source), "output": str(job.target), **entry})
        if not as_json and len(jobs) == 1:
            console.print_line(str(job.target))
    if as_json:
        console.print_json({"photos": entries, "failed": len(failures), **used})
    elif len(jobs) > 1:
        console.print_line(f"{len(jobs) - len(failures)} of {len(jobs)} photos segmented")
    for failure in failures:
        console.print_error(failure)
    if failures:
        raise typer.Exit(console.EXIT_FAILURE)


def _look(
    mask: bool, cutout: bool, white: bool, background: str | None, matte: bool, allow_empty: bool
) -> Look:
    if mask + cutout + white > 1:
        raise typer.BadParameter("choose one of --mask, --cutout and --white")
    if background is not None and (mask or cutout):
        raise typer.BadParameter(
            "--background colours a crop; it does not go with --mask or --cutout"
        )
    if matte and mask:
        raise typer.BadParameter("--matte softens a crop; it does not go with --mask")
    colour = (255, 255, 255)
    if background is not None:
        from edgeseg.colours import parse_colour

        try:
            colour = parse_colour(background)
        except ValueError as error:
            raise typer.BadParameter(f"--background: {error}") from error
    return Look("mask" if mask else "cutout" if cutout else "white", colour, matte, allow_empty)


def _segment_one(
    segmenter: Segmenter, source: Path | bytes, name: str, look: Look
) -> tuple[Any, dict[str, Any]]:
    from edgeseg.imaging import read_photo

    start_s = time.perf_counter()
    photo = read_photo(source, name)
    segmentation = segmenter.segment(photo)
    picture = look.apply(photo, segmentation, name)
    box = segmentation.box
    return picture, {
        "found": segmentation.found,
        "box": None if box is None else [box.left, box.top, box.right, box.bottom],
        "garment_fraction": float(segmentation.category_mask.mean()),
        "elapsed_ms": round((time.perf_counter() - start_s) * 1000.0, 2),
    }


def _segment_stdin(
    output: str | None,
    look: Look,
    bundle: Path | None,
    threads: int,
    options: SegmenterOptions,
    used: dict[str, Any],
    as_json: bool,
) -> None:
    from edgeseg.segmenter import Segmenter

    to_stdout = output in (None, "-")
    if to_stdout and as_json:
        raise typer.BadParameter("the picture goes to stdout; --json needs -o FILE")
    if to_stdout and sys.stdout.isatty():
        raise typer.BadParameter("stdout is a terminal; add -o FILE or redirect it")
    job = None
    if not to_stdout:
        job = plan_photo(Path("stdin"), output, look.kind, jpeg_allowed=look.kind == "white")
    picture, entry = _segment_one(
        Segmenter(bundle, threads, options), read_stdin(), "the photo on stdin", look
    )
    if job is None:
        from edgeseg.imaging import encode_png

        sys.stdout.buffer.write(encode_png(picture))
        sys.stdout.buffer.flush()
        return
    job.write(picture)
    if as_json:
        console.print_json(
            {"photos": [{"photo": "-", "output": str(job.target), **entry}], "failed": 0, **used}
        )
    else:
        console.print_line(str(job.target))
