from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import typer

from edgeseg.cli import console
from edgeseg.errors import EdgesegError, MissingExtraError

Capture = pytest.CaptureFixture[str]


def _app_that(action: Callable[[], Any]) -> Callable[[], typer.Typer]:
    def build() -> typer.Typer:
        app = typer.Typer(rich_markup_mode=None)

        @app.callback()
        def options(debug: bool = False) -> None:
            console.settings.debug = debug

        @app.command("act")
        def act(number: int = 1) -> None:
            action()

        return app

    return build


def _raise(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (EdgesegError("the bundle is damaged"), 1, "the bundle is damaged"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("can't start new thread"), 1, "out of memory"),
        (OSError(errno.ENOSPC, "No space left", "out.png"), 1, "no space left on the device"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "Permission denied: x"),
        (ValueError("seven"), 1, "internal error: ValueError: seven"),
        (RuntimeError("two\nlines\x1b[31m"), 1, r"two\nlines\x1b[31m"),
        (typer.BadParameter("no such colour"), 2, "no such colour; see `edgeseg act --help`"),
    ],
)
def test_every_failure_is_one_line(
    capsys: Capture, error: BaseException, code: int, words: str
) -> None:
    assert console.run_cli(_app_that(_raise(error)), ["act"]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert len(told.err.splitlines()) == 1
    assert told.err.startswith("edgeseg: ")


def test_debug_shows_the_traceback(capsys: Capture) -> None:
    broken = _app_that(_raise(EdgesegError("broken")))
    assert console.run_cli(broken, ["--debug", "act"]) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.endswith("edgeseg: broken\n")


@pytest.mark.parametrize("arguments", [["act", "--number", "x"], ["act", "--nope"], ["other"]])
def test_wrong_usage_is_two(capsys: Capture, arguments: list[str]) -> None:
    assert console.run_cli(_app_that(lambda: None), arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_exit_code_of_a_command_is_kept() -> None:
    assert console.run_cli(_app_that(_raise(typer.Exit(1))), ["act"]) == 1
    assert console.run_cli(_app_that(lambda: None), ["act"]) == 0


def test_missing_extra_is_told_for_its_own_modules_only() -> None:
    told = pytest.raises(MissingExtraError, match=r"pip install 'edgeseg\[convert\]'")
    with told, console.needs_extra("convert"):
        raise ModuleNotFoundError("no", name="tensorflow.python")
    with pytest.raises(ModuleNotFoundError), console.needs_extra("convert"):
        raise ModuleNotFoundError("no", name="edgeseg.nothing")
    # A backend of Keras is an extra of its own.
    told = pytest.raises(MissingExtraError, match=r"^jax is .* pip install 'edgeseg\[jax\]'$")
    with told, console.needs_extra("train", "jax"):
        raise ModuleNotFoundError("no", name="jax")


def test_json_holds_numpy_and_no_nan(capsys: Capture) -> None:
    console.print_json(
        {"a": np.float32(0.5), "b": np.arange(2), "c": float("nan"), "d": np.float64("inf"), 3: "ü"}
    )
    told = json.loads(capsys.readouterr().out)
    assert told == {"a": 0.5, "b": [0, 1], "c": None, "d": None, "3": "ü"}


def test_json_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(TypeError, match="object has no place"):
        console.print_json({"a": object()})


def test_table_is_whole_when_piped_and_never_markup(capsys: Capture) -> None:
    long = "x" * 300
    console.print_table(("sku", "n"), [("[red]A[/red]", 1), (long, 22), ("esc\x1b[2J", 3)])
    told = capsys.readouterr().out
    assert "[red]A[/red]" in told
    assert long in told
    assert "\x1b" not in told


def test_empty_table_prints_its_columns(capsys: Capture) -> None:
    console.print_table(("sku", "n"), [])
    assert "sku" in capsys.readouterr().out


def test_progress_yields_everything_and_is_silent_off_a_terminal(capsys: Capture) -> None:
    assert list(console.progress(iter("abc"), 3, "working")) == ["a", "b", "c"]
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")
