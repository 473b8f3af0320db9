"""What an attacker with some of a publisher's keys can do to what it serves, and what must hold."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, TargetFile

from edgeseg.errors import EdgesegError
from edgeseg.sync import trust
from edgeseg.sync.client import SyncOptions, sync
from edgeseg.sync.clock import ClockFloor, now
from edgeseg.sync.report import SyncReport, read_report
from edgeseg.sync.store import Store
from edgeseg.sync.transfer.caps import Caps
from edgeseg.sync.transfer.transport import Transport
from tests.edgeseg.sync.shop import Shop, answering

Change = Callable[[Any], None]
_PARENTS = {"targets": "snapshot", "snapshot": "timestamp"}


def unchanged(_signed: Any) -> None:
    """A change that is none."""


def quick_caps(**given: Any) -> Caps:
    """Bounds that end within a test's patience; an honest sync has more of it."""
    few: dict[str, Any] = {"silence_s": 0.5, "max_seconds": 3.0, "backoff_s": 0.01}
    return Caps(**(few | given))


def synced(
    shop: Shop, url: str | None = None, caps: Caps | None = None, report_to: str | None = None
) -> SyncReport:
    """A sync of the shop's scanner."""
    options = SyncOptions(root=shop.root, report_to=report_to)
    return sync(shop.store(), url or shop.url, options, caps=caps or Caps(backoff_s=0.01))


def refused(
    shop: Shop,
    kind: type[EdgesegError],
    told: str = "",
    *,
    url: str | None = None,
    caps: Caps | None = None,
    old: int = 1,
) -> EdgesegError:
    """A sync that ends in this very error, told in one line; the old generation is as before."""
    store = shop.store()
    before, told_before = store.state(), set(store.reports.iterdir())
    assert before.active is not None
    with pytest.raises(EdgesegError) as caught:
        synced(shop, url, caps or quick_caps())
    error = caught.value
    assert type(error) is kind, repr(error)
    assert str(error).isprintable(), ascii(str(error))
    assert told in str(error)
    after = store.state()
    assert (after.active, after.previous) == (before.active, before.previous)
    assert answering(store) == old
    (new,) = set(store.reports.iterdir()) - told_before
    report = read_report(new)
    assert (report.result, report.error_kind) == ("failed", kind.__name__)
    assert not (store.trust / "scratch").exists()
    return error


def goes_on(shop: Shop, generation: int = 2, url: str | None = None) -> None:
    """An honest sync after an attack brings what was published."""
    report = synced(shop, url)
    assert (report.result, report.to_generation) == ("activated", generation)
    assert answering(shop.store()) == generation


def believed(shop: Shop, url: str | None = None) -> trust.Refreshed:
    """What the scanner is told to follow; nothing of it is fetched."""
    transport = Transport(url or shop.url, Caps())
    return trust.refresh(shop.store().trust, transport, now(), ClockFloor(None, 0))


def metadata(shop: Shop) -> Path:
    """The folder of signed metadata."""
    return Path(shop.url) / "metadata"


def path_of(shop: Shop, role: str) -> Path:
    """The newest metadata of a role."""
    if role == "timestamp":
        return metadata(shop) / "timestamp.json"
    found = metadata(shop).glob(f"*.{role}.json")
    return max(found, key=lambda path: int(path.name.partition(".")[0]))


def read(shop: Shop, role: str) -> Metadata[Any]:
    """The newest metadata of a role."""
    return Metadata.from_file(str(path_of(shop, role)))


def signers(shop: Shop, role: str) -> list[CryptoSigner]:
    """All keys of a role that were ever made, the newest root's first."""
    named = read(shop, "root").signed.roles[role].keyids
    paths = sorted((shop.folder / "keys").rglob(f"{role}-*.pem"))
    found = [_signer(path.read_bytes()) for path in paths]
    return sorted(found, key=lambda signer: signer.public_key.keyid not in named)


@functools.cache
def _signer(data: bytes) -> CryptoSigner:
    private = load_pem_private_key(data, None)
    assert isinstance(private, Ed25519PrivateKey)
    return CryptoSigner(private)


def current(shop: Shop, role: str) -> list[CryptoSigner]:
    """The keys of a role by the newest root."""
    return signers(shop, role)[: len(read(shop, "root").signed.roles[role].keyids)]


def new_signers(count: int) -> list[CryptoSigner]:
    """Keys that nobody knows."""
    return [CryptoSigner(Ed25519PrivateKey.generate()) for _ in range(count)]


def sign(document: Metadata[Any], by: Sequence[CryptoSigner]) -> bytes:
    """A document with these signatures and no other ones."""
    document.signatures.clear()
    for signer in by:
        document.sign(signer, append=True)
    return document.to_bytes()


