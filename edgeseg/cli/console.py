"""What every command shares: the error boundary, and printing of lines, tables, JSON and progress.

Results go to stdout, everything else to stderr, so that ``edgeseg match --json | jq`` works.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import typer

from edgeseg.errors import EdgesegError, MissingExtraError

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

# The import names that each extra of pyproject.toml brings. A missing module that is not listed
# here is a fault of the installation or of this code, and is not explained away as a missing extra.
EXTRA_MODULES: dict[str, frozenset[str]] = {
    "sync": frozenset({"securesystemslib", "tuf", "urllib3"}),
    "publish": frozenset({"cryptography", "fsspec", "securesystemslib", "tuf", "urllib3"}),
    "scale": frozenset({"fsspec", "pandas", "pyarrow", "ray"}),
    "serve": frozenset({"anyio", "starlette", "uvicorn"}),
    "train": frozenset({"keras", "matplotlib", "safetensors", "tensorflow"}),
    "convert": frozenset(
        {"safetensors", "tensorflow", "tensorflow_model_optimization", "tf_keras", "zstandard"}
    ),
    "jax": frozenset({"jax", "jaxlib"}),
    "peers": frozenset({"ai_edge_quantizer"}),
    "tflite": frozenset({"tflite_runtime"}),
}

# Tables that are piped into a file or another program are not cut to a terminal's width.
_PIPED_TABLE_COLUMNS = 10_000

# typer carries its own copy of click in some versions and imports it in others; the exception
# classes are reached through the one that typer always exports.
_ClickException: type[Any] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

T = TypeVar("T")


@dataclass
class Settings:
    """What the options before the command ask for.

    Attributes:
        debug: show tracebacks.
        quiet: no progress on stderr; commands set it under ``--json``.
    """

    debug: bool = False
    quiet: bool = False


settings = Settings()


def run_cli(build_app: Callable[[], typer.Typer], arguments: list[str] | None = None) -> int:
    """Run a command line inside the error boundary.

    Args:
        build_app: makes the application; called inside the boundary, for it imports.
        arguments: the command line after the program's name; ``sys.argv`` when None.

    Returns:
        The exit code. Every failure has told its one line on stderr by then; a traceback is shown
        under ``--debug`` only.
    """
    settings.debug = settings.quiet = False
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A file name need not be valid UTF-8, and printing it must not be what fails.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = build_app()(args=arguments, prog_name="edgeseg", standalone_mode=False)
        sys.stdout.flush()
        if code == EXIT_INTERRUPTED:  # typer turns Ctrl-C into this code, silently
            print_error("interrupted")
        return code if isinstance(code, int) else 0
    except BaseException as error:  # noqa: BLE001 (the boundary: every failure becomes one line)
        if settings.debug and not isinstance(error, (SystemExit, _ClickException)):
            traceback.print_exc()
        return _explain(error)


def _explain(error: BaseException) -> int:
    """Tell an error in one line; returns the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else EXIT_FAILURE
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        print_error("interrupted")
        return EXIT_INTERRUPTED
    if isinstance(error, _ClickException):
        return _explain_usage(error)
    if isinstance(error, EdgesegError):
        print_error(str(error))
    elif isinstance(error, MemoryError) or _has_no_room_for_a_thread(error):
        print_error("out of memory; use a smaller picture or catalogue, or close other programs")
    elif isinstance(error, BrokenPipeError):
        # The reader (`head`, a closed pager) has what it wanted. Python would complain again when
        # it flushes stdout at exit, hence the replacement.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        print_error(f"no space left on the device{_where(error)}; free some and run it again")
    elif isinstance(error, OSError) and error.errno is not None:
        print_error(f"{error.strerror}{_where(error)}")
    else:
        detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        print_error(f"internal error: {detail}; `edgeseg --debug ...` shows where")
    return EXIT_FAILURE


def _has_no_room_for_a_thread(error: BaseException) -> bool:
    # Python says no more than this of a thread whose stack finds no memory.
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"


def _explain_usage(error: Any) -> int:
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
        # Asked for nothing: the help is the answer, and still not a success.
        sys.stderr.write(f"{context.get_help()}\n")
        return EXIT_USAGE
    hint = f"; see `{context.command_path} --help`" if context is not None else ""
    print_error(f"{str(error.format_message()).rstrip('.')}{hint}")
    return int(error.exit_code)


def _where(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def printable(text: str) -> str:
    """``text`` on one line, with control characters (a terminal's escape codes) made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_error(message: str) -> None:
    """One line on stderr: ``edgeseg: message``."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"edgeseg: {printable(message)}\n")


def print_note(message: str) -> None:
    """One line on stderr that is not a failure; silent when ``settings.quiet``."""
    if not settings.quiet:
        sys.stderr.write(f"{printable(message)}\n")


def print_line(message: str) -> None:
    """One line of the result on stdout."""
    sys.stdout.write(f"{printable(message)}\n")


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; a float that JSON cannot hold (NaN) becomes null."""
    text = json.dumps(_plain(document), ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write(f"{text}\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return _plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no place in a JSON document")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on stdout: numbers flush right, no cell taken as markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[number], (int, float)) for row in cells)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    width = None if sys.stdout.isatty() else _PIPED_TABLE_COLUMNS
    Console(file=sys.stdout, width=width, highlight=False).print(table)


@contextlib.contextmanager
def progress_reporter(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, driven by the ``on_progress(done, total)`` that the toolkit calls.

    Silent when stderr is not a terminal or ``settings.quiet`` is set.
    """
    with steps_reporter() as report:
        yield lambda done, total: report(label, done, total)


@contextlib.contextmanager
def steps_reporter() -> Iterator[Callable[[str, int, int], None]]:
    """As ``progress_reporter``, for work of several steps: ``on_progress(step, done, total)``."""
    if settings.quiet or not sys.stderr.isatty():
        yield lambda _step, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def report(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=None, rate="")
        speed = bar.tasks[tasks[step]].speed
        # 0 is a total that is not known yet.
        bar.update(
            tasks[step],
            completed=done,
            total=total or None,
            rate=f"{speed:.1f}/s" if speed else "",
        )

    with bar:
        yield report


def progress(iterable: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    """Yield from ``iterable`` under a progress bar on stderr.

    Args:
        iterable: what to go through.
        total: how many items that is, when known.
        label: the words before the bar.
    """
    with progress_reporter(label) as report:
        for done, item in enumerate(iterable):
            report(done, total or 0)
            yield item
            report(done + 1, total or 0)


@contextlib.contextmanager
def needs_extra(*extras: str) -> Iterator[None]:
    """Around a literal import: says which extra to install when one of *its* modules is missing.

    Args:
        extras: names in ``EXTRA_MODULES``; the first that has the module is told.

    Raises:
        MissingExtraError: a module of those extras is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        extra = next((name for name in extras if missing in EXTRA_MODULES[name]), None)
        if extra is None:
            raise
        raise MissingExtraError(
            f"{missing} is not installed; this command needs: pip install 'edgeseg[{extra}]'"
        ) from error
