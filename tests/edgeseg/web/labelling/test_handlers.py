"""The label page's handlers: what each action does, once, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("httpx", reason="Starlette's test client needs httpx")

from starlette.testclient import TestClient

from edgeseg.imaging import read_mask, read_photo
from edgeseg.labelling.label_set import LEASE_S, LabelSet
from edgeseg.web.access import Access
from edgeseg.web.labelling.application import label_application
from tests.verify.label_site import drawn_photo, make_labels

_STROKE = {"tool": "polygon", "foreground": True, "width_px": 0.0}
_CORNERS = [[10.0, 10.0], [60.0, 10.0], [60.0, 50.0]]


class Page:
    """One person's browser, as far as the server sees it."""

    def __init__(self, client: TestClient, who: str, browser: str = "") -> None:
        self.client, self.who, self.browser = client, who, browser or f"browser-{who}"

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(
            f"/api/{path}",
            json={"who": self.who, "browser": self.browser, **body},
            headers={"origin": "http://127.0.0.1:8000"},
        )
        return answer.status_code, answer.json()

    def next(self, **more: Any) -> dict[str, Any]:
        status, answer = self.post("next", side_px=160, **more)
        assert status == 200, answer
        return answer

    def act(self, photo: dict[str, Any], verb: str, **more: Any) -> tuple[int, dict[str, Any]]:
        body = {"sha256": photo["sha256"], "strokes": photo["strokes_done"], "side_px": 160}
        return self.post(f"photos/{photo['id']}/{verb}", **(body | more))


class Place:
    """A label set of four drawn photos, and a clock to turn."""

    def __init__(self, folder: Path) -> None:
        self.labels = make_labels(folder, map(drawn_photo, range(4)))
        self.now = 1_000.0
        self.lines: list[str] = []
        self.restart()

    def restart(self) -> None:
        labels = LabelSet(self.labels.folder, lambda: self.now)
        access = Access.to("127.0.0.1", 8000)
        application = label_application(labels, access, self.lines.append)
        self.client = TestClient(application, base_url="http://127.0.0.1:8000")

    def page(self, who: str, browser: str = "") -> Page:
        return Page(self.client, who, browser)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _stroke(corners: list[list[float]] = _CORNERS, **changes: Any) -> dict[str, Any]:
    return {**_STROKE, "points": corners, **changes}


def _mask(answer: dict[str, Any]) -> np.ndarray[Any, Any]:
    told = answer["mask"]
    flat = np.zeros(told["width_px"] * told["height_px"], bool)
    position, garment = 0, False
    for run in told["runs"]:
        flat[position : position + run] = garment
        position, garment = position + run, not garment
    assert position == flat.size
    return flat.reshape(told["height_px"], told["width_px"])


def test_a_photo_from_first_look_to_accepted(place: Place) -> None:
    anna = place.page("Anna")
    opened = anna.next()
    photo = opened["photo"]
    assert (photo["name"], photo["group"]) == ("000.jpg", "group 0")
    assert opened["progress"]["todo"] == 4
    before = _mask(opened)
    assert before.shape == (120, 160)
    assert not before[15, 40]
    status, answer = anna.act(photo, "strokes", stroke=_stroke())
    assert status == 200
    assert _mask(answer)[15, 40]
    status, answer = anna.act(answer["photo"], "accept")
    assert status == 200
    assert answer["progress"]["accepted"] == 1
    record = place.labels.record(photo["id"])
    assert (record.state, record.decided_by, record.mask_strokes) == (
        "accepted", "Anna", {"polygon": 1},
    )  # fmt: skip
    path = place.labels.mask_path(record)
    assert path is not None
    kept = read_mask(path)
    assert kept.shape == (120, 160)
    assert kept[15, 40]
    assert anna.next()["photo"]["name"] == "001.jpg"
    assert place.lines == []


def test_undo_and_redo_outlive_a_restart(place: Place) -> None:
    anna = place.page("Anna")
    opened = anna.next()
    drawn = anna.act(opened["photo"], "strokes", stroke=_stroke())[1]
    undone = anna.act(drawn["photo"], "undo")[1]
    assert (_mask(undone) == _mask(opened)).all()
    place.restart()
    anna = place.page("Anna")
    again = anna.next()["photo"]
    assert (again["strokes_done"], again["strokes_known"]) == (0, 1)
    redone = anna.act(again, "redo")[1]
    assert (_mask(redone) == _mask(drawn)).all()
    assert anna.act(redone["photo"], "redo")[0] == 200
    assert place.labels.record(again["id"]).strokes_done == 1


