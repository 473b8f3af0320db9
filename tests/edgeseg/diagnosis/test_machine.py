from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgeseg.diagnosis.capacity import limits_finding, machine_findings, memory_finding
from edgeseg.diagnosis.finding import Finding
from edgeseg.diagnosis.machine import Machine, read_machine

MIB = 1024 * 1024
HERE = replace(
    read_machine(), machine="aarch64", bits=64, libc="glibc 2.36", cores=4, quota_cores=None
)


def _found(machine: Machine, name: str) -> Finding:
    return next(each for each in machine_findings(machine) if each.name == name)


def _root(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_this_machine_is_read() -> None:
    machine = read_machine()
    assert machine.cores >= 1
    assert machine.memory_bytes is not None
    assert machine.available_bytes is not None
    assert 0 < machine.available_bytes <= machine.memory_bytes
    assert {each.name for each in machine_findings(machine)} == {
        "architecture", "processor", "threads",
    }  # fmt: skip


def test_an_arm_board_is_read(tmp_path: Path) -> None:
    machine = read_machine(
        _root(
            tmp_path,
            {
                "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd asimddp crc32\n"
                "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
                "proc/meminfo": "MemTotal:  949448 kB\nMemAvailable:  401000 kB\n",
            },
        )
    )
    assert machine.processor == "Raspberry Pi 4 Model B Rev 1.4"
    assert machine.features == ("asimd", "asimddp")
    assert machine.memory_bytes == 949448 * 1024
    assert machine.available_bytes == 401000 * 1024
    assert machine.quota_cores is None


def test_control_groups_of_version_2_are_counted(tmp_path: Path) -> None:
    """The narrowest from the process's own up to the top; pages of files are given back."""
    group = "sys/fs/cgroup/app.slice"
    machine = read_machine(
        _root(
            tmp_path,
            {
                "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 4000000 kB\n",
                "proc/self/cgroup": "0::/app.slice/edgeseg.service\n",
                f"{group}/edgeseg.service/cpu.max": "max 100000\n",
                f"{group}/cpu.max": "50000 100000\n",
                f"{group}/edgeseg.service/memory.max": f"{512 * MIB}\n",
                f"{group}/edgeseg.service/memory.current": f"{400 * MIB}\n",
                f"{group}/edgeseg.service/memory.stat": f"anon 1\ninactive_file {100 * MIB}\n",
                f"{group}/memory.max": "max\n",
                f"{group}/memory.current": "9\n",
            },
        )
    )
    assert machine.quota_cores == 0.5
    assert machine.available_bytes == 212 * MIB


def test_control_groups_of_version_1_are_counted(tmp_path: Path) -> None:
    """In a container, where the path that is told is the host's."""
    machine = read_machine(
        _root(
            tmp_path,
            {
                "proc/self/cgroup": "4:memory:/docker/1f\n3:cpu,cpuacct:/docker/1f\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{512 * MIB}",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{112 * MIB}",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
        )
    )
    assert machine.available_bytes == 400 * MIB
    assert machine.quota_cores == 1.5


def test_a_share_of_a_core_is_a_warning() -> None:
    assert _found(HERE, "threads").found == "4 cores"
    assert _found(replace(HERE, quota_cores=1.5), "threads").status == "ok"
    finding = _found(replace(HERE, quota_cores=0.25), "threads")
    assert finding.status == "warning"
    assert "4.0x as long" in finding.why


@pytest.mark.parametrize(
    ("changes", "why", "mend"),
    [
        ({}, "", ""),
        ({"machine": "armv7l", "bits": 32}, "", ""),
        ({"bits": 32}, "32-bit Python on a 64-bit kernel", "setarch linux32 "),
        ({"libc": "musl"}, "for glibc alone", ""),
        ({"libc": "bionic"}, "Android", "pkg install proot-distro"),
        ({"machine": "riscv64"}, "for riscv64", ""),
    ],
)
def test_what_nothing_is_published_for_is_told(
    changes: dict[str, object], why: str, mend: str
) -> None:
    finding = _found(replace(HERE, **changes), "architecture")
    assert finding.status == ("warning" if why else "ok")
    assert why in finding.why
    assert finding.mend.startswith(mend)


def test_memory_is_held_against_what_a_match_took() -> None:
    machine = replace(HERE, memory_bytes=512 * MIB, available_bytes=120 * MIB)
    assert memory_finding(machine, 60 * MIB).status == "ok"
    short = memory_finding(machine, 90 * MIB)
    assert short.status == "warning"
    assert "needs about 124 MiB" in short.why
    assert memory_finding(machine, None).status == "ok"
    assert memory_finding(replace(machine, available_bytes=None), 1).found == "unknown"


def test_low_limits_name_the_command_that_raises_them() -> None:
    free = replace(HERE, address_space_bytes=None, file_bytes=None, open_files=1024)
    assert limits_finding(free, 900 * MIB).status == "ok"
    for changes, mend in (
        ({"address_space_bytes": 800 * MIB}, "ulimit -v unlimited"),
        ({"file_bytes": 10 * MIB}, "ulimit -f unlimited"),
        ({"open_files": 20}, "ulimit -n 1024"),
    ):
        finding = limits_finding(replace(free, **changes), 900 * MIB)
        assert (finding.status, finding.mend) == ("warning", mend)


def test_the_limits_are_those_of_the_shell() -> None:
    script = (
        "from edgeseg.diagnosis.machine import read_machine as r; m = r()\n"
        "print(m.address_space_bytes, m.file_bytes, m.open_files)"
    )
    limits = {resource.RLIMIT_AS: 900 * MIB, resource.RLIMIT_FSIZE: MIB, resource.RLIMIT_NOFILE: 50}

    def limited() -> None:
        for which, limit in limits.items():
            resource.setrlimit(which, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limited,
    )
    assert done.stdout.split() == [str(limit) for limit in limits.values()]
