"""Arrays and embeddings as sections of a container, whose lengths are checked on the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError
from edgeseg.formats.codes import (
    PRECISIONS,
    Codes,
    check_codes,
    fine_width,
    shifts_width,
    unpacked_codes,
)


def sections_of(codes: Codes, name: str) -> dict[str, bytes | memoryview]:
    """Embeddings as sections of a container."""
    sections: dict[str, bytes | memoryview] = {
        name: bytes_of(codes.stored, PRECISIONS[codes.precision])
    }
    for part, packed in (("shifts", codes.packed_shifts()), ("fine", codes.fine)):
        if packed.shape[1]:
            sections[f"{name}.{part}"] = bytes_of(packed, "u1")
    return sections


def codes_of(
    sections: dict[str, memoryview], name: str, precision: str, rows: int, dim: int
) -> Codes:
    """Take embeddings out, checked.

    Raises:
        FormatError: a section is missing or has another length, or what they say is no direction.
    """
    stored = array_of(sections, name, PRECISIONS[precision], rows * dim).reshape(rows, dim)
    packed = {"shifts": shifts_width(precision, dim), "fine": fine_width(precision, dim)}
    shifts, fine = (
        array_of(sections, f"{name}.{part}", "u1", rows * width).reshape(rows, width)
        if width
        else np.zeros((rows, 0), np.uint8)
        for part, width in packed.items()
    )
    codes = unpacked_codes(stored, shifts, fine)
    check_codes(codes)
    return codes


def array_of(
    sections: dict[str, memoryview], name: str, dtype: str, length: int | None
) -> NDArray[Any]:
    """Take a section out as an array.

    Raises:
        FormatError: it is missing, or has another length.
    """
    section = taken(sections, name)
    size = np.dtype(dtype).itemsize
    if len(section) % size or (length is not None and len(section) != length * size):
        raise FormatError(f"section {name} has a wrong length ({len(section)} bytes)")
    return np.frombuffer(section, dtype)


def taken(sections: dict[str, memoryview], name: str) -> memoryview:
    """Take a section out.

    Raises:
        FormatError: it is missing.
    """
    if name not in sections:
        raise FormatError(f"section {name} is missing")
    return sections.pop(name)


def bytes_of(array: NDArray[Any], dtype: str) -> memoryview:
    """An array as a section."""
    # `.data` is the array's own memory: no copy of vectors that may be most of what is in memory.
    return np.ascontiguousarray(array, dtype=dtype).reshape(-1).view(np.uint8).data
