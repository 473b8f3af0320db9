"""Devices that OpenSSH's own client reaches, with the user's keys, config and known hosts."""

from __future__ import annotations

import re

from device_bench.errors import BenchError
from device_bench.remote.address import SshAddress

# OpenSSH takes the first value that it is given: these two groups stand around the user's options.
_FIRST = ("BatchMode=yes",)  # no question ever waits for an answer
_LAST = (
    "ConnectTimeout=15",
    # A device that is gone is noticed after a minute.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    # A master would outlive the run, and hold its pipes open. One that is there already is used.
    "ControlMaster=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "LogLevel=ERROR",
)
_OPTION = re.compile(r"[A-Za-z][A-Za-z0-9]*=[^\n\0]*")

# What OpenSSH says, in its own words and in libc's for LC_ALL=C, and what to do about it. The first
# that is found anywhere in what it wrote is told.
_EXPLANATIONS = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "its host key is not the one known here: somebody is in between, or the device was set up "
        "anew; if the latter, {forget} and log in once by hand",
    ),
    (
        "Host key verification failed",
        "its host key is not known here: log in once by hand to accept it ({login})",
    ),
    (
        "Permission denied",
        "it accepts none of your keys, and passwords are not asked for: install one with "
        "ssh-copy-id, or name it with --ssh-option IdentityFile=FILE",
    ),
    (
        "Too many authentication failures",
        "it refused after too many keys: name the right one with --ssh-option IdentityFile=FILE "
        "--ssh-option IdentitiesOnly=yes",
    ),
    ("Could not resolve hostname", "there is no such host: check the name, or the network"),
    ("Connection refused", "it refuses the connection: is sshd running there, on this port?"),
    ("No route to host", "there is no way to it: is it switched on, and in this network?"),
    ("Network is unreachable", "there is no network to reach it by"),
    ("timed out", "it does not answer: is it switched on, and in this network?"),
    ("Unable to negotiate", "it speaks no cipher or key type that this ssh accepts ({said})"),
)


class Ssh:
    """A transport through ``ssh``; see ``transport.Transport``.

    Args:
        address: The host.
        options: ``KEY=VALUE`` for OpenSSH's ``-o``.

    Raises:
        BenchError: An option is no such pair.
    """

    def __init__(self, address: SshAddress, options: tuple[str, ...] = ()) -> None:
        self._address = address
        for option in options:
            if not _OPTION.fullmatch(option):
                raise BenchError(f"--ssh-option {option}: write KEY=VALUE, as after ssh's -o")
        self._options = options

    @property
    def name(self) -> str:
        """The address."""
        return str(self._address)

    def argv(self, command: str) -> list[str]:
        """The ``ssh`` command line: without a terminal, an agent or X11 at the other end."""
        words = ["ssh", "-T", "-a", "-x"]
        for option in (*_FIRST, *self._options, *_LAST):
            words += ["-o", option]
        if self._address.port is not None:
            words += ["-p", str(self._address.port)]
        if self._address.user is not None:
            words += ["-l", self._address.user]
        return [*words, "--", self._address.host, command]

    def explain(self, complaint: str) -> str | None:
        """What OpenSSH complained of; see ``Transport``."""
        host = self._address.host
        port = "" if self._address.port is None else f" -p {self._address.port}"
        known = host if self._address.port is None else f"'[{host}]:{self._address.port}'"
        for said, meaning in _EXPLANATIONS:
            line = next((line for line in complaint.splitlines() if said in line), None)
            if line is not None:
                return meaning.format(
                    forget=f"ssh-keygen -R {known}", login=f"ssh{port} {host}", said=line.strip()
                )
        return None
