"""The container: golden bytes, and one test for each rule of FORMAT.md."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from edgeseg.errors import (
    DigestMismatchError,
    FormatError,
    LimitExceededError,
    ManifestError,
    UnsupportedFormatVersionError,
)
from edgeseg.formats import container
from edgeseg.formats.document import canonical_json
from tests.edgeseg.formats.samples import TINY

GOLDEN_HEADER = (
    b'{"sections":[{"length":3,"name":"one","offset":320,'
    b'"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},'
    b'{"length":0,"name":"two.bin","offset":384,'
    b'"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}'
)
GOLDEN = (
    b"\x89TINY\r\n\x1a"  # magic
    b"\x07\0\0\0"  # format_version
    b"\xf8\0\0\0"  # header length: 248
    b"}\x14\xd2Z\xf3\xba\xa8NplN\xd9P\x1a\x83\xc0\x0fLEm\xeb\xb3A\x14\x9c\x82\xbb\x05\xd7\x07Vm"
    + GOLDEN_HEADER
    + bytes(24)  # to 320
    + b"abc"
    + bytes(61)  # to 384, where the empty section starts
)


def sealed(header: bytes, rest: bytes = b"", version: int = 7, magic: bytes = TINY.magic) -> bytes:
    """A file with a right header digest around any header."""
    prefix = struct.pack("<8sII", magic, version, len(header))
    return prefix + hashlib.sha256(prefix + header).digest() + header + rest


def entry(**changes: object) -> dict[str, object]:
    """The entry of section `one` in a file that has only it."""
    sha256 = hashlib.sha256(b"abc").hexdigest()
    return {"length": 3, "name": "one", "offset": 192, "sha256": sha256, **changes}


def file_of(*entries: object, rest: bytes | None = None) -> bytes:
    """A sealed file of these entries, padded so that section `one` starts at 192."""
    header = canonical_json({"sections": list(entries)})
    return sealed(header, bytes(192 - 48 - len(header)) + b"abc" if rest is None else rest)


def test_the_golden_bytes_are_written_and_read() -> None:
    assert b"".join(container.encode(TINY, {"one": b"abc", "two.bin": b""})) == GOLDEN
    opened = container.decode(TINY, GOLDEN)
    assert {name: bytes(part) for name, part in opened.sections.items()} == {
        "one": b"abc",
        "two.bin": b"",
    }
    assert opened.digest == GOLDEN[16:48].hex()


def test_every_changed_byte_is_noticed() -> None:
    for position in range(len(GOLDEN)):
        for flip in (0x01, 0x80):
            changed = bytearray(GOLDEN)
            changed[position] ^= flip
            with pytest.raises(FormatError):
                container.decode(TINY, bytes(changed))


def test_every_truncation_and_any_appended_byte_is_noticed() -> None:
    for length in range(len(GOLDEN)):
        with pytest.raises(FormatError):
            container.decode(TINY, GOLDEN[:length])
    with pytest.raises(FormatError, match="1 bytes follow"):
        container.decode(TINY, GOLDEN + b"\0")


def test_a_single_section_opens() -> None:
    assert bytes(container.decode(TINY, file_of(entry())).sections["one"]) == b"abc"


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", FormatError, "not a sample"),
        (b"PK\3\4" + bytes(60), FormatError, "not a sample"),
        (sealed(b"{}", version=8), UnsupportedFormatVersionError, "format_version 8"),
        (GOLDEN[:12] + b"\xff\xff\xff\xff" + GOLDEN[16:], LimitExceededError, "header is longer"),
        (GOLDEN[:100], FormatError, "within the header"),
        (GOLDEN[:200] + b"?" + GOLDEN[201:], DigestMismatchError, "header is damaged"),
        (GOLDEN.replace(b"abc", b"abd"), DigestMismatchError, "section one is damaged"),
        (GOLDEN[:322], FormatError, "cut short within section one"),
        (GOLDEN[:310], FormatError, "cut short before section one"),
        (sealed(b"\xff"), ManifestError, "not valid JSON"),
        (sealed(b"[]"), ManifestError, "not a JSON object"),
        (sealed(b'{"sections":[],"x":1}'), ManifestError, "unknown field"),
        (sealed(b'{"sections":7}'), ManifestError, "not a list"),
        (sealed(b'{"sections": []}'), FormatError, "canonical"),
        # Deeper than the parser of any Python goes: 3.13 follows some thousands of levels.
        (sealed(b"[" * 60_000), ManifestError, "not valid JSON: it nests too deep"),
        (sealed(b'{"a":' * 5000 + b"1" + b"}" * 5000), ManifestError, "nests"),
        (sealed(b'{"a":' * 40 + b"1" + b"}" * 40), ManifestError, "nests deeper"),
        (sealed(b'{"a":1,"a":1}'), ManifestError, "twice"),
        (sealed(b'{"sections":[NaN]}'), ManifestError, "NaN"),
        (sealed(b'{"sections":[1e999]}'), ManifestError, "too large"),
        (sealed(b'{"sections":["\\ud800"]}'), ManifestError, "surrogate"),
        (sealed(b'{"sections":' + b"9" * 5000 + b"}"), ManifestError, "header"),
        (file_of(7), ManifestError, "not a JSON object"),
        (file_of(entry(name="../x")), FormatError, "other characters"),
        (file_of(entry(name="x" * 70), rest=b""), FormatError, "other characters"),
        (file_of(entry(length=-1)), ManifestError, "not between"),
        (file_of(entry(length=True)), ManifestError, "whole number"),
        (file_of(entry(length=2**50)), FormatError, "cut short"),
        (file_of(entry(offset=193)), FormatError, "does not start"),
        (file_of(entry(sha256="AB" * 32)), ManifestError, "lower-case"),
        (file_of(entry(extra=1)), ManifestError, "unknown field"),
        (file_of({"length": 3}), ManifestError, "lacks"),
    ],
)
def test_each_broken_rule_has_its_error(data: bytes, error: type[FormatError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        container.decode(TINY, data)
    assert str(caught.value).isprintable()


def test_padding_must_be_zero_and_names_distinct() -> None:
    with pytest.raises(FormatError, match="padding"):
        container.decode(TINY, GOLDEN.replace(b"\0abc", b"\1abc"))
    header = canonical_json({"sections": [entry(offset=320), entry(offset=384)]})
    rest = bytes(320 - 48 - len(header)) + b"abc" + bytes(61) + b"abc"
    with pytest.raises(FormatError, match="twice"):
        container.decode(TINY, sealed(header, rest))


def test_what_readers_refuse_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="section's name"):
        container.encode(TINY, {"Upper": b""})
    with pytest.raises(ValueError, match="sections"):
        container.encode(TINY, {})
    with pytest.raises(ValueError, match="sections"):
        container.encode(TINY, {f"s{number}": b"" for number in range(100)})
    with pytest.raises(LimitExceededError, match="cannot be read back"):
        container.write(TINY, tmp_path / "f", {"one": bytes(5000)})
    assert not list(tmp_path.iterdir())


def test_a_file_is_named_in_its_error(tmp_path: Path) -> None:
    path = tmp_path / "x.sample"
    container.write(TINY, path, {"one": b"abc", "two.bin": b""})
    assert path.read_bytes() == GOLDEN
    path.write_bytes(GOLDEN[:-1])
    with pytest.raises(FormatError) as caught:
        container.read(TINY, path)
    assert str(caught.value).startswith(f"sample {path}: ")
    assert str(caught.value).endswith("; again")
    path.write_bytes(bytes(5000))
    with pytest.raises(LimitExceededError, match="too large"):
        container.read(TINY, path)
