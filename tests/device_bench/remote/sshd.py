"""A real sshd on loopback, with keys, a home and a PATH of its own; and a look at what is left."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
#: Why there is none to test with, or None.
ABSENT = (
    None
    if SSHD and shutil.which("ssh") and shutil.which("ssh-keygen")
    else "no sshd or ssh here; on Debian: apt-get install openssh-server openssh-client"
)
PATIENCE_S = 60.0
_TOOLS = ("sh", "mktemp", "rm", "cat", "env")
_PRIVILEGES = Path("/run/sshd")
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
"""


class Device:
    """An sshd, and a folder that plays the device's disk.

    Args:
        folder: An empty folder, below which everything happens.
        path: Its PATH; None for one with the tools of a bare system, and no Python.
        prelude: Shell commands before every command, such as a ulimit.
    """

    def __init__(self, folder: Path, path: str | None, prelude: str = ":") -> None:
        assert SSHD is not None
        self.folder = folder
        self.home, self.tmp = folder / "home", folder / "tmp"
        self.home.mkdir()
        self.tmp.mkdir()
        for name in ("host_key", "user_key", "other_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True)
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in _TOOLS:
            (self.tools / name).symlink_to(shutil.which(name) or name)
        self._mounted: Path | None = None
        self.port = free_port()
        words = ["env", "-i", f"HOME={self.home}", f"TMPDIR={self.tmp}"]
        words.append(f"PATH={self.tools if path is None else path}")
        # The login shell's own files are the machine's, and no business of a test's.
        forced = f'exec {shlex.join(words)} sh -c "{prelude}; $SSH_ORIGINAL_COMMAND"'
        config = folder / "sshd_config"
        text = _CONFIG.format(port=self.port, folder=folder) + f"ForceCommand {forced}\n"
        # From 9.8 on, sshd turns away an address that failed to log in.
        for penalties in ("PerSourcePenalties no\n", ""):
            config.write_text(text + penalties)
            if subprocess.run([SSHD, "-t", "-f", config], capture_output=True).returncode == 0:
                break
        self._log = (folder / "sshd.log").open("wb")
        command = [SSHD, "-D", "-e", "-f", str(config)]
        self.process = subprocess.Popen(command, stderr=self._log)
        wait_until(lambda: self.process.poll() is not None or _listens(self.port))

    @property
    def address(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    def ssh_options(self, key: str = "user_key", knows: str | None = "host_key") -> list[str]:
        """What ssh needs to get in; ``knows`` is the key that it takes for the host's."""
        known_hosts = self.folder / f"known_hosts-{knows}"
        told = ""
        if knows is not None:
            told = " ".join((self.folder / f"{knows}.pub").read_text().split()[:2])
            told = f"[127.0.0.1]:{self.port} {told}\n"
        known_hosts.write_text(told)
        return [
            f"IdentityFile={self.folder / key}",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={known_hosts}",
            "GlobalKnownHostsFile=/dev/null",
        ]

    def arguments(self, *more: str, **options: str | None) -> list[str]:
        """For ``edgeseg bench``; options as for :meth:`ssh_options`."""
        pairs = self.ssh_options(**options)  # type: ignore[arg-type]
        words = [word for pair in pairs for word in ("--ssh-option", pair)]
        return ["--on", self.address, *words, *more]

    def small_disk(self, how: str = "rw") -> Path | None:
        """A folder with room for one megabyte; None where this process may mount none."""
        folder = self.folder / "small"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size=1m,{how}", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            return None
        self._mounted = folder
        return folder

    def files(self) -> list[str]:
        """Everything on the device's disk."""
        return [*files_below(self.home), *files_below(self.tmp)]

    def processes(self) -> list[str]:
        """The command lines of what works in the device's folders."""
        return processes_with(str(self.tmp))

    def gone(self) -> bool:
        """Whether nothing is left, now or within some seconds."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self.files() and not self.processes())
        return not self.files() and not self.processes()

    def cut(self) -> None:
        """Kill sshd's side of every connection, and so nothing that it started."""
        for pid in _descendants(self.process.pid):
            if _word(pid, "comm").startswith("sshd"):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self._log.close()
        if self._mounted is not None:
            subprocess.run(["umount", str(self._mounted)], check=True)


@contextlib.contextmanager
def device(folder: Path, bare: bool = False, prelude: str = ":") -> Iterator[Device]:
    """A :class:`Device` for a block, with this process's PATH unless it is a bare one."""
    if os.geteuid() == 0:
        # Where sshd gives up its privileges; its service makes it, and tests beside these use it.
        _PRIVILEGES.mkdir(0o755, exist_ok=True)
    started = Device(folder, None if bare else os.environ["PATH"], prelude)
    try:
        yield started
    finally:
        started.stop()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for something to become true.

    Raises:
        TimeoutError: It does not.
    """
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end_s:
            raise TimeoutError
        time.sleep(0.02)


def files_below(root: Path) -> list[str]:
    """Files and folders, also of a tree that is just being removed."""
    return [
        f"{folder}/{name}" for folder, folders, files in os.walk(root) for name in folders + files
    ]


def processes_with(text: str) -> list[str]:
    """Command lines of the processes in whose command line or environment a text stands."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        line = _word(int(entry.name), "cmdline").replace("\0", " ")
        # Not sshd's own, and not the desk's ssh or adb, which name the folder in an argument.
        if text in line + _word(int(entry.name), "environ") and not line.startswith(_DESK):
            found.append(line)
    return found


_DESK = ("ssh ", "sshd", f"{SSHD} ")


def _descendants(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _word(int(entry.name), "stat")):
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


def _word(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
