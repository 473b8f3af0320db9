from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeseg.catalogue import Catalogue
from edgeseg.items import Item
from tests.edgeseg.cli.conftest import RunCli
from tests.edgeseg.formats.samples import EMBEDDER_DIGEST, unit_vectors


def saved(path: Path, items: int, seed: int = 0) -> Path:
    """A catalogue of items of which only the first embedding depends on the seed."""
    vectors = unit_vectors(items, 16)
    vectors[0] = unit_vectors(1, 16, seed=seed)[0]
    rows = [Item(f"sku-{row}", {"colour": "red"}) for row in range(items)]
    Catalogue.from_embeddings(rows, vectors, EMBEDDER_DIGEST).save(path)
    return path


@pytest.fixture
def days(tmp_path: Path) -> tuple[Path, Path]:
    return saved(tmp_path / "old.catalogue", 80), saved(tmp_path / "new.catalogue", 81, seed=5)


def test_a_catalogue_is_verified(cli: RunCli, days: tuple[Path, Path]) -> None:
    ran = cli("index", "verify", days[0], "--queries", "30", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["items"], told["tombstones"], told["generation"]) == (80, 0, 0)
    assert (told["golden_queries"], told["drawn_queries"]) == (64, 30)
    assert told["golden_recall"] == told["index_recall_at_10"] == 1.0
    plain = cli("index", "verify", days[0])
    assert plain.code == 0
    assert "golden recall" in plain.out.decode()
    assert "1.0000" in plain.out.decode()


def test_a_damaged_catalogue_is_not_verified(cli: RunCli, days: tuple[Path, Path]) -> None:
    data = bytearray(days[0].read_bytes())
    data[-9] ^= 1
    days[0].write_bytes(data)
    ran = cli("index", "verify", days[0])
    assert ran.code == 1
    assert "SHA-256" in ran.err


def _with_wrong_answers(path: Path) -> None:
    """The answers to each golden query are given to the next one."""
    data = Catalogue.open(path).data
    assert data.golden is not None
    answers = np.roll(data.golden.answers, 1, axis=0)
    Catalogue(replace(data, golden=replace(data.golden, answers=answers))).save(path)


def test_golden_queries_that_are_not_found_fail(cli: RunCli, days: tuple[Path, Path]) -> None:
    _with_wrong_answers(days[0])
    ran = cli("index", "verify", days[0], "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["golden_recall"] < 0.95
    assert "is the least that it allows" in ran.err


def test_from_one_generation_to_the_next(
    cli: RunCli, days: tuple[Path, Path], tmp_path: Path
) -> None:
    delta, kept, after = (tmp_path / name for name in ("d.delta", "kept.catalogue", "a.catalogue"))
    ran = cli("index", "delta", *days, "-o", delta, "--result", kept, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["added"], told["updated"], told["relabelled"], told["removed"]) == (1, 1, 0, 0)
    assert (told["base_generation"], told["generation"]) == (0, 1)
    assert told["bytes"] == delta.stat().st_size < days[1].stat().st_size

    ran = cli("index", "apply", days[0], delta, "-o", after, "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["items"] == 81
    assert after.read_bytes() == kept.read_bytes()

    again = cli("index", "apply", after, delta, "-o", after)
    assert again.code == 1
    assert "starts from generation 0, and this is 1" in again.err
    assert after.read_bytes() == kept.read_bytes(), "nothing was changed"
    same = cli("index", "delta", after, days[1], "-o", delta)
    assert same.code == 1
    assert "have the same items" in same.err


def test_the_plain_forms_say_what_was_done(
    cli: RunCli, days: tuple[Path, Path], tmp_path: Path
) -> None:
    delta, after = tmp_path / "d.delta", tmp_path / "a.catalogue"
    made = cli("index", "delta", *days, "-o", delta)
    assert "generation 1, 1 added, 1 updated, 0 relabelled, 0 removed" in made.out.decode()
    applied = cli("index", "apply", days[0], delta, "-o", after)
    assert "generation 1, 81 items, golden recall 1.000" in applied.out.decode()
    facts = json.loads(cli("index", "info", after, "--json").out)
    assert (facts["generation"], facts["precision"], facts["tombstones"]) == (1, "int10", 0)


@pytest.mark.parametrize("wrong", ["bundle", "cut", "missing"])
def test_a_file_that_is_no_delta_is_refused(
    cli: RunCli, days: tuple[Path, Path], bundle_path: Path, tmp_path: Path, wrong: str
) -> None:
    delta, after = tmp_path / "d.delta", tmp_path / "a.catalogue"
    cli("index", "delta", *days, "-o", delta)
    if wrong == "cut":
        delta.write_bytes(delta.read_bytes()[:-100])
    given = {"bundle": bundle_path, "cut": delta, "missing": tmp_path / "none"}[wrong]
    ran = cli("index", "apply", days[0], given, "-o", after)
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1
    assert not after.exists()
