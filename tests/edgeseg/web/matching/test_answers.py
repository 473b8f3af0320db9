"""Photos answered over HTTP: as the matcher answers them, and whatever is wrong refused."""

from __future__ import annotations

import gc
import json
import struct
import time
import weakref
import zlib
from typing import Any

import numpy as np
import pytest

from edgeseg import limits
from edgeseg.catalogue import Catalogue
from edgeseg.files import write_atomic
from edgeseg.imaging import encode_jpeg, encode_png, read_photo
from edgeseg.matcher import Matcher
from tests.edgeseg.handmade import red_square_photo
from tests.edgeseg.web.matching.conftest import COLOURS, EVIL, MakePage, Page, photo_bytes


def test_an_answer_is_the_matchers(page: Page) -> None:
    answer = page.answer()
    own = Matcher(Catalogue.open(page.shop.catalogue), page.shop.bundle).match(
        red_square_photo(), k=3
    )
    assert [(each["sku"], each["distance"]) for each in answer["matches"]] == [
        (match.sku, round(match.distance, 6)) for match in own.matches
    ]
    assert answer["matches"][0]["sku"] == "sku-red"
    assert answer["matches"][0]["attributes"] == {"colour": "red"}
    assert answer["matches"][0]["picture"] is True
    assert own.probability is not None
    assert answer["probability"] == round(own.probability, 4) > 0.5
    assert (answer["garment"], answer["accepted"], answer["cutout"]) == (True, True, "model")
    assert set(answer["timings_ms"]) == {"decode", "segment", "crop", "embed", "search"}
    assert page.lines == []


def test_the_parts_of_an_answer(page: Page) -> None:
    one = f"/api/answers/{page.answer()['id']}"
    cutout = read_photo(page.client.get(f"{one}/cutout").content)
    assert np.abs(cutout[cutout.shape[0] // 2, cutout.shape[1] // 2] - (220, 20, 20)).max() < 12
    photo = read_photo(page.client.get(f"{one}/photo").content)
    assert photo.shape == (150, 200, 3)
    mask = read_photo(page.client.get(f"{one}/mask").content)
    assert (mask[75, 100].tolist(), mask[2, 2].tolist()) == ([255] * 3, [0] * 3)
    thumbnail = page.client.get(f"{one}/thumbnails/1")
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert max(read_photo(thumbnail.content).shape) <= 240
    assert page.lines == []
    for path in ("/thumbnails/4", "/thumbnails/0", "/thumbnails/-1", "/thumbnails/x", "/other"):
        assert page.client.get(one + path).status_code == 404
        page.why()


def test_a_thumbnail_that_is_gone(page: Page) -> None:
    answer = page.answer()
    for name in COLOURS:
        (page.shop.folder / f"{name}.jpg").unlink()
    assert page.client.get(f"/api/answers/{answer['id']}/thumbnails/1").status_code == 404
    assert page.why() == "there is no picture of this item"


def test_a_garment_that_is_not_in_the_catalogue(page: Page) -> None:
    # Without its own item, a red garment is near to none.
    page.shop.build(attributes={"season": "winter"})
    photo = red_square_photo()
    photo[60:90, 80:120] = (255, 90, 90)
    answer = page.answer(encode_png(photo))
    assert answer["accepted"] is (answer["probability"] >= 0.5)


def test_no_garment(page: Page) -> None:
    answer = page.answer(encode_png(np.full((60, 80, 3), (90, 120, 90), np.uint8)))
    assert (answer["garment"], answer["matches"], answer["accepted"]) == (False, [], None)
    one = f"/api/answers/{answer['id']}"
    assert page.client.get(f"{one}/cutout").status_code == 404
    page.why()
    assert page.client.get(f"{one}/photo").status_code == 200
    told = page.post_json(f"{one}/decision", {"sku": None})
    assert told.status_code == 409
    assert "no garment" in page.why()


def test_a_whole_photo(page: Page) -> None:
    answer = page.answer(query="?whole=1")
    assert (answer["garment"], answer["cutout"], len(answer["matches"])) == (True, "whole", 3)
    assert page.client.get(f"/api/answers/{answer['id']}/mask").status_code == 404


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "image/svg+xml", ""])
def test_what_is_said_to_be_no_photo(page: Page, kind: str) -> None:
    assert page.post("/api/answers", photo_bytes(), kind).status_code == 415
    assert kind in page.why()


