from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.imaging import read_mask, read_photo
from tests.edgeseg.cli.conftest import RunCli


def test_white_crop_beside_the_photo_by_default(
    cli: RunCli, photo: Path, bundle_path: Path
) -> None:
    before = photo.read_bytes()
    ran = cli("segment", photo, "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    target = photo.with_name("garment.white.png")
    assert ran.out.decode() == f"{target}\n"
    picture = read_photo(target)
    height, width = picture.shape[:2]
    assert (picture[0, 0] == 255).all()
    assert picture[height // 2, width // 2, 0] > 200 > picture[height // 2, width // 2, 1]
    assert width < 130, "cropped to the garment of 80 pixels"
    assert photo.read_bytes() == before


def test_mask_has_the_photo_s_size(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    target = photo.with_name("m.png")
    assert cli("segment", photo, "-o", target, "--mask", "--bundle", bundle_path).code == 0
    mask = read_mask(target)
    assert mask.shape == read_photo(photo).shape[:2]
    expected = np.zeros_like(mask)
    expected[30:120, 60:140] = True
    # The network's grid is 32 x 32: its cells are 6 pixels wide, so the edge is good to one.
    assert (mask & expected).sum() / (mask | expected).sum() > 0.85


def test_cutout_is_transparent(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    target = photo.with_name("c.png")
    assert cli("segment", photo, "-o", target, "--cutout", "--bundle", bundle_path).code == 0
    picture = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert picture.shape[2] == 4
    assert picture[0, 0, 3] == 0
    assert picture[picture.shape[0] // 2, picture.shape[1] // 2, 3] == 255


def test_background_colour_and_jpeg(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    target = photo.with_name("b.jpg")
    ran = cli("segment", photo, "-o", target, "--background", "#0000ff", "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    assert target.read_bytes()[:2] == b"\xff\xd8"
    # JPEG and its chroma subsampling leave a flat corner within a few steps.
    assert np.abs(read_photo(target)[1, 1].astype(int) - [0, 0, 255]).max() <= 6


def test_stdin_to_stdout(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    ran = cli("segment", "-", "--bundle", bundle_path, stdin=photo.read_bytes())
    assert ran.code == 0, ran.err
    assert ran.out.startswith(b"\x89PNG")
    assert read_photo(ran.out).shape[2] == 3


def test_stdin_to_a_file(cli: RunCli, photo: Path, bundle_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "piped.png"
    ran = cli(
        "segment", "-", "-o", target, "--json", "--bundle", bundle_path, stdin=photo.read_bytes()
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["photos"][0]["output"] == str(target)
    assert target.is_file()


def test_empty_stdin_is_told(cli: RunCli, bundle_path: Path) -> None:
    ran = cli("segment", "-", "--bundle", bundle_path)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "nothing came on stdin" in ran.err


def test_folder_keeps_its_structure_and_goes_on_after_a_failure(
    cli: RunCli, photos: Path, bundle_path: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = cli("segment", photos, "-o", out, "--mask", "--bundle", bundle_path, "--json")
    assert ran.code == 1
    assert (out / "one.png").is_file()
    assert (out / "a" / "deep" / "two.png").is_file()
    assert len(list(out.rglob("*.*"))) == 2
    told = json.loads(ran.out)
    assert told["failed"] == 1
    assert [Path(entry["photo"]).name for entry in told["photos"]] == [
        "one.jpg",
        "broken.jpg",
        "two.jpeg",
    ]
    assert "broken.jpg" in ran.err
    assert len(ran.lines) == 1


def test_folder_without_output_goes_beside_it(cli: RunCli, photos: Path, bundle_path: Path) -> None:
    (photos / "a" / "broken.jpg").unlink()
    assert cli("segment", photos, "--cutout", "--bundle", bundle_path).code == 0
    assert (photos.with_name("photos-cutout") / "a" / "deep" / "two.png").is_file()


def test_output_inside_the_folder_is_not_taken_for_photos(
    cli: RunCli, photos: Path, bundle_path: Path
) -> None:
    (photos / "a" / "broken.jpg").unlink()
    for _ in range(2):
        ran = cli("segment", photos, "-o", photos / "done", "--bundle", bundle_path, "--json")
        assert ran.code == 0, ran.err
        assert len(json.loads(ran.out)["photos"]) == 2


def test_same_stem_twice_makes_two_pictures(
    cli: RunCli, photos: Path, bundle_path: Path, tmp_path: Path
) -> None:
    (photos / "a" / "broken.jpg").unlink()
    (photos / "one.png").write_bytes((photos / "one.jpg").read_bytes())
    assert cli("segment", photos, "-o", tmp_path / "out", "--bundle", bundle_path).code == 0
    names = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert names == {"one.jpg.png", "one.png.png"}


def test_no_garment_is_told_and_the_whole_photo_is_offered(
    cli: RunCli, empty_photo: Path, bundle_path: Path
) -> None:
    target = empty_photo.with_name("out.png")
    ran = cli("segment", empty_photo, "-o", target, "--bundle", bundle_path)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "no garment found in" in ran.err
    assert "--allow-empty" in ran.err
    assert not target.exists()
    ran = cli("segment", empty_photo, "-o", target, "--allow-empty", "--bundle", bundle_path)
    assert ran.code == 0, ran.err
    assert read_photo(target).shape == read_photo(empty_photo).shape


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--mask", "--cutout"], 2, "choose one of"),
        (["--mask", "--background", "red"], 2, "--background"),
        (["--background", "reddish"], 2, "no colour"),
        (["-o", "out.gif"], 2, "end it in .png or .jpg"),
        (["-o", "out.jpg", "--cutout"], 2, "needs .png"),
        (["-o", "-"], 2, "stdin"),
        (["-o", "no-such-folder/out.png"], 1, "its folder does not exist"),
        (["--bundle", "missing.bundle"], 1, "missing.bundle"),
        (["--threads", "0"], 2, "--threads"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    cli: RunCli,
    photo: Path,
    bundle_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(photo.parent)
    if "--bundle" not in arguments:
        arguments = ["--bundle", str(bundle_path), *arguments]
    before = sorted(photo.parent.iterdir())
    ran = cli("segment", photo, *arguments)
    assert (ran.code, len(ran.lines)) == (code, 1), ran.err
    assert words in ran.err
    assert sorted(photo.parent.iterdir()) == before


def test_the_source_is_never_replaced(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    before = photo.read_bytes()
    link = photo.with_name("link.jpg")
    link.symlink_to(photo)
    for target in (photo, link, photo.parent / "." / "garment.jpg"):
        ran = cli("segment", photo, "-o", target, "--bundle", bundle_path)
        assert ran.code == 1
        assert "is the photo itself" in ran.err
    ran = cli("segment", photo.parent, "-o", photo.parent, "--bundle", bundle_path)
    assert ran.code == 1
    assert photo.read_bytes() == before
    assert len(list(photo.parent.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.jpg", b""), ("text.png", b"hello"), ("page.pdf", b"%PDF-1.7"), ("missing.jpg", None)],
)
def test_no_photo_is_one_line(
    cli: RunCli, tmp_path: Path, bundle_path: Path, name: str, content: bytes | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    ran = cli("segment", path, "--bundle", bundle_path)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert name in ran.err


def test_empty_folder_is_told(cli: RunCli, tmp_path: Path, bundle_path: Path) -> None:
    ran = cli("segment", tmp_path, "--bundle", bundle_path)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert "no photos" in ran.err


def test_refine_flip_and_matte_are_used_and_told(
    cli: RunCli, photo: Path, bundle_path: Path
) -> None:
    target = photo.with_name("c.png")
    common = ("segment", photo, "-o", target, "--cutout", "--json", "--bundle", bundle_path)
    plain = json.loads(cli(*common).out)
    assert (plain["refine"], plain["flip"], plain["matte"]) == ("none", False, False)
    assert set(np.unique(cv2.imread(str(target), cv2.IMREAD_UNCHANGED)[..., 3])) == {0, 255}
    for method in ("guided", "grabcut"):
        told = json.loads(cli(*common, "--refine", method, "--flip", "--matte").out)
        assert (told["refine"], told["flip"], told["matte"]) == (method, True, True)
        # The garment is 80 x 90 pixels at (60, 30); JPEG blurs its edge by a pixel.
        box = told["photos"][0]["box"]
        assert np.abs(np.subtract(box, (60, 30, 140, 120))).max() <= 1
        assert box != plain["photos"][0]["box"]
        alpha = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)[..., 3]
        assert ((alpha > 0) & (alpha < 255)).any()


def test_a_matte_on_a_colour(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    target = photo.with_name("b.png")
    arguments = ("segment", photo, "-o", target, "--background", "#0000ff", "--bundle", bundle_path)
    assert cli(*arguments).code == 0
    hard = read_photo(target).astype(int)
    assert cli(*arguments, "--matte").code == 0
    soft = read_photo(target).astype(int)
    assert soft.shape == hard.shape
    assert (soft[0, 0] == (0, 0, 255)).all()
    assert (soft != hard).any()


def test_refined_from_stdin(cli: RunCli, photo: Path, bundle_path: Path) -> None:
    target = photo.with_name("s.png")
    ran = cli(
        "segment", "-", "-o", target, "--refine", "guided", "--json", "--bundle", bundle_path,
        stdin=photo.read_bytes(),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["refine"] == "guided"


def test_options_that_do_not_go_together_are_usage_errors(cli: RunCli, photo: Path) -> None:
    ran = cli("segment", photo, "--mask", "--matte")
    assert ran.code == 2
    assert "--matte" in ran.lines[0]
    assert cli("segment", photo, "--refine", "sharper").code == 2
