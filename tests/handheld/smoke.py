"""The wheel alone, as on a handheld: run by ``make smoke`` with a clean environment's Python.

Plain Python without pytest, since nothing but the wheel and its own dependencies may be installed.
It draws a few garments, then goes the way of a user: every command's help, ``segment``, ``index
build``, ``match`` and ``bench``. Ends with exit code 0, or with the first thing that is wrong.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

FORBIDDEN = (
    "tensorflow", "keras", "tf_keras", "torch", "jax", "safetensors", "matplotlib", "pytest",
)  # fmt: skip
COMMANDS = (
    "", "segment", "match", "index", "index build", "index info", "index duplicates", "eval",
    "eval segmentation", "eval classes", "eval retrieval", "train", "train segmenter",
    "train classes", "train embedder", "convert", "search", "bench", "doctor", "keys", "keys init",
    "keys rotate", "publish", "sync", "sync now", "sync status", "roll-back", "fleet",
)  # fmt: skip
# A command's help against that of the least program that typer makes, in the same run.
MAX_HELP_RATIO = 3.0
LEAST_RUNS = 5
LEAST_PROGRAM = "import typer; app = typer.Typer(); app.command()(lambda: None); app()"
MAX_MATCH_BYTES = 250 * 1000 * 1000
EDGESEG = Path(sys.executable).with_name("edgeseg")
# Drawn garments are flat shapes; the colours keep them far apart from each other and the ground.
COLOURS = {"navy-shirt": (30, 40, 120), "red-shirt": (190, 30, 40), "green-shirt": (20, 130, 60)}


def run(*arguments: str, expect: int = 0, tell: str = "") -> str:
    """Run the installed command; its stdout, after checking its exit code and stderr."""
    done = subprocess.run([EDGESEG, *arguments], capture_output=True, timeout=300, check=False)
    told = done.stderr.decode(errors="replace")
    shown = " ".join(arguments)
    assert done.returncode == expect, f"edgeseg {shown}: exit {done.returncode}, {told}"
    assert "Traceback" not in told, f"edgeseg {shown}: {told}"
    assert tell in told, f"edgeseg {shown} does not mention {tell}: {told}"
    return done.stdout.decode(errors="replace")


def check_environment() -> None:
    """No framework is installed, and none of the imports brings one in by another way."""
    present = [name for name in FORBIDDEN if importlib.util.find_spec(name) is not None]
    assert not present, f"the handheld environment has {present}"


def check_help() -> None:
    """Each command explains itself, at once and with examples."""
    took_s = []
    for command in COMMANDS:
        text, command_s = with_cpu_s(lambda: run(*command.split(), "--help"))  # noqa: B023
        took_s.append(command_s)
        assert "Usage: edgeseg" in text, f"edgeseg {command} --help says {text[:80]!r}"
    least = [sys.executable, "-c", LEAST_PROGRAM, "--help"]
    runs_s = [
        with_cpu_s(lambda: subprocess.run(least, capture_output=True, check=True))[1]
        for _ in range(LEAST_RUNS)
    ]
    ratio = statistics.median(took_s) / statistics.median(runs_s)
    print(f"help of {len(COMMANDS)} commands: {ratio:.2f}x the least program's processor time")
    assert ratio < MAX_HELP_RATIO, f"--help takes {ratio:.2f}x the least program's time"


def with_cpu_s(call: Callable[[], T]) -> tuple[T, float]:
    """What a call gives, and the processor seconds of the processes that it ran.

    The wall clock of a machine that is busy with other work says nothing.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = call()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def draw(colour: tuple[int, int, int], *, background: str) -> Any:
    """A shirt's outline, `(360, 300, 3)` uint8 RGB, on white or on a wooden-looking floor."""
    import cv2
    import numpy as np

    picture = np.full((360, 300, 3), 255, dtype=np.uint8)
    if background == "floor":
        noise = np.random.default_rng(7).integers(-12, 13, (360, 300, 1))
        stripes = 10 * np.sin(np.arange(360) / 9.0)[:, None, None]
        picture = np.clip(np.array([170, 140, 105]) + noise + stripes, 0, 255).astype(np.uint8)
    outline = np.array(
        [(105, 60), (195, 60), (255, 110), (230, 155), (205, 140), (205, 310), (95, 310),
         (95, 140), (70, 155), (45, 110)]
    )  # fmt: skip
    cv2.fillPoly(picture, [outline], colour)
    cv2.ellipse(picture, (150, 60), (22, 12), 0, 0, 360, tuple(int(c * 0.6) for c in colour), -1)
    return picture