def _bomb() -> bytes:
    """A PNG of 100,000 x 100,000 pixels in a few bytes."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    written = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + written


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html><script>alert(1)</script>", "not a picture"),
        (b"GIF89a", ""),
        (photo_bytes()[:200], ""),
        (encode_jpeg(red_square_photo())[:-400], ""),
        (_bomb(), "100000 x 100000 pixels are more than"),
    ],
    ids=["html", "no picture", "cut short", "cut short JPEG", "bomb"],
)
def test_what_is_no_photo(page: Page, content: bytes, why: str) -> None:
    told = page.post("/api/answers", content)
    assert told.status_code == 422
    assert list(told.json()) == ["error"]
    assert str(page.shop.folder) not in told.text
    assert why in page.why()
    # And the next photo is answered as ever.
    assert page.answer()["garment"] is True


def test_a_photo_that_is_too_large(page: Page) -> None:
    pieces = [b"\xff" * (1 << 20)] * (limits.MAX_PHOTO_BYTES // (1 << 20) + 1)
    sent = {"origin": "http://127.0.0.1:8000", "content-type": "image/jpeg"}
    told = page.client.post("/api/answers", content=iter(pieces), headers=sent)
    assert told.status_code == 413
    assert page.why() == "the photo is larger than 64 MiB"


def test_only_the_latest_answers_are_kept(page: Page) -> None:
    first = page.answer()["id"]
    for _ in range(limits.MAX_KEPT_ANSWERS):
        last = page.answer()["id"]
    assert page.client.get(f"/api/answers/{first}/cutout").status_code == 410
    assert "take the photo again" in page.why()
    assert page.client.get(f"/api/answers/{last}/cutout").status_code == 200


@pytest.mark.parametrize("name", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "0" * 32, "%00"])
def test_an_answer_that_never_was(page: Page, name: str) -> None:
    assert page.client.get(f"/api/answers/{name}/cutout").status_code in (404, 410)
    assert len(page.lines) == 1


# --- correcting ---------------------------------------------------------------------------------


def _stroke(**changes: Any) -> dict[str, Any]:
    points = [[100, 40], [100, 110]]
    return {"tool": "brush", "foreground": False, "points": points, "width_px": 20, **changes}


def test_a_stroke_changes_the_cutout(page: Page) -> None:
    answer = page.answer()
    # Of one colour throughout, a brush would take all of the garment away.
    strokes = [_stroke(tool="eraser")]
    told = page.post_json(f"/api/answers/{answer['id']}/strokes", {"strokes": strokes})
    assert told.status_code == 201, told.text
    corrected = told.json()
    assert corrected["cutout"] == "corrected"
    assert corrected["id"] != answer["id"]
    mask = read_photo(page.client.get(f"/api/answers/{corrected['id']}/mask").content)
    assert (mask[75, 100, 0], mask[75, 70, 0]) == (0, 255)
    # All strokes taken back, it is the network's own again.
    again = page.post_json(f"/api/answers/{corrected['id']}/strokes", {"strokes": []}).json()
    assert again["cutout"] == "model"
    assert again["matches"][0]["sku"] == answer["matches"][0]["sku"]


def test_a_garment_that_was_not_found_is_drawn(page: Page) -> None:
    photo = np.full((150, 200, 3), (90, 120, 90), np.uint8)
    photo[30:120, 60:140] = (20, 40, 200)
    answer = page.answer(encode_png(photo))
    assert answer["garment"] is False
    corners = [[60, 30], [140, 30], [140, 120], [60, 120]]
    strokes = [_stroke(tool="polygon", foreground=True, points=corners, width_px=0)]
    found = page.post_json(f"/api/answers/{answer['id']}/strokes", {"strokes": strokes}).json()
    assert found["garment"] is True
    assert found["matches"][0]["sku"] == "sku-blue"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"strokes": None},
        {"strokes": [1]},
        {"strokes": [_stroke(tool="laser")]},
        {"strokes": [_stroke(points=[[1e999, 0]])]},
        {"strokes": [_stroke(points=[[float("nan"), 0]])]},
        {"strokes": [_stroke(points=[])]},
        {"strokes": [_stroke(extra=1)]},
        {"strokes": [_stroke()] * (limits.MAX_STROKES + 1)},
        {"strokes": [], "path": "/etc/passwd"},
    ],
)
def test_what_is_no_stroke(page: Page, document: dict[str, Any]) -> None:
    answer = page.answer()
    told = page.post_json(f"/api/answers/{answer['id']}/strokes", document)
    assert told.status_code == 400
    assert page.why()


# --- generations --------------------------------------------------------------------------------


def _wait_for(page: Page, prefix: str) -> None:
    for _ in range(500):
        page.client.get("/api/state")
        if page.answer()["matches"][0]["sku"].startswith(prefix):
            return
        time.sleep(0.02)
    raise AssertionError(f"the generation of {prefix} never answered")


def test_a_new_catalogue_is_taken_up(page: Page) -> None:
    before = page.answer()
    first = weakref.ref(page.source.current())
    page.shop.build("new-")
    _wait_for(page, "new-")
    # An answer stays with the catalogue that it came from, pictures included, and does not keep
    # that catalogue in memory.
    gc.collect()
    assert first() is None
    assert page.client.get(f"/api/answers/{before['id']}/thumbnails/1").status_code == 200
    told = page.post_json(f"/api/answers/{before['id']}/decision", {"sku": "sku-red"})
    assert told.status_code == 201
    assert page.lines == []


def test_a_catalogue_that_does_not_open_leaves_the_old_one(page: Page) -> None:
    write_atomic(page.shop.catalogue, b"damaged")
    for _ in range(500):
        state = page.client.get("/api/state").json()
        if state["behind"]:
            break
        time.sleep(0.02)
    assert state["behind"] is True
    assert str(page.shop.folder) not in json.dumps(state)
    assert page.answer()["matches"][0]["sku"] == "sku-red"
    page.shop.build("new-")
    _wait_for(page, "new-")
    assert page.client.get("/api/state").json()["behind"] is False


def test_the_state(page: Page) -> None:
    state = page.client.get("/api/state").json()
    assert state["age"].startswith("catalogue written ")
    assert (state["generation"], state["items"], state["pictures"]) == (0, 5, True)


def test_a_script_in_a_sku_stays_text(page: Page, make_page: MakePage) -> None:
    page.shop.prefix = EVIL
    page.shop.build(attributes={EVIL: EVIL})
    answered = make_page().post("/api/answers", photo_bytes())
    assert answered.headers["content-type"] == "application/json"
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.json()["matches"][0]["sku"] == f"{EVIL}red"
