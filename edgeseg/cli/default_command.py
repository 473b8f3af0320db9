"""A group of commands one of which is meant where none is named."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


def defaulting_to(command: str, *, alone: bool) -> type[TyperGroup]:
    """A group in which ``edgeseg GROUP ...`` is short for ``edgeseg GROUP command ...``.

    Args:
        command: The one that is meant.
        alone: Whether it is also meant where nothing follows the group's name.
    """

    class Defaulting(TyperGroup):
        """A group with a default command."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            """Put the command in front of what isn't one, nor a wish for help."""
            named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
            if not named and (args or alone):
                args = [command, *args]
            return super().parse_args(ctx, args)

    return Defaulting
