"""A sync on the scanner: refresh, plan, fetch, apply, probe, activate, in this order.

Nothing that is in use changes before the last step, which is one rename; a kill at any moment
leaves the generation that was in use, or the new one, and what had arrived of it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from dataclasses import dataclass, replace

from edgeseg import __version__
from edgeseg.errors import EdgesegError, FormatError, ProbeError, SyncError
from edgeseg.files import cannot
from edgeseg.sync import outbox, trust
from edgeseg.sync import report as reports
from edgeseg.sync.clock import ClockFloor, now
from edgeseg.sync.compatibility import Device, check_compatible
from edgeseg.sync.confirmations import ConfirmationLog
from edgeseg.sync.install import OnProgress, install
from edgeseg.sync.plan import check_forward
from edgeseg.sync.probe import probe
from edgeseg.sync.report import SyncReport
from edgeseg.sync.state import Installed, State
from edgeseg.sync.store import Store
from edgeseg.sync.subscription import Subscription
from edgeseg.sync.transfer.caps import Caps
from edgeseg.sync.transfer.transport import Transport


@dataclass(frozen=True)
class SyncOptions:
    """How a sync is done.

    Attributes:
        root: the publisher's ``root.json``, needed the first time.
        max_bytes: that may be received.
        max_seconds: that it may take.
        device: its name in reports; None takes the host's.
        report_to: where reports are sent: an address or a folder; None sends none.
        retry_refused: take a release also when it was rolled back.
        shard: to follow from now on; None follows what the store remembers.
    """

    root: bytes | None = None
    max_bytes: int = 1 << 30
    max_seconds: float = 900.0
    device: str | None = None
    report_to: str | None = None
    retry_refused: bool = False
    shard: str | None = None


@dataclass
class _Run:
    """One sync while it goes on."""

    store: Store
    transport: Transport
    options: SyncOptions
    on_progress: OnProgress
    state: State
    published: int | None = None
    deltas: int = 0

    @property
    def shard(self) -> str | None:
        """What is followed."""
        return self.state.shard if self.options.shard is None else self.options.shard


def sync(
    store: Store,
    url: str,
    options: SyncOptions | None = None,
    on_progress: OnProgress = lambda _done, _total: None,
    caps: Caps | None = None,
) -> SyncReport:
    """Come to what a publisher has published; what is in use stays in use until that is ready.

    Args:
        store: of this device.
        url: where it is published: ``https://...``, or a folder.
        options: how.
        on_progress: told the bytes that have come, and all that are to come.
        caps: bounds of the transfers; None takes those of ``options`` and else the defaults.

    Returns:
        What it came to: ``activated`` or ``current``.

    Raises:
        EdgesegError: it failed; a report of that is kept. What is in use is as before.
    """
    options = options or SyncOptions()
    started_s = time.monotonic()
    caps = caps or Caps(max_bytes=options.max_bytes, max_seconds=options.max_seconds)
    lock = store.prepare()
    with lock:
        run = _Run(store, Transport(url, caps), options, on_progress, _state(store))
        before = run.state.active
        failure: EdgesegError | None = None
        result = "failed"
        try:
            result = _synced(run)
        except EdgesegError as error:
            failure = error
        except OSError as error:
            failure = SyncError(cannot("write", "", store.folder, error))
        told = replace(
            _report(result, options.device or platform.node(), before, run.state.active),
            published_generation=run.published,
            deltas=run.deltas,
            shard=run.shard,
            received_bytes=caps.received_bytes,
            requests=caps.requests,
            seconds=round(time.monotonic() - started_s, 3),
            error_kind="" if failure is None else type(failure).__name__,
            error="" if failure is None else reports.one_line(failure),
        )
        # A disk that is full or read-only keeps no report; it must not hide what happened.
        with contextlib.suppress(EdgesegError):
            reports.keep(told, store.reports, store.outbox if options.report_to else None)
        if options.report_to:
            with contextlib.suppress(EdgesegError):
                ConfirmationLog(store.confirmations).take(store.outbox)
                outbox.send(store.outbox, options.report_to, told.device)
    if failure is not None:
        raise failure
    return told


def roll_back(store: Store) -> State:
    """Put the generation before into use; a sync leaves the one that was in use alone from now on.

    Raises:
        SyncError: there is none before.
        EdgesegError: the one before does not open, or the store cannot be written.
    """
    # Nothing is made where there never was a store.
    store.state().rolled_back()
    with store.prepare():
        before = store.state().active
        rolled = store.state().rolled_back()
        assert rolled.active is not None
        store.open_installed(rolled.active)
        store.save(rolled)
        told = _report("rolled back", platform.node(), before, rolled.active)
        with contextlib.suppress(EdgesegError):
            reports.keep(told, store.reports, store.outbox)
    return rolled


def this_device() -> Device:
    """What this device has."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Device(platform.machine(), memory_bytes)


