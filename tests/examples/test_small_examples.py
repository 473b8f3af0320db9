"""Runs each of the small examples as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

if TYPE_CHECKING:
    from tests.examples.conftest import DrawnShop


def run(repository: Path, module: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"examples.{module}", *map(str, arguments)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )


def match_in_five_lines(repository: Path, shop: DrawnShop, tmp_path: Path) -> None:
    done = run(repository, "match_in_five_lines", shop.photo, shop.catalogue)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == 5
    assert shop.photo_sku in [sku for sku, _ in rows[:3]]
    distances = [float(distance) for _, distance in rows]
    assert distances == sorted(distances)


def cutout_of_a_photo(repository: Path, shop: DrawnShop, tmp_path: Path) -> None:
    out = tmp_path / "cutout.png"
    done = run(repository, "cutout_of_a_photo", shop.photo, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("% of the photo is garment\n")
    cutout = cv2.imread(str(out))
    assert (cutout[0, 0] == 255).all()
    assert (cutout < 200).any()


def catalogue_from_python(repository: Path, shop: DrawnShop, tmp_path: Path) -> None:
    out = tmp_path / "again.catalogue"
    done = run(repository, "catalogue_from_python", shop.items, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6 items\n"
    assert out.read_bytes() == shop.catalogue.read_bytes()


CHECKS = {
    check.__name__: check
    for check in (match_in_five_lines, cutout_of_a_photo, catalogue_from_python)
}


@pytest.mark.parametrize("name", CHECKS)
def test_the_example_does_what_it_says(
    name: str, repository: Path, drawn_shop: DrawnShop, tmp_path: Path
) -> None:
    CHECKS[name](repository, drawn_shop, tmp_path)


def test_no_example_is_left_untested(repository: Path) -> None:
    scripts = {path.stem for path in (repository / "examples").glob("*.py")} - {"__init__"}
    assert scripts == set(CHECKS)