def draw_pictures(folder: Path) -> None:
    """A catalogue's pictures with their CSV, and a folder of snapshots."""
    from edgeseg.imaging import encode_jpeg, encode_png

    (folder / "studio").mkdir()
    (folder / "snapshots" / "monday").mkdir(parents=True)
    rows = ["sku,image,colour"]
    for sku, colour in COLOURS.items():
        picture = draw(colour, background="white")
        (folder / "studio" / f"{sku}.png").write_bytes(encode_png(picture))
        rows.append(f"{sku},studio/{sku}.png,{sku.partition('-')[0]}")
        snapshot = folder / "snapshots" / "monday" / f"{sku}.jpg"
        snapshot.write_bytes(encode_jpeg(draw(colour, background="floor")))
    (folder / "items.csv").write_text("\n".join(rows) + "\n")


def check_segment(folder: Path) -> None:
    """A file, a folder with its structure, and a pipe; and one line for what is no photo."""
    from edgeseg.imaging import read_photo

    snapshots = folder / "snapshots"
    photo = snapshots / "monday" / "red-shirt.jpg"
    run("segment", str(photo), "-o", str(folder / "red.png"), "--cutout", "--allow-empty")
    run("segment", str(snapshots), "-o", str(folder / "masks"), "--mask", "--allow-empty")
    assert (folder / "masks" / "monday" / "red-shirt.png").is_file()
    piped = subprocess.run(
        [EDGESEG, "segment", "-", "--allow-empty"],
        input=photo.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert read_photo(piped.stdout).shape[2] == 3
    (folder / "no-photo.jpg").write_bytes(b"hello")
    run("segment", str(folder / "no-photo.jpg"), expect=1)


def check_match(folder: Path) -> None:
    """Build a catalogue and find an item in it by its own picture and by a snapshot."""
    catalogue = str(folder / "shop.catalogue")
    run("index", "build", str(folder / "items.csv"), "-o", catalogue)
    found = json.loads(run("index", "info", catalogue, "--json"))
    assert found["items"] == len(COLOURS), found
    montage = folder / "found.png"
    studio = str(folder / "studio" / "red-shirt.png")
    told = run(
        "match", studio, "--catalogue", catalogue, "--no-segment", "-k", "2", "--json",
        "--montage", str(montage),
    )  # fmt: skip
    (entry,) = json.loads(told)["photos"]
    assert [found["rank"] for found in entry["matches"]] == [1, 2], entry
    assert entry["matches"][0]["sku"] == "red-shirt", entry
    assert entry["matches"][0]["attributes"] == {"colour": "red"}, entry
    assert montage.stat().st_size > 1000


def check_memory(folder: Path) -> None:
    """Import and one match, in a fresh process, stay within the handheld's memory."""
    script = (
        "import resource, sys\n"
        "from edgeseg import Catalogue, Matcher\n"
        "found = Matcher(Catalogue.open(sys.argv[1])).match(sys.argv[2], segment=False)\n"
        "heavy = sorted({'tensorflow', 'keras', 'torch', 'rich', 'typer'} & set(sys.modules))\n"
        "assert not heavy, heavy\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n"
    )
    photo = folder / "snapshots" / "monday" / "red-shirt.jpg"
    done = subprocess.run(
        [sys.executable, "-c", script, folder / "shop.catalogue", photo],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak_bytes = int(done.stdout)
    assert peak_bytes < MAX_MATCH_BYTES, f"one match took {peak_bytes} bytes at its peak"
    print(f"import and one match: {peak_bytes / 1e6:.0f} MB at its peak")


def main() -> None:
    """Run every check in order."""
    check_environment()
    check_help()
    assert run("--version").startswith("edgeseg ")
    with tempfile.TemporaryDirectory(prefix="edgeseg-smoke-") as name:
        folder = Path(name)
        # A folder outside the checkout: the wheel is tested, not the files that lie around.
        os.chdir(folder)
        draw_pictures(folder)
        check_segment(folder)
        check_match(folder)
        check_memory(folder)
        told = json.loads(run("bench", "--json", "--samples", "3", "--cold-samples", "1"))
        assert told, "bench printed an empty document"
        run("doctor")
        # What needs an extra says so in one line, and says which.
        checkpoint = folder / "segmenter.safetensors"
        checkpoint.write_bytes(b"")
        run("convert", str(checkpoint), "-o", "new.bundle", expect=1, tell="edgeseg[convert]")
        run("sync", "https://x.invalid", "--store", "s", expect=1, tell="edgeseg[sync]")
        run("keys", "init", "keys", expect=1, tell="edgeseg[publish]")
        run("sync", "status", "--store", "s", expect=1, tell="no catalogue yet")
    print("the wheel works without any extra")


if __name__ == "__main__":
    main()
