"""The options that all commands of a publisher have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeseg.publishing.keys import Keys
    from edgeseg.publishing.repository import Expiry

KeysOption = Annotated[
    list[Path],
    typer.Option(
        "--keys", metavar="DIR", help="The folder of keys. Repeatable: the first has root.json."
    ),
]
ToOption = Annotated[
    str,
    typer.Option("--to", metavar="PLACE", help="A folder, or an address such as s3://bucket/path."),
]
TimestampDaysOption = Annotated[
    float,
    typer.Option(min=0.001, max=3650, help="How long scanners believe that it is the newest."),
]
TargetsDaysOption = Annotated[
    float, typer.Option(min=0.001, max=3650, help="How long what is published holds.")
]


def opened_keys(folders: list[Path]) -> Keys:
    """The keys of some folders."""
    from edgeseg.publishing.keys import Keys

    return Keys(folders, passphrase())


def expiry_of(targets_days: float, timestamp_days: float) -> Expiry:
    """For how long what is signed holds."""
    from edgeseg.publishing.repository import Expiry

    return Expiry(targets_days, timestamp_days)


def passphrase() -> bytes | None:
    """Of encrypted keys; None where there is none."""
    text = os.environ.get("EDGESEG_PASSPHRASE", "")
    return text.encode() or None
