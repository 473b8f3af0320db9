"""Replacing a publisher's keys, and signing what is published with the new ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tuf.api.metadata import TargetFile

from edgeseg.publishing.keys import Keys, rotated_root
from edgeseg.publishing.repository import Expiry, Repository, open_repository
from edgeseg.sync.release import RELEASE_NAME


def rotate(
    roles: list[str], to: str, keys: Keys, now: datetime, expiry: Expiry | None = None
) -> int:
    """Replace the keys of some roles, and sign what is published with the new ones.

    Returns:
        The new root metadata's version.

    Raises:
        SignatureError: too few root keys are here, or keys of a role that has to sign.
        EdgesegError: it cannot be read or written.
    """
    with keys.lock:
        repository = open_repository(to, keys)
        root, gone = rotated_root(repository.root, roles, keys, now)
        repository.roots.append(root)
        repository.publish(_dated(repository, now), keys, expiry or Expiry(), now)
        keys.retire(gone)
    return root.signed.version


def _dated(repository: Repository, now: datetime) -> list[TargetFile] | None:
    """The files with a release of now, where its date is ahead; None where it is not.

    Scanners take a release's date for a floor below their clocks until there are new keys.
    """
    release = repository.release()
    if release is None or release.published <= now or repository.targets is None:
        return None
    document = replace(release, published=now.replace(microsecond=0)).to_bytes()
    listed = repository.targets.signed.targets
    return [
        *(each for name, each in listed.items() if name != RELEASE_NAME),
        repository.put(RELEASE_NAME, document),
    ]
