"""Which way leads to a catalogue's next generation: a delta, or a snapshot of the whole."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgeseg.errors import DeltaError
from edgeseg.formats.catalogue_file import CatalogueData, encode_catalogue
from edgeseg.formats.delta_file import Delta, encode_delta
from edgeseg.index.delta import make_delta
from edgeseg.index.golden import recall
from edgeseg.index.nearest import NearestVectors

# Above it a catalogue is built anew. A tombstone takes the bytes of an item, and a search passes
# it: at a fifth, the file is a quarter larger than it had to be.
MAX_TOMBSTONE_SHARE = 0.2
# Above it a snapshot is as well: who is further behind needs it anyway.
MAX_DELTA_SHARE = 0.5


@dataclass(frozen=True)
class Step:
    """A generation and how to get there.

    Attributes:
        data: what a scanner has afterwards.
        delta: leads there from the generation before; None where a snapshot is what to send.
        reason: why there is no delta; empty where there is.
    """

    data: CatalogueData
    delta: Delta | None
    reason: str = ""


def next_generation(
    base: CatalogueData, wanted: CatalogueData, generation: int | None = None
) -> Step:
    """From what scanners have to the items that they are to have.

    The delta is applied as a scanner will apply it, and golden queries are asked; where they are
    found too rarely, or too many tombstones are left, or the delta is not much smaller than the
    whole, the generation is ``wanted`` itself, built anew.

    Args:
        base: what scanners have.
        wanted: freshly made.
        generation: its number, above the base's; None for the next.
    """
    generation = base.generation + 1 if generation is None else generation
    snapshot = replace(wanted, generation=generation, digest="")
    try:
        delta, after = make_delta(base, wanted, generation)
    except DeltaError as error:
        return Step(snapshot, None, str(error))
    rows = len(after.codes)
    if rows - after.items > MAX_TOMBSTONE_SHARE * rows:
        return Step(snapshot, None, f"{rows - after.items} of {rows} rows would be tombstones")
    whole, changed = (_length(pieces) for pieces in (encode_catalogue(after), encode_delta(delta)))
    if changed > MAX_DELTA_SHARE * whole:
        return Step(snapshot, None, f"the delta takes {changed} bytes, and the whole {whole}")
    if after.golden is not None:
        nearest = NearestVectors(after.codes, after.graph, after.removed)
        found, floor = recall(after.golden, nearest), after.golden.recall_floor
        if found < floor:
            reason = f"golden queries would be found in {found:.3f}, and {floor:.3f} is the least"
            return Step(snapshot, None, reason)
    return Step(after, delta)


def _length(pieces: list[bytes | memoryview]) -> int:
    return sum(memoryview(piece).nbytes for piece in pieces)
