"""The ``edgeseg`` command: arguments in, one line or one JSON document out.

Each command module has ``register(app)``, imports nothing heavy at its top, and reaches the toolkit
only inside its functions; so ``edgeseg --help`` answers at once and a missing extra matters only to
the command that needs it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from edgeseg.cli import (
    bench,
    calibrate,
    compare,
    console,
    convert,
    doctor,
    fleet,
    index,
    keys,
    label,
    match,
    publish,
    search,
    segment,
    serve,
    sync,
    train,
)
from edgeseg.cli import eval as evaluate

# In the order in which `edgeseg --help` lists them, groups after commands.
_MODULES = (
    segment,
    match,
    serve,
    index,
    keys,
    publish,
    sync,
    fleet,
    evaluate,
    compare,
    label,
    train,
    search,
    convert,
    calibrate,
    bench,
    doctor,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from edgeseg import __version__

        console.print_line(f"edgeseg {__version__}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The whole command-line application, with every command registered."""
    app = typer.Typer(
        name="edgeseg",
        help="Cut garments out of photos and find them in a catalogue, offline on a handheld.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def options(
        _version: Annotated[
            bool,
            typer.Option(
                "--version", help="Print the version.", callback=_print_version, is_eager=True
            ),
        ] = False,
        debug: Annotated[
            bool, typer.Option("--debug", help="Show the traceback of a failure.")
        ] = False,
    ) -> None:
        console.settings.debug = debug

    for module in _MODULES:
        module.register(app)
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the entry point of the ``edgeseg`` script.

    Args:
        arguments: what follows ``edgeseg`` on the command line; ``sys.argv`` when None.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    return console.run_cli(build_app, arguments)
