"""Checks of what a phone's photo costs before and between the networks."""

from __future__ import annotations

import csv
import statistics
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg import imaging, limits
from edgeseg.catalogue import Catalogue, Item
from edgeseg.embedder import Embedder
from edgeseg.files import read_bounded
from edgeseg.imaging import Photo
from edgeseg.interpreter import Interpreter
from edgeseg.matcher import Matcher
from edgeseg.postprocess import cutout_on_white
from tests.verify.figure import Check, Figure, NotMeasuredError
from tests.verify.quality import SNAPSHOTS
from tests.verify.workbench import Workbench

NAMES = ("preprocessing",)

WIDTH_PX, HEIGHT_PX = 4000, 3000
_PHOTOS = 4
_ROUNDS = 15
_JPEG_QUALITY = 92
# A sensor's grain after a phone's denoising: in a photo of 12 megapixels it makes 3 to 4 MB.
_GRAIN = {1: 4.0, 2: 4.0, 4: 4.0, 8: 3.0}
_SEED = 29


def checks(bench: Workbench) -> list[Check]:
    """All of them, bound to a workbench."""
    return [
        Check(
            "preprocessing",
            (
                Figure("the default segmenter's invocation, one thread, p50 ms", "told"),
                Figure("12 MP JPEGs of a phone, MB on average", "told", form="{:.2f}"),
                Figure(
                    "12 MP JPEG to white cutout without the networks, over the default "
                    "segmenter's invocation",
                    "<",
                    1.0,
                    "{:.2f}x",
                ),
                Figure(
                    "the JPEG decoder alone, at an eighth of the size, over the same",
                    "told",
                    form="{:.2f}x",
                ),
                Figure("all that is not the JPEG decoder, over the same", "<", 1.0, form="{:.2f}x"),
                Figure(
                    "progressive 12 MP JPEG to white cutout, over the same", "told", form="{:.2f}x"
                ),
                Figure(
                    "decoded, resized and laid on white whole, as OpenCV's users do, over ours",
                    "told",
                    form="{:.1f}x",
                ),
                Figure(
                    "edgeseg segment's cutout of all 12 MP without the network, of theirs",
                    "told",
                    form="{:.2f}x",
                ),
            ),
            partial(_costs, bench),
        )
    ]


def _costs(bench: Workbench) -> Sequence[float]:
    baseline, progressive = phone_photos(bench)
    bundle = bench.open_bundle()
    embedder = Embedder(bundle)
    # No search is timed: the catalogue is there for a matcher to be opened on.
    drawn = np.eye(2, embedder.dim, dtype=np.float32)
    catalogue = Catalogue.from_embeddings([Item("a", {}), Item("b", {})], drawn, embedder.digest)
    matcher = Matcher(catalogue, bundle)
    times = measured(matcher, baseline, progressive, _ROUNDS)
    invocation = times["segmenter"]
    return [
        invocation,
        statistics.mean(path.stat().st_size for path in baseline) / 1e6,
        times["match"] / invocation,
        times["decoder"] / invocation,
        (times["match"] - times["decoder"]) / invocation,
        times["progressive match"] / invocation,
        times["naive"] / times["match"],
        times["whole"] / times["naive"],
    ]


def measured(
    matcher: Matcher, baseline: Sequence[Path], progressive: Sequence[Path], rounds: int
) -> dict[str, float]:
    """Medians in milliseconds, everything in turn on every photo, on one thread.

    ``match`` is all of ``Matcher.query`` (file, decoding, mask, cutout, the embedder's input and
    colours) without the time within the two networks' invocations; ``progressive match`` the same
    of the same photos coded so. ``decoder`` is OpenCV at an eighth of the size on bytes in memory,
    the least that decodes such a file. ``whole`` is a cutout of every pixel, as ``edgeseg segment``
    makes it, without the invocation; ``naive`` the same with OpenCV's functions one after another.

    Args:
        matcher: with its networks on one thread.
        baseline: JPEG files.
        progressive: The same photos as progressive JPEG files.
        rounds: How often each is timed on each photo, after one round that is not.
    """
    segmenter = matcher.segmenter
    spent_ms: dict[str, list[float]] = {}

    def note(what: str, elapsed_ms: float) -> None:
        spent_ms.setdefault(what, []).append(elapsed_ms)

    def whole(path: Path) -> Photo:
        photo = imaging.read_photo(path)
        return cutout_on_white(photo, segmenter.segment(photo))

    with (
        one_opencv_thread(),
        timed_invocations(segmenter.interpreter) as segmenting,
        timed_invocations(matcher.embedder.interpreter) as embedding,
    ):

        def without_networks(run: Callable[[], object]) -> float:
            segmenting.clear()
            embedding.clear()
            elapsed_ms = _elapsed_ms(run)
            return elapsed_ms - sum(segmenting) - sum(embedding)

        for number in range(rounds + 1):
            for path, other in zip(baseline, progressive, strict=True):
                data = read_bounded(path, limits.MAX_PHOTO_BYTES, "photo")
                confidence = segmenter.network_confidence(matcher.read(path))
                warm = {
                    "match": without_networks(partial(matcher.query, path)),
                    "segmenter": sum(segmenting),
                    "decoder": _elapsed_ms(partial(_decoded_at_an_eighth, data)),
                    "progressive match": without_networks(partial(matcher.query, other)),
                    "whole": without_networks(partial(whole, path)),
                    "naive": _elapsed_ms(partial(_naive_cutout, path, confidence)),
                }
                if number:
                    for what, elapsed_ms in warm.items():
                        note(what, elapsed_ms)
    return {what: statistics.median(values) for what, values in spent_ms.items()}


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV from sharing work out, as the interpreter is kept."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def timed_invocations(interpreter: Interpreter) -> Iterator[list[float]]:
    """Note the milliseconds of each invocation of a network, wherever it is called from."""
    taken_ms: list[float] = []
    invoke = interpreter.invoke
    interpreter.invoke = lambda: taken_ms.append(_elapsed_ms(invoke))  # type: ignore[method-assign]
    try:
        yield taken_ms
    finally:
        del interpreter.invoke


