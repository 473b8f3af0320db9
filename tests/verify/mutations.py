"""Catalogues and deltas changed at random, as damage and as an attacker would change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeseg.catalogue import Catalogue
from edgeseg.errors import EdgesegError
from edgeseg.formats import catalogue_file, container, delta_file
from edgeseg.formats.catalogue_file import CatalogueData, decode_catalogue, encode_catalogue
from edgeseg.formats.delta_file import Delta, decode_delta, encode_delta
from edgeseg.index.delta import apply_delta, make_delta
from edgeseg.sync.release import Release
from edgeseg.sync.report import decode_report
from edgeseg.sync.state import State
from tests.edgeseg.formats.samples import unit_vectors, with_everything, with_graph
from tests.edgeseg.sync.test_fleet import REPORT
from tests.edgeseg.sync.test_plan import ACTIVE
from tests.edgeseg.sync.test_release import RELEASE, SHARDED

# What a scanner reads that a publisher signed, and what it wrote itself.
DOCUMENTS: list[tuple[bytes, Callable[[bytes], Any]]] = [
    (RELEASE.to_bytes(), Release.from_bytes),
    (SHARDED.to_bytes(), Release.from_bytes),
    (State(active=ACTIVE, previous=ACTIVE, refused=(ACTIVE.release,)).to_bytes(), State.from_bytes),
    (REPORT.to_bytes(), decode_report),
]
_VALUES = (0, 1, 2, 59, 60, 61, 127, 128, 255)


def other_ends(count: int) -> int:
    """How many of so many mutants end otherwise than in a use or in an EdgesegError.

    Of files, half are changed bytes; half are changed sections, sealed anew with right digests. A
    fifth are the small documents of a sync. One that ended the process would end this one too.
    """
    rng = np.random.default_rng(17)
    base, wanted = with_graph(), with_everything()
    delta, _ = make_delta(_plain(base), _plain(wanted), 1)
    originals: list[tuple[container.Kind, bytes, Callable[[bytes], Any]]] = [
        (catalogue_file.KIND, b"".join(encode_catalogue(wanted)), _search),
        (
            delta_file.KIND,
            b"".join(encode_delta(delta)),
            lambda data: _apply(base, decode_delta(data)),
        ),
        # What a delta starts from is told by its items: its graph may be anything that is allowed.
        (
            catalogue_file.KIND,
            b"".join(encode_catalogue(base)),
            lambda data: _apply(decode_catalogue(data), delta),
        ),
    ]
    others = 0
    for number in range(count // 5):
        document, read = DOCUMENTS[number % len(DOCUMENTS)]
        others += _otherwise(read, _changed(document, rng))
    for number in range(count - count // 5):
        kind, original, use = originals[number % 3]
        if number % 6 < 3:
            data = _changed(original, rng)
        else:
            sections = {
                name: bytes(part)
                for name, part in container.decode(kind, original).sections.items()
            }
            name = rng.choice(sorted(sections))
            sections[name] = _changed(sections[name], rng)
            data = b"".join(container.encode(kind, sections))
        others += _otherwise(use, data)
    return others


def _otherwise(use: Callable[[bytes], Any], data: bytes) -> bool:
    """Whether bytes end otherwise than in a use or in an EdgesegError."""
    try:
        use(data)
    except EdgesegError:
        return False
    except Exception:  # noqa: BLE001 - whatever it is, it is counted
        return True
    return False


def _plain(data: CatalogueData) -> CatalogueData:
    return decode_catalogue(b"".join(encode_catalogue(data)))


def _changed(data: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, a part cut out, doubled, or overwritten with numbers near the bounds."""
    if not data:
        return b"\0"
    changed = bytearray(data)
    start = int(rng.integers(len(changed) + 1))
    length = int(rng.integers(1, 17))
    way = int(rng.integers(4))
    if way == 0:
        for place in rng.integers(len(changed), size=length).tolist():
            changed[place] ^= 1 << int(rng.integers(8))
    elif way == 1:
        del changed[start : start + length]
    elif way == 2:
        changed[start:start] = changed[start : start + length]
    else:
        values = rng.choice(_VALUES, length).astype(np.uint8).tobytes()
        changed[start : start + length] = values[: len(changed) - start]
    return bytes(changed)


def _search(data: bytes) -> None:
    catalogue = Catalogue(decode_catalogue(data))
    for query in unit_vectors(2, catalogue.dim, seed=4):
        catalogue.search(query, 10)
    assert len(catalogue.items) == len(catalogue)


def _apply(base: CatalogueData, delta: Delta) -> None:
    _search(b"".join(encode_catalogue(apply_delta(base, delta))))
