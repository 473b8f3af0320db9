"""What can be timed: one file a target.

Heavy imports wait until a target is built, so that the null target's process shows what the harness
itself costs, in time and in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from device_bench.target import Target


def _null(**options: Any) -> Target:
    from device_bench.targets.null import NullTarget

    return NullTarget(**options)


def _model(**options: Any) -> Target:
    from device_bench.targets.model import ModelTarget

    return ModelTarget(**options)


def _segment(**options: Any) -> Target:
    from device_bench.targets.segment import SegmentTarget

    return SegmentTarget(**options)


def _embed(**options: Any) -> Target:
    from device_bench.targets.embed import EmbedTarget

    return EmbedTarget(**options)


def _search(**options: Any) -> Target:
    from device_bench.targets.search import SearchTarget

    return SearchTarget(**options)


def _match(**options: Any) -> Target:
    from device_bench.targets.match import MatchTarget

    return MatchTarget(**options)


def _sync(**options: Any) -> Target:
    from device_bench.targets.sync import SyncTarget

    return SyncTarget(**options)


def _segmentation_quality(**options: Any) -> Target:
    from device_bench.targets.segmentation_quality import SegmentationQualityTarget

    return SegmentationQualityTarget(**options)


def _match_quality(**options: Any) -> Target:
    from device_bench.targets.match_quality import MatchQualityTarget

    return MatchQualityTarget(**options)


TARGETS: dict[str, Callable[..., Target]] = {
    "null": _null,
    "model": _model,
    "segment": _segment,
    "embed": _embed,
    "search": _search,
    "match": _match,
    "sync": _sync,
    "segmentation_quality": _segmentation_quality,
    "match_quality": _match_quality,
}
