"""``edgeseg label serve``: the page on which people correct masks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgeseg.cli import console
from edgeseg.cli.options import JsonOption
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

_HELP = """Correct and accept the masks of a label set in a browser.

Each person at the page gets a photo of their own. Every stroke is saved at once: stop the server or
the browser whenever you like, and go on later. The page says which key does what. Masks that were
accepted lie in LABELS/masks; `edgeseg label export` makes a training folder of them.

--host serves other machines too. They need the token in the address that is printed, which the
browser then keeps: with --token-file it stays the same when the server is started again. Anyone on
the way can read plain HTTP, so do it on a network that you trust, or give --certificate and --key.

Examples:

\b
  edgeseg label serve labels --open
  edgeseg label serve labels --host 0.0.0.0 --port 8080 --token-file token.txt
"""


def register(group: typer.Typer) -> None:
    """Add the command to the group ``label``."""
    group.command("serve", help=_HELP, no_args_is_help=True)(serve)


def serve(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="The label set, from `edgeseg label auto`.")
    ],
    host: HostOption = "127.0.0.1",
    port: PortOption = 8766,
    token_file: TokenFileOption = None,
    certificate: CertificateOption = None,
    key: KeyOption = None,
    open_browser: OpenOption = False,
    as_json: JsonOption = False,
) -> None:
    """Serve the page; see ``_HELP``."""
    console.settings.quiet = as_json
    require_pair(certificate, key)
    with console.needs_extra("serve"):
        from edgeseg.web.access import Access, kept_token
        from edgeseg.web.labelling.application import label_application
        from edgeseg.web.server import Tls, listen
        from edgeseg.web.server import serve as serve_until_stopped
    from edgeseg.labelling.label_set import LabelSet

    tls = None if certificate is None or key is None else Tls(certificate, key)
    # The port first: an error about it comes at once.
    listener = listen(host, port, tls)
    try:
        opened = LabelSet(labels)
        token = None if token_file is None else kept_token(token_file)
        access = Access.to(host, listener.port, token)
        application = label_application(opened, access, print_refusal)
        url, progress = listener.url(access), opened.progress()
        if as_json:
            console.print_json({"url": url, **progress.to_dict()})
        else:
            console.print_line(url)
            console.print_note(
                f"{progress.counts['accepted']} of {progress.total} photos accepted, "
                f"{progress.counts['todo']} to do; Ctrl-C stops, and nothing is lost"
            )
        sys.stdout.flush()
        if open_browser:
            typer.launch(url)
        serve_until_stopped(application, listener, print_refusal)
    finally:
        listener.close()
