"""What is no metadata, or is made to break its readers: sign-in pages, deep nesting, huge numbers.

After python-tuf's max_metadata_lengths (``test_updater_top_level_update``) and length_hash_mismatch
(``test_updater_ng``), and its data sets of invalid metadata.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import MetaFile

from edgeseg import limits
from edgeseg.errors import DownloadError, EdgesegError, EndlessDataError, MixedMetadataError
from tests.attacks import forged
from tests.attacks.forged import believed, forge, goes_on, metadata, refused, synced
from tests.edgeseg.sync.shop import Shop, answering

HTML = b"<!doctype html><html><body>Please sign in to this network</body></html>"
NOT_METADATA = {
    "empty": b"",
    "HTML": HTML,
    "cut": b'{"signed": {"_type": "timest',
    "not UTF-8": b"\xff\xfe\x00",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1" * 5000,
    "empty object": b"{}",
    "deep": b"[" * 8000 + b"]" * 8000,
    "deep signed": b'{"signed":' * 1200 + b"1" + b"}" * 1200,
    "signed is a list": b'{"signed": [], "signatures": []}',
    "no signatures": b'{"signed": {"_type": "timestamp"}}',
}


def edited(shop: Shop, role: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Serve metadata with its signed part changed and its signature as it was."""
    path = forged.path_of(shop, role)
    document = json.loads(path.read_bytes())
    change(document["signed"])
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("shape", NOT_METADATA)
@pytest.mark.parametrize("name", ["timestamp.json", "2.root.json"])
def test_what_is_no_metadata_is_refused(shop: Shop, name: str, shape: str) -> None:
    (metadata(shop) / name).write_bytes(NOT_METADATA[shape])
    refused(shop, DownloadError, "sign-in page")
    (metadata(shop) / "2.root.json").unlink(missing_ok=True)
    shop.serve(shop.folder / "two")
    assert believed(shop).release.generation == 2


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_page_in_place_of_a_part_is_refused(shop: Shop, role: str) -> None:
    forged.path_of(shop, role).write_bytes(HTML)
    refused(shop, MixedMetadataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_metadata_that_is_too_long_is_not_read_to_its_end(shop: Shop, role: str) -> None:
    if role == "root":
        forged.next_root(shop)
    path = forged.path_of(shop, role)
    path.write_bytes(path.read_bytes() + b" " * limits.MAX_TARGETS_BYTES)
    refused(shop, EndlessDataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


def test_a_part_that_is_said_to_be_huge_is_not_read_to_its_end(shop: Shop) -> None:
    data = b" " * (limits.MAX_SNAPSHOT_BYTES + 1)
    forged.write(shop, "snapshot", 3, data)
    forge(shop, "timestamp", lambda signed: setattr(signed, "snapshot_meta", MetaFile(3)))
    refused(shop, EndlessDataError)


@pytest.mark.parametrize("kind", ["snapshot", "targets", "root"])
def test_metadata_of_another_kind_is_refused(shop: Shop, kind: str) -> None:
    (metadata(shop) / "timestamp.json").write_bytes(forged.path_of(shop, kind).read_bytes())
    refused(shop, MixedMetadataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_type", "unknown"),
        ("_type", 1),
        ("spec_version", "2.0.0"),
        ("spec_version", "one"),
        ("spec_version", 1),
        ("version", 0),
        ("version", -1),
        ("version", "7"),
        ("version", 1.5),
        ("version", float("inf")),
        ("version", float("nan")),
        ("expires", "tomorrow"),
        ("expires", "2100-13-01T00:00:00Z"),
        ("expires", 1),
        ("meta", {}),
        ("meta", {"snapshot.json": {"version": "1"}}),
        ("meta", {"snapshot.json": {"version": 1, "length": -1}}),
        ("meta", []),
        ("extra", "\ud800"),
    ],
)
def test_metadata_with_a_wrong_field_is_refused(shop: Shop, field: str, value: object) -> None:
    edited(shop, "timestamp", lambda signed: signed.update({field: value}))
    refused(shop, DownloadError)


@pytest.mark.parametrize("version", [2**64, 10**300, 10**4299], ids=["20", "300", "4300"])
def test_a_part_of_a_huge_version_is_refused(shop: Shop, version: int) -> None:
    forge(shop, "timestamp", lambda signed: setattr(signed, "snapshot_meta", MetaFile(version)))
    refused(shop, DownloadError)
    shop.serve(shop.folder / "two")
    shop.rotate("timestamp")
    goes_on(shop)


@pytest.mark.parametrize(
    "hashes",
    [
        {"sha512": "0" * 128},
        {"md5": "0" * 32},
        {"unknown": "0"},
        {"shake_128": "0"},
        {"sha256": "\n\x1b[31mnot a digest"},
        {"sha256": "../../../../../etc/passwd\0"},
    ],
)
@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_part_that_is_named_by_another_digest_is_refused(
    shop: Shop, role: str, hashes: dict[str, str]
) -> None:
    above = {"snapshot": "timestamp", "targets": "snapshot"}[role]
    meta = MetaFile(2, None, hashes)

    def change(signed: Any) -> None:
        if role == "snapshot":
            signed.snapshot_meta = meta
        else:
            signed.meta["targets.json"] = meta

    forge(shop, above, change)
    # What is there already is known by the digest that it was believed with.
    refused(shop, MixedMetadataError)


@pytest.mark.parametrize(
    "hashes",
    [
        {"sha512": "0" * 128},
        {"sha256": "0" * 64, "shake_128": "0"},
        {"../../../etc/passwd": "x", "sha256": "0" * 64},
        {"a": "../../../../../../etc/passwd", "sha256": "0" * 64},
        {"a": "\n\x1b[31m", "sha256": "0" * 64},
        {"a": "x" * 5000, "sha256": "0" * 64},
        {"a": "\0", "sha256": "0" * 64},
    ],
)
def test_a_release_that_is_listed_by_another_digest_is_refused(
    shop: Shop, hashes: dict[str, str]
) -> None:
    def change(signed: Any) -> None:
        signed.targets["release.json"].hashes = hashes

    forge(shop, "targets", change)
    store = shop.store()
    with pytest.raises(EdgesegError) as caught:
        synced(shop)
    assert str(caught.value).isprintable()
    assert answering(store) == 1


def test_a_release_with_a_second_digest_only_is_refused(shop: Shop) -> None:
    """Signed and served rightly, but without the digest that releases are known by."""
    data = forged.published_path(shop, "release.json").read_bytes()
    digest = hashlib.sha512(data).hexdigest()

    def change(signed: Any) -> None:
        signed.targets["release.json"].hashes = {"sha512": digest}

    forge(shop, "targets", change)
    (Path(shop.url) / "targets" / f"{digest}.release.json").write_bytes(data)
    refused(shop, MixedMetadataError)
