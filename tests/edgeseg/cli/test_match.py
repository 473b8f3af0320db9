from __future__ import annotations

import json
from pathlib import Path

from edgeseg.imaging import read_photo
from tests.edgeseg.cli.conftest import RunCli


def test_finds_the_item_of_the_garment_s_colour(
    cli: RunCli, photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    ran = cli("match", photo, "--catalogue", catalogue, "--bundle", bundle_path, "-k", "2")
    assert ran.code == 0, ran.err
    lines = ran.out.decode().splitlines()
    first = next(line for line in lines if line.strip().startswith("1"))
    assert first.split()[1] == "R1"
    assert first.split()[3:] == ["r", "M"]
    assert "colour" in ran.out.decode()


def test_json_for_several_photos_with_a_bad_one_among_them(
    cli: RunCli, photo: Path, empty_photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    ran = cli(
        "match", empty_photo, photo, "--catalogue", catalogue, "--bundle", bundle_path, "--json"
    )  # fmt: skip
    assert ran.code == 1
    told = json.loads(ran.out)
    assert told["failed"] == 1
    bad, good = told["photos"]
    assert bad["matches"] == []
    assert "no garment found" in bad["error"]
    assert "--no-segment" in ran.err
    assert [found["rank"] for found in good["matches"]] == [1, 2, 3]
    distances = [found["distance"] for found in good["matches"]]
    assert distances == sorted(distances)
    assert good["matches"][0]["sku"] == "R1"
    assert set(good["timings_ms"]) == {"decode", "segment", "crop", "embed", "search"}


def test_no_segment_takes_the_photo_as_it_is(
    cli: RunCli, empty_photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    ran = cli(
        "match", empty_photo, "--catalogue", catalogue, "--no-segment", "--bundle", bundle_path
    )  # fmt: skip
    assert ran.code == 0, ran.err


def test_refine_and_flip_are_used_and_told(
    cli: RunCli, photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    common = ("match", photo, "--catalogue", catalogue, "--bundle", bundle_path, "--json")
    plain = json.loads(cli(*common).out)
    told = json.loads(cli(*common, "--refine", "guided", "--flip").out)
    assert (plain["refine"], plain["flip"]) == ("none", False)
    assert (told["refine"], told["flip"]) == ("guided", True)
    distances = [document["photos"][0]["matches"][0]["distance"] for document in (plain, told)]
    assert distances[0] != distances[1], "another crop, another embedding"
    ran = cli(*common, "--no-segment", "--refine", "guided")
    assert ran.code == 2
    assert "--no-segment" in ran.lines[0]


def test_where_and_group_by_narrow_the_answer(
    cli: RunCli, photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    common = ("match", photo, "--catalogue", catalogue, "--bundle", bundle_path)
    told = json.loads(cli(*common, "--where", "colour=g", "--where", "colour=b", "--json").out)
    assert {found["sku"] for found in told["photos"][0]["matches"]} == {"G1", "B1"}
    told = json.loads(cli(*common, "--group-by", "size", "--json").out)
    first, second = told["photos"][0]["matches"]
    assert (first["sku"], first["similar"]) == ("R1", ["B1"]), "both are of size M"
    assert (second["sku"], second["similar"]) == ("G1", []), "a size is not known of this one"
    table = cli(*common, "--group-by", "size").out.decode()
    assert "similar" in table
    for wrong, code in (
        (("--where", "colour"), 2),
        (("--where", "=g"), 2),
        (("--where", "colour=gren"), 1),
        (("--where", "price=9"), 1),
        (("--group-by", "price"), 1),
    ):
        ran = cli(*common, *wrong)
        assert (ran.code, len(ran.lines)) == (code, 1), (wrong, ran.err)


def test_same_item_gives_one_answer_for_all_photos(
    cli: RunCli, photo: Path, empty_photo: Path, catalogue: Path, bundle_path: Path, tmp_path: Path
) -> None:
    common = ("--same-item", "--catalogue", catalogue, "--bundle", bundle_path, "-k", "2")
    sheet = tmp_path / "found.png"
    ran = cli("match", photo, photo, *common, "--json", "--montage", sheet)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert [found["rank"] for found in told["matches"]] == [1, 2]
    assert told["matches"][0]["sku"] == "R1"
    assert [sorted(entry) for entry in told["photos"]] == [["photo", "timings_ms"]] * 2
    assert read_photo(sheet).shape[1] == 4 * 192
    printed = cli("match", photo, photo, *common).out.decode()
    assert printed.count("R1") == 1
    assert "2 photos of one item" in printed
    partly = cli("match", photo, empty_photo, *common, "--json")
    assert partly.code == 1, "a photo that could not be used is told"
    assert json.loads(partly.out)["matches"][0]["sku"] == "R1"
    none = cli("match", empty_photo, *common, "--json")
    assert none.code == 1
    assert json.loads(none.out)["matches"] == []


def test_montage_shows_query_cutout_and_pictures(
    cli: RunCli, photo: Path, catalogue: Path, bundle_path: Path, tmp_path: Path
) -> None:
    target = tmp_path / "found.png"
    arguments = (
        "match", photo, "--catalogue", catalogue, "-k", "2", "--montage", target,
        "--bundle", bundle_path,
    )  # fmt: skip
    assert cli(*arguments).code == 0
    sheet = read_photo(target)
    assert sheet.shape[1] == 4 * 192, "photo, cutout and two matches"
    centre = sheet[96, 2 * 192 + 96]
    assert centre[0] > 180 > centre[1], "the first match is the red one's picture"
    (tmp_path / "shop.catalogue.pictures.json").write_text("no JSON")
    ran = cli(*arguments)
    assert ran.code == 0, "without its picture, an item is a card"
    assert "--pictures" in ran.err
    assert (read_photo(target)[96, 2 * 192 + 96] == 255).all()
    assert cli(*arguments, "--pictures", tmp_path / "items.csv").code == 0
    assert read_photo(target)[96, 2 * 192 + 96, 1] < 180
    assert cli(*arguments, "--pictures", tmp_path / "nothing").code == 1


def test_montage_never_replaces_a_photo(
    cli: RunCli, empty_photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    before = empty_photo.read_bytes()
    ran = cli(
        "match", empty_photo, "--no-segment", "--catalogue", catalogue,
        "--montage", empty_photo, "--bundle", bundle_path,
    )  # fmt: skip
    assert ran.code == 2
    assert empty_photo.read_bytes() == before


def test_bad_input_is_one_line(
    cli: RunCli, photo: Path, catalogue: Path, bundle_path: Path, tmp_path: Path
) -> None:
    swapped = cli("match", photo, "--catalogue", bundle_path, "--bundle", bundle_path)
    other = cli("match", photo, "--catalogue", catalogue, "--bundle", catalogue)
    missing = cli("match", photo, "--catalogue", tmp_path / "none", "--bundle", bundle_path)
    no_photo = cli(
        "match", tmp_path / "none.jpg", "--catalogue", catalogue, "--bundle", bundle_path
    )
    for ran in (swapped, other, missing, no_photo):
        assert (ran.code, len(ran.lines)) == (1, 1), ran.err
    assert cli("match", photo).code == 2
    assert cli("match", photo, "--catalogue", catalogue, "-k", "0").code == 2
    gif = cli("match", photo, "--catalogue", catalogue, "--montage", "out.gif")
    assert gif.code == 2


def test_a_damaged_catalogue_is_refused(
    cli: RunCli, photo: Path, catalogue: Path, bundle_path: Path
) -> None:
    data = bytearray(catalogue.read_bytes())
    data[-5] ^= 1
    catalogue.write_bytes(data)
    ran = cli("match", photo, "--catalogue", catalogue, "--bundle", bundle_path)
    assert (ran.code, len(ran.lines)) == (1, 1)
    assert str(catalogue) in ran.err
