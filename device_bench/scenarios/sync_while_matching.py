"""Sync while matching: what a worker notices of a catalogue that arrives."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from device_bench.lane import Lane
from device_bench.launcher import Worker
from device_bench.scenario import Launch, Outcome, Progress
from device_bench.target import TargetSpec

BURST = 3
# A sync that ends within one burst leaves few samples; after so many the rest is given up.
MAX_SYNCS = 200


class SyncWhileMatching:
    """Time each target alone, and again while another process syncs.

    A sample's total is the sum of the target's steps while a sync goes on, from its start to its
    end: fetching, verifying, decoding and probing a whole release, again and again, each into an
    empty store (see the target ``sync``). The same process's samples without a sync, taken just
    before, are the baseline.

    Args:
        samples: Of each target, with a sync and without.
        sync: The target that syncs.
    """

    name = "sync_while_matching"
    timed = "one invocation in a process that has warmed up, while another process syncs"

    def __init__(self, samples: int, sync: TargetSpec) -> None:
        if samples < 1:
            raise ValueError("sync_while_matching needs one sample or more")
        self._samples = samples
        self._sync = sync

    def settings(self) -> Mapping[str, Any]:
        """Samples, and where the sync comes from."""
        return {"samples": self._samples, "processes": 1, "url": self._sync.source}

    def measure(
        self, specs: Sequence[TargetSpec], launch: Launch, progress: Progress[int]
    ) -> list[Outcome]:
        """See ``Scenario.measure``."""
        outcomes = []
        with launch(self._sync) as syncer:
            syncer.build()
            syncer.load()
            syncer.sample(1)  # what cannot sync at all says so before anything is measured
            for position in progress(range(len(specs)), len(specs), "sync while matching"):
                outcomes.append(self._one(specs[position], launch, syncer))
        return outcomes

    def _one(self, spec: TargetSpec, launch: Launch, syncer: Worker) -> Outcome:
        outcome = Outcome()
        with contextlib.ExitStack() as alive:
            lane = Lane(alive.enter_context(launch(spec)))
            lane.start()
            outcome.baseline = lane.take(self._samples)
            lane.process.samples.clear()
            syncs = 0
            while len(lane.process.samples) < self._samples and syncs < MAX_SYNCS:
                syncer.begin(1)
                syncs += 1
                taken = 0
                while syncer.busy() and len(lane.process.samples) < self._samples:
                    # The first sample of a burst may have begun before the sync had.
                    taken += len(lane.take(BURST, settle=taken == 0))
                syncer.finish()
            lane.end(outcome)
        return outcome
