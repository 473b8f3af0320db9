"""``edgeseg calibrate``: a bundle that knows when a garment is not in the catalogue."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseg.acceptance import Acceptance
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.imaging import encode_png
from tests.edgeseg.cli.conftest import RunCli


@pytest.fixture
def queries(cli: RunCli, tmp_path: Path, bundle_path: Path) -> tuple[Path, Path]:
    """30 garments of reds that the hand-made segmenter finds, their catalogue and their queries."""
    rng = np.random.default_rng(0)
    items, asked = ["sku,image"], ["image,sku"]
    for number in range(30):
        colour = np.array([220, 4 * number, 110 - 3 * number])
        picture = np.full((64, 64, 3), 255, np.uint8)
        picture[12:52, 16:48] = colour
        photo = np.full((80, 80, 3), (90, 120, 90), np.uint8)
        photo[20:60, 24:56] = np.clip(colour + rng.integers(-2, 3, size=3), 0, 255)
        for name, image in (("item", picture), ("query", photo)):
            (tmp_path / f"{name}{number}.png").write_bytes(encode_png(image))
        items.append(f"S{number},item{number}.png")
        asked.append(f"query{number}.png,S{number}")
    (tmp_path / "reds.csv").write_text("\n".join(items))
    (tmp_path / "queries.csv").write_text("\n".join(asked))
    catalogue = tmp_path / "reds.catalogue"
    ran = cli("index", "build", tmp_path / "reds.csv", "-o", catalogue, "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    return tmp_path / "queries.csv", catalogue


def test_a_calibrated_bundle_keeps_the_catalogue_valid_and_tells_a_probability(
    cli: RunCli, queries: tuple[Path, Path], bundle_path: Path, tmp_path: Path
) -> None:
    table, catalogue = queries
    output = tmp_path / "told.bundle"
    common = ("--catalogue", catalogue, "--bundle", bundle_path)
    ran = cli("calibrate", table, *common, "--false-accepts", "0.1", "-o", output, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["queries"] == 30
    assert [point["false_accepts"] for point in told["curve"]] == [0.01, 0.02, 0.05, 0.1, 0.2]
    embedder = Bundle.open(output).manifest.embedder
    assert embedder is not None
    assert embedder.acceptance is not None
    assert embedder.acceptance.to_dict() == told["acceptance"]
    assert embedder.acceptance.false_accepts == 0.1

    photo = table.parent / "query7.png"
    found = cli("match", photo, "--catalogue", catalogue, "--bundle", output, "--json")
    assert found.code == 0, found.err
    (entry,) = json.loads(found.out)["photos"]
    assert 0 <= entry["probability"] <= 1
    assert entry["accepted"] == (entry["probability"] >= embedder.acceptance.threshold)
    plain = json.loads(cli("match", photo, *common, "--json").out)["photos"][0]
    assert (plain["probability"], plain["accepted"]) == (None, None)
    assert plain["matches"] == entry["matches"]


@pytest.mark.parametrize(("threshold", "absent"), [(0.0, False), (1.0, True)])
def test_a_match_says_when_the_garment_is_probably_not_there(
    cli: RunCli,
    queries: tuple[Path, Path],
    bundle_path: Path,
    tmp_path: Path,
    threshold: float,
    absent: bool,
) -> None:
    table, catalogue = queries
    opened = Bundle.open(bundle_path)
    assert opened.manifest.embedder is not None
    told = replace(opened.manifest.embedder, acceptance=Acceptance(0.0, -1.0, 1.0, threshold, 0.05))
    write_bundle(tmp_path / "b", replace(opened.manifest, embedder=told), opened.sections())
    photo = table.parent / "query0.png"
    ran = cli("match", photo, "--catalogue", catalogue, "--bundle", tmp_path / "b", "-k", "1")
    assert ran.code == 0, ran.err
    assert "is right with a probability of" in ran.out.decode()
    assert ("may not be in the catalogue" in ran.out.decode()) == absent


def test_what_cannot_be_calibrated_is_said_in_one_line_and_nothing_is_written(
    cli: RunCli, queries: tuple[Path, Path], bundle_path: Path, tmp_path: Path
) -> None:
    table, catalogue = queries
    output = tmp_path / "told.bundle"
    common = ("--catalogue", catalogue, "--bundle", bundle_path, "-o", output)
    lines = table.read_text().splitlines()
    (tmp_path / "few.csv").write_text("\n".join(lines[:6]))
    ran = cli("calibrate", tmp_path / "few.csv", *common)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "5 queries of 5 items" in ran.err
    (tmp_path / "other.csv").write_text("\n".join([*lines, "query3.png,Z9"]))
    ran = cli("calibrate", tmp_path / "other.csv", *common)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "item Z9 is not in" in ran.err
    assert not output.exists()
