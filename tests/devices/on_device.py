"""What runs on the device: the wheel and its dependencies are all that it needs beside this file.

``python on_device.py build JOB OUT`` makes a catalogue of a job's pictures; ``python on_device.py
match JOB OUT`` matches a job's photos. Both leave what they got in OUT, to be compared elsewhere.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.metadata
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.catalogue import Catalogue, Item
from edgeseg.embedder import Embedder
from edgeseg.errors import NoGarmentError
from edgeseg.imaging import read_photo
from edgeseg.indexing import build_catalogue
from edgeseg.matcher import Matcher
from edgeseg.runtime import runtime_name
from edgeseg.segmenter import Segmenter

# Above `nearest.EXACT_SEARCH_MAX_ITEMS`, so that hnswlib's graph is built and walked too.
ITEMS = 4_000
# A neighbour's length beside the embedding's own: about as far as one item is from the next.
_NEIGHBOUR_NOISE = 0.6
_SEED = 3
K = 10


def build(job: Path, out: Path, first: int | None) -> dict[str, Any]:
    """Describe the pictures, add made-up neighbours, write the catalogue."""
    with (job / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = [(Item(row["sku"], {}), job / row["image"]) for row in csv.DictReader(file)]
    rows = rows[:first]
    embedder = Embedder()
    made, unreadable = build_catalogue(rows, embedder, Segmenter())
    own = made.data.codes.decoded()
    rng = np.random.default_rng(_SEED)
    chosen = own[rng.integers(0, len(own), ITEMS - len(own))]
    noise = rng.standard_normal(chosen.shape, dtype=np.float32) / np.sqrt(own.shape[1])
    others = chosen + np.float32(_NEIGHBOUR_NOISE) * noise.astype(np.float32)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    items = [*made.items, *(Item(f"N{number:05d}", {}) for number in range(len(others)))]
    whole = Catalogue.from_embeddings(items, np.concatenate([own, others]), embedder.digest)
    whole.save(out / "shop.catalogue")
    np.savez(out / "built.npz", own=own, codes=whole.data.codes.decoded())
    return {"items": len(whole), "unreadable": unreadable, "search": whole.info()["search"]}


def match(job: Path, out: Path, first: int | None, catalogue: Path) -> dict[str, Any]:
    """Match each photo, and run both networks on an input that nothing has to prepare."""
    matcher = Matcher(Catalogue.open(catalogue))
    arrays: dict[str, NDArray[Any]] = {}
    photos = []
    for path in sorted((job / "photos").iterdir())[:first]:
        try:
            query = matcher.query(path)
        except NoGarmentError:
            # The photo whole, and the mask that was found to be too small.
            query = matcher.query(path, segment=False)
        found = matcher.catalogue.search(query.embedding, K)
        confidence = matcher.segmenter.network_confidence(
            read_photo(path, enough_px=matcher.enough_px)
        )
        whole = np.ones((1, 1), dtype=np.bool_)
        mask = whole if query.segmentation is None else query.segmentation.category_mask
        arrays[f"embedding/{path.name}"] = query.embedding
        arrays[f"mask/{path.name}"] = np.asarray(mask, dtype=np.bool_)
        photos.append(
            {
                "name": path.name,
                "skus": [each.sku for each in found],
                "distances": [each.distance for each in found],
                "confidence_sha256": _sha256(confidence),
            }
        )
    np.savez_compressed(out / "arrays.npz", **arrays)  # type: ignore[arg-type]
    networks = {}
    for name, network in (("segmenter", matcher.segmenter), ("embedder", matcher.embedder)):
        networks[name] = _sha256(network.interpreter.run(_fixed_input(network.interpreter)))
    return {"photos": photos, "networks": networks}


def _fixed_input(interpreter: Any) -> NDArray[np.float32]:
    """The same numbers wherever it is made: steps of 1/128 in [-1, 1), of smooth stripes."""
    shape = interpreter.input_shape
    place = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
    rows = np.arange(shape[1], dtype=np.int64).reshape(1, -1, 1, 1)
    steps = (place // 7 + rows * rows // 5) % 256
    return (steps - 128).astype(np.float32) / np.float32(128)


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def environment() -> dict[str, str]:
    """What it ran on and with."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    versions["runtime"] = runtime_name()
    for name in ("edgeseg", "numpy", "opencv-python-headless", "hnswlib"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            # Debian's own OpenCV is no distribution.
            module = {"opencv-python-headless": "cv2"}.get(name, name)
            versions[name] = str(getattr(__import__(module), "__version__", "unknown"))
    return versions


def peak_bytes() -> int:
    """The most memory that this process held (under qemu: the emulator's)."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in told.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Do one of the two, and leave ``outcome.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("build", "match"))
    parser.add_argument("job", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--catalogue", type=Path, help="default: the job's own")
    parser.add_argument("--first", type=int, help="so many photos or pictures only")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.action == "build":
        outcome = build(given.job, given.out, given.first)
    else:
        outcome = match(
            given.job, given.out, given.first, given.catalogue or given.job / "shop.catalogue"
        )
    outcome |= {"environment": environment(), "peak_bytes": peak_bytes()}
    (given.out / f"{given.action}.json").write_text(json.dumps(outcome, indent=1))
    sys.stdout.write(f"{json.dumps(outcome['environment'])}\n")


if __name__ == "__main__":
    main()
