"""Replacing a publisher's keys, and signing what is published with the new ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tuf.api.metadata import TargetFile

from edgeseg.publishing.keys import Keys, rotated_root
from edgeseg.publishing.releases import put_release, read_releases
from edgeseg.publishing.repository import Expiry, Repository, open_repository


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
    """The files with releases of now, where their dates are ahead; None where none is.

    Scanners take a release's date for a floor below their clocks until there are new keys.
    """
    moment = now.replace(microsecond=0)
    dated = [
        put_release(repository, replace(release, published=moment))
        for release in read_releases(repository).values()
        if release.published > now
    ]
    if not dated:
        return None
    return list((repository.listed | {target.path: target for target in dated}).values())
