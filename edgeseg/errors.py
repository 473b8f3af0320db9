"""The exceptions that edgeseg raises on purpose.

Everything that can go wrong with *data* (a file, a photo, a model, a folder) is an
:class:`EdgesegError`, whose message is one line that says what is wrong and what to do. A caller's
own mistake stays a ``ValueError`` or ``TypeError``. Only the command line prints or exits.
"""

from __future__ import annotations


class EdgesegError(Exception):
    """Root of every error that edgeseg raises about data it was given."""


class FormatError(EdgesegError):
    """The bytes of a bundle or catalogue break its format (see ``formats/FORMAT.md``)."""


class ManifestError(FormatError):
    """A manifest or another JSON document in a file has a missing, unknown or wrong field."""


class DigestMismatchError(FormatError):
    """Bytes don't have the SHA-256 that their header states: a damaged or altered file."""


class UnsupportedFormatVersionError(FormatError):
    """The file's ``format_version`` is one that this edgeseg does not read."""


class LimitExceededError(FormatError):
    """A file, a section or a count is above its bound in :mod:`edgeseg.limits`."""


class SyncError(EdgesegError):
    """A catalogue could not be published, refreshed or activated."""


class DeltaError(SyncError):
    """A delta does not lead from this catalogue to the generation that it says."""


class DownloadError(SyncError):
    """A server was not reached, or what it answered is not what was asked for."""


class SlowDownloadError(DownloadError):
    """A server answers too slowly, or the time that a sync may take is over."""


class EndlessDataError(DownloadError):
    """A server sends more bytes than a file may have."""


class SignatureError(SyncError):
    """Metadata is not signed by as many of the publisher's keys as have to sign it."""


class RollbackError(SyncError):
    """Metadata is older than what was seen before."""


class ExpiredError(SyncError):
    """Metadata has expired: a server that is no longer kept, or one that hides what is newer."""


class MixedMetadataError(SyncError):
    """Signed parts that do not belong together, or were damaged on their way."""


class IncompatibleError(SyncError):
    """A generation asks for what this device does not have."""


class ProbeError(SyncError):
    """A generation does not work on this device: its golden queries are not answered rightly."""


class ModelContractError(EdgesegError):
    """A model does not fit its use: a wrong shape, or an embedder and a catalogue of two kinds."""


class MissingExtraError(EdgesegError):
    """An optional dependency is absent; the message names what to install."""


class PhotoError(EdgesegError):
    """A picture cannot be read or used."""


class NoGarmentError(PhotoError):
    """The segmenter found no garment in a photo."""


class DatasetError(EdgesegError):
    """A folder or CSV for training, evaluation or indexing cannot be used."""


class DevicesError(EdgesegError):
    """Training cannot be shared by the devices that were asked for."""


class ServeError(EdgesegError):
    """A page cannot be served: a port in use, an address that is not this machine's."""


class ParityError(EdgesegError):
    """A converted model is too far from its float original, so the conversion is refused."""
