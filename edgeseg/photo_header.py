"""What a picture file says of itself, read before any decoder sees it.

Three questions are answered from the bytes alone: which format is it, how large would it decode to
(a 40 kB file can claim 200 megapixels), and is it whole (decoders give a half-grey picture for a
half-copied JPEG, without an error). No imaging library is needed here.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, replace

_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
# Inside JPEG's entropy-coded data FF is followed by 00 (stuffing) or D0..D7 (restart); FF FF is
# fill. Anything else is a real marker.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_JPEG_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END = 0xD9
# A photo has some thirty; a file can be made of millions.
_MAX_JPEG_SEGMENTS = 1_000
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"8BPS", "a Photoshop document"),
)


class HeaderError(ValueError):
    """The bytes are no picture that can be decoded; the message completes "FILE: ..."."""


@dataclass(frozen=True)
class JpegSegment:
    """A marker's second byte, where its FF lies, and where what its length covers ends.

    What follows up to the next segment is entropy-coded, if the marker starts a scan.
    """

    marker: int
    start: int
    end: int


@dataclass(frozen=True)
class PhotoHeader:
    """What was read: format name, size as stored in pixels, EXIF orientation 1..8.

    `jpeg_segments` are a JPEG's in order, its end marker last; none if they are absurdly many.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    jpeg_segments: tuple[JpegSegment, ...] = ()


def read_header(data: bytes) -> PhotoHeader:
    """Tell format, stored size and orientation of a picture, and that it is whole.

    Args:
        data: The file's bytes.

    Raises:
        HeaderError: If it is empty, of an unsupported kind, damaged, or cut short.
    """
    if not data:
        raise HeaderError("the file is empty")
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:8] == _PNG_MAGIC:
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return _gif(data)
        if data[:4] in (b"II*\x00", b"MM\x00*"):
            return _tiff(data)
        if data[:2] == b"BM" and len(data) >= 26:
            return _bmp(data)
    except (struct.error, IndexError) as error:
        raise HeaderError("the picture is cut short (incomplete file)") from error
    raise HeaderError(f"{_describe(data)}, not a picture (JPEG, PNG, WebP, BMP, TIFF or GIF)")