def _report(
    result: str, device: str, before: Installed | None, after: Installed | None
) -> SyncReport:
    return SyncReport(
        device=device or "device",
        finished=now(),
        result=result,
        from_generation=None if before is None else before.generation,
        to_generation=None if after is None else after.generation,
        edgeseg=__version__,
        shard=None if after is None else after.shard,
    )


def _state(store: Store) -> State:
    """A damaged one is begun anew: its files are still there, and the publisher names them."""
    try:
        return store.state()
    except FormatError:
        return State()


def _synced(run: _Run) -> str:
    """Everything but the report; returns its result."""
    store, options = run.store, run.options
    if options.root is not None:
        trust.enrol(store.trust, options.root)
    moment = now()
    floor = ClockFloor(run.state.clock_floor, run.state.root_version)
    subscription = Subscription(run.shard, heard_of=run.shard == run.state.shard)
    refreshed = trust.refresh(store.trust, run.transport, moment, floor, subscription)
    release = refreshed.release
    run.published = release.generation
    check_forward(run.state, release, refreshed.root_version)
    heard = replace(
        run.state,
        clock_floor=floor.raised(release.published, refreshed.root_version),
        root_version=refreshed.root_version,
        refreshed=moment,
        expires=refreshed.expires,
        shard=subscription.shard,
    )
    _save(run, heard)
    active = _usable(store, run.state.active)
    if active is not None and active.release == refreshed.release_digest:
        # A sync that was killed after its switch has not cleared up.
        store.sweep(run.state)
        return "current"
    check_compatible(release, this_device())
    if refreshed.refusal in run.state.refused and not options.retry_refused:
        following = "next one" if release.shard is None else "next one that brings something else"
        raise ProbeError(
            f"generation {release.generation} was rolled back on this device and is left alone; "
            f"the {following} is taken, or this one with --retry-refused"
        )
    installed, run.deltas = install(
        store, run.transport, refreshed, run.state, active, run.on_progress
    )
    if active is not None and active.files == installed.files:
        # As of a shard that did not change: what is in use answers, and has a later generation.
        _save(run, run.state.activated(installed))
        store.sweep(run.state)
    else:
        _activate(run, installed)
    return "activated"


def _activate(run: _Run, installed: Installed) -> None:
    """Probe, switch, probe what is now in use, and switch back where that fails."""
    store, before = run.store, run.state
    probe(store.open_installed(installed))
    after = before.activated(installed)
    _save(run, after)
    try:
        opened = store.open_active()
        if opened.instead_of:
            raise ProbeError(opened.instead_of)
        probe(opened)
    except EdgesegError as error:
        if before.active is None:
            raise
        _save(run, before.refusing(installed))
        raise ProbeError(
            f"{error}; rolled back to generation {before.active.generation}"
        ) from error
    store.sweep(after)


def _save(run: _Run, state: State) -> None:
    run.store.save(state)
    run.state = state


def _usable(store: Store, installed: Installed | None) -> Installed | None:
    """What is in use, if its files are whole; else it has to be fetched again."""
    if installed is None:
        return None
    try:
        store.read_installed(installed)
    except EdgesegError:
        return None
    return installed
