"""What to build, of what, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgeseg.description import description_digest, open_describer
from edgeseg.embedder import Embedder
from edgeseg.files import made_folder
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.formats.codes import DEFAULT_PRECISION
from edgeseg.scale.chunk import CHUNK_PICTURES
from edgeseg.scale.summary import Summary
from edgeseg.scale.worker import DescribesPictures

# What workers describe pictures by, in a description's folder.
BUNDLE_FILE = "describer.bundle"
_DIGEST_CHARS = 16


@dataclass(frozen=True)
class Description:
    """What describes the pictures of a build.

    Attributes:
        digest: names everything that a vector depends on beside its picture.
        embedder_digest: names the embedder, for whoever searches.
        dim: length of the vectors.
        open_describer: makes it, in a worker.
    """

    digest: str
    embedder_digest: str
    dim: int
    open_describer: Callable[[], DescribesPictures]


@dataclass(frozen=True)
class Plan:
    """What to build.

    Attributes:
        source: path or address of the list, see :func:`edgeseg.scale.listing.read_list`.
        output: the catalogue; with ``shard_by``, the folder of catalogues.
        cache: folder of what is kept between builds, that every worker sees.
        shard_by: the attribute that shards are made by; None makes one catalogue.
        skip_unreadable: build of what can be read.
        precision: what is kept of the embeddings, see :class:`edgeseg.formats.codes.Codes`.
        chunk_pictures: how many a worker does in one go, at most.
    """

    source: str
    output: Path
    cache: Path
    shard_by: str | None = None
    skip_unreadable: bool = False
    precision: str = DEFAULT_PRECISION
    chunk_pictures: int = CHUNK_PICTURES

    def home(self, description: Description) -> Path:
        """The folder of what is kept for a description."""
        return home_of(self.cache, description.digest)


@dataclass(frozen=True)
class Built:
    """What a build came to.

    Attributes:
        summary: its figures.
        written: whether there is an output; False where pictures cannot be read and
            ``skip_unreadable`` was not set.
        unreadable: the first of those that are in no catalogue: SKU, place, reason.
        unreadable_file: a CSV of all of them; None where there is none.
    """

    summary: Summary
    written: bool
    unreadable: list[tuple[str, str, str]]
    unreadable_file: Path | None


def describe_by(bundle: Bundle, cache: Path, threads: int = 1) -> Description:
    """Description by a bundle's networks.

    Args:
        bundle: the bundle; a copy goes into the cache, where every worker finds it.
        cache: see ``Plan``.
        threads: of each worker's interpreter.

    Raises:
        ModelContractError: the bundle has no embedder, or networks and manifest disagree.
        EdgesegError: the cache cannot be written.
    """
    digest = description_digest(bundle)
    embedder = Embedder(bundle)
    copy = made_folder(home_of(cache, digest)) / BUNDLE_FILE
    write_bundle(copy, bundle.manifest, bundle.sections())
    return Description(
        digest,
        embedder.digest,
        embedder.dim,
        partial(open_describer, copy, threads),
    )


def home_of(cache: Path, digest: str) -> Path:
    """The folder, below a cache, of what is kept for a description of a digest."""
    return cache.absolute() / digest[:_DIGEST_CHARS]
