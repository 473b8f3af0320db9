"""``--on``: the options of a bench on another device, and how its arguments get there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from edgeseg.cli import console

OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="ADDRESS",
        help="Measure there: ssh://[user@]host[:port] or adb://SERIAL. Copies edgeseg and the "
        "files named, and leaves nothing.",
    ),
]
RemotePythonOption = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="--on: the Python there. Default: the first that fits."),
]
RemoteTmpOption = Annotated[
    str | None,
    typer.Option(metavar="DIR", help="--on: the folder there to work in. Default: $TMPDIR, /tmp."),
]
WheelsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="--on: wheels for what its Python lacks. Default: its package index."
    ),
]
SshOption = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="--on ssh://: as after ssh's -o; repeat for more."),
]

#: Parameters of ``bench run`` that stay at the desk: where, and what becomes of the report.
DESK_PARAMETERS = frozenset(
    {
        "on",
        "remote_python",
        "remote_tmp",
        "wheels",
        "ssh_option",
        "out",
        "html",
        "markdown",
        "as_json",
    }
)


def bench_on_device(command: Callable[..., None], given: Mapping[str, Any]) -> dict[str, Any]:
    """The report of the same command on the device that its ``--on`` names.

    Args:
        command: The function of ``bench run``; its parameters include the options above.
        given: What it was called with.
    """
    from device_bench.remote.address import parse_address
    from device_bench.remote.session import Place, bench_on
    from device_bench.remote.transport import transport_for

    transport = transport_for(parse_address(given["on"]), given["ssh_option"] or ())
    place = Place(given["remote_python"], given["remote_tmp"], given["wheels"])
    return bench_on(transport, arguments(command, given), place, console.print_note)


def arguments(command: Callable[..., None], given: Mapping[str, Any]) -> list[str | Path]:
    """A command's parameters as a command line, less the desk's own; files remain ``Path``.

    Read off the function's signature, so that an option is not listed a second time here. What
    has its default is left out: the edgeseg there has the same.

    Args:
        command: Its parameters are annotated for typer.
        given: Values by name.
    """
    hints = get_type_hints(command, include_extras=True)
    options: list[str | Path] = []
    files: list[str | Path] = []
    for name, parameter in inspect.signature(command).parameters.items():
        value = given[name]
        if name in DESK_PARAMETERS or value == parameter.default:
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        info = hints[name].__metadata__[0]
        if isinstance(info, ArgumentInfo):
            files += [_word(one) for one in values]
            continue
        flag, _, opposite = _spelling(name, info).partition("/")
        for one in values:
            if isinstance(one, bool):
                options.append(flag if one else opposite or f"--no-{flag[2:]}")
            else:
                options += [flag, _word(one)]
    return [*options, *files]


def _spelling(name: str, info: OptionInfo) -> str:
    """An option's long form: as declared, else as typer makes it of the parameter's name."""
    declared = [text for text in info.param_decls or () if text.startswith("--")]
    return declared[0] if declared else f"--{name.replace('_', '-')}"


def _word(value: Any) -> str | Path:
    if isinstance(value, Path):
        from edgeseg.presets import PRESETS

        # The edgeseg there has the presets too.
        return str(value) if str(value) in PRESETS and not value.exists() else value
    return str(value.value if isinstance(value, Enum) else value)
