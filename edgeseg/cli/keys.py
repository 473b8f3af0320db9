"""``edgeseg keys``: a publisher's keys."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption
from edgeseg.cli.publisher_options import (
    KeysOption,
    TargetsDaysOption,
    TimestampDaysOption,
    ToOption,
    expiry_of,
    opened_keys,
    passphrase,
)

_INIT_HELP = """Make the keys of a publisher, and the root.json that its scanners trust.

Put root.json on every scanner by a way that you trust; it is no secret. The .pem files are: who has
them can publish. Three root keys are made, of which two have to sign; move them to two or three
places that are off line, for they are needed only to rotate keys. With EDGESEG_PASSPHRASE set, the
private keys are encrypted.

Examples:

\b
  edgeseg keys init keys
  edgeseg keys init keys --root-keys 5 --root-threshold 3
"""

_ROTATE_HELP = """Replace the keys of a role, because one was lost or stolen or is old.

Scanners follow by themselves at their next sync: the new root.json is signed by the old root keys
and by the new ones. What is published is signed anew. A stolen snapshot or timestamp key is dealt
with by rotating snapshot and timestamp together; a stolen targets key by rotating all three.

Examples:

\b
  edgeseg keys rotate timestamp --keys keys --to /srv/www/edgeseg
  edgeseg keys rotate targets snapshot timestamp --keys keys --keys /media/stick --to s3://shop/edgeseg
"""


class RoleChoice(str, Enum):
    """Roles of The Update Framework; the values of `publishing.keys.ROLES`."""

    root = "root"
    targets = "targets"
    snapshot = "snapshot"
    timestamp = "timestamp"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="A publisher's keys: make them, replace them.", no_args_is_help=True)
    group.command("init", help=_INIT_HELP, no_args_is_help=True)(init)
    group.command("rotate", help=_ROTATE_HELP, no_args_is_help=True)(rotate)
    app.add_typer(group, name="keys")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    root_keys: Annotated[int, typer.Option(min=1, max=20, help="How many root keys.")] = 3,
    root_threshold: Annotated[
        int, typer.Option(min=1, max=20, help="How many of them must sign.")
    ] = 2,
    targets_keys: Annotated[int, typer.Option(min=1, max=20, help="How many targets keys.")] = 1,
    targets_threshold: Annotated[
        int, typer.Option(min=1, max=20, help="How many of them must sign.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Make keys; see ``_INIT_HELP``."""
    with console.needs_extra("publish"):
        from edgeseg.publishing.keys import Quorum, init_keys
    from edgeseg.sync.clock import now

    try:
        quorums = {
            "root": Quorum(root_keys, root_threshold),
            "targets": Quorum(targets_keys, targets_threshold),
        }
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    secret = passphrase()
    anchor = init_keys(folder, quorums, now(), secret)
    if as_json:
        console.print_json({"root": str(anchor), "encrypted": secret is not None})
        return
    console.print_line(f"{anchor}: give this file to every scanner")
    kept = "encrypted" if secret else "not encrypted (set EDGESEG_PASSPHRASE to encrypt them)"
    console.print_line(f"private keys are {kept}: keep the root-*.pem off line")


def rotate(
    roles: Annotated[list[RoleChoice], typer.Argument(metavar="ROLE...", help="Whose keys.")],
    to: ToOption,
    keys: KeysOption,
    targets_days: TargetsDaysOption = 180.0,
    timestamp_days: TimestampDaysOption = 14.0,
    as_json: JsonOption = False,
) -> None:
    """Replace keys; see ``_ROTATE_HELP``."""
    with console.needs_extra("publish"):
        from edgeseg.publishing.rotation import rotate as rotate_keys
    from edgeseg.sync.clock import now

    names = list(dict.fromkeys(role.value for role in roles))
    version = rotate_keys(
        names, to, opened_keys(keys), now(), expiry_of(targets_days, timestamp_days)
    )
    if as_json:
        console.print_json({"rotated": names, "root_version": version})
        return
    console.print_line(
        f"{to}: {', '.join(names)} have new keys, root.json is version {version}; the old private "
        "keys are under retired/"
    )
