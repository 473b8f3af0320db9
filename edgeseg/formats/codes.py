"""Embeddings as a file keeps them: a direction in few bits, or float32 as it was given.

An embedding has length 1, so its direction is all there is to store. An int8 code is in block
floating point, as in the OCP Microscaling formats (MXINT8): each 16 components share a power of
two, so that small numbers keep their precision beside large ones. Of int10's ten bits a component
the upper eight are such a code, and the lower two lie in a plane of their own. No scale of the
whole stands beside them: decoding divides by the code's own length. The same bytes decode to the
same float32 bits on every processor: squares are added without rounding, and the rest is IEEE 754.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.errors import FormatError

# What the numbers of the vectors' own section are.
PRECISIONS: dict[str, str] = {"int10": "i1", "int8": "i1", "float16": "<f2", "float32": "<f4"}
DEFAULT_PRECISION = "int10"
# Components that share a power of two, and the most that it halves.
BLOCK_DIMS = 16
_MAX_SHIFT = 7
_MAX_CODE = 127
_HALVED = (0.5 ** np.arange(_MAX_SHIFT + 1)).astype(np.float32)
_QUARTERED = _HALVED.astype(np.float64) ** 2
# Two finer bits a component, four components a byte: what each byte adds to their codes.
_FINE_BITS, _FINE_MASK, _FINE_IN_BYTE = 2, 3, 4
_FINE_PLACES = np.arange(0, 8, _FINE_BITS, dtype=np.uint8)
_FINE_PARTS = ((np.arange(256)[:, None] >> _FINE_PLACES & _FINE_MASK) / 4).astype(np.float32)
# How far a float embedding's squared length may be from 1: float32 rounding over 4096 components
# is below 1e-4 and float16's below 1e-3, while another scaling (0..255, say) is off by far more.
_UNIT_TOLERANCE = 2e-3
# Rows that are decoded together: 512 kB at 128-d, which stays in a processor's cache.
BLOCK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Codes:
    """Embeddings of some items.

    Attributes:
        stored: ``(n, dim)`` int8 in [-127, 127], float16 or float32.
        shifts: ``(n, ceil(dim / 16))`` uint8 in [0, 7] beside int8, else ``(n, 0)``: by how many
            bits each block's numbers are smaller than their codes.
        fine: ``(n, ceil(dim / 4))`` uint8, two finer bits of four components in each byte, beside
            the int8 codes of int10, else ``(n, 0)``.
    """

    stored: NDArray[Any]
    shifts: NDArray[np.uint8]
    fine: NDArray[np.uint8]

    @classmethod
    def encode(cls, embeddings: NDArray[np.float32], precision: str) -> Codes:
        """Round embeddings to a precision.

        Args:
            embeddings: ``(n, dim)`` float32, L2-normalised.
            precision: one of ``PRECISIONS``.
        """
        none = np.zeros((len(embeddings), 0), np.uint8)
        if PRECISIONS[precision] != "i1":
            return cls(np.ascontiguousarray(embeddings, PRECISIONS[precision]), none, none)
        starts = np.arange(0, embeddings.shape[1], BLOCK_DIMS)
        largest = np.maximum.reduceat(np.abs(embeddings), starts, axis=1)
        most = largest.max(axis=1, keepdims=True)
        # Powers of two below the quotient; a block of zeros has no number to keep precise.
        _, exponents = np.frexp(most / np.where(largest > 0, largest, most))
        shifts = np.minimum(exponents - 1, _MAX_SHIFT).astype(np.uint8)
        factors = np.ldexp(np.float32(_MAX_CODE) / most, shifts.astype(np.int32))
        scaled = embeddings * np.repeat(factors, _widths(embeddings.shape[1]), axis=1)
        if precision == "int8":
            return cls(np.rint(scaled).astype(np.int8), shifts, none)
        quarters = np.rint(4 * scaled).astype(np.int16)
        return cls((quarters >> _FINE_BITS).astype(np.int8), shifts, _packed_fine(quarters))

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def dim(self) -> int:
        """Length of the embeddings."""
        return int(self.stored.shape[1])

    @property
    def precision(self) -> str:
        """Which of ``PRECISIONS``."""
        return "int10" if self.fine.shape[1] else str(self.stored.dtype.name)

    def taken(self, rows: slice | NDArray[np.int64]) -> Codes:
        """Those of some rows."""
        return Codes(self.stored[rows], self.shifts[rows], self.fine[rows])

    def decoded(self, rows: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.float32]:
        """The embeddings of some rows, ``(m, dim)`` float32, L2-normalised."""
        numbers = self._numbers(rows)
        if self.stored.dtype == np.float32:
            return numbers
        count, dim = numbers.shape
        if dim % BLOCK_DIMS:
            numbers = np.pad(numbers, ((0, 0), (0, -dim % BLOCK_DIMS)))
        decoded = numbers.reshape(count, -1, BLOCK_DIMS)
        squares = np.einsum("ijk,ijk->ij", decoded, decoded, dtype=self._exact)
        factors = np.ones((1, 1), np.float32)
        if self.stored.dtype == np.int8:
            # Sums within a block are whole numbers below 2**22, of 16ths beside finer bits; those
            # of 256 blocks, moved by twice their shifts, have 44 bits at most: nothing is rounded.
            shifts = self.shifts[rows]
            squares = squares * _QUARTERED.take(shifts)
            factors = _HALVED.take(shifts)
        inverse = (1.0 / np.sqrt(squares.sum(axis=1, dtype=np.float64))).astype(np.float32)
        decoded *= (factors * inverse[:, None])[:, :, None]
        return decoded.reshape(count, -1)[:, :dim]

    def _numbers(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """The codes of some rows with their finer bits, before any shift."""
        stored = self.stored[rows]
        if not self.fine.shape[1]:
            return stored.astype(np.float32, copy=False)
        parts = _FINE_PARTS.take(self.fine[rows], axis=0)
        numbers = parts.reshape(len(parts), -1)[:, : self.dim]
        numbers += stored
        return numbers

    @property
    def _exact(self) -> type[np.floating[Any]]:
        """A type that adds up a block's squares without rounding; of float16's nearly."""
        return np.float32 if self.stored.dtype == np.int8 else np.float64

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """All rows a block at a time, decoded, so that the floats are never all in memory."""
        for start in range(0, len(self), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(self)))
            yield rows, self.decoded(rows)

    def joined(self, others: Codes) -> Codes:
        """These rows and then the others', which have the same precision."""
        return Codes(
            np.concatenate([self.stored, others.stored]),
            np.concatenate([self.shifts, others.shifts]),
            np.concatenate([self.fine, others.fine]),
        )

    def packed_shifts(self) -> NDArray[np.uint8]:
        """The shifts as a file keeps them, two in a byte: ``(n, ceil(blocks / 2))`` uint8."""
        even, odd = self.shifts[:, ::2], self.shifts[:, 1::2]
        packed = even.copy()
        packed[:, : odd.shape[1]] |= odd << 4
        return packed


