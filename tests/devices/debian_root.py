"""A Debian of another processor: its packages unpacked into a folder, its programs run by qemu.

No chroot, no mount and no binfmt_misc, which containers seldom allow: ``qemu-ARCH-static -L ROOT``
looks every absolute path up below the root first. The packages are unpacked and not configured;
Python and shared libraries need no more.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.devices.errors import CannotRunError, run

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# Python of that suite, and the parts that make up its wheels' tag.
PYTHON = "python3.11"
_STAMP = ".unpacked"
# By command, the Debian package that brings it.
_TOOLS = {"debootstrap": "debootstrap", "dpkg-deb": "dpkg"}


@dataclass(frozen=True)
class Processor:
    """A processor that qemu emulates.

    Attributes:
        qemu: its name for ``qemu -cpu``.
        part: as ``/proc/cpuinfo`` of a board has it.
        features: likewise; runtimes choose their kernels by them.
        implementer: likewise; 0x41 is Arm.
    """

    qemu: str
    part: str
    features: str
    implementer: str = "0x41"

    def cpuinfo(self, cores: int = 2) -> str:
        """What ``/proc/cpuinfo`` says on a board with it."""
        core = (
            "processor\t: {number}\nBogoMIPS\t: 108.00\n"
            f"Features\t: {self.features}\nCPU implementer\t: {self.implementer}\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {self.part}\nCPU revision\t: 3\n"
        )
        return "\n".join(core.format(number=number) for number in range(cores)) + "\n"


@dataclass(frozen=True)
class Architecture:
    """What Debian, qemu and GNU call one kind of processor.

    Attributes:
        debian: for ``debootstrap --arch``.
        qemu: as in ``qemu-aarch64-static``.
        gnu: the compilers' prefix, and the folder of shared libraries.
        extension_suffix: of Python's compiled modules there.
        wheel_platform: platform tag of a wheel that was compiled for it.
        processors: to emulate, by name; the first is the default.
    """

    debian: str
    qemu: str
    gnu: str
    extension_suffix: str
    wheel_platform: str
    processors: Mapping[str, Processor]


_ARM_V8 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_ARM_V82 = f"{_ARM_V8} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
AARCH64 = Architecture(
    debian="arm64",
    qemu="aarch64",
    gnu="aarch64-linux-gnu",
    extension_suffix=".cpython-311-aarch64-linux-gnu.so",
    wheel_platform="linux_aarch64",
    # Without dot products; with them; with int8 matrix products and SVE beside. Not with SME, which
    # this qemu emulates in its first version only: under it the networks' results are wrong.
    processors={
        "cortex-a72": Processor("cortex-a72", "0xd08", _ARM_V8),
        "cortex-a53": Processor("cortex-a53", "0xd03", _ARM_V8),
        "cortex-a76": Processor("cortex-a76", "0xd0b", _ARM_V82),
        "max": Processor("max,sme=off", "0x051", f"{_ARM_V82} sve sve2 i8mm svei8mm bf16", "0x00"),
    },
)
ARMHF = Architecture(
    debian="armhf",
    qemu="arm",
    gnu="arm-linux-gnueabihf",
    extension_suffix=".cpython-311-arm-linux-gnueabihf.so",
    wheel_platform="linux_armv7l",
    processors={
        "cortex-a15": Processor(
            "cortex-a15", "0xc0f", "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt"
        ),
        "cortex-a7": Processor(
            "cortex-a7", "0xc07", "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt"
        ),
    },
)


def require_tools(architecture: Architecture) -> None:
    """Check that this machine can make and run such a root.

    Raises:
        CannotRunError: it cannot; with the Debian packages that are missing.
    """
    tools = {
        **_TOOLS,
        f"qemu-{architecture.qemu}-static": "qemu-user-static",
        f"{architecture.gnu}-g++": f"g++-{architecture.gnu}",
        "objdump": "binutils",
    }
    # debootstrap lies in /usr/sbin, which a user's PATH need not have.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = sorted({p for tool, p in tools.items() if shutil.which(tool, path=path) is None})
    if missing:
        raise CannotRunError(f"missing here: apt-get install {' '.join(missing)}")


@dataclass(frozen=True)
class DebianRoot:
    """A root that has been made.

    Attributes:
        folder: where it lies.
        architecture: its processor's kind.
    """

    folder: Path
    architecture: Architecture

    def python(self, processor: str, *arguments: str | Path) -> list[str]:
        """The command that runs its Python under qemu."""
        chosen = self.architecture.processors[processor]
        # What this machine's own /proc/cpuinfo says would be another processor's.
        (self.folder / "proc").mkdir(exist_ok=True)
        (self.folder / "proc" / "cpuinfo").write_text(chosen.cpuinfo())
        emulator = f"qemu-{self.architecture.qemu}-static"
        python = self.folder / "usr" / "bin" / PYTHON
        return [
            emulator, "-cpu", chosen.qemu, "-L", str(self.folder), str(python),
            *(str(argument) for argument in arguments),
        ]  # fmt: skip


def make_root(
    folder: Path, architecture: Architecture, packages: Sequence[str], what: str
) -> DebianRoot:
    """Download and unpack a Debian, unless the folder already holds it.

    Args:
        folder: where it shall lie.
        architecture: for which processor.
        packages: what it has beside the least that Debian has.
        what: names the run, for messages.

    Raises:
        CannotRunError: a tool is missing, this is not root's process, or the download fails.
    """
    require_tools(architecture)
    stamp = folder / _STAMP
    wanted = "\n".join((SUITE, *packages))
    if not (stamp.is_file() and stamp.read_text() == wanted):
        if os.geteuid() != 0:
            raise CannotRunError(f"debootstrap runs as root only: sudo make {what}")
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        # "Foreign" leaves out what would have to run there; the rest is unpacked here.
        run(
            [
                "debootstrap", "--foreign", "--variant=minbase", f"--arch={architecture.debian}",
                f"--include={','.join(packages)}", SUITE, folder.absolute(), MIRROR,
            ],
            "debootstrap",
            environment=environment,
        )  # fmt: skip
        for package in sorted((folder / "var/cache/apt/archives").glob("*.deb")):
            run(["dpkg-deb", "-x", package, folder], f"unpacking {package.name}")
        stamp.write_text(wanted)
    return DebianRoot(folder.absolute(), architecture)
