"""From photos on disk to an order with reasons, and from labels to a page that shows both masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.embedder import Embedder
from edgeseg.errors import DatasetError
from edgeseg.evaluation.labelled import LabelledPhoto
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import Photo, encode_png
from edgeseg.labelling.advice import advise
from edgeseg.labelling.doubt import Doubt, doubt_about
from edgeseg.labelling.experience import Experience
from edgeseg.labelling.review import review_labels
from edgeseg.labelling.review_page import review_page
from edgeseg.segmenter import Segmenter
from tests.edgeseg.labelling.test_experience import said


class Lopsided:
    """Sees garment in the left half of whatever it is shown, and is sure of it."""

    def network_confidence(self, photo: Photo) -> np.ndarray:
        confidence = np.full((32, 32), 0.02, np.float32)
        confidence[:, :16] = 0.98
        return confidence


def square(colour: tuple[int, int, int], left: int = 20) -> Photo:
    photo = np.full((64, 64, 3), (90, 120, 90), np.uint8)
    photo[12:52, left : left + 26] = colour
    return photo


def written(folder: Path, **photos: Photo) -> list[Path]:
    paths = []
    for name, photo in photos.items():
        paths.append(folder / f"{name}.png")
        paths[-1].write_bytes(encode_png(photo))
    return paths


def test_signals_are_what_differs(tiny_bundle: Bundle) -> None:
    network = Segmenter(tiny_bundle)
    sure = doubt_about(square((230, 10, 10)), network, network)
    assert set(sure.signals) == {"loss", "flip", "preset", "grabcut"}
    # A symmetrical drawing of a red thing, which both the network and its colours tell apart.
    assert sure.signals["loss"] < 0.1
    assert sure.signals["flip"] < 0.1
    assert sure.signals["preset"] < 0.1
    assert sure.signals["grabcut"] < 0.2
    other = doubt_about(square((230, 10, 10)), network, Lopsided(), by_colour=False)
    assert set(other.signals) == {"loss", "flip", "preset"}
    assert other.signals["preset"] > 0.3
    # A mask that does not turn with the photo is in doubt, though each view is sure.
    turned = doubt_about(square((230, 10, 10)), Lopsided(), by_colour=False)
    assert turned.signals["flip"] > 0.9
    assert turned.signals["loss"] > 0.4
    assert turned.confidence.mean() == pytest.approx(0.5)


def test_the_doubtful_and_the_new_come_first(tmp_path: Path, tiny_bundle: Bundle) -> None:
    network = Segmenter(tiny_bundle)
    half_red = (150, 60, 60)
    waiting = written(
        tmp_path,
        sure=square((230, 10, 10)),
        doubtful=square(half_red),
        doubtful_again=square(half_red),
    )
    labelled = written(tmp_path, done=square((230, 10, 10)))
    (tmp_path / "broken.png").write_bytes(b"no picture")

    def ask(photo: Photo) -> Doubt:
        return doubt_about(photo, network, by_colour=False)

    advice = advise([*waiting, tmp_path / "broken.png"], labelled, ask, Embedder(tiny_bundle))
    assert advice.order[0].photo.stem.startswith("doubtful")
    assert {each.photo.stem for each in advice.order} == {"sure", "doubtful", "doubtful_again"}
    # A copy of what comes first waits until all else is labelled or copied, too.
    first, copy = advice.order[0], next(e for e in advice.order[1:] if "doubtful" in e.photo.stem)
    assert copy.nearest == first.photo
    assert copy.pick.score == pytest.approx(0, abs=1e-3)
    assert "expects" in first.reason
    assert "done.png" in first.reason
    assert len(advice.problems) == 1
    assert "broken.png" in advice.problems[0]
    with pytest.raises(DatasetError, match="none of 1"):
        advise([tmp_path / "broken.png"], labelled, ask, Embedder(tiny_bundle))


class MiddleColour:
    """Embeds what a picture has in its middle: red, green or blue."""

    def embed(self, picture: Photo) -> np.ndarray:
        height, width = picture.shape[:2]
        vector = picture[height // 2, width // 2].astype(np.float32)
        return vector / np.linalg.norm(vector)


def test_what_workers_put_right_comes_first(tmp_path: Path) -> None:
    colours = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}
    waiting = written(tmp_path, **{name: square(colour) for name, colour in colours.items()})
    done = written(tmp_path, done=square((90, 90, 90)))

    def ask(photo: Photo) -> Doubt:
        return Doubt({"loss": 0.3}, 0.5, np.ones((32, 32), np.float32))

    def order(*confirmations: object) -> list[str]:
        experience = Experience(confirmations, "ef" * 32, 3)
        advice = advise(waiting, done, ask, MiddleColour(), experience=experience)
        for each in advice.order:
            reasons[each.photo.stem] = each.reason
            assert each.to_dict()["signals"].keys() == {"loss", "corrected", "mistaken"}
        return [each.photo.stem for each in advice.order]

    reasons: dict[str, str] = {}
    right = [said((1, 0, 0), number=9), said((0, 0, 1), number=8)]
    assert order(*right, said((0, 0, 1), number=1, cutout="corrected"))[0] == "blue"
    assert "workers put 37% of the cutouts right by hand" in reasons["blue"]
    assert "of the matches wrong" not in reasons["blue"]
    assert "workers" not in reasons["red"] + reasons["green"]
    assert order(*right, said((0, 1, 0), number=1, sku=None))[0] == "green"
    assert "workers found 55% of the matches wrong" in reasons["green"]
    # Where workers met no trouble, nothing changes.
    plain = advise(waiting, done, ask, MiddleColour())
    assert order(*right) == [each.photo.stem for each in plain.order]
    # The photo that was confirmed, kept under its file's digest, whatever its cutout looks like.
    kept = tmp_path / f"{'ab' * 32}.png"
    waiting[0].rename(kept)
    waiting[0] = kept
    told = order(*right, said((0, 0, 1), number=1, sku="P3"))
    assert told[0] == kept.stem
    assert "workers found 67% of the matches wrong" in reasons[kept.stem]


def test_a_review_puts_the_wrong_label_first_and_shows_it(
    tmp_path: Path, tiny_bundle: Bundle
) -> None:
    network = Segmenter(tiny_bundle)
    photos = []
    for place in range(6):
        left = 10 + 4 * place
        (path,) = written(tmp_path, **{f"photo{place}": square((230, 10, 10), left)})
        mask = np.zeros((64, 64), np.uint8)
        shift = 10 if place == 4 else 0
        mask[12:52, left - shift : left - shift + 26] = 255
        (tmp_path / f"mask{place}.png").write_bytes(encode_png(mask))
        photos.append(LabelledPhoto(path.stem, path, tmp_path / f"mask{place}.png"))
    review = review_labels(photos, network)
    assert review.worst_first[0].photo.name == "photo4"
    assert review.suspected == 1
    told = review.worst_first[0].to_dict()
    assert told["missing"] > 0.2
    assert told["surplus"] > 0.2
    page = review_page(review, network, 2)
    assert page.count("<img") == 6
    assert page.index("photo4") < page.index("photo0")
    with pytest.raises(DatasetError, match="no labels"):
        review_labels([], network)
