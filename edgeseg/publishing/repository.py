"""A publisher's signed metadata on its host: read and verified, extended, signed, written in order.

The order of writing makes every moment a consistent one: files first, then what lists them, and
``timestamp.json``, which makes it all current, last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edgeseg import limits
from edgeseg.errors import SignatureError, SyncError
from edgeseg.files import read_bounded
from edgeseg.publishing.host import Host
from edgeseg.publishing.keys import ANCHOR_NAME, Keys
from edgeseg.sync.trust import METADATA_FOLDER, TARGETS_FOLDER, url_path

_Payload = TypeVar("_Payload", Targets, Snapshot, Timestamp)
_TIMESTAMP = f"{METADATA_FOLDER}/timestamp.json"


@dataclass(frozen=True)
class Expiry:
    """For how long what is signed holds.

    Attributes:
        targets_days: what is published.
        timestamp_days: that it is the newest; scanners refuse to move on after it, so sign anew in
            time: `edgeseg publish` without a file does.
    """

    targets_days: float = 180.0
    timestamp_days: float = 14.0


@dataclass
class Repository:
    """What a publisher has published.

    Attributes:
        host: where it is.
        roots: the root metadata, first to newest.
        targets, snapshot, timestamp: the newest; None before the first publishing.
    """

    host: Host
    roots: list[Metadata[Root]]
    targets: Metadata[Targets] | None = None
    snapshot: Metadata[Snapshot] | None = None
    timestamp: Metadata[Timestamp] | None = None

    @classmethod
    def open(cls, host: Host, anchor: bytes) -> Repository:
        """Read and verify what is there.

        Args:
            host: where it is.
            anchor: the ``root.json`` that the keys were made with.

        Raises:
            SignatureError: it is signed by other keys, or was altered.
            EdgesegError: it cannot be read.
        """
        try:
            first = Metadata[Root].from_bytes(anchor)
            first.signed.verify_delegate("root", first.signed_bytes, first.signatures)
            repository = cls(host, [first])
            repository._read_roots()
            repository._read_roles()
        except RepositoryError as error:
            raise SignatureError(
                f"what is published there is not signed by these keys, or was altered: {error}"
            ) from error
        return repository

    @property
    def root(self) -> Metadata[Root]:
        """The newest root metadata."""
        return self.roots[-1]

    @property
    def listed(self) -> dict[str, TargetFile]:
        """The files that are published, by their names."""
        return {} if self.targets is None else dict(self.targets.signed.targets)

    def read_target(self, target: TargetFile) -> bytes:
        """A published file's bytes, checked.

        Raises:
            SyncError: it is missing or altered.
        """
        data = self.host.read(url_path(target), target.length)
        if data is None:
            raise SyncError(f"{target.path} is listed as published and is not there")
        try:
            target.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise SyncError(f"{target.path} is not what was published: {error}") from error
        return data

    def put(self, name: str, data: bytes) -> TargetFile:
        """Write a file to publish, unless it is there; nothing lists it yet."""
        target = TargetFile.from_data(name, data, ["sha256"])
        path = url_path(target)
        if self.host.read(path, len(data)) != data:
            self.host.write(path, data)
        return target

    def publish(
        self, targets: list[TargetFile] | None, keys: Keys, expiry: Expiry, now: datetime
    ) -> None:
        """Sign and write: these files are the newest, from now on.

        Args:
            targets: all files to list; None leaves those that are listed, and signs anew.
            keys: of targets, snapshot and timestamp.
            expiry: how long that holds.
            now: by the publisher's clock.

        Raises:
            SignatureError: a role's keys are not here.
            EdgesegError: it cannot be written.
        """
        root = self.root.signed
        listed = Targets(version=1) if self.targets is None else self.targets.signed
        if self.targets is not None:
            listed.version += 1
        if targets is not None:
            listed.targets = {target.path: target for target in targets}
        listed.expires = now + timedelta(days=expiry.targets_days)
        signed_targets = _signed(listed, "targets", root, keys)
        snapshot = Snapshot(version=1) if self.snapshot is None else self.snapshot.signed
        if self.snapshot is not None:
            snapshot.version += 1
        snapshot.expires = now + timedelta(days=expiry.timestamp_days)
        data = signed_targets.to_bytes()
        snapshot.meta = {"targets.json": _meta(listed.version, data)}
        signed_snapshot = _signed(snapshot, "snapshot", root, keys)
        timestamp = Timestamp(version=1) if self.timestamp is None else self.timestamp.signed
        if self.timestamp is not None:
            timestamp.version += 1
        timestamp.expires = now + timedelta(days=expiry.timestamp_days)
        snapshot_data = signed_snapshot.to_bytes()
        timestamp.snapshot_meta = _meta(snapshot.version, snapshot_data)
        signed_timestamp = _signed(timestamp, "timestamp", root, keys)
        self.host.write(f"{METADATA_FOLDER}/{listed.version}.targets.json", data)
        self.host.write(f"{METADATA_FOLDER}/{snapshot.version}.snapshot.json", snapshot_data)
        for each in self.roots:
            self._write_root(each)
        self.host.write(_TIMESTAMP, signed_timestamp.to_bytes())
        self.targets, self.snapshot = signed_targets, signed_snapshot
        self.timestamp = signed_timestamp

    def tidy(self, kept: set[str]) -> None:
        """Remove files that neither the newest metadata nor a sync that is under way needs.

        Args:
            kept: names of files below ``targets/`` that stay although nothing lists them.
        """
        assert self.targets is not None
        assert self.snapshot is not None
        listed = {url_path(each) for each in self.targets.signed.targets.values()}
        for name in self.host.names(TARGETS_FOLDER):
            if f"{TARGETS_FOLDER}/{name}" not in listed and name not in kept:
                self.host.remove(f"{TARGETS_FOLDER}/{name}")
        versions = {
            "targets.json": self.targets.signed.version,
            "snapshot.json": self.snapshot.signed.version,
        }
        for name in self.host.names(METADATA_FOLDER):
            version, _, role = name.partition(".")
            # One before the newest stays for who is just reading it.
            if role in versions and version.isdigit() and int(version) < versions[role] - 1:
                self.host.remove(f"{METADATA_FOLDER}/{name}")

    def _write_root(self, root: Metadata[Root]) -> None:
        path = f"{METADATA_FOLDER}/{root.signed.version}.root.json"
        data = root.to_bytes()
        if self.host.read(path, limits.MAX_ROOT_BYTES) != data:
            self.host.write(path, data)

    def _read_roots(self) -> None:
        while True:
            current = self.root.signed
            path = f"{METADATA_FOLDER}/{current.version + 1}.root.json"
            data = self.host.read(path, limits.MAX_ROOT_BYTES)
            if data is None:
                return
            following = Metadata[Root].from_bytes(data)
            current.verify_delegate("root", following.signed_bytes, following.signatures)
            following.signed.verify_delegate("root", following.signed_bytes, following.signatures)
            if following.signed.version != current.version + 1:
                raise RepositoryError(f"{path} is of version {following.signed.version}")
            self.roots.append(following)

    def _read_roles(self) -> None:
        data = self.host.read(_TIMESTAMP, limits.MAX_TIMESTAMP_BYTES)
        if data is None:
            return
        timestamp = Metadata[Timestamp].from_bytes(data)
        self._verify("timestamp", timestamp)
        meta = timestamp.signed.snapshot_meta
        data = self._needed(f"{meta.version}.snapshot.json", limits.MAX_SNAPSHOT_BYTES)
        meta.verify_length_and_hashes(data)
        snapshot = Metadata[Snapshot].from_bytes(data)
        self._verify("snapshot", snapshot)
        meta = snapshot.signed.meta["targets.json"]
        data = self._needed(f"{meta.version}.targets.json", limits.MAX_TARGETS_BYTES)
        meta.verify_length_and_hashes(data)
        targets = Metadata[Targets].from_bytes(data)
        self._verify("targets", targets)
        self.timestamp, self.snapshot, self.targets = timestamp, snapshot, targets

    def _needed(self, name: str, max_bytes: int) -> bytes:
        data = self.host.read(f"{METADATA_FOLDER}/{name}", max_bytes)
        if data is None:
            raise RepositoryError(f"{name} is missing")
        return data

    def _verify(self, role: str, document: Metadata[Any]) -> None:
        """By the newest keys, or by those before, where a rotation was cut short."""
        problems = []
        for root in reversed(self.roots[-2:]):
            try:
                root.signed.verify_delegate(role, document.signed_bytes, document.signatures)
            except RepositoryError as error:
                problems.append(error)
            else:
                return
        raise problems[0]


def open_repository(to: str, keys: Keys) -> Repository:
    """What is published at a place with some keys.

    Raises:
        SignatureError: others published there.
        EdgesegError: it cannot be read.
    """
    anchor = keys.folders[0] / ANCHOR_NAME
    return Repository.open(Host(to), read_bounded(anchor, limits.MAX_ROOT_BYTES, "trust anchor"))


def _signed(payload: _Payload, name: str, root: Root, keys: Keys) -> Metadata[_Payload]:
    document = Metadata(payload)
    keys.sign(document, root.roles[name], name)
    return document


def _meta(version: int, data: bytes) -> MetaFile:
    """With length and digest, so that parts of two publishings never pass for one."""
    return MetaFile.from_data(version, data, ["sha256"])
