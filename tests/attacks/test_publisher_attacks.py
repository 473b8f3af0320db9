"""Whoever controls what is served, with all, some or none of the publisher's keys.

Each attack ends in an error of its own while the old generation answers. Where python-tuf's tests
of its own client have the same attack, its name there stands beside: T is
``test_updater_top_level_update``, K ``test_updater_key_rotations`` (also in
``test_root_attacks.py``), C ``test_updater_consistent_snapshot``, F ``test_updater_fetch_target``,
D ``test_updater_delegation_graphs``, N ``test_updater_ng``.

    first_time_refresh (T), refresh_and_download (N)        test_root_attacks: several_rotations
    new_timestamp_version_rollback (T)                      an_older_timestamp
    expired_timestamp_version_rollback (T)                  older_timestamp_after_an_expired_one
    new_timestamp_snapshot_rollback (T)                     a_new_timestamp_names_an_older_snapshot
    new_snapshot_version_rollback (T),
    snapshot_rollback_with_local_snapshot_hash_mismatch (T) a_new_snapshot_names_older_targets
    new_{timestamp,snapshot,targets}_unsigned (T)           metadata_by_the_wrong_keys
    new_{timestamp,snapshot,targets}_expired (T),
    expired_metadata (T)                                    expired_metadata
    new_{snapshot,targets}_hash_mismatch (T)                parts_of_two_states
    new_{snapshot,targets}_version_mismatch (T)             metadata_of_another_version_than_named
    compute_metafile_hashes_length (T)                      metadata_named_without_a_digest
    timestamp_eq_versions_check (T)                         a_timestamp_of_the_same_version
    load_metadata_from_cache (T)                            what_is_believed_is_not_fetched_again
    root_cache_poisoning, trusted_root_missing (T),
    persist_metadata_fails (N)                              damaged_trust, test_disk_attacks
    max_metadata_lengths, length_hash_mismatch (N)          test_metadata_attacks: too_long
    non_root_rotations (K)                                  signed_by_these_keys
    top_level_roles_update (C)                              a_root_without_consistent_snapshots
    fetch_target, invalid_target_download (F)               test_release_attacks: altered_blob
    invalid_target_cache (F)                                test_resume_attacks
    missing_targetinfo (N), all graphs (D)                  a_release_below_a_delegation
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, Delegations, MetaFile
from tuf.ngclient._internal import trusted_metadata_set

from edgeseg.errors import (
    DownloadError,
    ExpiredError,
    MixedMetadataError,
    RollbackError,
    SignatureError,
)
from edgeseg.sync import client
from edgeseg.sync.clock import now
from tests.attacks import forged
from tests.attacks.forged import believed, forge, goes_on, metadata, refused, synced
from tests.edgeseg.sync.shop import Shop, skus

ROLES = ("timestamp", "snapshot", "targets")
LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


def set_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """The device's clock, as python-tuf and the sync read it."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.fromtimestamp(moment.timestamp(), tz)

    fake = SimpleNamespace(datetime=Clock, timezone=timezone)
    monkeypatch.setattr(trusted_metadata_set, "datetime", fake)
    monkeypatch.setattr(client, "now", lambda: moment)


def test_an_older_timestamp_is_refused(shop: Shop) -> None:
    synced(shop)
    shutil.copy(shop.folder / "one/metadata/timestamp.json", metadata(shop) / "timestamp.json")
    refused(shop, RollbackError, old=2)
    shop.serve(shop.folder / "two")
    assert synced(shop).result == "current"


def test_an_older_state_as_a_whole_is_refused(shop: Shop) -> None:
    synced(shop)
    shop.serve(shop.folder / "one")
    refused(shop, RollbackError, old=2)


def test_an_older_timestamp_after_an_expired_one_is_refused(shop: Shop) -> None:
    synced(shop)
    forge(shop, "timestamp", lambda signed: setattr(signed, "expires", LONG_AGO))
    refused(shop, ExpiredError, old=2)
    shop.serve(shop.folder / "one")
    refused(shop, RollbackError, old=2)


def test_a_new_timestamp_that_names_an_older_snapshot_is_refused(shop: Shop) -> None:
    synced(shop)
    data = (metadata(shop) / "1.snapshot.json").read_bytes()
    forge(shop, "timestamp", lambda signed: forged.name_it(signed, "snapshot", 1, data))
    refused(shop, RollbackError, old=2)