def _describe(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        kind = "AVIF" if brand in (b"avif", b"avis") else "HEIC/HEIF"
        if brand[:2] in (b"he", b"mi", b"ms", b"av"):
            raise HeaderError(f"{kind} pictures are not supported; save it as JPEG or PNG")
        return "this is a video or audio file"
    for magic, kind in _FOREIGN:
        if data.startswith(magic):
            return f"this is {kind}"
    head = data[:512]
    if not head.strip(b"\x00"):
        return "the file holds only zero bytes"
    if not re.search(rb"[\x00-\x08\x0e-\x1f]", head):
        return "this is a text file"
    return "this is an unknown kind of file"


def _jpeg(data: bytes) -> PhotoHeader:
    size: tuple[int, int] | None = None
    orientation = 1
    segments: list[JpegSegment] = []
    position = 2
    while True:
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise HeaderError("the JPEG is cut short (no end marker)")
        start, marker = found.start(), data[found.start() + 1]
        position = found.end()
        if marker == _JPEG_END:
            break
        if marker in (0x01, 0xD8):
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2 or position + length > len(data):
            raise HeaderError("the JPEG is cut short (incomplete segment)")
        segment = data[position + 2 : position + length]
        if marker in _JPEG_SOF and size is None:
            height, width = struct.unpack_from(">HH", segment, 1)
            size = (width, height)
        elif marker == 0xE1 and segment[:6] == b"Exif\x00\x00":
            orientation = exif_orientation(segment[6:])
        position += length
        if len(segments) <= _MAX_JPEG_SEGMENTS:
            segments.append(JpegSegment(marker, start, position))
    if size is None:
        raise HeaderError("the JPEG has no picture in it")
    header = _checked("JPEG", *size, orientation)
    if len(segments) > _MAX_JPEG_SEGMENTS:
        return header
    segments.append(JpegSegment(marker, start, start + 2))
    return replace(header, jpeg_segments=tuple(segments))


def _png(data: bytes) -> PhotoHeader:
    width, height = struct.unpack_from(">II", data, 16)
    if data[12:16] != b"IHDR":
        raise HeaderError("the PNG is damaged (no IHDR)")
    header = _checked("PNG", width, height)
    orientation = 1
    position = 8
    pixels = False
    while True:
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise HeaderError("the PNG is cut short (incomplete chunk)")
        (stored,) = struct.unpack_from(">I", data, end - 4)
        # Only critical chunks (upper-case first letter): a bad comment harms no picture.
        if kind[:1].isupper() and zlib.crc32(memoryview(data)[position + 4 : end - 4]) != stored:
            raise HeaderError("the PNG is damaged (checksum does not match)")
        if kind == b"eXIf":
            orientation = exif_orientation(data[position + 8 : end - 4])
        pixels = pixels or kind == b"IDAT"
        if kind == b"IEND":
            break
        position = end
    if not pixels:
        raise HeaderError("the PNG has no picture in it")
    return PhotoHeader("PNG", header.width, header.height, orientation)


def _webp(data: bytes) -> PhotoHeader:
    (riff_bytes,) = struct.unpack_from("<I", data, 4)
    if riff_bytes + 8 > len(data):
        raise HeaderError("the WebP is cut short (incomplete file)")
    size: tuple[int, int] | None = None
    orientation = 1
    position = 12
    while position + 8 <= riff_bytes + 8:
        kind, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if kind == b"VP8X":
            size = (_u24(data, body + 4) + 1, _u24(data, body + 7) + 1)
        elif kind == b"VP8 " and size is None:
            width, height = struct.unpack_from("<HH", data, body + 6)
            size = (width & 0x3FFF, height & 0x3FFF)
        elif kind == b"VP8L" and size is None:
            (bits,) = struct.unpack_from("<I", data, body + 1)
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif kind == b"EXIF":
            exif = data[body : body + length]
            orientation = exif_orientation(exif.removeprefix(b"Exif\x00\x00"))
        position = body + length + (length & 1)
    if size is None:
        raise HeaderError("the WebP has no picture in it")
    return _checked("WebP", *size, orientation)


def _gif(data: bytes) -> PhotoHeader:
    width, height = struct.unpack_from("<HH", data, 6)
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    # Walk to the end of the first frame, the only one that is used.
    while True:
        block = data[position]
        if block == 0x21:
            position += 2
        elif block == 0x2C:
            flags = data[position + 9]
            position += 10 + (3 << (flags & 7) + 1 if flags & 0x80 else 0) + 1
        else:
            raise HeaderError("the GIF has no picture in it")
        while data[position]:
            position += data[position] + 1
        position += 1
        if block == 0x2C:
            return _checked("GIF", width, height)


def _tiff(data: bytes) -> PhotoHeader:
    # No orientation: unlike the other formats' one, OpenCV's TIFF decoder always applies it.
    tags = _tiff_tags(data)
    return _checked("TIFF", tags.get(256, 0), tags.get(257, 0))


def _bmp(data: bytes) -> PhotoHeader:
    pixels_at, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == 12:
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    header = _checked("BMP", width, abs(height))
    row_bytes = (width * depth + 31) // 32 * 4
    if compression in (0, 3) and pixels_at + row_bytes * abs(height) > len(data):
        raise HeaderError("the BMP is cut short (incomplete pixels)")
    return header


def exif_orientation(tiff: bytes) -> int:
    """Give the orientation 1..8 of an EXIF block, 1 if it is absent or unreadable."""
    try:
        value = _tiff_tags(tiff).get(274, 1)
    except (struct.error, IndexError, HeaderError):
        # A broken EXIF block is common and harmless: the picture itself still decodes.
        return 1
    return value if 1 <= value <= 8 else 1


def _tiff_tags(data: bytes) -> dict[int, int]:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise HeaderError("the TIFF is damaged (no byte order)")
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, directory)
    tags: dict[int, int] = {}
    for index in range(count):
        entry = directory + 2 + 12 * index
        tag, kind, _ = struct.unpack_from(order + "HHI", data, entry)
        if kind in (3, 4):
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return tags


def _u24(data: bytes, at: int) -> int:
    low, high = struct.unpack_from("<HB", data, at)
    return int(low | high << 16)


def _checked(kind: str, width: int, height: int, orientation: int = 1) -> PhotoHeader:
    if width <= 0 or height <= 0:
        raise HeaderError(f"the {kind} is damaged (size {width} x {height})")
    return PhotoHeader(kind, width, height, orientation if 1 <= orientation <= 8 else 1)
