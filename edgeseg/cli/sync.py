"""``edgeseg sync`` and ``edgeseg roll-back``: a scanner's generations."""

from __future__ import annotations

import json
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.default_command import defaulting_to
from edgeseg.cli.options import JsonOption, StoreOption
from edgeseg.limits import MAX_SHARD_NAME_CHARS

if TYPE_CHECKING:
    from edgeseg.sync.client import SyncOptions
    from edgeseg.sync.report import SyncReport
    from edgeseg.sync.store import Store

_GROUP_HELP = """Fetch what a publisher has published, and put it into use.

`edgeseg sync URL` is short for `edgeseg sync now URL`.
"""

_NOW_HELP = """Fetch what a publisher has published, check it, and put it into use.

URL is a web server's, or a folder such as a memory stick's. The first time, --root names the
publisher's root.json. Only what changed is fetched, from where a broken transfer ended; what is in
use stays in use until the new generation is complete, signed as it has to be, and has answered its
golden queries on this device. Matching goes on meanwhile, with `edgeseg match --store`.

Of a publisher of shards, --shard names the one to follow: the first time, and later to move to
another, whose generation replaces what is in use once it is ready.

Metadata that has expired never replaces anything, and never stops matching.

--every syncs again and again: the pause is up to a tenth longer or shorter, so that a fleet does
not come at once, and shorter after a failure, doubling until it is the full one. --report-to sends
a report of each sync, now or when there is a network again; `edgeseg fleet` reads them.

Examples:

\b
  edgeseg sync https://cdn.example/edgeseg --root root.json
  edgeseg sync https://cdn.example/edgeseg --every 15m --report-to https://fleet.example/reports
  edgeseg sync https://cdn.example/warehouses --root root.json --shard Hamburg
  edgeseg sync now /media/stick/edgeseg
"""

_STATUS_HELP = """Say which generation is in use, how old it is, and what the last sync came to.

Examples:

\b
  edgeseg sync status
  edgeseg sync status --store /var/lib/edgeseg --json
"""

_ROLL_BACK_HELP = """Put the generation before into use again.

The one that was in use is left alone by later syncs; the next one that is published is taken.
After a move to another shard, the shard before is followed again.

Examples:

\b
  edgeseg roll-back
"""

_FIRST_RETRY_S = 30.0
_JITTER = 0.1
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        cls=defaulting_to("now", alone=False), help=_GROUP_HELP, no_args_is_help=True
    )
    group.command("now", help=_NOW_HELP, no_args_is_help=True)(sync_now)
    group.command("status", help=_STATUS_HELP)(status)
    app.add_typer(group, name="sync")
    app.command("roll-back", help=_ROLL_BACK_HELP)(roll_back)


