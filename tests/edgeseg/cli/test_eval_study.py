"""``edgeseg eval study``: what it prints and writes, and what it refuses before it starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgeseg.evaluation import retrieval_study
from edgeseg.imaging import encode_png
from tests.edgeseg.cli.conftest import RunCli
from tests.edgeseg.handmade import colour_embedder, red_segmenter, red_square_photo


@pytest.fixture
def queries_csv(items_csv: Path) -> Path:
    """Two photos of the red item beside the items; one has a mask."""
    folder = items_csv.parent
    photo = red_square_photo()
    (folder / "front.png").write_bytes(encode_png(photo))
    (folder / "back.png").write_bytes(encode_png(photo[:, 20:]))
    for name, picture in (("front", photo), ("back", photo[:, 20:])):
        mask = np.where(picture[..., 0] > 150, np.uint8(255), np.uint8(0))
        (folder / f"{name}-mask.png").write_bytes(encode_png(mask))
    path = folder / "queries.csv"
    path.write_text(
        "image,mask,sku,view\nfront.png,front-mask.png,R1,front\nback.png,back-mask.png,R1,back\n"
    )
    return path


@pytest.fixture
def arguments(items_csv: Path, queries_csv: Path, bundle_path: Path) -> tuple[str | Path, ...]:
    return (
        "eval", "study", "--queries", queries_csv, "--gallery", items_csv, "--bundle", bundle_path
    )  # fmt: skip


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    path = tmp_path / "peer.tflite"
    path.write_bytes(colour_embedder(24))
    return path


def test_tables_and_page(
    cli: RunCli, arguments: tuple[str | Path, ...], peer: Path, tmp_path: Path
) -> None:
    page = tmp_path / "study.html"
    ran = cli(
        *arguments, "--peer", peer, "--group-by", "view", "--sweep", "--report", page
    )  # fmt: skip
    assert ran.code == 0, ran.err
    told = ran.out.decode()
    for background in ("none", "grabcut", "model", "mask"):
        assert f"background: {background}" in told
    for text in ("tiny.bundle", "peer.tflite", "colour histogram", "front: recall@10", "p50 ms"):
        assert text in told
    assert "100,000*" in told
    assert "perturbed copies" in told
    assert told.rstrip().endswith("study.html")
    assert "perturbed copies" in page.read_text(encoding="utf-8")


def test_json(cli: RunCli, arguments: tuple[str | Path, ...], peer: Path) -> None:
    ran = cli(*arguments, "--peer", peer, "--background", "model", "--background", "none", "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert (document["items"], document["queries"], document["report"]) == (3, 2, None)
    # Three items leave two directions for PCA, which is fewer than the bundle's four numbers.
    names = ["tiny.bundle", "peer.tflite", "peer.tflite, PCA 2, cosine"]
    names += ["peer.tflite, PCA 2, Euclidean", "colour histogram"]
    assert [method["name"] for method in document["methods"]] == names
    assert [method["dim"] for method in document["methods"]] == [4, 4, 2, 2, 432]
    assert {result["background"] for result in document["results"]} == {"none", "model"}
    first = document["results"][1]
    assert (first["method"], first["gallery_views"]) == ("tiny.bundle", "picture")
    assert (first["background"], first["recall_at_1"], first["sweep"]) == ("model", 1.0, None)
    assert first["intervals"]["recall_at_10"] == [1.0, 1.0]
    assert first["groups"] == {}


def test_without_masks_the_true_one_is_left_out(
    cli: RunCli, arguments: tuple[str | Path, ...], queries_csv: Path
) -> None:
    queries_csv.write_text("image,sku\nfront.png,R1\nfront.png,unknown\n")
    ran = cli(*arguments, "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    backgrounds = {result["background"] for result in document["results"]}
    assert backgrounds == {"none", "grabcut", "model"}
    assert document["not_in_gallery"] == ["unknown"]
    assert "1 of the items asked for are not in" in ran.err
    assert cli(*arguments, "--background", "mask").code == 1


def test_two_bundles_are_told_apart(
    cli: RunCli, arguments: tuple[str | Path, ...], bundle_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "tiny.bundle"
    other.write_bytes(bundle_path.read_bytes())
    ran = cli(*arguments, "--bundle", other, "--background", "model", "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    # One file name twice, so the whole paths are told.
    assert [method["name"] for method in document["methods"]][:2] == [str(bundle_path), str(other)]
    same = [each for each in document["results"] if each["method"] == str(other)]
    assert [each["against_first"]["recall_at_1"] for each in same] == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "more",
    [
        ("--report", "study.txt"),
        ("--report", "nowhere/study.html"),
        ("--background", "otsu"),
        ("--worst", "-1"),
        ("--peer", "a.tflite", "--peer", "./a.tflite"),
    ],
)
def test_wrong_usage(cli: RunCli, arguments: tuple[str | Path, ...], more: tuple[str, ...]) -> None:
    ran = cli(*arguments, *more)
    assert (ran.code, len(ran.lines), ran.out) == (2, 1, b""), ran.err


def test_failures_are_one_line_and_leave_no_page(
    cli: RunCli, arguments: tuple[str | Path, ...], peer: Path, items_csv: Path, tmp_path: Path
) -> None:
    page = tmp_path / "study.html"
    peer.write_bytes(red_segmenter())
    ran = cli(*arguments, "--peer", peer, "--report", page)
    assert (ran.code, len(ran.lines), ran.out) == (1, 1, b""), ran.err
    assert "gives (1, 32, 32, 1), not one vector" in ran.err
    ran = cli(*arguments, "--group-by", "season")
    assert (ran.code, len(ran.lines)) == (1, 1)
    items_csv.with_name("G1.png").write_bytes(b"not a picture")
    ran = cli(*arguments, "--report", page)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "G1.png" in ran.err
    assert not page.exists()


def test_ctrl_c_leaves_the_old_page(
    cli: RunCli,
    arguments: tuple[str | Path, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = tmp_path / "study.html"
    page.write_text("old")
    before = set(tmp_path.iterdir())

    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(retrieval_study, "sweep_gallery", interrupt)
    ran = cli(*arguments, "--background", "none", "--sweep", "--report", page)
    assert (ran.code, ran.lines, ran.out) == (130, ["edgeseg: interrupted"], b"")
    assert page.read_text() == "old"
    assert set(tmp_path.iterdir()) == before
