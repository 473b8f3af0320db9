"""``edgeseg keys`` and ``edgeseg publish``: the publisher's side of a sync."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption

if TYPE_CHECKING:
    from edgeseg.publishing.keys import Keys
    from edgeseg.publishing.repository import Expiry

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

_PUBLISH_HELP = """Publish a catalogue, a bundle, or both: scanners take them at their next sync.

What is written is static files: serve the folder with any web server, bucket or CDN. A catalogue
becomes the next generation, as a delta from the one before where that is smaller, and whole for who
is new or far behind. A catalogue and the bundle that it was built with go together: name both when
the embedder changed, else the bundle of before is kept, and the default one at first.

Without a file, what is published is signed anew: scanners do not move on after --timestamp-days, so
do that from a timer.

Examples:

\b
  edgeseg publish shop.catalogue --to /srv/www/edgeseg --keys keys
  edgeseg publish shop.catalogue shop.bundle --to s3://shop/edgeseg --keys keys
  edgeseg publish --to /srv/www/edgeseg --keys keys
"""


# Long enough to bring the owners of root keys together.
_SOON_DAYS = 90


class RoleChoice(str, Enum):
    """Roles of The Update Framework; the values of `publishing.keys.ROLES`."""

    root = "root"
    targets = "targets"
    snapshot = "snapshot"
    timestamp = "timestamp"


_KeysOption = Annotated[
    list[Path],
    typer.Option(
        "--keys", metavar="DIR", help="The folder of keys. Repeatable: the first has root.json."
    ),
]
_ToOption = Annotated[
    str,
    typer.Option("--to", metavar="PLACE", help="A folder, or an address such as s3://bucket/path."),
]
_TimestampDaysOption = Annotated[
    float,
    typer.Option(min=0.001, max=3650, help="How long scanners believe that it is the newest."),
]
_TargetsDaysOption = Annotated[
    float, typer.Option(min=0.001, max=3650, help="How long what is published holds.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="A publisher's keys: make them, replace them.", no_args_is_help=True)
    group.command("init", help=_INIT_HELP, no_args_is_help=True)(init)
    group.command("rotate", help=_ROTATE_HELP, no_args_is_help=True)(rotate)
    app.add_typer(group, name="keys")
    app.command("publish", help=_PUBLISH_HELP, no_args_is_help=True)(publish)


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
    passphrase = _passphrase()
    anchor = init_keys(folder, quorums, now(), passphrase)
    if as_json:
        console.print_json({"root": str(anchor), "encrypted": passphrase is not None})
        return
    console.print_line(f"{anchor}: give this file to every scanner")
    kept = "encrypted" if passphrase else "not encrypted (set EDGESEG_PASSPHRASE to encrypt them)"
    console.print_line(f"private keys are {kept}: keep the root-*.pem off line")


def rotate(
    roles: Annotated[list[RoleChoice], typer.Argument(metavar="ROLE...", help="Whose keys.")],
    to: _ToOption,
    keys: _KeysOption,
    targets_days: _TargetsDaysOption = 180.0,
    timestamp_days: _TimestampDaysOption = 14.0,
    as_json: JsonOption = False,
) -> None:
    """Replace keys; see ``_ROTATE_HELP``."""
    with console.needs_extra("publish"):
        from edgeseg.publishing.rotation import rotate as rotate_keys
    from edgeseg.sync.clock import now

    names = list(dict.fromkeys(role.value for role in roles))
    version = rotate_keys(names, to, _keys(keys), now(), _expiry(targets_days, timestamp_days))
    if as_json:
        console.print_json({"rotated": names, "root_version": version})
        return
    console.print_line(
        f"{to}: {', '.join(names)} have new keys, root.json is version {version}; the old private "
        "keys are under retired/"
    )


def publish(
    to: _ToOption,
    keys: _KeysOption,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="A catalogue, a bundle, or one of each."),
    ] = None,
    machine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only for this processor, as `uname -m` says it. Repeatable."
        ),
    ] = None,
    memory_mb: Annotated[
        int, typer.Option(min=0, max=1 << 20, help="Only for devices with so many MiB of memory.")
    ] = 0,
    targets_days: _TargetsDaysOption = 180.0,
    timestamp_days: _TimestampDaysOption = 14.0,
    as_json: JsonOption = False,
) -> None:
    """Publish; see ``_PUBLISH_HELP``."""
    console.settings.quiet = as_json
    with console.needs_extra("publish"):
        from edgeseg.publishing import publisher
    from edgeseg.sync.clock import now, time_text

    done = publisher.publish(
        files or [],
        to,
        _keys(keys),
        now(),
        _expiry(targets_days, timestamp_days),
        memory_mb << 20,
        machine or [],
    )
    release, step = done.release, done.step
    delta = release.deltas[-1].blob if step is not None and step.delta is not None else None
    root_days = (done.root_expires - now()).days
    if root_days < _SOON_DAYS:
        console.print_error(
            f"root.json expires in {root_days} days, and scanners believe nothing then: "
            "`edgeseg keys rotate root` renews it"
        )
    document: dict[str, Any] = {
        "root_expires": time_text(done.root_expires),
        "generation": release.generation,
        "signed_only": done.signed_only,
        "items": None if step is None else step.data.items,
        "catalogue_bytes": release.catalogue.length_bytes,
        "bundle_bytes": release.bundle.length_bytes,
        "delta_bytes": None if delta is None else delta.length_bytes,
        "deltas": len(release.deltas),
        "whole_because": None if step is None or step.delta is not None else step.reason,
    }
    if as_json:
        console.print_json(document)
        return
    if done.signed_only:
        console.print_line(f"{to}: generation {release.generation} is as before, and signed anew")
        return
    how = (
        f"whole ({document['whole_because']})"
        if delta is None
        else f"as a delta of {delta.length_bytes:,} bytes"
    )
    console.print_line(
        f"{to}: generation {release.generation}, {document['items']} items, {how}; the whole "
        f"takes {release.catalogue.length_bytes:,} bytes, the bundle "
        f"{release.bundle.length_bytes:,}"
    )


def _keys(folders: list[Path]) -> Keys:
    from edgeseg.publishing.keys import Keys

    return Keys(folders, _passphrase())


def _expiry(targets_days: float, timestamp_days: float) -> Expiry:
    from edgeseg.publishing.repository import Expiry

    return Expiry(targets_days, timestamp_days)


def _passphrase() -> bytes | None:
    text = os.environ.get("EDGESEG_PASSPHRASE", "")
    return text.encode() or None
