"""One target's process while a scenario runs it."""

from __future__ import annotations

import time

from device_bench.energy import EnergyMeter
from device_bench.launcher import Worker
from device_bench.sample import Sample
from device_bench.scenario import Outcome, Process
from device_bench.warm_up import warm_up

# The others' turns have emptied the CPU's caches.
SETTLING_INVOCATIONS = 1


class Lane:
    """Starts a target, warms it up, takes its samples and closes its books.

    Args:
        worker: Its fresh process; whoever started it closes it.
        energy: Where the machine tells what it spends.
    """

    def __init__(self, worker: Worker, energy: EnergyMeter | None = None) -> None:
        self._worker = worker
        self._energy = energy
        self.process = Process()

    def start(self) -> None:
        """Build, load and warm up."""
        self.process.import_ns = self._worker.build()
        self.process.load_ns = self._worker.load()
        warmed = warm_up(self._worker)
        self.process.warm_up_ns = warmed.times_ns
        self.process.settled = warmed.detected

    def take(self, count: int, settle: bool = True) -> list[Sample]:
        """Take samples after an untimed invocation; they are kept, and given back."""
        started_ns = time.perf_counter_ns()
        before_j = self._energy.joules() if self._energy else None
        taken = self._worker.sample(count, SETTLING_INVOCATIONS if settle else 0, yardstick=True)
        after_j = self._energy.joules() if self._energy else None
        if before_j is not None and after_j is not None:
            # The untimed invocation and the yardstick spent their parts too.
            took_ns = time.perf_counter_ns() - started_ns
            share = sum(sample.total_ns for sample in taken) / took_ns
            self.process.energy_j = (self.process.energy_j or 0.0) + (after_j - before_j) * share
        self.process.samples += taken
        return taken

    def end(self, outcome: Outcome) -> None:
        """Ask for the last word and add the process to its outcome."""
        ending = self._worker.end()
        process = self.process
        process.peak_memory_bytes = ending.peak_memory_bytes
        process.steady_memory_bytes = ending.steady_memory_bytes
        process.cpu_share = ending.cpu_share
        if process.energy_j is not None:
            process.energy_j /= max(1, len(process.samples))
        outcome.processes.append(process)
        outcome.facts = ending.facts
