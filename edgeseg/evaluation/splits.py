"""Which photographs train and which validate, where nobody said: by a draw from a group's name."""

from __future__ import annotations

import hashlib

VALIDATION_SHARE = 0.2


def split_of(group: str, validation_share: float = VALIDATION_SHARE) -> str:
    """``train`` or ``val`` for all of a group's photographs: no group stands on both sides."""
    return "val" if hash_share(group) < validation_share else "train"


def hash_share(name: str) -> float:
    """A number in [0, 1) from a name alone: a seeded draw that no order of files can change."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little") / 2**32
