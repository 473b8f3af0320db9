"""A page's own files, from an explicit table: no path of a request reaches the file system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgeseg.files import sha256_hex

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def static_routes(package: str, files: Mapping[str, str]) -> list[Route]:
    """Routes that serve files of a package, read once, now.

    A browser keeps them, and asks each time whether they are still those.

    Args:
        package: such as ``edgeseg.web.matching``.
        files: the file below the package by the path that it is served at, as in
            ``{"/": "page/index.html"}``.
    """
    root = resources.files(package)
    return [
        _route(path, name, root.joinpath(*PurePosixPath(name).parts).read_bytes())
        for path, name in files.items()
    ]


def _route(path: str, name: str, data: bytes) -> Route:
    headers = {"etag": f'"{sha256_hex(data)[:32]}"', "cache-control": "no-cache"}
    media_type = _MEDIA_TYPES[PurePosixPath(name).suffix]

    async def serve(request: Request) -> Response:
        if headers["etag"] in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media_type)

    return Route(path, serve, methods=["GET"])


def _tags(header: str) -> Iterable[str]:
    return (tag.strip().removeprefix("W/") for tag in header.split(","))
