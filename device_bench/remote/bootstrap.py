"""The shell command that a remote bench begins with, and what it says when it cannot.

POSIX ``sh`` and ``mktemp`` are all that it needs. It finds a Python, makes the one folder that
everything happens in, and starts the agent in it; it waits for the agent and clears up after it
where the agent could not (killed for want of memory). It contains no user's text but what is quoted
as an argument.
"""

from __future__ import annotations

from pathlib import Path

from device_bench.errors import BenchError
from device_bench.remote import agent
from device_bench.remote.transport import quoted

#: As in pyproject.toml's ``requires-python``.
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NO_PYTHON = b"edgeseg-bench: no python:"
NO_FOLDER = b"edgeseg-bench: no folder:"

# Where things may lie for the time of a run; Android has no /tmp.
_FOLDERS = '"${TMPDIR:-/tmp}" /tmp /var/tmp /data/local/tmp'
_NAMES = " ".join(["python3", *(f"python{version}" for version in reversed(PYTHONS)), "python"])
_FITTING = "|".join(f'"Python {version}."*' for version in PYTHONS)

# $1: a Python or nothing; $2: a folder or nothing; $3: what loads the agent.
_SCRIPT = f"""
umask 077
found= python=
for p in ${{1:-{_NAMES}}}; do
  v=$("$p" -V 2>&1) || continue
  case $v in
    {_FITTING}) python=$p; break;;
    "Python "*) found="$found $p is $v;";;
  esac
done
[ -n "$python" ] || {{ echo "{NO_PYTHON.decode()}$found"; exit 3; }}
folder= why=
for t in {{folders}}; do
  folder=$(mktemp -d "$t/edgeseg-bench.XXXXXX" 2>&1) && break
  why="${{why:-$t: $folder}}" folder=
done
[ -n "$folder" ] || {{ echo "{NO_FOLDER.decode()} $why"; exit 3; }}
clear_up() {{
  [ -s "$folder/{agent.GROUP_FILE}" ] && kill -9 "-$(cat "$folder/{agent.GROUP_FILE}")"
  rm -rf -- "$folder"
}}
trap clear_up EXIT
trap "exit 1" HUP INT TERM PIPE
"$python" -I -B -X utf8 -c "$3" "$folder"
"""


def command(python: str | None, folder: str | None) -> str:
    """The command line for the device's shell.

    Args:
        python: A path or name of a Python there; None takes the first that fits.
        folder: Where to make the run's folder; None takes the usual places in turn.

    Raises:
        BenchError: A Python that would be an option, or a folder that is no absolute path.
    """
    if python is not None and (not python or python.startswith("-")):
        raise BenchError(f"--remote-python {python!r}: not a path")
    if folder is not None and not folder.startswith("/"):
        raise BenchError(f"--remote-tmp {folder}: not an absolute path")
    script = _SCRIPT.replace("{folders}", '"$2"' if folder else _FOLDERS)
    if python:
        script = script.replace(f"${{1:-{_NAMES}}}", '"$1"')
    # On one line: some login shells end a quoted word at a line's end.
    return "exec " + quoted(
        ["sh", "-c", _one_line(script), "sh", python or "", folder or "", _loader()]
    )


def agent_source() -> bytes:
    """The agent's program, to be sent first."""
    return Path(agent.__file__).read_bytes()


def failure(said: bytes, python: str | None) -> str | None:
    """What was wrong, where the last line of what the device said is the shell's word for it.

    Args:
        said: Complete lines.
        python: As in ``command``.
    """
    line = said.rstrip(b"\n").rpartition(b"\n")[2]
    if line.startswith(NO_PYTHON):
        found = line.removeprefix(NO_PYTHON).decode(errors="replace").strip(" ;")
        among = f" ({found})" if found else ""
        wanted = f"Python {PYTHONS[0]} to {PYTHONS[-1]}"
        if python is not None:
            return f"{python} is no {wanted} there{among}"
        return (
            f"it has no {wanted} on its PATH{among}: install one, or name one with "
            "--remote-python PATH"
        )
    if line.startswith(NO_FOLDER):
        why = line.removeprefix(NO_FOLDER).decode(errors="replace").strip()
        return f"no folder can be made there ({why}): name one with --remote-tmp DIR"
    return None


def _loader() -> str:
    """Reads the agent from standard input, and not a byte more, and runs it."""
    size = len(agent_source())
    return (
        f'import os;s=b"";exec("while len(s)<{size}: s+=os.read(0,{size}-len(s)) or os._exit(1)");'
        "exec(s)"
    )


def _one_line(script: str) -> str:
    lines = [line.strip() for line in script.splitlines() if line.strip()]
    joined = ""
    for line in lines:
        joined += line
        # No semicolon after what a list of commands follows, nor after a pattern's own two.
        opens = line.endswith(("do", "in", "{", ";;"))
        joined += " " if opens else "; "
    return joined.removesuffix("; ")
