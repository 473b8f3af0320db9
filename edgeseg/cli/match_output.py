"""How `edgeseg match` tells what it found: one entry a photo in JSON, one table a photo else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgeseg.cli import console

if TYPE_CHECKING:
    from edgeseg.catalogue import Match
    from edgeseg.matcher import Matcher, MatchResult, Query

_MAX_TOLD_SIMILAR = 3


def verdict(matcher: Matcher, result: MatchResult) -> dict[str, Any]:
    """Whether the first match is to be believed; None where the bundle cannot tell."""
    if matcher.acceptance is None or result.probability is None:
        return {"probability": None, "accepted": None}
    return {
        "probability": round(result.probability, 4),
        "accepted": result.probability >= matcher.acceptance.threshold,
    }


def timings(found: Query | MatchResult) -> dict[str, Any]:
    """Milliseconds by stage, for JSON."""
    return {"timings_ms": {stage: round(ms, 3) for stage, ms in found.timings_ms.items()}}


def matches_told(matches: list[Match]) -> list[dict[str, Any]]:
    """Matches for JSON."""
    return [
        {
            "rank": found.rank,
            "sku": found.sku,
            "distance": round(found.distance, 6),
            "attributes": dict(found.attributes),
            "similar": list(found.similar),
        }
        for found in matches
    ]


def print_matches(title: str, matches: list[Match]) -> None:
    """Matches as a table, under a title where there is one."""
    if title:
        console.print_line(title)
    # Columns in the catalogue's own order, and only those that one of these matches fills.
    names = list(dict.fromkeys(name for found in matches for name in found.attributes))
    grouped = any(found.similar for found in matches)
    rows = [
        (
            found.rank,
            found.sku,
            f"{found.distance:.4f}",
            *(found.attributes.get(name, "") for name in names),
            *([_told(found.similar)] if grouped else []),
        )
        for found in matches
    ]
    columns = ("rank", "sku", "distance", *names, *(["similar"] if grouped else []))
    console.print_table(columns, rows)


def _told(similar: tuple[str, ...]) -> str:
    """The first few of them, and how many more there are."""
    more = len(similar) - _MAX_TOLD_SIMILAR
    told = ", ".join(similar[:_MAX_TOLD_SIMILAR])
    return f"{told} and {more} more" if more > 0 else told
