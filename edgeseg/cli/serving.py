"""What the commands that serve a page have in common."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

HostOption = Annotated[
    str, typer.Option("--host", help="The address to serve at; 0.0.0.0 for all of this machine's.")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any free one.")]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="The token for other machines, made where absent; else a new one.",
    ),
]
CertificateOption = Annotated[
    Path | None,
    typer.Option("--certificate", metavar="PEM", help="Serve HTTPS with this certificate."),
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="PEM", help="The certificate's private key.")
]
OpenOption = Annotated[
    bool, typer.Option("--open", help="Open the page in this machine's browser.")
]


def require_pair(certificate: Path | None, key: Path | None) -> None:
    """Refuse a certificate without its key, and a key without its certificate."""
    if (certificate is None) != (key is None):
        raise typer.BadParameter("--certificate and --key go together")


def print_refusal(line: str) -> None:
    """Tell on stderr, at once, what the page's guard refused."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