def forge(
    shop: Shop,
    role: str,
    change: Change = unchanged,
    *,
    by: Sequence[CryptoSigner] | None = None,
    bump: int = 1,
    alter: Callable[[bytes], bytes] = bytes,
    upward: bool = True,
) -> None:
    """The next metadata of a role, changed, signed anew, and named by what is above it.

    Args:
        shop: whose.
        role: timestamp, snapshot or targets.
        change: what is done to its signed part.
        by: who signs it; None for those who should.
        bump: how much its version rises.
        alter: what is done to its bytes once they are signed.
        upward: sign what names it too, rightly.
    """
    document = read(shop, role)
    document.signed.version += bump
    change(document.signed)
    data = alter(sign(document, current(shop, role) if by is None else by))
    write(shop, role, document.signed.version, data)
    if upward and role in _PARENTS:
        version = document.signed.version
        forge(shop, _PARENTS[role], lambda signed: name_it(signed, role, version, data))


def name_it(signed: Any, role: str, version: int, data: bytes) -> None:
    """In the metadata above a role's, name it."""
    named = MetaFile.from_data(version, data, ["sha256"])
    if role == "snapshot":
        signed.snapshot_meta = named
    else:
        signed.meta[f"{role}.json"] = named


def write(shop: Shop, role: str, version: int, data: bytes) -> None:
    """Serve metadata, whatever it is."""
    name = f"{role}.json" if role == "timestamp" else f"{version}.{role}.json"
    (metadata(shop) / name).write_bytes(data)


def next_root(
    shop: Shop,
    change: Change = unchanged,
    *,
    by: Sequence[CryptoSigner] | None = None,
    version: int | None = None,
    at: int | None = None,
) -> None:
    """The root metadata after the newest.

    Args:
        shop: whose.
        change: what is done to its signed part.
        by: who signs it; None for the newest root's keys.
        version: that it says; None for the next.
        at: under which version it is served; None for the next.
    """
    document = read(shop, "root")
    following = document.signed.version + 1
    document.signed.version = version or following
    change(document.signed)
    write(
        shop, "root", at or following, sign(document, current(shop, "root") if by is None else by)
    )


def put(shop: Shop, name: str, data: bytes) -> TargetFile:
    """Serve a file; nothing lists it yet."""
    target = TargetFile.from_data(name, data, ["sha256"])
    (Path(shop.url) / "targets" / f"{target.hashes['sha256']}.{name}").write_bytes(data)
    return target


def published_path(shop: Shop, name: str) -> Path:
    """Where a published file of the newest targets is."""
    target = read(shop, "targets").signed.targets[name]
    return Path(shop.url) / "targets" / str(target.get_prefixed_paths()[0])


def release_of(shop: Shop) -> dict[str, Any]:
    """The newest release's fields."""
    document: dict[str, Any] = json.loads(published_path(shop, "release.json").read_bytes())
    return document


def sign_release(shop: Shop, data: bytes, *others: TargetFile) -> None:
    """Publish a release as its publisher would, whatever is in it."""
    release = put(shop, "release.json", data)

    def change(signed: Any) -> None:
        for target in (release, *others):
            signed.targets[target.path] = target

    forge(shop, "targets", change)


def change_release(shop: Shop, change: Callable[[dict[str, Any]], object]) -> None:
    """Publish a changed release, properly signed."""
    document = release_of(shop)
    change(document)
    sign_release(shop, json.dumps(document).encode())


def replace_blob(shop: Shop, kind: str, data: bytes) -> None:
    """Publish other bytes as a release's catalogue, bundle or delta, properly listed and signed."""
    document = release_of(shop)
    fields = document["deltas"][-1] if kind == "delta" else document[kind]
    fields |= {"sha256": hashlib.sha256(data).hexdigest(), "length_bytes": len(data)}
    sign_release(shop, json.dumps(document).encode(), put(shop, fields["name"], data))


def blob_path(shop: Shop, kind: str) -> Path:
    """A published catalogue, bundle or last delta."""
    document = release_of(shop)
    fields = document["deltas"][-1] if kind == "delta" else document[kind]
    return published_path(shop, fields["name"])


def without_deltas(shop: Shop) -> None:
    """Publish the release so that only the whole leads to it."""
    change_release(shop, lambda release: release.update(deltas=[]))


def stored_files(store: Store) -> set[str]:
    """All that a store's folder holds, but what every sync writes."""
    paths = (path.relative_to(store.folder) for path in store.folder.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] not in ("reports", "outbox", "trust")}
