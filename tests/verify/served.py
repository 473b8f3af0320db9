"""A real nginx on loopback that serves what a shop publishes, with what it was asked for."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeseg.presets import preset_path
from tests.edgeseg.sync.shop import Shop
from tests.verify.figure import NotMeasuredError

# What a publisher's server needs, and no more: static files, and the newest never from a cache.
_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 2048; }}
http {{
    log_format asked '$request_method $uri $status $bytes_sent $http_range';
    access_log {home}/access.log asked;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    sendfile on;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {folder};
        location = /metadata/timestamp.json {{ add_header Cache-Control no-cache; }}
    }}
}}
"""


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        url: its address.
        home: where its logs are.
    """

    url: str
    home: Path

    def asked(self) -> list[list[str]]:
        """Method, path, status, bytes and range of each request so far."""
        time.sleep(0.1)
        log = self.home / "access.log"
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


@contextlib.contextmanager
def nginx(folder: Path, home: Path) -> Iterator[Served]:
    """Serve a folder while the context lasts.

    Args:
        folder: what is served.
        home: an empty folder for the server's own files.

    Raises:
        NotMeasuredError: nginx is not installed, or does not start.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NotMeasuredError("nginx is not installed (Debian: apt-get install nginx-light)")
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = home / "nginx.conf"
    # Workers started by root change to another user, who may not look into these folders.
    owner = "user root;\n" if Path("/proc/self").stat().st_uid == 0 else ""
    configuration.write_text(owner + _CONFIGURATION.format(home=home, folder=folder, port=port))
    server = subprocess.Popen(
        [program, "-p", str(home), "-c", str(configuration)], stderr=subprocess.DEVNULL
    )
    try:
        _wait(server, port, home)
        yield Served(f"http://127.0.0.1:{port}", home)
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, home: Path) -> None:
    for _ in range(100):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    log = home / "error.log"
    said = log.read_text().splitlines()[-1:] if log.exists() else []
    raise NotMeasuredError(f"nginx does not start: {' '.join(said)}")


@contextlib.contextmanager
def a_shop(work: Path) -> Iterator[Shop]:
    """A publisher with the default bundle, in a folder that goes again."""
    with tempfile.TemporaryDirectory(dir=work, prefix="shop-") as folder:
        yield Shop.make(Path(folder), preset_path())


@contextlib.contextmanager
def served(shop: Shop) -> Iterator[Served]:
    """Its server."""
    Path(shop.url).mkdir(exist_ok=True)
    with nginx(Path(shop.url), shop.folder / "nginx") as server:
        yield server