@pytest.mark.parametrize("verb", ["strokes", "undo", "redo", "accept", "reject", "skip"])
def test_what_is_sent_twice_is_done_once(place: Place, verb: str) -> None:
    """The answer of the first was lost, so that the page sends it again, after a restart even."""
    anna = place.page("Anna")
    photo = anna.next()["photo"]
    for corner in (60.0, 70.0):
        photo = anna.act(photo, "strokes", stroke=_stroke([*_CORNERS[:2], [corner, 50.0]]))[1][
            "photo"
        ]
    if verb == "redo":
        photo = anna.act(photo, "undo")[1]["photo"]
    more = {"stroke": _stroke()} if verb == "strokes" else {}
    first = anna.act(photo, verb, **more)
    place.restart()
    second = place.page("Anna").act(photo, verb, **more)
    assert first[0] == second[0] == 200
    assert first[1] == second[1]
    events = [what for _, _, what in place.labels.events(photo["id"])]
    told = {"strokes": "polygon", "undo": "undone", "redo": "redone", "accept": "accepted",
            "reject": "rejected", "skip": "skipped"}[verb]  # fmt: skip
    assert events.count(told) == (3 if verb == "strokes" else 1)


def test_what_was_done_upon_other_strokes_is_refused(place: Place) -> None:
    anna = place.page("Anna")
    photo = anna.next()["photo"]
    for corner in (60.0, 70.0):
        stroke = _stroke([*_CORNERS[:2], [corner, 50.0]])
        latest = anna.act(photo, "strokes", stroke=stroke)
        photo = latest[1].get("photo", photo)
    old = photo | {"strokes_done": 0}
    for verb, more in (("strokes", {"stroke": _stroke()}), ("accept", {}), ("redo", {})):
        status, answer = anna.act(old, verb, **more)
        assert (status, answer["error"]) == (412, "this photo was changed in another window")
    assert place.labels.record(photo["id"]).strokes_done == 2


def test_two_people_never_get_the_same_photo(place: Place) -> None:
    anna, ben = place.page("Anna"), place.page("Ben")
    for _ in range(2):
        hers, his = anna.next()["photo"], ben.next()["photo"]
        assert hers["id"] != his["id"]
        for verb, more in (("strokes", {"stroke": _stroke()}), ("accept", {}), ("skip", {})):
            status, answer = ben.act(hers, verb, **more)
            assert (status, answer["error"]) == (409, "this photo is with Anna now")
        anna.act(hers, "accept")
        ben.act(his, "skip")
    assert anna.next()["photo"] is None


def test_two_people_of_one_name(place: Place) -> None:
    first, second = place.page("Anna", "browser-1"), place.page("Anna", "browser-2")
    photo = first.next()["photo"]
    status, answer = second.post("next", side_px=160)
    assert (status, answer["error"]) == (423, "Anna is labelling in another browser")
    assert second.next(over=True)["photo"]["id"] == photo["id"]
    assert first.act(photo, "strokes", stroke=_stroke())[0] == 423
    assert first.post("alive", photo=photo["id"], active=True)[0] == 423


def test_a_lease_that_ran_out_goes_to_the_next_and_is_told(place: Place) -> None:
    anna, ben = place.page("Anna"), place.page("Ben")
    photo = anna.next()["photo"]
    place.now += LEASE_S - 1
    assert anna.post("alive", photo=photo["id"], active=True)[0] == 200
    place.now += LEASE_S - 1
    assert anna.post("alive", photo=photo["id"], active=False)[0] == 200
    place.now += 2
    # Nobody else has it yet: it is still hers to go on with.
    assert anna.post("alive", photo=photo["id"], active=False)[0] == 200
    assert ben.next()["photo"]["id"] == photo["id"]
    for path, body in (("alive", {"photo": photo["id"], "active": True}),):
        status, answer = anna.post(path, **body)
        assert (status, answer["error"]) == (409, "this photo is with Ben now")
    ben.act(photo, "accept")
    status, answer = anna.act(photo, "accept")
    assert (status, answer["error"]) == (409, "this photo was accepted by Ben meanwhile")
    assert place.labels.record(photo["id"]).decided_by == "Ben"


def test_back_to_a_photo_that_was_decided(place: Place) -> None:
    anna = place.page("Anna")
    photo = anna.next()["photo"]
    anna.act(photo, "reject", note="torn")
    assert place.labels.record(photo["id"]).note == "torn"
    other = anna.next()["photo"]
    status, answer = anna.act(photo, "reopen", instead_of=other["id"])
    assert (status, answer["photo"]["state"]) == (200, "todo")
    assert place.page("Ben").next()["photo"]["id"] == other["id"]
    assert anna.next()["photo"]["id"] == photo["id"]


def test_skipped_photos_are_taken_up_again(place: Place) -> None:
    anna = place.page("Anna")
    while (photo := anna.next()["photo"]) is not None:
        anna.act(photo, "skip")
    assert anna.post("skipped", side_px=160)[1]["photo"]["name"] == "000.jpg"
    assert place.page("Ben").post("skipped", side_px=160)[1]["photo"]["name"] == "001.jpg"


def test_a_photo_given_back_goes_to_the_next_at_once(place: Place) -> None:
    anna = place.page("Anna")
    photo = anna.next()["photo"]
    assert anna.post(f"photos/{photo['id']}/release")[0] == 200
    assert place.page("Ben").next()["photo"]["id"] == photo["id"]