def _interval_s(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if not found or float(found[1]) <= 0:
        raise typer.BadParameter(f"{text!r}: write a number and s, m, h or d, as in 15m")
    return float(found[1]) * _UNITS_S[found[2]]


def sync_now(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where it is published.")],
    store: StoreOption = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="ROOT_JSON", help="The publisher's root.json; needed the first time."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The shard to follow; the store remembers it."),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="Sync again and again: 90s, 15m, 2h, 1d.")
    ] = None,
    max_bytes: Annotated[
        int, typer.Option(min=1, help="Receive no more than this in one sync.")
    ] = 1 << 30,
    max_seconds: Annotated[
        float, typer.Option(min=1, help="Give a sync up after this; the next one goes on.")
    ] = 900.0,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="This device's name in reports.")
    ] = None,
    report_to: Annotated[
        str | None,
        typer.Option(metavar="URL|DIR", help="Post a report of each sync, or put it in a folder."),
    ] = None,
    retry_refused: Annotated[
        bool, typer.Option("--retry-refused", help="Take a generation that was rolled back, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sync; see ``_NOW_HELP``."""
    console.settings.quiet = as_json
    interval_s = None if every is None else _interval_s(every)
    # Also what a terminal gave in another encoding than it said.
    if shard is not None and not (shard.isprintable() and len(shard) <= MAX_SHARD_NAME_CHARS):
        raise typer.BadParameter(f"{ascii(shard)[:40]} is no name of a shard")
    with console.needs_extra("sync"):
        from edgeseg.sync.client import SyncOptions
    from edgeseg import limits
    from edgeseg.files import read_bounded
    from edgeseg.sync.store import Store, default_store

    options = SyncOptions(
        root=None if root is None else read_bounded(root, limits.MAX_ROOT_BYTES, "root metadata"),
        max_bytes=max_bytes,
        max_seconds=max_seconds,
        device=device,
        report_to=report_to,
        retry_refused=retry_refused,
        shard=shard,
    )
    there = Store(store or default_store())
    if interval_s is None:
        _print(_once(there, url, options), as_json)
        return
    # A service is stopped by SIGTERM; the sync in progress ends as by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _again_and_again(there, url, options, interval_s, as_json)


def _once(store: Store, url: str, options: SyncOptions) -> SyncReport:
    from edgeseg.sync.client import sync

    with console.progress_reporter("fetching") as report:
        return sync(store, url, options, report)


def _again_and_again(
    store: Store, url: str, options: SyncOptions, interval_s: float, as_json: bool
) -> None:
    from edgeseg.errors import EdgesegError

    failures = 0
    # Not seeded: a fleet that starts at once must not stay in step.
    draw = random.SystemRandom()
    while True:
        try:
            _print(_once(store, url, options), as_json, in_lines=True)
            failures = 0
        except EdgesegError as error:
            console.print_error(str(error))
            failures += 1
        sys.stdout.flush()
        pause_s = interval_s
        if failures:
            pause_s = min(interval_s, _FIRST_RETRY_S * 2 ** min(failures - 1, 30))
        time.sleep(pause_s * draw.uniform(1 - _JITTER, 1 + _JITTER))


def _print(report: SyncReport, as_json: bool, in_lines: bool = False) -> None:
    from edgeseg.sync.state import generation_told

    told = generation_told(report.to_generation, report.shard)
    if as_json and in_lines:
        console.print_line(json.dumps(report.to_dict()))
    elif as_json:
        console.print_json(report.to_dict())
    elif report.result == "current":
        console.print_line(f"{told} is the newest")
    else:
        console.print_line(
            f"{told} is in use: {report.received_bytes:,} bytes in "
            f"{report.seconds:.1f} s" + (f", {report.deltas} deltas" if report.deltas else "")
        )


def status(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Tell the state; see ``_STATUS_HELP``."""
    from edgeseg.errors import EdgesegError, SyncError
    from edgeseg.sync.clock import now, time_text
    from edgeseg.sync.report import last_report
    from edgeseg.sync.store import Store, default_store

    there = Store(store or default_store())
    state = there.state()
    if state.active is None:
        raise SyncError(f"{there.folder} holds no catalogue yet: run `edgeseg sync URL` first")
    trouble = ""
    try:
        trouble = there.open_active().instead_of
    except EdgesegError as error:
        trouble = str(error)
    last = last_report(there.reports)
    document = {
        "store": str(there.folder),
        "generation": state.active.generation,
        "shard": state.active.shard,
        "moving_to_shard": None if state.shard == state.active.shard else state.shard,
        "published": time_text(state.active.published),
        "activated": time_text(state.active.activated),
        "age": state.age_told(now()),
        "previous_generation": None if state.previous is None else state.previous.generation,
        "refreshed": None if state.refreshed is None else time_text(state.refreshed),
        "expires": None if state.expires is None else time_text(state.expires),
        "expired": state.expires is not None and state.expires < now(),
        "trouble": trouble,
        "last_sync": None if last is None else last.to_dict(),
    }
    if as_json:
        console.print_json(document)
    else:
        told = None if last is None else f"{last.result} {time_text(last.finished)} {last.error}"
        rows = [
            (name.replace("_", " "), "-" if value in (None, "") else str(value))
            for name, value in (document | {"last_sync": told}).items()
        ]
        console.print_table(("", str(there.folder)), rows[1:])
    if trouble:
        console.print_error(trouble)
        raise typer.Exit(console.EXIT_FAILURE)


def roll_back(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Roll back; see ``_ROLL_BACK_HELP``."""
    with console.needs_extra("sync"):
        from edgeseg.sync import client
    from edgeseg.sync.store import Store, default_store

    state = client.roll_back(Store(store or default_store()))
    assert state.active is not None
    if as_json:
        console.print_json({"generation": state.active.generation, "shard": state.active.shard})
        return
    console.print_line(f"{state.active.called} is in use again")
