"""Embeddings as a file keeps them: a direction in int8 or float16, or float32 as it was given.

An embedding has length 1, so its direction is all there is to store, and no scale needs to stand
beside an int8 code: decoding divides by the code's own length. The same bytes decode to the same
float32 bits on every processor: squares of int8 are added without rounding, and the square root
and the division are those of IEEE 754.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError

PRECISIONS: dict[str, str] = {"int8": "i1", "float16": "<f2", "float32": "<f4"}
_MAX_CODE = 127
# How far a float embedding's squared length may be from 1: float32 rounding over 4096 components
# is below 1e-4 and float16's below 1e-3, while another scaling (0..255, say) is off by far more.
_UNIT_TOLERANCE = 2e-3
# Float32 adds whole numbers without rounding below 2**24.
_EXACT_SUM_DIM = 2**24 // _MAX_CODE**2
# Rows that are decoded together: 2 MB at 128-d, which stays in a processor's cache.
BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Codes:
    """Embeddings of some items.

    Attributes:
        stored: ``(n, dim)`` int8 in [-127, 127], float16 or float32.
    """

    stored: NDArray[Any]

    @classmethod
    def encode(cls, embeddings: NDArray[np.float32], precision: str) -> Codes:
        """Round embeddings to a precision.

        Args:
            embeddings: ``(n, dim)`` float32, L2-normalised.
            precision: one of ``PRECISIONS``. The largest component of each int8 code is 127 or
                -127.
        """
        if precision == "int8":
            largest = np.abs(embeddings).max(axis=1, keepdims=True)
            scaled = embeddings * (np.float32(_MAX_CODE) / largest)
            return cls(np.rint(scaled).astype(np.int8))
        return cls(np.ascontiguousarray(embeddings, dtype=PRECISIONS[precision]))

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def dim(self) -> int:
        """Length of the embeddings."""
        return int(self.stored.shape[1])

    @property
    def precision(self) -> str:
        """Which of ``PRECISIONS``."""
        return str(self.stored.dtype.name)

    def decoded(self, rows: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.float32]:
        """The embeddings of some rows, ``(m, dim)`` float32, L2-normalised."""
        stored = self.stored[rows]
        if stored.dtype == np.float32:
            return np.asarray(stored, np.float32)
        exact = stored.dtype == np.int8 and self.dim <= _EXACT_SUM_DIM
        wide: NDArray[Any] = stored.astype(np.float32 if exact else np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide).astype(np.float64))
        decoded: NDArray[np.float32] = wide.astype(np.float32, copy=False)
        decoded /= lengths.astype(np.float32)[:, None]
        return decoded

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All rows a block at a time, decoded, so that the floats are never all in memory."""
        for start in range(0, len(self), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(self)))
            yield rows, self.decoded(rows)

    def joined(self, others: Codes) -> Codes:
        """These rows and then the others', which have the same precision."""
        return Codes(np.concatenate([self.stored, others.stored]))


def check_codes(codes: Codes) -> None:
    """Refuse what stands for no direction.

    Raises:
        FormatError: a float embedding is not finite and of length 1; an int8 code is -128, or all
            of a row's are 0.
    """
    if codes.stored.dtype == np.int8:
        if codes.stored.size and int(codes.stored.min()) < -_MAX_CODE:
            raise FormatError("a code of its embeddings is -128")
        if not bool(codes.stored.any(axis=1).all()):
            raise FormatError("the codes of an embedding are all 0")
        return
    for start in range(0, len(codes), BLOCK_ROWS):
        block = codes.stored[start : start + BLOCK_ROWS].astype(np.float32, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", block, block)
            # Written so that NaN, for which every comparison is false, is refused too.
            unit = bool((np.abs(squares - 1.0) <= _UNIT_TOLERANCE).all())
        if not unit:
            raise FormatError("an embedding is not finite and of length 1")
