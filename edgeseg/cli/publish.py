"""``edgeseg publish``: the publisher's side of a sync."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
)

if TYPE_CHECKING:
    from edgeseg.publishing.part import Part
    from edgeseg.sync.release import Release

_PUBLISH_HELP = """Publish a catalogue or shards, a bundle, or both: scanners take them at a sync.

What is written is static files: serve the folder with any web server, bucket or CDN. A catalogue
becomes the next generation, as a delta from the one before where that is smaller, and whole for who
is new or far behind. A catalogue and the bundle that it was built with go together: name both when
the embedder changed, else the bundle of before is kept, and the default one at first.

A folder of shards, as `edgeseg index build --shard-by` writes it, is published as one generation:
all shards become current at once, each a delta, whole, or as before. A scanner follows its own, by
`edgeseg sync --shard`. A shard that is no longer in the folder is no longer published.

Without a file, what is published is signed anew: scanners do not move on after --timestamp-days, so
do that from a timer.

Examples:

\b
  edgeseg publish shop.catalogue --to /srv/www/edgeseg --keys keys
  edgeseg publish shop.catalogue shop.bundle --to s3://shop/edgeseg --keys keys
  edgeseg publish warehouses/ --to /srv/www/warehouses --keys keys
  edgeseg publish --to /srv/www/edgeseg --keys keys
"""


# Long enough to bring the owners of root keys together.
_SOON_DAYS = 90


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("publish", help=_PUBLISH_HELP, no_args_is_help=True)(publish)


def publish(
    to: ToOption,
    keys: KeysOption,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="A catalogue or a folder of shards, a bundle."),
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
    targets_days: TargetsDaysOption = 180.0,
    timestamp_days: TimestampDaysOption = 14.0,
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
        opened_keys(keys),
        now(),
        expiry_of(targets_days, timestamp_days),
        memory_mb << 20,
        machine or [],
    )
    root_days = (done.root_expires - now()).days
    if root_days < _SOON_DAYS:
        console.print_error(
            f"root.json expires in {root_days} days, and scanners believe nothing then: "
            "`edgeseg keys rotate root` renews it"
        )
    sharded = done.release.shard is not None
    document: dict[str, Any] = {
        "root_expires": time_text(done.root_expires),
        "generation": done.release.generation,
        "signed_only": done.signed_only,
        "bundle_bytes": done.release.bundle.length_bytes,
    }
    # Without files, nothing was found out of each but its release.
    parts: list[Part | None] = list(done.parts) or [None] * len(done.releases)
    told = [_told(*each, done.signed_only) for each in zip(done.releases, parts, strict=True)]
    if sharded:
        document |= {"shards": told, "dropped": list(done.dropped)}
    else:
        document |= told[0]
    if as_json:
        console.print_json(document)
    elif done.signed_only:
        what = f" of {len(told)} shards" if sharded else ""
        console.print_line(
            f"{to}: generation {document['generation']}{what} is as before, and signed anew"
        )
    elif sharded:
        _print_shards(to, document)
    else:
        console.print_line(
            f"{to}: generation {document['generation']}, {document['items']} items, "
            f"{_how(document)}; the whole takes {document['catalogue_bytes']:,} bytes, the bundle "
            f"{document['bundle_bytes']:,}"
        )


def _told(release: Release, part: Part | None, signed_only: bool) -> dict[str, Any]:
    """What became of one catalogue, for JSON."""
    shard: dict[str, Any] = {}
    if release.shard is not None:
        shard = {"shard": release.shard.name, "as_before": part is None or part.as_before}
    # Of a catalogue that is no shard, a publishing that only signs anew tells no more.
    known = None if signed_only and release.shard is None else part
    delta = None if known is None else known.delta
    whole = known is not None and delta is None and not shard.get("as_before")
    return shard | {
        "items": None if known is None else known.items,
        "catalogue_bytes": release.catalogue.length_bytes,
        "delta_bytes": None if delta is None else delta.length_bytes,
        "deltas": len(release.deltas),
        "whole_because": known.reason if known is not None and whole else None,
    }


def _how(told: dict[str, Any]) -> str:
    if told.get("as_before"):
        return "as before"
    if told["delta_bytes"] is None:
        return f"whole ({told['whole_because']})"
    return f"as a delta of {told['delta_bytes']:,} bytes"


def _print_shards(to: str, document: dict[str, Any]) -> None:
    rows = [
        (each["shard"], document["generation"], each["items"], f"{each['catalogue_bytes']:,}",
         _how(each))
        for each in document["shards"]
    ]  # fmt: skip
    console.print_table(("shard", "generation", "items", "bytes", "how"), rows)
    changed = sum(not each["as_before"] for each in document["shards"])
    console.print_line(
        f"{to}: generation {document['generation']} of {len(rows)} shards, of which {changed} "
        f"changed; the bundle takes {document['bundle_bytes']:,} bytes"
    )
    if document["dropped"]:
        names = ", ".join(repr(name) for name in document["dropped"])
        console.print_line(f"no longer published, as their scanners are told: {names}")