def test_a_new_snapshot_that_names_older_targets_is_refused(shop: Shop) -> None:
    synced(shop)
    data = (metadata(shop) / "1.targets.json").read_bytes()
    forge(shop, "snapshot", lambda signed: forged.name_it(signed, "targets", 1, data))
    refused(shop, RollbackError, old=2)


def test_a_timestamp_of_the_same_version_changes_nothing(shop: Shop) -> None:
    synced(shop)
    forge(shop, "timestamp", lambda signed: setattr(signed, "expires", LONG_AGO), bump=0)
    assert synced(shop).result == "current"


@pytest.mark.parametrize("known", [False, True])
def test_a_snapshot_without_targets_is_refused(shop: Shop, known: bool) -> None:
    if not known:
        for role in ROLES:
            (shop.store().trust / f"{role}.json").unlink()
    forge(shop, "snapshot", lambda signed: signed.meta.clear())
    refused(shop, MixedMetadataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


@pytest.mark.parametrize("role", ROLES)
def test_expired_metadata_is_refused(shop: Shop, role: str) -> None:
    forge(shop, role, lambda signed: setattr(signed, "expires", LONG_AGO))
    refused(shop, ExpiredError, f"{role} is expired" if role == "targets" else f"{role}.json")
    shop.publish(None)
    goes_on(shop)


def test_a_server_that_is_frozen_is_found_when_its_timestamp_expires(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(shop)
    set_clock(monkeypatch, now() + timedelta(days=15))
    refused(shop, ExpiredError, "set the clock if it is wrong", old=2)


@pytest.mark.parametrize("role", ROLES)
def test_a_clock_set_back_makes_nothing_fresh(
    shop: Shop, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(shop)
    seen = shop.store().state().clock_floor
    assert seen is not None
    forge(shop, role, lambda signed: setattr(signed, "expires", seen - timedelta(hours=1)))
    set_clock(monkeypatch, seen - timedelta(hours=2))
    refused(shop, ExpiredError, "the device's clock is behind", old=2)
    shop.publish(None)
    assert synced(shop).result == "current"


def test_new_keys_set_the_floor_of_older_ones_aside(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(shop)
    seen = shop.store().state().clock_floor
    assert seen is not None
    forge(shop, "timestamp", lambda signed: setattr(signed, "expires", seen - timedelta(hours=1)))
    set_clock(monkeypatch, seen - timedelta(hours=2))
    forged.next_root(shop)
    assert synced(shop).result == "current"


def test_a_publisher_whose_clock_was_ahead_gets_out_of_it_by_new_keys(shop: Shop) -> None:
    shop.publish(skus(130), at=now() + timedelta(days=365))
    goes_on(shop, 3)
    shop.rotate("timestamp")
    # The same generation, with a release of today.
    assert synced(shop).to_generation == 3
    # Once more: the new keys' own floor must not be in the future again.
    assert synced(shop).result == "current"
    shop.publish(skus(140))
    goes_on(shop, 4)


def test_a_store_that_lost_what_it_believed_takes_no_earlier_generation(shop: Shop) -> None:
    synced(shop)
    for role in ROLES:
        (shop.store().trust / f"{role}.json").unlink()
    shop.serve(shop.folder / "one")
    refused(shop, RollbackError, "2 is in use here", old=2)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_parts_of_two_states_are_refused(shop: Shop, role: str) -> None:
    signed_before = (metadata(shop) / f"1.{role}.json").read_bytes()
    assert len(signed_before) <= len((metadata(shop) / f"2.{role}.json").read_bytes())
    forged.write(shop, role, 2, signed_before)
    refused(shop, MixedMetadataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_metadata_of_another_version_than_named_is_refused(shop: Shop, role: str) -> None:
    data = (metadata(shop) / f"2.{role}.json").read_bytes()
    forged.write(shop, role, 3, data)
    above = {"snapshot": "timestamp", "targets": "snapshot"}[role]
    forge(shop, above, lambda signed: forged.name_it(signed, role, 3, data))
    refused(shop, RollbackError)


def test_metadata_named_without_a_digest_is_held_to_its_version(shop: Shop) -> None:
    forge(shop, "timestamp", lambda signed: setattr(signed, "snapshot_meta", MetaFile(3)))
    forged.write(shop, "snapshot", 3, (metadata(shop) / "2.snapshot.json").read_bytes())
    refused(shop, RollbackError)
    forge(shop, "timestamp", lambda signed: setattr(signed, "snapshot_meta", MetaFile(2)))
    goes_on(shop)


def test_what_is_believed_is_not_fetched_again(shop: Shop) -> None:
    synced(shop)
    for path in metadata(shop).glob("*.*.json"):
        path.unlink()
    assert synced(shop).result == "current"


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\xfe", b"[" * 5000])
def test_damaged_trust_is_fetched_anew(shop: Shop, damage: bytes) -> None:
    kept = shop.store().trust
    for role in ROLES:
        (kept / f"{role}.json").write_bytes(damage)
    (kept / "release.json").write_bytes(damage)
    (kept / "root_history/2.root.json").write_bytes(damage)
    shop.rotate("root")
    goes_on(shop)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("by", ["nobody", "a stranger", "another role"])
def test_metadata_by_the_wrong_keys_is_refused(shop: Shop, role: str, by: str) -> None:
    another = forged.signers(shop, "targets" if role != "targets" else "timestamp")
    signing = {"nobody": [], "a stranger": forged.new_signers(2), "another role": another}[by]
    forge(shop, role, by=signing)
    refused(shop, SignatureError)
    shop.serve(shop.folder / "two")
    assert believed(shop).release.generation == 2


@pytest.mark.parametrize("with_root", [False, True])
def test_another_publisher_is_refused(shop: Shop, with_root: bool) -> None:
    other = Shop.make(shop.folder / "other", shop.bundle)
    other.publish(skus(30))
    if with_root:
        other.rotate("timestamp")
    shop.serve(shop.folder / "other/www")
    refused(shop, SignatureError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


def with_keys(shop: Shop, role: str, keys: list[CryptoSigner], threshold: int) -> None:
    """The next root, in which a role has these keys."""

    def change(root: Any) -> None:
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        for key in keys:
            root.add_key(key.public_key, role)
        root.roles[role].threshold = threshold

    forged.next_root(shop, change)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("keys", "threshold", "signing", "enough"),
    [
        ([2], 1, [2], True),
        ([1], 1, [3, 1, 4], True),
        ([2], 1, [1, 3, 4], False),
        ([0, 1, 3, 4, 5], 3, [0, 2, 4], False),
        ([0, 1, 3, 4, 5], 3, [0, 4], False),
        ([0, 1, 2, 3, 4], 3, [0, 2, 4], True),
        ([0, 1, 2, 3, 4], 3, [2, 3, 4], True),
        ([0, 1], 2, [0], False),
    ],
)
def test_signed_by_these_keys(
    shop: Shop, role: str, keys: list[int], threshold: int, signing: list[int], enough: bool
) -> None:
    pool = forged.new_signers(6)
    with_keys(shop, role, [pool[number] for number in keys], threshold)
    forge(shop, role, by=[pool[number] for number in signing])
    if enough:
        assert believed(shop).root_version == 2
    else:
        with pytest.raises(SignatureError):
            believed(shop)


def _twice(data: bytes, change: Callable[[list[dict[str, str]]], None]) -> bytes:
    document = json.loads(data)
    change(document["signatures"])
    return json.dumps(document).encode()


def test_one_key_does_not_sign_for_two(shop: Shop) -> None:
    one, two = forged.new_signers(2)
    with_keys(shop, "targets", [one, two], 2)

    def relabel(signatures: list[dict[str, str]]) -> None:
        signatures.append(signatures[0] | {"keyid": two.public_key.keyid})

    forge(shop, "targets", by=[one], alter=lambda data: _twice(data, relabel))
    refused(shop, SignatureError, "1/2")


def test_one_signature_does_not_count_twice(shop: Shop) -> None:
    one, two = forged.new_signers(2)
    with_keys(shop, "targets", [one, two], 2)

    def repeat(signatures: list[dict[str, str]]) -> None:
        signatures.append(dict(signatures[0]))

    forge(shop, "targets", by=[one], alter=lambda data: _twice(data, repeat))
    refused(shop, DownloadError)


def test_a_root_without_consistent_snapshots_is_not_followed_to_other_names(shop: Shop) -> None:
    forged.next_root(shop, lambda root: setattr(root, "consistent_snapshot", False))
    refused(shop, DownloadError)
    forged.next_root(shop, lambda root: setattr(root, "consistent_snapshot", True))
    goes_on(shop)


def test_a_release_below_a_delegation_is_not_found(shop: Shop) -> None:
    key = forged.new_signers(1)[0].public_key

    def delegate(signed: Any) -> None:
        del signed.targets["release.json"]
        role = DelegatedRole("others", [key.keyid], 1, False, ["*"])
        signed.delegations = Delegations({key.keyid: key}, {"others": role})

    forge(shop, "targets", delegate)
    refused(shop, DownloadError, "nothing yet")
