"""File systems behind addresses such as ``s3://shop/pictures``, by fsspec."""

from __future__ import annotations

from typing import Any

from edgeseg.errors import EdgesegError, MissingExtraError


def is_address(text: str) -> bool:
    """Whether fsspec is to find it, and not the operating system."""
    return "://" in text


def file_system(address: str, extra: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it; fsspec keeps one for each host.

    Args:
        address: with ``://``.
        extra: of edgeseg's, that has fsspec.

    Raises:
        MissingExtraError: fsspec, or what it needs for the address, is not installed.
        EdgesegError: the address is none.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(
            f"{address} needs fsspec: pip install 'edgeseg[{extra}]'"
        ) from error
    try:
        files, path = url_to_fs(address)
    except ImportError as error:
        raise MissingExtraError(f"{address}: {error}") from error
    except ValueError as error:
        raise EdgesegError(f"{address}: {error}") from error
    return files, str(path).rstrip("/")
