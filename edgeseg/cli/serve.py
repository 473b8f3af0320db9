"""``edgeseg serve``: the handheld page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import BundleOption, JsonOption, ThreadsOption
from edgeseg.cli.serving import (
    CertificateOption,
    HostOption,
    KeyOption,
    OpenOption,
    PortOption,
    TokenFileOption,
    print_refusal,
    require_pair,
)

if TYPE_CHECKING:
    from edgeseg.web.matching.source import Source

_HELP = """Match photos in a browser: take one, see its cutout and the items nearest to it.

The page is served to this device alone, needs no network, and can be installed like an app from the
browser's menu. The worker corrects a wrong cutout with a stroke, and says which item it is, or none
of these; that is kept in --confirmations, one JSON object on each line, and leaves with the reports
of `edgeseg sync --report-to`. --keep-photos also keeps photos that are worth a label: those whose
cutout was corrected, or that were of another item than the first, or of none.

A newer catalogue is taken up without a reload: with --store as `edgeseg sync` brings it, with
--catalogue when the file is replaced. Pictures of the items are shown where they are at hand.

--host serves other machines too. They need the token in the address that is printed, which the
browser then keeps; anyone on the way can read plain HTTP, so do it on a network that you trust, or
give --certificate and --key.

Examples:

\b
  edgeseg serve --catalogue shop.catalogue
  edgeseg serve --store /var/lib/edgeseg --pictures items.csv
  edgeseg serve --catalogue shop.catalogue --host 0.0.0.0 --port 8080 --token-file token.txt
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("serve", help=_HELP, no_args_is_help=True)(serve)


def serve(
    catalogue: Annotated[
        Path | None,
        typer.Option("--catalogue", metavar="CATALOGUE", help="The catalogue to search."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Search what `edgeseg sync` put into use here, with its own bundle."
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="How many matches a photo.")] = 5,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="ITEMS",
            help="The ITEMS.csv or folder of the items' pictures, where it has moved or with "
            "--store.",
        ),
    ] = None,
    confirmations: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to keep what the worker says; else confirmations.jsonl in the store.",
        ),
    ] = None,
    keep_photos: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also keep photos that are worth a label, at most 500."),
    ] = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8765,
    token_file: TokenFileOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    open_browser: OpenOption = False,
    bundle: BundleOption = None,
    threads: ThreadsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Serve the page; see ``_HELP``."""
    console.settings.quiet = as_json
    if (catalogue is None) == (store is None):
        raise typer.BadParameter("name what to search: --catalogue or --store")
    if store is not None and bundle is not None:
        raise typer.BadParameter("--store has a bundle of its own: leave --bundle out")
    require_pair(certificate, key)
    with console.needs_extra("serve"):
        from edgeseg.web.access import Access, kept_token
        from edgeseg.web.application import make_application
        from edgeseg.web.matching.answers import Answers
        from edgeseg.web.matching.decisions import Decisions
        from edgeseg.web.matching.handlers import MatchingPage
        from edgeseg.web.server import Tls, listen
        from edgeseg.web.server import serve as serve_until_stopped
    from edgeseg.sync.confirmations import ConfirmationLog
    from edgeseg.sync.store import Store, default_store

    tls = None if certificate is None or key is None else Tls(certificate, key)
    # The port first: an error about it comes at once.
    listener = listen(host, port, tls)
    try:
        source = _source(catalogue, store, bundle, threads, pictures)
        kept = ConfirmationLog(confirmations or Store(store or default_store()).confirmations)
        page = MatchingPage(Answers(source, k), Decisions(kept, keep_photos))
        token = None if token_file is None else kept_token(token_file)
        access = Access.to(host, listener.port, token)
        application = make_application(page.routes(), access, print_refusal)
        url = listener.url(access)
        if as_json:
            console.print_json({"url": url, "confirmations": str(kept.path)})
        else:
            opened = source.current()
            console.print_line(url)
            console.print_note(
                f"{len(opened.matcher.catalogue):,} items; {source.age_told(opened)}; "
                f"{kept.count()} confirmations wait in {kept.path}; Ctrl-C stops"
            )
        sys.stdout.flush()
        if open_browser:
            typer.launch(url)
        serve_until_stopped(application, listener, print_refusal)
    finally:
        listener.close()


def _source(
    catalogue: Path | None,
    store: Path | None,
    bundle: Path | None,
    threads: int,
    items: Path | None,
) -> Source:
    from edgeseg.sync.live import LiveMatcher
    from edgeseg.sync.store import Store
    from edgeseg.web.matching.source import FileSource, StoreSource

    if catalogue is not None:
        return FileSource(catalogue, bundle, threads, items)
    assert store is not None
    return StoreSource(LiveMatcher(Store(store), threads), items)
