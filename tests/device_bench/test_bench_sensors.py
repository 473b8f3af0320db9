"""Heat, clocks and energy, from a system that is only pretended."""

from __future__ import annotations

from pathlib import Path

import pytest

from device_bench import sensors
from device_bench.energy import EnergyMeter


def _file(root: Path, path: str, content: object) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(f"{content}\n")


def test_the_hottest_zone_of_a_chip_counts(tmp_path: Path) -> None:
    assert sensors.temperature_c(tmp_path) is None
    for number, (kind, told) in enumerate(
        [("x86_pkg_temp", 51_000), ("acpitz", 27_800), ("iwlwifi_1", 90_000), ("dead", 0)]
    ):
        _file(tmp_path, f"class/thermal/thermal_zone{number}/type", kind)
        _file(tmp_path, f"class/thermal/thermal_zone{number}/temp", told)
    assert sensors.temperature_c(tmp_path) == 51.0
    _file(tmp_path, "class/thermal/thermal_zone0/temp", "garbage")
    assert sensors.temperature_c(tmp_path) == 27.8


def test_every_cores_clock_in_order(tmp_path: Path) -> None:
    assert sensors.frequencies_mhz(tmp_path) == []
    for core, kilohertz in ((0, 1_800_000), (2, 1_200_000), (10, 600_000)):
        _file(tmp_path, f"devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq", kilohertz)
        governor = "schedutil" if core else "performance"
        _file(tmp_path, f"devices/system/cpu/cpu{core}/cpufreq/scaling_governor", governor)
    assert sensors.frequencies_mhz(tmp_path) == [1800.0, 1200.0, 600.0]
    assert sensors.governors(tmp_path) == ["performance", "schedutil"]


def test_where_nothing_tells_there_is_no_energy(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    assert (meter.source, meter.fine, meter.joules()) == (None, False, None)


def test_packages_are_added_up_and_their_parts_are_not_counted_twice(tmp_path: Path) -> None:
    for zone, microjoules in (
        ("intel-rapl:0", 5_000_000), ("intel-rapl:1", 1_000_000), ("intel-rapl:0:0", 3_000_000),
    ):  # fmt: skip
        _file(tmp_path, f"class/powercap/{zone}/energy_uj", microjoules)
        _file(tmp_path, f"class/powercap/{zone}/max_energy_range_uj", 10_000_000)
    meter = EnergyMeter(tmp_path)
    assert (meter.source, meter.fine) == ("RAPL", True)
    before_j = meter.joules()
    assert before_j == pytest.approx(6.0)
    # One of them has come to its end and begun again.
    _file(tmp_path, "class/powercap/intel-rapl:0/energy_uj", 500_000)
    _file(tmp_path, "class/powercap/intel-rapl:1/energy_uj", 1_250_000)
    after_j = meter.joules()
    assert after_j is not None
    assert after_j - before_j == pytest.approx(5.5 + 0.25)


@pytest.mark.parametrize(
    ("files", "spent_j"),
    [
        ({"energy_now": (36_000_000, 35_990_000)}, 36.0),
        ({"charge_now": (3_000_000, 2_999_000), "voltage_now": (3_800_000, 3_800_000)}, 13.68),
    ],
)
def test_a_battery_tells_what_has_left_it(
    tmp_path: Path, files: dict[str, tuple[int, int]], spent_j: float
) -> None:
    for name, (before, _) in files.items():
        _file(tmp_path, f"class/power_supply/BAT0/{name}", before)
    _file(tmp_path, "class/power_supply/AC/online", 1)
    meter = EnergyMeter(tmp_path)
    assert (meter.source, meter.fine) == ("battery", False)
    assert meter.joules() == pytest.approx(0.0)
    for name, (_, after) in files.items():
        _file(tmp_path, f"class/power_supply/BAT0/{name}", after)
    assert meter.joules() == pytest.approx(spent_j)
