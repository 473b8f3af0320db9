"""The figures of a build, for people and for ``--json``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from edgeseg.scale.assembly import ShardDone
from edgeseg.scale.worker import STAGES, Done


@dataclass
class Summary:
    """What a build came to.

    Attributes:
        engine: which did the work.
        items: listed.
        pictures: looked at, because their place or its stamp was new.
        described: of them, anew.
        known: of them, already: the same bytes were at another place, or the place told no stamp.
        unreadable: how many items are in no catalogue.
        read_bytes: of pictures.
        learnt: pictures that an earlier build had done and had not told of, for it was killed.
        stage_s: seconds that workers spent in each stage; stages overlap.
        wall_s: seconds by the clock of each step of the build.
        workers: that took part.
        shards: the catalogues.
        reused: how many of them were there already as they had to be.
    """

    engine: str
    items: int = 0
    pictures: int = 0
    described: int = 0
    known: int = 0
    unreadable: int = 0
    read_bytes: int = 0
    learnt: int = 0
    stage_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    wall_s: dict[str, float] = field(default_factory=dict)
    workers: set[str] = field(default_factory=set)
    shards: list[ShardDone] = field(default_factory=list)
    reused: int = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step of the build."""
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self.wall_s[name] = time.perf_counter() - start_s

    def take(self, done: Done) -> None:
        """Add a chunk's figures."""
        self.pictures += done.pictures
        self.described += done.described
        self.known += done.known
        self.read_bytes += done.read_bytes
        for stage, seconds in done.seconds.items():
            self.stage_s[stage] += seconds
        self.workers.add(done.worker)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types; throughput is in pictures a second of one worker in that stage."""
        return {
            "engine": self.engine,
            "workers": len(self.workers),
            "items": self.items,
            "pictures_read": self.pictures,
            "described": self.described,
            "already_known": self.known,
            "unreadable": self.unreadable,
            "read_bytes": self.read_bytes,
            "taken_from_a_killed_build": self.learnt,
            "stage_s": {stage: round(seconds, 3) for stage, seconds in self.stage_s.items()},
            "stage_pictures_per_s": {
                stage: round(self.pictures / seconds, 2) if seconds else None
                for stage, seconds in self.stage_s.items()
            },
            "wall_s": {step: round(seconds, 3) for step, seconds in self.wall_s.items()},
            "catalogues": [asdict(shard) for shard in self.shards],
            "catalogues_reused": self.reused,
        }
