"""Bytes of a model, as it is and as it travels."""

from __future__ import annotations

from dataclasses import dataclass

import zstandard

ZSTD_LEVEL = 19


@dataclass(frozen=True)
class Size:
    """Bytes of a model: as it is, and under ``zstd -19``."""

    raw_bytes: int
    zstd_bytes: int

    @classmethod
    def of(cls, model: bytes) -> Size:
        """Measures a model."""
        compressed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(model)
        return cls(len(model), len(compressed))
