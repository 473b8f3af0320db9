"""What a page asks for: the fields of its posts, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeseg.errors import DatasetError
from edgeseg.formats.document import Fields
from edgeseg.labelling.label_set import MAX_NAME_CHARS, MAX_NOTE_CHARS, MAX_STROKES
from edgeseg.labelling.strokes import Stroke
from edgeseg.web.bodies import refusing
from edgeseg.web.labelling.pictures import MAX_SIDE_PX, MIN_SIDE_PX
from edgeseg.web.refusal import RefusedError

# A stroke of as many points as there may be is 200 kB.
MAX_ACTION_BYTES = 512 * 1024
_BROWSER = re.compile(r"[A-Za-z0-9-]{8,64}")
_MAX_ID = 2**53 - 1


@dataclass(frozen=True)
class Person:
    """Who asks.

    Attributes:
        who: the name that is kept beside what they do.
        browser: what tells their browser from others.
        over: they leave another browser for this one.
    """

    who: str
    browser: str
    over: bool = False

    @classmethod
    def take(cls, fields: Fields) -> Person:
        """Take the fields ``who``, ``browser`` and, where it is there, ``over``.

        Raises:
            RefusedError: one is missing or wrong (400).
        """
        with refusing():
            who = fields.text("who", MAX_NAME_CHARS).strip()
            browser = fields.text("browser", 64)
            over = fields.take("over") is True if fields.has("over") else False
        if not who or not _BROWSER.fullmatch(browser):
            raise RefusedError(400, "who and browser say who asks")
        return cls(who, browser, over)


@dataclass(frozen=True)
class Action:
    """Something to do to a photo, safe to send again when its answer got lost.

    Attributes:
        person: who does it.
        photo_id: the photo.
        sha256: of the photo's file, in part: what is sent late must not meet another label set.
        strokes: in force when it was done. A server that is one ahead has done it already.
        side_px: the longer side of the mask to answer with.
        stroke: to add, where that is what to do.
        note: why a photo is rejected or skipped.
    """

    person: Person
    photo_id: int
    sha256: str
    strokes: int
    side_px: int
    stroke: Stroke | None = None
    note: str = ""

    @classmethod
    def take(cls, photo_id: int, fields: Fields) -> Action:
        """Take all fields of a post.

        Raises:
            RefusedError: one is missing, wrong or unknown (400).
        """
        person = Person.take(fields)
        with refusing():
            sha256 = fields.text("sha256", 64)
            strokes = fields.integer("strokes", 0, MAX_STROKES)
            side_px = fields.integer("side_px", MIN_SIDE_PX, MAX_SIDE_PX)
            note = fields.text("note", MAX_NOTE_CHARS) if fields.has("note") else ""
            drawn = fields.take("stroke") if fields.has("stroke") else None
            fields.done()
        return cls(person, photo_id, sha256, strokes, side_px, _stroke(drawn), note)


def photo_id_of(text: str) -> int:
    """The number of a photo in an address.

    Raises:
        RefusedError: it is none (404).
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= _MAX_ID):
        raise RefusedError(404, "there is no such photo")
    return int(text)


def optional_id(fields: Fields, name: str) -> int | None:
    """A photo's number or null.

    Raises:
        FormatError: it is neither.
    """
    value = fields.take(name)
    return None if value is None else Fields({name: value}, "the body").integer(name, 0, _MAX_ID)


def _stroke(document: object) -> Stroke | None:
    """A stroke, as it will be read again from the label set.

    Raises:
        RefusedError: it is none (400).
    """
    if document is None:
        return None
    if not isinstance(document, dict):
        raise RefusedError(400, "a stroke is a JSON object")
    try:
        return Stroke.from_dict(Stroke.from_dict(document).to_dict())
    except DatasetError as error:
        raise RefusedError(400, str(error)) from error
