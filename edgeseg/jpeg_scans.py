"""A progressive JPEG without the scans that its picture at an eighth does not need.

A progressive JPEG tells first the mean of each block of 8 x 8 pixels and then, scan after scan, the
detail inside the blocks (ITU-T T.81, section G). Decoded at an eighth of its size, a block becomes
one pixel, its mean; a decoder reads the detail all the same, bit after bit, and throws it away.
Colour that is stored at half the size becomes 2 x 2 pixels a block and keeps its detail.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgeseg.photo_header import JpegSegment

_PROGRESSIVE_FRAME = 0xC2
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _QUANTIZATION, _END = 0xDA, 0xDB, b"\xff\xd9"


@dataclass(frozen=True)
class _Frame:
    """Which components have one pixel a block at an eighth, and the tables that only they use."""

    full_size: frozenset[int]
    tables: frozenset[int]


def without_fine_scans(data: bytes, segments: Sequence[JpegSegment]) -> bytes | None:
    """Drop the scans that do not count when a progressive JPEG is decoded at an eighth of its size.

    libjpeg gives the same pixels for what is left, or it would draw the blocks' means together as
    it does with a file that is still on its way; an AC quantization step of 0, for detail that is
    not there, keeps it from that.

    Args:
        data: A JPEG file that :func:`edgeseg.photo_header.read_header` found whole.
        segments: That header's `jpeg_segments`.

    Returns:
        A shorter JPEG file; None for one that isn't progressive, or is put together so unusually
        that nothing can be left out safely.
    """
    frames = [segment for segment in segments if segment.marker in _FRAMES]
    if len(frames) != 1 or frames[0].marker != _PROGRESSIVE_FRAME:
        return None
    try:
        frame = _frame(data[frames[0].start + 4 : frames[0].end])
        if frame is None:
            return None
        pieces = [data[:2]]
        for segment, following in pairwise(segments):
            body = data[segment.start + 4 : segment.end]
            if segment.marker == _SCAN and _is_detail(body, frame):
                continue
            if segment.marker == _QUANTIZATION:
                pieces.append(data[segment.start : segment.start + 4])
                pieces.append(_without_ac_steps(body, frame))
            else:
                pieces.append(data[segment.start : following.start])
    except (IndexError, ValueError, struct.error):
        # The decoder will say what is wrong with it.
        return None
    return b"".join([*pieces, _END])


def _frame(body: bytes) -> _Frame | None:
    """Read a frame header; None if a table is shared with a component that keeps its detail."""
    components = [struct.unpack_from("3B", body, 6 + 3 * index) for index in range(body[5])]
    largest = tuple(max(shift(c[1]) for c in components) for shift in (_high, _low))
    full = [c for c in components if (_high(c[1]), _low(c[1])) == largest]
    tables = frozenset(c[2] for c in full)
    if any(c[2] in tables for c in components if c not in full):
        return None
    return _Frame(frozenset(c[0] for c in full), tables)


def _high(byte: int) -> int:
    return byte >> 4


def _low(byte: int) -> int:
    return byte & 15


def _is_detail(body: bytes, frame: _Frame) -> bool:
    """Whether a scan holds nothing but detail inside the blocks of a full-size component."""
    components = body[0]
    first_coefficient = body[1 + 2 * components]
    return components == 1 and first_coefficient > 0 and body[1] in frame.full_size


def _without_ac_steps(body: bytes, frame: _Frame) -> bytes:
    """Quantization tables of a DQT segment, with 0 for all but the mean where detail is dropped."""
    tables = bytearray(body)
    at = 0
    while at < len(tables):
        step_bytes = 2 if _high(tables[at]) else 1
        end = at + 1 + 64 * step_bytes
        if _low(tables[at]) in frame.tables:
            first = at + 1 + step_bytes
            tables[first:end] = bytes(end - first)
        at = end
    return bytes(tables)
