"""Published files in a folder, such as a memory stick's, which may be pulled out at any moment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgeseg.errors import DownloadError, EdgesegError, EndlessDataError, LimitExceededError
from edgeseg.files import pieces_of, read_bounded
from edgeseg.partial_file import PartialFile
from edgeseg.sync.transfer.caps import Caps


class Folder:
    """Reads files below a folder.

    Args:
        folder: where they are.
        caps: bounds of all that is read.
    """

    def __init__(self, folder: str, caps: Caps) -> None:
        self._folder = Path(folder)
        self._caps = caps

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A small file whole; None where there is none.

        Raises:
            EndlessDataError: it has more than ``max_bytes``.
            DownloadError: it cannot be read.
        """
        file = self._folder / path
        with _as_download_error():
            if not file.exists():
                return None
            data = read_bounded(file, max_bytes, "published file")
        self._caps.count(len(data))
        return data

    def pieces(self, path: str, length_bytes: int, part: PartialFile) -> Iterator[bytes]:
        """What follows ``part`` of a file.

        Raises:
            EndlessDataError: it has more than ``length_bytes``.
            DownloadError: it cannot be read.
        """
        with _as_download_error():
            for piece in pieces_of(
                self._folder / path, part.size_bytes, length_bytes, "published file"
            ):
                self._caps.left_s()
                self._caps.count(len(piece))
                yield piece


@contextlib.contextmanager
def _as_download_error() -> Iterator[None]:
    try:
        yield
    except (DownloadError, GeneratorExit):
        raise
    except LimitExceededError as error:
        raise EndlessDataError(str(error)) from error
    except EdgesegError as error:
        raise DownloadError(str(error)) from error
    except OSError as error:
        raise DownloadError(f"a published file cannot be read: {error.strerror}") from error
