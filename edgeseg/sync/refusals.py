"""What python-tuf refuses, as errors of edgeseg's own, in one line each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.serialization import DeserializationError, SerializationError

from edgeseg.errors import (
    DownloadError,
    ExpiredError,
    MixedMetadataError,
    RollbackError,
    SignatureError,
    SyncError,
)
from edgeseg.sync.clock import time_text
from edgeseg.sync.report import one_line

# The first that fits; {why} is python-tuf's own word, which may quote what a server sent.
_Kinds = type[Exception] | tuple[type[Exception], ...]
_TOLD: tuple[tuple[_Kinds, type[SyncError], str], ...] = (
    (
        ExpiredMetadataError,
        ExpiredError,
        "the publisher's metadata has expired ({why}) by this device's clock, which says {now}: "
        "set the clock if it is wrong; else this server is no longer kept, or hides what is newer",
    ),
    (
        UnsignedMetadataError,
        SignatureError,
        "the metadata is not signed as it has to be: {why}",
    ),
    (
        BadVersionNumberError,
        RollbackError,
        "the server gives metadata of another version: {why}",
    ),
    (
        LengthOrHashMismatchError,
        MixedMetadataError,
        "the server's metadata do not belong together, or were damaged: {why}",
    ),
    (
        (DeserializationError, SerializationError),
        DownloadError,
        "what the server gives is no metadata ({why}); is this the network's sign-in page?",
    ),
    (DownloadHTTPError, DownloadError, "the server lacks a file of the publisher's: {why}"),
    (RepositoryError, MixedMetadataError, "the metadata contradict each other: {why}"),
)


@contextlib.contextmanager
def as_sync_errors(now: datetime) -> Iterator[None]:
    """Around what python-tuf does.

    Args:
        now: by the device's clock, for who has to judge if that is right.
    """
    try:
        yield
    except (RepositoryError, DownloadHTTPError) as error:
        for kind, ours, told in _TOLD:
            if isinstance(error, kind):
                raise ours(told.format(why=one_line(error), now=time_text(now))) from error
        raise
