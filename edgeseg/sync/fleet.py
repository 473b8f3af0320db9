"""The fleet, as its sync reports tell it, and what its workers confirmed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.sync import confirmations
from edgeseg.sync.gathered import Gathering, file_name, sender
from edgeseg.sync.report import SUFFIX, SyncReport, read_report

# In the order in which an administrator wants to see them.
STANDINGS = ("failing", "empty", "behind", "silent", "current")


@dataclass(frozen=True)
class Confirmed:
    """How many confirmations arrived.

    Attributes:
        arrived: all of them, each once.
        corrected: with a cutout that was corrected by hand.
        none_of_these: of a photo that none of the shown items was.
    """

    arrived: int = 0
    corrected: int = 0
    none_of_these: int = 0


@dataclass(frozen=True)
class DeviceStanding:
    """One device.

    Attributes:
        device: its name.
        standing: ``failing`` (its last sync did), ``empty`` (it has no generation), ``behind``,
            ``silent`` (not heard of for long), else ``current``.
        generation: in use; None for none.
        behind: by how many generations; None where it has none.
        silent_hours: since its last report.
        syncs: reports read of it.
        failed: how many of them failed.
        received_bytes, seconds: of all of them.
        error: of the last sync, where it failed.
        shard: what it follows; None follows a catalogue that is no shard.
        confirmed: what its workers confirmed; None where another device's files have its name too.
    """

    device: str
    standing: str
    generation: int | None
    behind: int | None
    silent_hours: float
    syncs: int
    failed: int
    received_bytes: int
    seconds: float
    error: str
    confirmed: Confirmed | None
    shard: str | None = None


@dataclass(frozen=True)
class Fleet:
    """All devices, those first that need somebody.

    Attributes:
        generation: that all are to have.
        devices: each once.
        confirmed: of all devices, those without a report too.
    """

    generation: int
    devices: tuple[DeviceStanding, ...]
    confirmed: Confirmed = Confirmed()

    @property
    def current(self) -> int:
        """How many have it."""
        return sum(each.standing == "current" for each in self.devices)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {name: sum(d.standing == name for d in self.devices) for name in STANDINGS}
        return {
            "generation": self.generation,
            "standings": counts,
            "devices": [asdict(each) for each in self.devices],
            "confirmed": asdict(self.confirmed),
        }


def read_reports(paths: Iterable[Path]) -> tuple[list[SyncReport], list[str]]:
    """Read reports from files and folders; files of confirmations are none of them.

    Returns:
        The reports, and a line for each file that is none.

    Raises:
        DatasetError: a path is missing, or there is no report at all.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DatasetError(f"{path}: there is no such file or folder")
        if path.is_dir():
            files += sorted(path.rglob(f"*{SUFFIX}"))
        elif path.suffix != confirmations.SUFFIX:
            files.append(path)
    reports, failures = [], []
    for file in files:
        try:
            reports.append(read_report(file))
        except EdgesegError as error:
            failures.append(f"{file}: {error}")
    if not reports and not failures:
        raise DatasetError("there are no reports in there")
    return reports, failures


def gather(paths: Iterable[Path]) -> Gathering:
    """The confirmations among reports: what :func:`read_reports` leaves of the same paths."""
    return Gathering(p for p in paths if p.is_dir() or p.suffix == confirmations.SUFFIX)


def count_confirmed(gathering: Gathering) -> dict[str | None, Confirmed]:
    """Count what workers confirmed; read it once and keep none of it.

    Returns:
        By the name that the device's files have, see :func:`edgeseg.sync.gathered.sender`.
    """
    counts: dict[str | None, Confirmed] = {}
    for file, each in gathering:
        device = sender(file)
        before = counts.get(device, Confirmed())
        counts[device] = Confirmed(
            before.arrived + 1,
            before.corrected + (each.cutout == "corrected"),
            before.none_of_these + (each.sku is None),
        )
    return counts


def summarize(
    reports: Iterable[SyncReport],
    now: datetime,
    silent_s: float,
    generation: int | None = None,
    confirmed: Mapping[str | None, Confirmed] | None = None,
) -> Fleet:
    """What a fleet is like.

    Args:
        reports: of all devices.
        now: to tell how old they are.
        silent_s: seconds after which a device counts as silent.
        generation: that all are to have; None takes the newest that any report names.
        confirmed: of :func:`count_confirmed`.
    """
    counts = confirmed or {}
    by_device: dict[str, list[SyncReport]] = {}
    newest = 0
    for report in reports:
        by_device.setdefault(report.device, []).append(report)
        newest = max(newest, report.published_generation or 0, report.to_generation or 0)
    wanted = newest if generation is None else generation
    names = Counter(file_name(device) for device in by_device)
    devices = []
    for device, own in by_device.items():
        name = file_name(device)
        theirs = counts.get(name, Confirmed()) if names[name] == 1 or name not in counts else None
        devices.append(_standing(own, wanted, now, silent_s, theirs))
    devices.sort(
        key=lambda each: (STANDINGS.index(each.standing), -(each.behind or 0), each.device)
    )
    of_all = Confirmed(
        sum(each.arrived for each in counts.values()),
        sum(each.corrected for each in counts.values()),
        sum(each.none_of_these for each in counts.values()),
    )
    return Fleet(wanted, tuple(devices), of_all)


def _standing(
    reports: list[SyncReport],
    wanted: int,
    now: datetime,
    silent_s: float,
    confirmed: Confirmed | None,
) -> DeviceStanding:
    # Of two in one second the later one in their files' order, which is that of their making.
    last = max(reversed(reports), key=lambda each: each.finished)
    age_s = (now - last.finished).total_seconds()
    behind = None if last.to_generation is None else max(wanted - last.to_generation, 0)
    if last.result == "failed":
        standing = "failing"
    elif behind is None:
        standing = "empty"
    elif behind:
        standing = "behind"
    else:
        standing = "silent" if age_s > silent_s else "current"
    return DeviceStanding(
        device=last.device,
        standing=standing,
        generation=last.to_generation,
        behind=behind,
        silent_hours=round(age_s / 3600, 2),
        syncs=len(reports),
        failed=sum(each.result == "failed" for each in reports),
        received_bytes=sum(each.received_bytes for each in reports),
        seconds=round(sum(each.seconds for each in reports), 3),
        error=f"{last.error_kind}: {last.error}" if last.error else "",
        shard=last.shard,
        confirmed=confirmed,
    )
