"""What a sync has to fetch: decided from what is there and what is published, without doing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeseg import limits
from edgeseg.errors import LimitExceededError, RollbackError, SyncError
from edgeseg.formats import delta_file
from edgeseg.sync.release import Blob, DeltaLink, Release
from edgeseg.sync.state import Installed, State

# A delta's catalogue is written before the old one goes, and is about as large as the whole.
_APPLIED_FILE_SHARE = 1.1


@dataclass(frozen=True)
class Plan:
    """How to come to a release.

    Attributes:
        deltas: to apply to the active catalogue, in order; empty to fetch the whole, or nothing of
            the catalogue where it is there.
        catalogue: the whole, where it is to be fetched.
        bundle: where it is to be fetched.
    """

    deltas: tuple[DeltaLink, ...] = ()
    catalogue: Blob | None = None
    bundle: Blob | None = None

    @property
    def blobs(self) -> list[Blob]:
        """All files to fetch."""
        whole = [blob for blob in (self.catalogue, self.bundle) if blob is not None]
        return [link.blob for link in self.deltas] + whole


def check_forward(state: State, release: Release, root_version: int) -> None:
    """Refuse an earlier generation than the active one.

    The metadata's own versions already keep a server from going back; this keeps a publisher from
    it. New keys begin anew: an attacker who had the old ones may have published any number.

    Raises:
        RollbackError: it is earlier.
    """
    active = state.active
    if active is None or root_version > active.root_version:
        return
    if release.generation < active.generation:
        raise RollbackError(
            f"the publisher gives generation {release.generation}, and {active.generation} is in "
            "use here; a publisher goes back by publishing the earlier catalogue as a new one"
        )


def make_plan(
    release: Release, active: Installed | None, has: Callable[[str], bool], whole: bool = False
) -> Plan:
    """The fewest bytes to a release.

    Args:
        release: to come to.
        active: what is in use, where it opens.
        has: whether a file of a SHA-256 is there.
        whole: take no deltas, for they did not lead there.
    """
    bundle = None if has(release.bundle.sha256) else release.bundle
    if active is not None and active.content == release.content:
        return Plan(bundle=bundle)
    if has(release.catalogue.sha256):
        return Plan(bundle=bundle)
    readable = release.needs.delta_format_version in delta_file.KIND.known_versions
    deltas = _chain_from(release, active) if active and readable and not whole else ()
    chain_bytes = sum(link.blob.length_bytes for link in deltas)
    if deltas and chain_bytes < release.catalogue.length_bytes:
        return Plan(deltas=deltas, bundle=bundle)
    return Plan(catalogue=release.catalogue, bundle=bundle)


def check_room(
    plan: Plan,
    release: Release,
    fetched_bytes: Callable[[Blob], int],
    free_bytes: int,
    max_bytes: int,
) -> int:
    """Refuse a plan that cannot be carried out, before anything is fetched.

    Args:
        plan: to carry out.
        release: where it leads.
        fetched_bytes: how much of a file is there.
        free_bytes: what the file system has room for.
        max_bytes: what may be received.

    Returns:
        Bytes to receive.

    Raises:
        LimitExceededError: more has to be received than may be.
        SyncError: there is no room for it.
    """
    missing = sum(max(blob.length_bytes - fetched_bytes(blob), 0) for blob in plan.blobs)
    if missing > max_bytes:
        raise LimitExceededError(
            f"generation {release.generation} takes {missing} bytes, and {max_bytes} may be "
            "received; raise --max-bytes"
        )
    applied = round(_APPLIED_FILE_SHARE * release.catalogue.length_bytes) if plan.deltas else 0
    needed = missing + applied + limits.SPARE_DISK_BYTES
    if needed > free_bytes:
        raise SyncError(
            f"generation {release.generation} needs {needed} bytes on the disk, and {free_bytes} "
            "are free: free some space; what is in use stays"
        )
    return missing


def _chain_from(release: Release, active: Installed) -> tuple[DeltaLink, ...]:
    """The deltas from what is in use, which has to be the very catalogue that they start from.

    Its content digest covers the generation in its file; a shard's release may be of a later one.
    """
    for number, link in enumerate(release.deltas):
        if link.base == active.content:
            return release.deltas[number:]
    return ()
