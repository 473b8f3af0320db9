"""Whether a device can use a release: asked before anything of it is fetched."""

from __future__ import annotations

from dataclasses import dataclass

from edgeseg.errors import IncompatibleError
from edgeseg.formats import bundle, catalogue_file
from edgeseg.sync.release import Release


@dataclass(frozen=True)
class Device:
    """What a device has, as far as a release asks.

    Attributes:
        machine: its processor family, as ``uname -m`` tells it.
        memory_bytes: its main memory.
    """

    machine: str
    memory_bytes: int


def check_compatible(release: Release, device: Device) -> None:
    """Refuse a release that a device cannot use; asked before anything of it is fetched.

    Raises:
        IncompatibleError: the first thing that the device lacks.
    """
    needs = release.needs
    readers = (
        ("bundle", needs.bundle_format_version, bundle.KIND),
        ("catalogue", needs.catalogue_format_version, catalogue_file.KIND),
    )
    for name, version, kind in readers:
        if version not in kind.known_versions:
            known = ", ".join(str(each) for each in kind.known_versions)
            raise IncompatibleError(
                f"generation {release.generation} has a {name} of format_version {version}, and "
                f"this edgeseg reads {known}: update edgeseg on this device"
            )
    if needs.machines and device.machine not in needs.machines:
        raise IncompatibleError(
            f"generation {release.generation} is for {' or '.join(needs.machines)}, and this "
            f"device is {device.machine}"
        )
    if needs.memory_bytes > device.memory_bytes:
        raise IncompatibleError(
            f"generation {release.generation} asks for {needs.memory_bytes >> 20} MiB of memory, "
            f"and this device has {device.memory_bytes >> 20} MiB"
        )
