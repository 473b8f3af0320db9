"""How hot and how fast the processor is at this moment, where the system tells."""

from __future__ import annotations

from pathlib import Path

_SYSTEM = Path("/sys")
# Zones that are of no chip: a wireless adapter, a charger.
_ELSEWHERE = ("iwlwifi", "wifi", "battery", "charger")


def temperature_c(system: Path = _SYSTEM) -> float | None:
    """The hottest thermal zone in degrees Celsius; None where there is none to read."""
    found = []
    for zone in (system / "class/thermal").glob("thermal_zone*"):
        kind = _text(zone / "type") or ""
        told = _text(zone / "temp")
        if told is not None and told.lstrip("-").isdigit() and not kind.startswith(_ELSEWHERE):
            found.append(int(told) / 1000)
    # A zone that is not wired up tells 0, or less.
    real = [degrees for degrees in found if degrees > 0]
    return round(max(real), 1) if real else None


def frequencies_mhz(system: Path = _SYSTEM) -> list[float]:
    """Each core's clock in MHz, in order; empty where it is not told."""
    cores = (system / "devices/system/cpu").glob("cpu[0-9]*")
    found = []
    for core in sorted(cores, key=lambda path: int(path.name[3:])):
        told = _text(core / "cpufreq/scaling_cur_freq")
        if told is not None and told.isdigit():
            found.append(int(told) / 1000)
    return found


def governors(system: Path = _SYSTEM) -> list[str]:
    """The frequency governors in use, each once; empty where they are not told."""
    cores = (system / "devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return sorted({told for core in cores if (told := _text(core))})


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None
