"""Which of a publisher's releases a scanner follows: the only one, or that of its shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuf.api.metadata import TargetFile

from edgeseg import limits
from edgeseg.errors import DownloadError, MixedMetadataError, SyncError
from edgeseg.sync.release import RELEASE_NAME, Release, release_name

# Names that an error lists: they are for a person, on one line.
_TOLD_NAMES, _TOLD_CHARS = 20, 300


@dataclass(frozen=True)
class Subscription:
    """What a scanner follows.

    Attributes:
        shard: its name; None follows a catalogue that is no shard.
        heard_of: it was published when this scanner last heard of it.
    """

    shard: str | None = None
    heard_of: bool = False

    @property
    def release_name(self) -> str:
        """What its release is published as."""
        return release_name(self.shard)

    def check(self, release: Release) -> None:
        """Refuse a release of another shard, whoever listed it under this one's name.

        Raises:
            MixedMetadataError: it is one.
        """
        if release.shard_name != self.shard:
            raise MixedMetadataError(
                f"the publisher lists the release of {_called(release.shard_name)} as that of "
                f"{_called(self.shard)}: what is in use stays until it is published anew"
            )

    def missing(self, targets: Mapping[str, TargetFile]) -> SyncError:
        """Why there is no such release among what is published, and what there is instead."""
        names = published_shards(targets)
        if not names and RELEASE_NAME not in targets:
            return DownloadError("the publisher has published nothing yet")
        if self.shard is None:
            return SyncError(
                f"what is published there comes in {len(names)} shards: name this scanner's with "
                f"--shard, one of {_listed(names)}"
            )
        if not names:
            return SyncError(
                "what is published there has no shards: "
                + ("follow it with another --store" if self.heard_of else "leave --shard out")
            )
        if self.heard_of:
            return SyncError(
                f"shard {self.shard!r} is no longer published; what is in use stays. Move to "
                f"another with --shard, one of {_listed(names)}"
            )
        return SyncError(
            f"there is no shard {self.shard!r} published: name one with --shard, one of "
            f"{_listed(names)}"
        )


def published_shards(targets: Mapping[str, TargetFile]) -> list[str]:
    """The names of the shards that are published, in order."""
    names = []
    for path, target in targets.items():
        custom = target.custom
        name = custom.get("shard") if isinstance(custom, Mapping) else None
        if (
            isinstance(name, str)
            and name.isprintable()
            and len(name) <= limits.MAX_SHARD_NAME_CHARS
            and release_name(name) == path
        ):
            names.append(name)
    return sorted(names)


def _called(shard: str | None) -> str:
    return "no shard" if shard is None else f"shard {shard!r}"


def _listed(names: list[str]) -> str:
    told: list[str] = []
    for name in names[:_TOLD_NAMES]:
        if told and len(", ".join([*told, repr(name)])) > _TOLD_CHARS:
            break
        told.append(repr(name))
    more = len(names) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")
