"""JSON documents inside a container: one spelling to write, one strict way to read.

Whatever the bytes are, reading them ends in a value or in a
:class:`~edgeseg.errors.ManifestError`, and takes memory in proportion to their bounded length.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from edgeseg import limits
from edgeseg.errors import LimitExceededError, ManifestError

_SHA256_HEX = re.compile(r"[0-9a-f]{64}")


def canonical_json(value: Any) -> bytes:
    """The one spelling of ``value``: sorted keys, no spaces, ASCII with escapes, no NaN.

    Raises:
        ValueError: a number is not finite.
        TypeError: a value is none of JSON's kinds.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def parse_object(data: bytes | memoryview, limit_bytes: int, what: str) -> dict[str, Any]:
    """Parse a JSON object strictly.

    Args:
        data: UTF-8 text.
        limit_bytes: the largest length to accept.
        what: the document's name for messages.

    Raises:
        LimitExceededError: it is longer than ``limit_bytes``.
        ManifestError: it is not UTF-8 or JSON, nests deeper than ``limits.MAX_JSON_DEPTH``, repeats
            a key, has a number that is not finite or a lone surrogate, or is not an object.
    """
    if len(data) > limit_bytes:
        raise LimitExceededError(
            f"{what} has {len(data)} bytes, and at most {limit_bytes} are read"
        )
    try:
        value = json.loads(
            str(data, "utf-8"),
            object_pairs_hook=_object_without_repeats,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
        )
    except (ValueError, RecursionError) as error:
        reason = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        raise ManifestError(f"{what} is not valid JSON: {reason}") from error
    if not isinstance(value, dict):
        raise ManifestError(f"{what} is not a JSON object")
    _check_values(value, what)
    return value


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        # Two readers that pick different ones of two values would see two different files.
        raise ValueError("a key occurs twice in one object")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _check_values(value: dict[str, Any], what: str) -> None:
    level: list[Any] = [value]
    for _ in range(limits.MAX_JSON_DEPTH):
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.keys())
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str) and not _encodable(node):
                raise ManifestError(f"{what} has text that is not Unicode (a lone surrogate)")
        if not below:
            return
        level = below
    raise ManifestError(f"{what} nests deeper than {limits.MAX_JSON_DEPTH} levels")


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Fields:
    """Takes the fields of a JSON object one by one, and refuses what is missing, wrong or left.

    Args:
        value: the parsed object.
        what: its name for messages.
    """

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, Mapping):
            raise ManifestError(f"{what} is not a JSON object")
        self._left: dict[str, Any] = dict(value)
        self._what = what

    def take(self, name: str) -> Any:
        """A field of any kind."""
        if name not in self._left:
            raise ManifestError(f'{self._what} lacks "{name}"')
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether there is such a field, not taken yet."""
        return name in self._left

    def text(self, name: str, max_chars: int = limits.MAX_TEXT_CHARS) -> str:
        """One line of at most ``max_chars`` printable characters: a terminal will show it."""
        value = self.take(name)
        if not isinstance(value, str):
            raise self._wrong(name, "is not text")
        if len(value) > max_chars:
            raise self._wrong(name, f"is longer than {max_chars} characters")
        if not value.isprintable():
            raise self._wrong(name, "is not one line of printable text")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number in ``[low, high]``; ``true`` and ``1.0`` are none."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "is not a whole number")
        if not low <= value <= high:
            raise self._wrong(name, f"is not between {low} and {high}")
        return value

    def number(self, name: str) -> float:
        """A number; ``true`` is none."""
        value = self.take(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self._wrong(name, "is not a number")
        try:
            return float(value)
        except OverflowError as error:
            # A whole number may have more digits than a float holds.
            raise self._wrong(name, "is too large") from error

    def sha256(self, name: str) -> str:
        """A SHA-256 as 64 lower-case hexadecimal digits."""
        value = self.text(name)
        if not _SHA256_HEX.fullmatch(value):
            raise self._wrong(name, "is not a SHA-256 of 64 lower-case hexadecimal digits")
        return value

    def array(self, name: str, max_length: int) -> list[Any]:
        """A list of at most ``max_length`` values."""
        value = self.take(name)
        if not isinstance(value, list):
            raise self._wrong(name, "is not a list")
        if len(value) > max_length:
            raise self._wrong(name, f"has more than {max_length} values")
        return value

    def done(self) -> None:
        """Refuse whatever was not taken: an unknown field may change what the others mean."""
        if self._left:
            names = ", ".join(sorted(ascii(name)[:40] for name in self._left)[:3])
            raise ManifestError(f"{self._what} has an unknown field: {names}")

    def _wrong(self, name: str, problem: str) -> ManifestError:
        return ManifestError(f'"{name}" of {self._what} {problem}')
