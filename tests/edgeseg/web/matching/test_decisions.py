"""What the worker says is on the disk when the page is told so, once, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgeseg import limits
from edgeseg.files import sha256_hex
from edgeseg.imaging import read_photo
from edgeseg.sync.confirmations import read_confirmations
from tests.edgeseg.web.matching.conftest import Page, photo_bytes


def test_a_confirmed_item(page: Page) -> None:
    answer = page.answer()
    told = page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": "sku-red"})
    assert (told.status_code, told.json()) == (201, {"kept": "sku-red"})
    [kept], torn = read_confirmations(page.log.path)
    assert torn == 0
    opened = page.source.current()
    assert kept.sku == "sku-red"
    assert kept.photo_sha256 == sha256_hex(photo_bytes())
    assert (kept.generation, kept.cutout) == (0, "model")
    assert kept.catalogue_digest == opened.matcher.catalogue.data.digest
    assert kept.embedder_digest == opened.matcher.catalogue.embedder_digest
    assert [sku for sku, _ in kept.shown] == [each["sku"] for each in answer["matches"]]
    # What was searched for, so that a hard negative needs no photo.
    found = opened.matcher.catalogue.search(kept.embedding, 1)
    assert found[0].distance == pytest.approx(answer["matches"][0]["distance"], abs=1e-5)
    # The first item was right: that photo teaches nothing.
    assert not page.photos.exists()


def test_none_of_these(page: Page) -> None:
    answer = page.answer()
    for _ in range(2):  # asked again by a page that heard no answer
        told = page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": None})
        assert told.status_code == 201
    [kept], _ = read_confirmations(page.log.path)
    assert kept.sku is None
    [photo] = page.photos.iterdir()
    assert photo.name == f"{kept.photo_sha256}.jpg"
    assert read_photo(photo).shape == (150, 200, 3)
    assert photo.stat().st_mode & 0o077 == 0


def test_a_second_opinion_is_refused(page: Page) -> None:
    answer = page.answer()
    page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": "sku-red"})
    told = page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": None})
    assert told.status_code == 409
    assert page.why() == "something else was confirmed of this photo before"
    assert len(read_confirmations(page.log.path)[0]) == 1


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"sku": "sku-none"}, 409),
        ({"sku": "../../etc/passwd"}, 409),
        ({"sku": 1}, 400),
        ({"sku": ["sku-red"]}, 400),
        ({}, 400),
        ({"sku": None, "time": "now"}, 400),
    ],
)
def test_what_is_no_decision(page: Page, document: dict[str, object], status: int) -> None:
    answer = page.answer()
    told = page.post_json(f"/api/answers/{answer['id']}/decision", document)
    assert told.status_code == status
    assert page.why()
    assert not page.log.path.exists()


def test_a_disk_that_is_full_is_told(page: Page) -> None:
    """A folder in the file's place: the same path as any failing write."""
    page.log.path.mkdir(parents=True)
    answer = page.answer()
    told = page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": None})
    assert told.status_code == 500
    assert str(page.shop.folder) not in told.text
    assert "cannot write" in page.why()


def test_photos_worth_a_label_are_bounded(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_LABEL_PHOTOS", 2)
    photo = read_photo(photo_bytes())
    for step in range(4):
        from edgeseg.imaging import encode_png

        taken = encode_png(np.roll(photo, step, axis=1))
        answer = page.answer(taken)
        page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": None})
        last = sha256_hex(taken)
    names = {path.stem for path in page.photos.iterdir()}
    assert len(names) == 2
    assert last in names


def test_every_refusal_is_one_line(page: Page) -> None:
    answer = page.answer()
    page.post_json(f"/api/answers/{answer['id']}/decision", {"sku": "no\nsuch\x1b[31m"})
    [line] = page.lines
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["refused"] == 409