def unpacked_codes(
    stored: NDArray[Any], packed: NDArray[np.uint8], fine: NDArray[np.uint8]
) -> Codes:
    """The reverse of :meth:`Codes.packed_shifts`; :func:`check_codes` must follow.

    Args:
        stored: as in :class:`Codes`.
        packed: the shifts, ``(n, shifts_width(precision, dim))`` uint8.
        fine: as in :class:`Codes`.

    Raises:
        FormatError: a shift is above 7, or a number stands behind the last one.
    """
    if not packed.shape[1]:
        return Codes(stored, packed, fine)
    count = len(_widths(stored.shape[1]))
    shifts = np.empty((len(packed), 2 * packed.shape[1]), np.uint8)
    shifts[:, ::2], shifts[:, 1::2] = packed & 0xF, packed >> 4
    if shifts.size and int(shifts.max()) > _MAX_SHIFT:
        raise FormatError(f"a shift of its embeddings is above {_MAX_SHIFT}")
    if bool(shifts[:, count:].any()):
        raise FormatError("a number stands behind the last shift of its embeddings")
    return Codes(stored, shifts[:, :count], fine)


def shifts_width(precision: str, dim: int) -> int:
    """How many bytes the shifts of a row take."""
    return -(-len(_widths(dim)) // 2) if PRECISIONS[precision] == "i1" else 0


def fine_width(precision: str, dim: int) -> int:
    """How many bytes the finer bits of a row take."""
    return -(-dim // _FINE_IN_BYTE) if precision == "int10" else 0


def _packed_fine(quarters: NDArray[np.int16]) -> NDArray[np.uint8]:
    """The low bits of numbers ``(n, dim)``, four numbers' in a byte."""
    fine = (quarters & _FINE_MASK).astype(np.uint8)
    fine = np.pad(fine, ((0, 0), (0, -fine.shape[1] % _FINE_IN_BYTE)))
    apart = fine.reshape(len(fine), -1, _FINE_IN_BYTE) << _FINE_PLACES
    return np.asarray(np.bitwise_or.reduce(apart, axis=2), np.uint8)


def _widths(dim: int) -> NDArray[np.int64]:
    """How many components each block has: 16, and the last what is left."""
    starts = np.arange(0, dim, BLOCK_DIMS)
    return np.diff(starts, append=dim)


def check_codes(codes: Codes) -> None:
    """Refuse what stands for no direction.

    Raises:
        FormatError: a float embedding is not finite and of length 1; an int8 code is -128, or all
            of a row's are 0; a finer bit stands behind the last component.
    """
    if codes.stored.dtype == np.int8:
        used = codes.dim % _FINE_IN_BYTE
        if used and bool((codes.fine[:, -1:] >> (_FINE_BITS * used)).any()):
            raise FormatError("a bit stands behind the last finer one of its embeddings")
        if codes.stored.size and int(codes.stored.min()) < -_MAX_CODE:
            raise FormatError("a code of its embeddings is -128")
        rows = codes.stored
        if rows.shape[1] % 8 == 0 and rows.flags.c_contiguous:
            # Eight codes at a time.
            rows = rows.view(np.uint64)
        if not bool(rows.any(axis=1).all()):
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
