"""How a shell command gets to a device: what `ssh` and `adb` have in common."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Protocol

from device_bench.errors import BenchError
from device_bench.remote.address import AdbAddress, SshAddress


class Transport(Protocol):
    """Opens one two-way byte stream to a shell command on a device, and nothing else.

    That is all that is asked of a device's side: no file transfer, no second connection.
    """

    @property
    def name(self) -> str:
        """The device's address, as users write it."""

    def argv(self, command: str) -> list[str]:
        """The local program that runs a POSIX shell command there with its streams joined."""

    def explain(self, complaint: str) -> str | None:
        """What was wrong and what to do, from what that program wrote; None for nothing known."""


def transport_for(address: SshAddress | AdbAddress, ssh_options: Iterable[str] = ()) -> Transport:
    """The transport of an address.

    Args:
        address: Of the device.
        ssh_options: ``KEY=VALUE`` as after OpenSSH's ``-o``; they win over the user's config.

    Raises:
        BenchError: An option is no such pair, or is given for an adb device.
    """
    from device_bench.remote.adb import Adb
    from device_bench.remote.ssh import Ssh

    if isinstance(address, SshAddress):
        return Ssh(address, tuple(ssh_options))
    if tuple(ssh_options):
        raise BenchError(f"{address} is not reached by ssh: leave the ssh options out")
    return Adb(address)


def last_line(complaint: str) -> str:
    """The last line with anything in it; "" if there is none."""
    lines = [line.strip() for line in complaint.splitlines()]
    return next((line for line in reversed(lines) if line), "")


def quoted(words: Iterable[str]) -> str:
    """Words as a POSIX shell reads them; a dash in front is the caller's to rule out."""
    return " ".join(shlex.quote(word) for word in words)
