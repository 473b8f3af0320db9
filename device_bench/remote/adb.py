"""Android devices, through the ``adb`` of Android's platform tools."""

from __future__ import annotations

from device_bench.remote.address import AdbAddress

# What adb says, and what to do about it; the first that is found is told.
_EXPLANATIONS = (
    ("unauthorized", "it has not allowed this computer: confirm on its screen"),
    ("offline", "adb reaches it no more: unplug it, or adb reconnect"),
    ("' not found", "adb knows no such device: compare `adb devices`"),
    ("no devices", "adb knows no such device: compare `adb devices`"),
    ("target doesn't support PTY", "its adb is too old (Android 6): Android 7 is needed"),
)


class Adb:
    """A transport through ``adb shell``; see ``transport.Transport``.

    Args:
        address: The device.
    """

    def __init__(self, address: AdbAddress) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """The address."""
        return str(self._address)

    def argv(self, command: str) -> list[str]:
        """The ``adb`` command line; ``-T`` keeps bytes as they are and the two outputs apart."""
        return ["adb", "-s", self._address.serial, "shell", "-T", command]

    def explain(self, complaint: str) -> str | None:
        """What adb complained of; see ``Transport``."""
        for said, meaning in _EXPLANATIONS:
            if said in complaint:
                return meaning
        return None