def test_coverage_by_group_has_the_least_covered_first(place: Place) -> None:
    anna = place.page("Anna")
    answer = anna.act(anna.next()["photo"], "accept")[1]
    told = [(group["group"], group["accepted"], group["total"]) for group in answer["groups"]]
    assert told == [("group 1", 0, 1), ("group 0", 1, 3)]
    assert answer["groups_total"] == 2


@pytest.mark.parametrize("wrong", ["gone", "other", "bomb"])
def test_a_photo_whose_file_changed_can_only_be_set_aside(place: Place, wrong: str) -> None:
    path = place.labels.photos_folder / "000.jpg"
    if wrong == "gone":
        path.unlink()
    elif wrong == "other":
        path.write_bytes((place.labels.photos_folder / "001.jpg").read_bytes())
    else:
        # A PNG's header of 60,000 x 60,000 pixels.
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0\0\xea\x60" * 2 + b"\x08\x02\0\0\0" + b"\0" * 40
        )
    anna = place.page("Anna")
    opened = anna.next()
    assert opened["mask"] is None
    assert opened["problem"] == "the photo's file is gone, damaged or changed since"
    photo = opened["photo"]
    assert anna.act(photo, "strokes", stroke=_stroke())[0] == 410
    assert anna.act(photo, "accept")[0] == 410
    assert place.labels.record(photo["id"]).strokes_done == 0
    assert anna.act(photo, "skip")[0] == 200


def test_pictures_are_no_larger_than_asked(place: Place) -> None:
    photo = place.page("Anna").next()["photo"]
    path = f"/api/photos/{photo['id']}/picture"
    for query, shape in (
        ("side_px=80", (60, 80)),
        ("side_px=4000", (120, 160)),
        ("side_px=64&box=10,20,110,70", (32, 64)),
    ):
        answer = place.client.get(f"{path}?{query}")
        assert answer.headers["content-type"] == "image/jpeg"
        assert read_photo(answer.content).shape[:2] == shape


@pytest.mark.parametrize(
    "query",
    ["", "side_px=1", "side_px=5000", "side_px=-80", "side_px=80&box=1,2,3", "side_px=1e3",
     "side_px=80&box=0,0,161,120", "side_px=80&box=50,50,50,60", "side_px=80&box=a,b,c,d"],
)  # fmt: skip
def test_pictures_that_there_are_not(place: Place, query: str) -> None:
    assert place.client.get(f"/api/photos/1/picture?{query}").status_code == 400
    assert len(place.lines) == 1


@pytest.mark.parametrize("photo_id", ["0", "99", "-1", "1.0", "²", "9" * 30, "..%2f..%2flabels"])
def test_photos_that_there_are_not(place: Place, photo_id: str) -> None:
    answer = place.client.get(f"/api/photos/{photo_id}/picture?side_px=80")
    assert answer.status_code == 404
    assert str(place.labels.folder) not in answer.text


_HUGE = 10**400


@pytest.mark.parametrize(
    "changes",
    [
        {"stroke": None},
        {"stroke": []},
        {"stroke": _stroke(tool="laser")},
        {"stroke": _stroke(tool=["brush"])},
        {"stroke": _stroke([[1, 2]])},
        {"stroke": _stroke([[1, 2, 3]] * 3)},
        {"stroke": _stroke([[_HUGE, 2.0]] * 3)},
        {"stroke": _stroke([["1", "2"]] * 3)},
        {"stroke": _stroke([[0.0, 0.0]] * 10_001)},
        {"stroke": _stroke(more=1)},
        {"strokes": -1},
        {"strokes": 1.0},
        {"strokes": "0"},
        {"side_px": 1_000_000},
        {"who": ""},
        {"who": " "},
        {"who": "a\nb"},
        {"who": "x" * 101},
        {"who": None},
        {"browser": "../.."},
        {"more": 1},
    ],
    ids=str,
)
def test_posts_that_are_none(place: Place, changes: dict[str, Any]) -> None:
    anna = place.page("Anna")
    photo = anna.next()["photo"]
    status, answer = anna.act(photo, "strokes", **({"stroke": _stroke()} | changes))
    assert status == 400
    assert list(answer) == ["error"]
    assert place.labels.record(photo["id"]).strokes_known == 0
    assert json.loads(place.lines[-1])["refused"] == 400


def test_a_post_meant_for_another_label_set(place: Place) -> None:
    """What a page sends late meets another set that is served at the same port by then."""
    anna = place.page("Anna")
    photo = anna.next()["photo"] | {"sha256": "0" * 64}
    assert anna.act(photo, "accept")[0] == 404


def test_a_label_set_that_went_away_may_come_back(place: Place) -> None:
    anna = place.page("Anna")
    photo = anna.next()["photo"]
    away = place.labels.folder.with_name("away")
    place.labels.folder.rename(away)
    status, answer = anna.act(photo, "strokes", stroke=_stroke())
    assert status == 503
    assert str(place.labels.folder) not in answer["error"]
    away.rename(place.labels.folder)
    assert anna.act(photo, "strokes", stroke=_stroke())[0] == 200
