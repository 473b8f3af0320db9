"""Where a remote bench runs: ``ssh://[user@]host[:port]`` or ``adb://SERIAL``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from device_bench.errors import BenchError

# No name may begin with a dash, which a command would take for an option. Beyond that these are
# what OpenSSH accepts, less what a shell or a ProxyCommand would read as more than a name.
_SSH = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_.][A-Za-z0-9_.+@-]*)@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.]+)?)\]|(?P<host>[A-Za-z0-9_.][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_ADB = re.compile(r"adb://(?P<serial>[A-Za-z0-9_.\[][A-Za-z0-9_.:\[\]-]*)/?")
_PASSWORD = re.compile(r"ssh://[^/]*:[^/]*@")
MAX_PORT = 65535


@dataclass(frozen=True)
class SshAddress:
    """A host that OpenSSH reaches; it may be an alias of ``~/.ssh/config``."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{user}{host}{'' if self.port is None else f':{self.port}'}"


@dataclass(frozen=True)
class AdbAddress:
    """An Android device, by the serial number that ``adb devices`` shows."""

    serial: str

    def __str__(self) -> str:
        return f"adb://{self.serial}"


def parse_address(text: str) -> SshAddress | AdbAddress:
    """Read an address.

    Raises:
        BenchError: It is none, or has a password, a path or a name that begins with a dash.
    """
    if match := _SSH.fullmatch(text):
        port = None if match["port"] is None else int(match["port"])
        if port is None or 1 <= port <= MAX_PORT:
            return SshAddress(match["six"] or match["host"], match["user"], port)
        raise BenchError(f"{text}: a port is a number from 1 to {MAX_PORT}")
    if match := _ADB.fullmatch(text):
        return AdbAddress(match["serial"])
    if _PASSWORD.match(text):
        # Not repeated in the message: the rest of the line may be a secret.
        raise BenchError("an address has no password: give the device a key (ssh-copy-id)")
    raise BenchError(f"{text} is no address: write ssh://[user@]host[:port] or adb://SERIAL")