def _elapsed_ms(run: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    run()
    return (time.perf_counter() - start_s) * 1000.0


def _decoded_at_an_eighth(data: bytes) -> object:
    flags = cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _naive_cutout(path: Path, confidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What a page about OpenCV would have one write; the network's answer is given."""
    photo = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    side = confidence.shape[0]
    resized = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
    (resized.astype(np.float32) / 255.0)[None]
    height, width = photo.shape[:2]
    mask = cv2.resize(confidence, (width, height)) >= 0.5
    on_white = np.where(mask[:, :, None], photo, np.uint8(255))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return on_white[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()


def phone_photos(bench: Workbench) -> tuple[list[Path], list[Path]]:
    """Make JPEG files as a phone's, baseline and progressive, from validation snapshots.

    Every other one is held upright: stored lying, with EXIF orientation 6.

    Raises:
        NotMeasuredError: There are no snapshots.
    """
    (table,) = bench.need(SNAPSHOTS)
    with table.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == "val"][:_PHOTOS]
    if not rows:
        raise NotMeasuredError(f"{table} holds no validation photograph")
    made: tuple[list[Path], list[Path]] = ([], [])
    for number, row in enumerate(rows):
        snapshot = imaging.read_photo(table.parent / row["image"])
        stored = enlarged(snapshot, upright=number % 2 == 1)
        for progressive, paths in enumerate(made):
            path = bench.work / f"phone-{number}-{'progressive' if progressive else 'baseline'}.jpg"
            path.write_bytes(phone_jpeg(stored, 6 if number % 2 else 1, bool(progressive)))
            paths.append(path)
    return made


def enlarged(photo: Photo, *, upright: bool) -> Photo:
    """Give a photo a phone's 12 megapixels and a sensor's grain, as the sensor lies.

    Args:
        photo: `(H, W, 3)` uint8 RGB; its middle is taken.
        upright: Held upright: what is given is turned by a quarter, as orientation 6 says.

    Returns:
        `(HEIGHT_PX, WIDTH_PX, 3)` uint8 RGB.
    """
    turned = np.ascontiguousarray(np.rot90(photo)) if upright else photo
    rows, columns = turned.shape[:2]
    height, width = min(rows, columns * 3 // 4), min(columns, rows * 4 // 3)
    top, left = (rows - height) // 2, (columns - width) // 2
    middle = turned[top : top + height, left : left + width]
    large = cv2.resize(middle, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(_SEED)
    detail = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    for scale, strength in _GRAIN.items():
        grain = rng.standard_normal((HEIGHT_PX // scale, WIDTH_PX // scale), dtype=np.float32)
        detail += np.float32(strength) * cv2.resize(grain, (WIDTH_PX, HEIGHT_PX))
    return np.asarray(np.clip(large + detail[:, :, None], 0.0, 255.0), dtype=np.uint8)


def phone_jpeg(stored: Photo, orientation: int, progressive: bool = False) -> bytes:
    """Encode a photo with the EXIF block that tells how the phone was held."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    options += [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(stored, cv2.COLOR_RGB2BGR), options)
    entry = struct.pack("<HHIHH", 274, 3, 1, orientation, 0)
    tiff = b"II*\x00" + struct.pack("<IH", 8, 1) + entry + b"\x00" * 4
    exif = b"Exif\x00\x00" + tiff
    data = encoded.tobytes()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
