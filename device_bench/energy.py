"""What the machine spends, where it tells: by RAPL's counters (x86), or a battery's gauge."""

from __future__ import annotations

from pathlib import Path

_RAPL = "class/powercap"
_BATTERIES = "class/power_supply"
_VOLT_MICRO = 1e6


class EnergyMeter:
    """Reads a counter of joules that only grows.

    Both are of the whole machine, its idle part included, and not of one process. RAPL counts in
    steps of some microjoules a millisecond; a battery's gauge moves in steps of many joules, so it
    is good for minutes and not for one invocation.

    Args:
        system: Where the kernel shows its devices.
    """

    def __init__(self, system: Path = Path("/sys")) -> None:
        self._wrapped_j: dict[Path, float] = {}
        self._last_j: dict[Path, float] = {}
        # A package counts all that is in it; its sub-zones (intel-rapl:0:0) would count twice.
        zones = sorted((system / _RAPL).glob("intel-rapl:*"))
        self._packages = [
            zone for zone in zones if zone.name.count(":") == 1 and _number(zone / "energy_uj")
        ]
        supplies = sorted((system / _BATTERIES).glob("*"))
        self._batteries = [supply for supply in supplies if _stored_j(supply) is not None]
        self._full_j = self._stored_j()

    @property
    def source(self) -> str | None:
        """RAPL, battery, or None where the machine tells neither (or tells only root)."""
        if self._packages:
            return "RAPL"
        return "battery" if self._batteries else None

    @property
    def fine(self) -> bool:
        """Whether it can tell what one invocation took."""
        return bool(self._packages)

    def joules(self) -> float | None:
        """The counter's value; only differences mean something. None where nothing tells."""
        if self._packages:
            return sum(self._package_j(zone) for zone in self._packages)
        stored_j = self._stored_j()
        if stored_j is None or self._full_j is None:
            return None
        return self._full_j - stored_j

    def _package_j(self, zone: Path) -> float:
        now_j = (_number(zone / "energy_uj") or 0) / 1e6
        if now_j < self._last_j.get(zone, 0.0):
            range_j = (_number(zone / "max_energy_range_uj") or 0) / 1e6
            self._wrapped_j[zone] = self._wrapped_j.get(zone, 0.0) + range_j
        self._last_j[zone] = now_j
        return now_j + self._wrapped_j.get(zone, 0.0)

    def _stored_j(self) -> float | None:
        stored = [_stored_j(supply) for supply in self._batteries]
        return sum(each for each in stored if each is not None) if stored else None


def _stored_j(supply: Path) -> float | None:
    """What a battery holds: told in microwatt-hours, or in microampere-hours and microvolts."""
    energy_uwh = _number(supply / "energy_now")
    if energy_uwh is not None:
        return energy_uwh * 3600 / 1e6
    charge_uah, voltage_uv = _number(supply / "charge_now"), _number(supply / "voltage_now")
    if charge_uah is None or voltage_uv is None:
        return None
    return charge_uah / 1e6 * 3600 * voltage_uv / _VOLT_MICRO


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
