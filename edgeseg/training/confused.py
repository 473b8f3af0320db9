"""Which items a catalogue took for one another, by the word of workers who knew better.

A worker confirms one of the items shown. Those shown before it are hard negatives of it: the
embedder thought them nearer. Those hardly farther are next to be confused. That holds of whatever
embedder showed them: the next one, too, has to tell these items apart.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgeseg.formats.document import canonical_json
from edgeseg.sync.confirmations import Confirmation

# A distance is `1 - cos`: within a tenth of the right item's, another stands there by chance.
_CLOSE = 1.1


@dataclass(frozen=True)
class Confused:
    """Pairs of items that have to be told apart.

    Attributes:
        pairs: of names, each in order, with how many confirmations say so; the most often confused
            first, whatever the order of the confirmations.
        confirmations: in which an item was confirmed, all of them.
        left_out: SKUs that stood in a pair and are not trained on.
    """

    pairs: tuple[tuple[str, str, int], ...]
    confirmations: int
    left_out: int

    def of(self, names: Sequence[str], most: int) -> dict[int, list[int]]:
        """Each item's most often confused ones.

        Args:
            names: of all items, by index.
            most: how many of each item at most, so that no item is known by its rivals alone.

        Returns:
            Indices by index, of items that have any; each pair stands on both of its sides.
        """
        at = {name: index for index, name in enumerate(names)}
        rivals: dict[int, list[int]] = {}
        for first, second, _ in self.pairs:
            for one, other in ((at[first], at[second]), (at[second], at[first])):
                known = rivals.setdefault(one, [])
                if len(known) < most:
                    known.append(other)
        return rivals

    def describe(self) -> dict[str, int | str]:
        """What must be the same for a run to be continued; JSON types, and no SKU among them."""
        digest = hashlib.sha256(canonical_json(self.pairs)).hexdigest()
        return {"pairs": len(self.pairs), "sha256": digest}


def confused(confirmations: Iterable[Confirmation], names: Iterable[str]) -> Confused:
    """The pairs that confirmations tell.

    Args:
        confirmations: those of "none of these" say nothing: the right item is not known.
        names: of the items that are trained on, which are their SKUs.
    """
    known = set(names)
    counts: Counter[tuple[str, str]] = Counter()
    outside: set[str] = set()
    confirmed = 0
    for each in confirmations:
        if each.sku is None:
            continue
        confirmed += 1
        for rival in rivals(each):
            absent = {each.sku, rival} - known
            outside |= absent
            if not absent:
                counts[min(each.sku, rival), max(each.sku, rival)] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Confused(tuple((*pair, count) for pair, count in ranked), confirmed, len(outside))


def rivals(confirmation: Confirmation) -> list[str]:
    """Items that were shown before the confirmed one, or hardly farther; each once."""
    skus = [sku for sku, _ in confirmation.shown]
    if confirmation.sku not in skus:
        return []
    rank = skus.index(confirmation.sku)
    reach = _CLOSE * confirmation.shown[rank][1]
    found = {
        sku: None
        for place, (sku, distance) in enumerate(confirmation.shown)
        if place < rank or distance <= reach
    }
    found.pop(confirmation.sku, None)
    return list(found)
