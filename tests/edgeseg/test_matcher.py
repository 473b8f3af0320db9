"""The matcher: photo to items, and every wrong pairing refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgeseg
from edgeseg import imaging
from edgeseg.catalogue import Catalogue, Item
from edgeseg.embedder import Embedder, studio_crop
from edgeseg.errors import ModelContractError, NoGarmentError, PhotoError
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import Photo
from edgeseg.matcher import STAGES, Matcher
from edgeseg.preprocessing import Preprocessing
from edgeseg.presets import preset_path
from tests.edgeseg.handmade import MakeBundle, red_square_photo

COLOURS = {
    "red": (220, 20, 20),
    "orange": (240, 150, 20),
    "green": (20, 160, 40),
    "blue": (20, 40, 200),
    "olive": (110, 120, 20),
}


def studio_picture(colour: tuple[int, int, int]) -> Photo:
    picture = np.full((200, 160, 3), 255, np.uint8)
    picture[40:130, 40:120] = colour
    return picture


@pytest.fixture(scope="module")
def catalogue(tiny_bundle: Bundle) -> Catalogue:
    embedder = Embedder(tiny_bundle)
    items = [Item(f"sku-{name}", {"colour": name}) for name in COLOURS]
    vectors = [embedder.embed(studio_crop(studio_picture(colour))) for colour in COLOURS.values()]
    return Catalogue.from_embeddings(items, np.stack(vectors), embedder.digest)


def test_a_photo_finds_its_item_first(tiny_bundle: Bundle, catalogue: Catalogue) -> None:
    result = Matcher(catalogue, tiny_bundle).match(red_square_photo(), k=3)
    assert [match.rank for match in result.matches] == [1, 2, 3]
    assert result.matches[0].sku == "sku-red"
    assert result.matches[0].attributes == {"colour": "red"}
    assert result.matches[0].distance < 0.01 < result.matches[1].distance
    assert result.segmentation is not None
    assert result.segmentation.found
    # The query is the garment on white: its corner is margin, its middle is red.
    assert result.query[0, 0].tolist() == [255, 255, 255]
    middle = result.query[result.query.shape[0] // 2, result.query.shape[1] // 2]
    assert middle.tolist() == [220, 20, 20]


def test_several_photos_of_one_item_have_one_answer(
    tiny_bundle: Bundle, catalogue: Catalogue
) -> None:
    matcher = Matcher(catalogue, tiny_bundle)
    red, green = (
        matcher.query(studio_picture(COLOURS[name]), segment=False) for name in ("red", "green")
    )
    assert set(red.timings_ms) == set(STAGES) - {"search"}
    alone = matcher.match_same_item([red], k=5)
    assert alone == matcher.match(studio_picture(COLOURS["red"]), k=5, segment=False).matches
    (both,) = matcher.match_same_item([red, green], k=1)
    # Between red and green lies olive, which is nearest to neither.
    assert both.sku == "sku-olive"
    assert matcher.match_same_item([green, red], k=1) == [both]
    with pytest.raises(ValueError, match="one photo at least"):
        matcher.match_same_item([])


def test_a_match_can_be_narrowed(tiny_bundle: Bundle, catalogue: Catalogue) -> None:
    matcher = Matcher(catalogue, tiny_bundle)
    found = matcher.match(red_square_photo(), k=5, where={"colour": ["blue", "green"]})
    assert {match.sku for match in found.matches} == {"sku-blue", "sku-green"}
    grouped = matcher.match(red_square_photo(), k=5, group_by="colour")
    assert len(grouped.matches) == len(COLOURS)


def test_every_item_comes_back_when_k_is_larger(tiny_bundle: Bundle, catalogue: Catalogue) -> None:
    matches = Matcher(catalogue, tiny_bundle).match(red_square_photo(), k=50).matches
    assert {match.sku for match in matches} == {f"sku-{name}" for name in COLOURS}


def test_background_removal_decides_what_is_matched(
    tiny_bundle: Bundle, catalogue: Catalogue
) -> None:
    photo = np.full((300, 300, 3), (20, 160, 40), np.uint8)
    photo[120:180, 120:180] = (220, 20, 20)
    matcher = Matcher(catalogue, tiny_bundle)
    assert matcher.match(photo).matches[0].sku == "sku-red"
    whole = matcher.match(photo, segment=False)
    assert whole.matches[0].sku == "sku-green"
    assert whole.segmentation is None
    assert whole.query.shape == photo.shape


def test_a_whole_picture_on_white_is_framed_like_the_catalogues(
    tiny_bundle: Bundle, catalogue: Catalogue
) -> None:
    picture = studio_picture(COLOURS["blue"])
    first = Matcher(catalogue, tiny_bundle).match(picture, segment=False).matches[0]
    assert first.sku == "sku-blue"
    # The same picture takes the same way: nothing but the catalogue's rounding is left, 1/1016 of
    # the largest component at most, and of a cosine half of its square.
    assert first.distance < 2e-6


def test_stages_are_timed(tiny_bundle: Bundle, catalogue: Catalogue, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(imaging.encode_png(red_square_photo()))
    matcher = Matcher(catalogue, tiny_bundle)
    timings = matcher.match(path).timings_ms
    assert tuple(timings) == STAGES
    assert all(value > 0.0 for value in timings.values())
    whole = matcher.match(red_square_photo(), segment=False).timings_ms
    assert whole["decode"] == whole["segment"] == 0.0


def test_a_large_photo_is_decoded_no_larger_than_the_networks_need(
    tiny_bundle: Bundle, catalogue: Catalogue, tmp_path: Path
) -> None:
    large = np.repeat(np.repeat(red_square_photo(), 2, axis=0), 2, axis=1)
    path = tmp_path / "photo.jpg"
    path.write_bytes(imaging.encode_jpeg(large))
    matcher = Matcher(catalogue, tiny_bundle)
    result = matcher.match(path, k=1)
    assert result.matches[0].sku == "sku-red"
    assert result.segmentation is not None
    shorter = min(result.segmentation.category_mask.shape)
    assert matcher.enough_px <= shorter < 2 * matcher.enough_px


def test_no_garment_offers_the_whole_photo(
    tiny_bundle: Bundle, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "wall.png"
    path.write_bytes(imaging.encode_png(np.full((50, 50, 3), 128, np.uint8)))
    matcher = Matcher(catalogue, tiny_bundle)
    with pytest.raises(NoGarmentError) as caught:
        matcher.match(path)
    assert str(path) in str(caught.value)
    assert "--no-segment" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(matcher.match(path, segment=False).matches) == len(COLOURS)


def test_an_unreadable_photo_is_a_photo_error(
    tiny_bundle: Bundle, catalogue: Catalogue, tmp_path: Path
) -> None:
    with pytest.raises(PhotoError, match=r"none\.jpg"):
        Matcher(catalogue, tiny_bundle).match(tmp_path / "none.jpg")


def test_a_catalogue_of_another_embedder_is_refused(
    make_bundle: MakeBundle, catalogue: Catalogue
) -> None:
    other = make_bundle(embedder_changes={"preprocessing": Preprocessing(32, "stretch")})
    with pytest.raises(ModelContractError, match=r"another embedder.*index build"):
        Matcher(catalogue, other)


def test_a_catalogue_of_another_dim_is_refused(tiny_bundle: Bundle) -> None:
    vectors = np.eye(3, 8, dtype=np.float32)
    assert tiny_bundle.embedder_digest is not None
    wide = Catalogue.from_embeddings(
        [Item(str(row), {}) for row in range(3)], vectors, tiny_bundle.embedder_digest
    )
    with pytest.raises(ModelContractError, match=r"8-d.*4-d.*index build"):
        Matcher(wide, tiny_bundle)


def test_a_bundle_without_an_embedder_is_refused(
    make_bundle: MakeBundle, catalogue: Catalogue
) -> None:
    with pytest.raises(ModelContractError, match="no embedder"):
        Matcher(catalogue, make_bundle(with_embedder=False))


def test_public_names_are_there_and_load_nothing_before_use() -> None:
    for name in edgeseg.__all__:
        assert getattr(edgeseg, name) is not None
        assert name in dir(edgeseg)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = edgeseg.no_such_name
    script = "import sys, edgeseg; sys.exit(any(m in sys.modules for m in ('numpy', 'cv2')))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


_PEAK_SCRIPT = """
import sys
from edgeseg import Catalogue, Matcher
from edgeseg.errors import NoGarmentError
matcher = Matcher(Catalogue.open(sys.argv[1]))
try:
    matcher.match(sys.argv[2])
