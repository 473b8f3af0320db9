"""The byte container that bundles and catalogues share (FORMAT.md, "Container").

A container is a short header and named sections. The reader is total: any bytes either give
sections whose SHA-256 has been checked, or raise a :class:`~edgeseg.errors.FormatError`. It makes
no copy of the sections: they are views of the bytes that were read.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from edgeseg import limits
from edgeseg.errors import (
    DigestMismatchError,
    FormatError,
    LimitExceededError,
    UnsupportedFormatVersionError,
)
from edgeseg.files import PathLike, map_bounded, read_bounded, sha256_hex, shown_path, write_atomic
from edgeseg.formats.document import Fields, canonical_json, parse_object

ALIGNMENT_BYTES = 64
_PREFIX = struct.Struct("<8sII")
_DIGEST_BYTES = 32
_HEADER_START = _PREFIX.size + _DIGEST_BYTES
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Kind:
    """A kind of container.

    Attributes:
        name: the word for messages, as in "bundle".
        magic: the 8 bytes that a file of this kind starts with.
        format_version: the version that is written unless another is asked for.
        max_bytes: the largest file to read.
        remake: what a user does about an unreadable file, for messages.
        later_versions: further versions that can be written and are read.
    """

    name: str
    magic: bytes
    format_version: int
    max_bytes: int
    remake: str
    later_versions: tuple[int, ...] = ()

    @property
    def known_versions(self) -> tuple[int, ...]:
        """Those that are read."""
        return (self.format_version, *self.later_versions)


@dataclass(frozen=True)
class Container:
    """What a file holds.

    Attributes:
        sections: their bytes by name.
        digest: names all of the file's bytes.
        format_version: that it was written in.
    """

    sections: Mapping[str, memoryview]
    digest: str
    format_version: int


def encode(
    kind: Kind, sections: Mapping[str, bytes | memoryview], format_version: int | None = None
) -> list[bytes | memoryview]:
    """The pieces of a container file, in order.

    Equal sections in equal order give equal bytes: nothing else, no time or name, goes in.

    Args:
        kind: of container.
        sections: bytes by name.
        format_version: one of the kind's; None is its ``format_version``.

    Raises:
        ValueError: a section's name is not allowed, there are too many, or the version is unknown.
        LimitExceededError: the file would be larger than readers accept.
    """
    if not 0 < len(sections) <= limits.MAX_SECTIONS:
        raise ValueError(f"a {kind.name} has 1 to {limits.MAX_SECTIONS} sections")
    version = kind.format_version if format_version is None else format_version
    if version not in kind.known_versions:
        raise ValueError(f"a {kind.name} has no format_version {version}")
    views = {name: memoryview(data).cast("B") for name, data in sections.items()}
    for name in views:
        if not _is_section_name(name):
            raise ValueError(f"{name!r} cannot be a section's name")
    digests = {name: sha256_hex(view) for name, view in views.items()}
    header, starts = _settled_header(views, digests)
    if len(header) > limits.MAX_HEADER_BYTES:
        raise LimitExceededError(f"the header of a {kind.name} would be too long")
    prefix = _PREFIX.pack(kind.magic, version, len(header))
    pieces: list[bytes | memoryview] = [
        prefix,
        hashlib.sha256(prefix + header).digest(),
        header,
    ]
    position = _HEADER_START + len(header)
    for name, view in views.items():
        pieces += [bytes(starts[name] - position), view]
        position = starts[name] + len(view)
    if position > kind.max_bytes:
        raise LimitExceededError(
            f"a {kind.name} of {position} bytes cannot be read back: "
            f"at most {kind.max_bytes} are allowed"
        )
    return pieces


def write(kind: Kind, path: PathLike, sections: Mapping[str, bytes | memoryview]) -> None:
    """Write a container to ``path`` atomically.

    Raises:
        ValueError, LimitExceededError: as :func:`encode`.
        EdgesegError: as :func:`edgeseg.files.write_atomic`.
    """
    write_atomic(path, encode(kind, sections))


def read(kind: Kind, path: PathLike, *, mapped: bool = False) -> Container:
    """Read a container file.

    Args:
        kind: which one it must be.
        path: the file.
        mapped: map it into memory instead of reading it, see :func:`edgeseg.files.map_bounded`.

    Raises:
        FormatError: its bytes break the format; the message names the file.
        EdgesegError: the file cannot be read at all.
    """
    data = (map_bounded if mapped else read_bounded)(path, kind.max_bytes, kind.name)
    with named(kind, path):
        return decode(kind, data)


class named:  # noqa: N801 - reads as a verb in `with named(kind, path):`
    """Puts the file's name in front of a format error's message, and what to do behind it."""

    def __init__(self, kind: Kind, path: PathLike) -> None:
        self._kind = kind
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FormatError):
            message = f"{self._kind.name} {shown_path(self._path)}: {error}; {self._kind.remake}"
            raise type(error)(message) from error


def decode(kind: Kind, data: bytes | memoryview) -> Container:
    """Check a container's bytes from the first to the last and give its sections.

    Every byte of the file is covered: by the header's digest, by a section's digest, or by the
    rule that padding is zero and that nothing follows the last section.

    Raises:
        UnsupportedFormatVersionError: it was written by another generation of edgeseg.
        DigestMismatchError: the header's or a section's bytes are not those that were written.
        LimitExceededError: the header or the number of sections is above its bound.
        ManifestError: the header is not the JSON it must be.
        FormatError: anything else is wrong with the bytes.
    """
    if len(data) < _HEADER_START:
        raise FormatError(f"it is not a {kind.name} (only {len(data)} bytes)")
    magic, format_version, header_length = _PREFIX.unpack_from(data)
    if magic != kind.magic:
        raise FormatError(f"it is not a {kind.name} (its first 8 bytes are others)")
    if format_version not in kind.known_versions:
        known = " and ".join(str(version) for version in kind.known_versions)
        raise UnsupportedFormatVersionError(
            f"it has format_version {format_version}, and this edgeseg reads {known}"
        )
    if header_length > limits.MAX_HEADER_BYTES:
        raise LimitExceededError(f"its header is longer than {limits.MAX_HEADER_BYTES} bytes")
    view = memoryview(data)
    header = bytes(view[_HEADER_START : _HEADER_START + header_length])
    if len(header) != header_length:
        raise FormatError("it is cut short within the header")
    digest = hashlib.sha256(bytes(view[: _PREFIX.size]) + header).digest()
    if digest != data[_PREFIX.size : _HEADER_START]:
        raise DigestMismatchError("its header is damaged (SHA-256 differs)")
    return Container(_checked_sections(view, header), digest.hex(), format_version)


def _checked_sections(view: memoryview, header: bytes) -> dict[str, memoryview]:
    fields = Fields(parse_object(header, limits.MAX_HEADER_BYTES, "the header"), "the header")
    entries = fields.array("sections", limits.MAX_SECTIONS)
    fields.done()
    if canonical_json({"sections": entries}) != header:
        raise FormatError("its header is not in canonical form")
    sections: dict[str, memoryview] = {}
    digests: list[str] = []
    position = _HEADER_START + len(header)
    for entry in entries:
        name, start, length, digest = _section_entry(entry, len(view))
        if name in sections:
            raise FormatError(f"section {name} occurs twice")
        if start != _aligned(position):
            raise FormatError(f"section {name} does not start where the one before it ends")
        if start + length > len(view):
            raise FormatError(f"it is cut short within section {name}")
        if any(view[position:start]):
            raise FormatError(f"the padding before section {name} is not zero")
        sections[name] = view[start : start + length]
        digests.append(digest)
        position = start + length
    if position != len(view):
        raise FormatError(f"{len(view) - position} bytes follow its last section")
    # Digesting takes longer than anything else here, and lets another thread run.
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(sha256_hex, sections.values())
        for name, digest, own in zip(sections, digests, found, strict=True):
            if own != digest:
                raise DigestMismatchError(f"section {name} is damaged (SHA-256 differs)")
    return sections


def _section_entry(entry: object, file_bytes: int) -> tuple[str, int, int, str]:
    fields = Fields(entry, "a section's entry")
    name = fields.text("name")
    if not _is_section_name(name):
        raise FormatError("a section's name has other characters than a-z, 0-9, '_', '.' and '-'")
    # Bounds by 2**53: what every JSON reader can hold exactly. Truncation is told by the caller.
    start = fields.integer("offset", 0, 2**53)
    length = fields.integer("length", 0, 2**53)
    digest = fields.sha256("sha256")
    fields.done()
    if start > file_bytes:
        raise FormatError(f"it is cut short before section {name}")
    return name, start, length, digest


def _is_section_name(name: str) -> bool:
    return len(name) <= limits.MAX_SECTION_NAME_CHARS and _NAME.fullmatch(name) is not None


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _settled_header(
    views: Mapping[str, memoryview], digests: Mapping[str, str]
) -> tuple[bytes, dict[str, int]]:
    """The header and the sections' offsets; longer offsets lengthen the header, so until stable."""
    header = b""
    while True:
        starts: dict[str, int] = {}
        position = _HEADER_START + len(header)
        for name, view in views.items():
            starts[name] = _aligned(position)
            position = starts[name] + len(view)
        entries = [
            {"name": name, "offset": starts[name], "length": len(view), "sha256": digests[name]}
            for name, view in views.items()
        ]
        settled = canonical_json({"sections": entries})
        if len(settled) == len(header):
            return settled, starts
        header = settled