except NoGarmentError:
    # A drawing need not look like a garment to the shipped network; the other way costs as much.
    matcher.match(sys.argv[2], segment=False)
heavy = {"tensorflow", "keras", "tf_keras", "torch", "jax"} & set(sys.modules)
# Not ru_maxrss, which a child inherits from the process that forked it.
peak = next(l for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024, *heavy)
"""


def test_a_match_of_a_phone_photo_stays_below_250_mb_and_loads_no_framework(
    tmp_path: Path,
) -> None:
    if not preset_path().is_file():
        pytest.skip("the default bundle is not built yet")
    embedder = Embedder()
    vectors = np.stack([embedder.embed(studio_picture(colour)) for colour in COLOURS.values()])
    items = [Item(name, {}) for name in COLOURS]
    index, photo = tmp_path / "c.catalogue", tmp_path / "p.jpg"
    Catalogue.from_embeddings(items, vectors, embedder.digest).save(index)
    # 12 megapixels, as phones take them.
    pixels = red_square_photo(4000, 3000, (1200, 600, 2800, 2400))
    photo.write_bytes(imaging.encode_jpeg(pixels))
    done = subprocess.run(
        [sys.executable, "-c", _PEAK_SCRIPT, str(index), str(photo)],
        capture_output=True,
        text=True,
        check=True,
    )
    peak_mib, *heavy = done.stdout.split()
    assert heavy == []
    assert int(peak_mib) < 250
