"""New keys: which are followed, which are not, and how a publisher comes back from stolen ones.

After python-tuf's ``test_updater_key_rotations`` (root_rotation) and, of its
``test_updater_top_level_update``: first_time_refresh, trusted_root_expired, trusted_root_unsigned,
max_root_rotations, intermediate_root_{incorrectly_signed,expired}, final_root_{incorrectly_signed,
expired}, new_root_{same_version,nonconsecutive_version}, intermediate_root_cache,
new_{timestamp,snapshot,targets}_fast_forward_recovery; ``test_updater_ng``: updating_root.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from edgeseg import limits
from edgeseg.errors import ExpiredError, RollbackError, SignatureError, SyncError
from edgeseg.formats.catalogue_file import content_digest, decode_catalogue, encode_catalogue
from edgeseg.sync import trust
from edgeseg.sync.clock import ClockFloor, now
from edgeseg.sync.transfer.transport import Transport
from tests.attacks import forged
from tests.attacks.forged import forge, goes_on, metadata, next_root, quick_caps, refused, synced
from tests.attacks.test_publisher_attacks import LONG_AGO
from tests.edgeseg.sync.shop import Shop, answering, skus

HUGE = 10**6


def known_root(shop: Shop, store: str = "store") -> int:
    """The version of the newest root that a scanner believes."""
    history = shop.store(store).trust / "root_history"
    return max(int(path.name.partition(".")[0]) for path in history.glob("*.root.json"))


def new_keys(keys: list[CryptoSigner], threshold: int) -> forged.Change:
    """These are the root keys from now on."""

    def change(root: Any) -> None:
        for keyid in list(root.roles["root"].keyids):
            root.revoke_key(keyid, "root")
        for key in keys:
            root.add_key(key.public_key, "root")
        root.roles["root"].threshold = threshold

    return change


# Each step: which keys there are, how many must sign, and which do.
Step = tuple[list[int], int, list[int]]
FIRST_THREE_OF_FIVE: Step = ([0, 1, 2, 3, 4], 3, [0, 2, 4])


@pytest.mark.parametrize(
    ("steps", "followed"),
    [
        ([([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])], 3),
        ([([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])], 3),
        ([([1], 1, [1]), ([2], 1, [2, 3, 4])], 1),
        ([([1], 1, [1]), ([2], 1, [1, 3, 4])], 1),
        (
            [FIRST_THREE_OF_FIVE, ([0, 1, 2, 3, 4], 3, [0, 4, 1]), ([0, 1, 2, 3, 4], 3, [0, 1, 3])],
            3,
        ),
        ([FIRST_THREE_OF_FIVE, ([0, 1, 3, 4, 5], 3, [0, 4, 1])], 2),
        ([FIRST_THREE_OF_FIVE, ([0, 1, 3, 4, 5], 3, [0, 2, 4])], 1),
        ([FIRST_THREE_OF_FIVE, ([0, 1, 3, 4, 5], 3, [0, 4, 5])], 1),
        ([FIRST_THREE_OF_FIVE, ([0, 1, 3, 4, 5], 3, [0, 2, 4, 5])], 2),
        ([FIRST_THREE_OF_FIVE, ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7])], 2),
        ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])], 2),
        ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], 1),
        ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])], 3),
        ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])], 1),
        ([([1], 1, [1]), ([1, 2], 2, [1, 2])], 2),
    ],
)
def test_roots_are_followed_as_far_as_they_are_signed(
    shop: Shop, steps: list[Step], followed: int
) -> None:
    pool = forged.new_signers(10)
    anchor = b""
    for version, (keys, threshold, signing) in enumerate(steps, 1):
        document = Metadata[Any].from_bytes(shop.root)
        document.signed.version = version
        new_keys([pool[number] for number in keys], threshold)(document.signed)
        data = forged.sign(document, [pool[number] for number in signing])
        forged.write(shop, "root", version, data)
        anchor = anchor or data
    store = shop.store("fresh")
    store.prepare()
    trust.enrol(store.trust, anchor)
    transport = Transport(shop.url, quick_caps())
    if followed == len(steps):
        refreshed = trust.refresh(store.trust, transport, now(), ClockFloor(None, 0))
        assert refreshed.root_version == followed
    else:
        with pytest.raises(SignatureError):
            trust.refresh(store.trust, transport, now(), ClockFloor(None, 0))
    assert known_root(shop, "fresh") == followed


def test_several_rotations_are_followed_at_once(shop: Shop) -> None:
    for roles in (["root"], ["root", "timestamp"], ["targets", "snapshot"], ["root", "targets"]):
        shop.rotate(*roles)
    shop.publish(skus(110))
    goes_on(shop, 3)
    assert known_root(shop) == 5
    assert shop.sync(shop.store("fresh")).to_generation == 3


@pytest.mark.parametrize("by", ["only the new keys", "only the old keys", "one of each"])
def test_a_new_root_needs_the_old_keys_and_the_new(shop: Shop, by: str) -> None:
    old, new = forged.current(shop, "root"), forged.new_signers(3)
    signing = {"only the new keys": new, "only the old keys": old, "one of each": [old[0], new[0]]}
    next_root(shop, new_keys(new, 2), by=signing[by])
    refused(shop, SignatureError)
    assert known_root(shop) == 1
    shop.serve(shop.folder / "two")
    goes_on(shop)


@pytest.mark.parametrize("version", [1, 3, 4, HUGE])
def test_a_root_says_the_version_that_is_asked_for(shop: Shop, version: int) -> None:
    next_root(shop, version=version)
    refused(shop, RollbackError)
    assert known_root(shop) == 1
    (metadata(shop) / "2.root.json").unlink()
    goes_on(shop)


def test_a_root_beyond_a_gap_is_not_seen(shop: Shop) -> None:
    next_root(shop, version=3, at=3)
    goes_on(shop)
    assert known_root(shop) == 1


def test_an_invalid_root_in_between_stops_what_follows(shop: Shop) -> None:
    next_root(shop)
    keys = forged.current(shop, "root")
    next_root(shop, by=forged.new_signers(3))
    next_root(shop, by=keys)
    refused(shop, SignatureError)
    assert known_root(shop) == 2


def test_an_expired_root_in_between_is_passed(shop: Shop) -> None:
    until = forged.read(shop, "root").signed.expires
    next_root(shop, lambda root: setattr(root, "expires", LONG_AGO))
    next_root(shop, lambda root: setattr(root, "expires", until))
    goes_on(shop)


def test_a_root_that_expired_is_refused_until_the_next(shop: Shop) -> None:
    next_root(shop, lambda root: setattr(root, "expires", LONG_AGO))
    refused(shop, ExpiredError, "root.json")
    assert known_root(shop) == 2
    shop.rotate("root")
    goes_on(shop)


@pytest.mark.parametrize("shape", ["unsigned", "a stranger's", "no root", "no JSON", "empty"])
def test_only_a_root_that_signs_itself_is_trusted(shop: Shop, shape: str) -> None:
    document = Metadata[Any].from_bytes(shop.root)
    root = {
        "unsigned": forged.sign(document, []),
        "a stranger's": forged.sign(document, forged.new_signers(2)),
        "no root": forged.path_of(shop, "targets").read_bytes(),
        "no JSON": b"<html>",
        "empty": b"",
    }[shape]
    store = shop.store("fresh")
    store.prepare()
    with pytest.raises(SignatureError) as caught:
        trust.enrol(store.trust, root)
    assert str(caught.value).isprintable()
    assert shop.sync(store).to_generation == 2


def test_a_store_does_not_change_its_publisher(shop: Shop) -> None:
    other = Shop.make(shop.folder / "other", shop.bundle)
    with pytest.raises(SyncError, match="another publisher"):
        other.sync(shop.store(), shop.url)
    assert answering(shop.store()) == 1
    goes_on(shop)


@pytest.mark.parametrize("hidden", [False, True])
def test_old_keys_are_not_believed_again(shop: Shop, hidden: bool) -> None:
    shop.rotate("timestamp", "snapshot", "targets")
    rotated = shop.keep("rotated")
    goes_on(shop)
    for file in ("1.root.json", "2.root.json"):
        (metadata(shop) / file).unlink()
    shop.serve(shop.folder / "two")
    if not hidden:
        next_root(shop)
        (metadata(shop) / "2.root.json").write_bytes(
            (rotated / "metadata/2.root.json").read_bytes()
        )
    old = forged.signers(shop, "timestamp")
    forge(shop, "timestamp", by=old[:1] if hidden else old[1:], bump=50)
    refused(shop, SignatureError, old=2)
    shop.serve(rotated)
    assert synced(shop).result == "current"


def test_new_keys_are_kept_also_when_what_they_sign_is_refused(shop: Shop) -> None:
    old = forged.current(shop, "timestamp")
    shop.rotate("timestamp")
    forge(shop, "timestamp", by=old)
    refused(shop, SignatureError)
    assert known_root(shop) == 2
    shop.serve(shop.folder / "two")
    refused(shop, SignatureError)


def test_only_so_many_roots_are_followed_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_ROOT_ROTATIONS", 3)
    for _ in range(5):
        next_root(shop)
    goes_on(shop)
    assert known_root(shop) == 4
    # A device in use for long enough must not be stuck at the roots that it has seen already.
    assert synced(shop).result == "current"
    assert known_root(shop) == 6


def test_endless_roots_end(shop: Shop) -> None:
    for _ in range(limits.MAX_ROOT_ROTATIONS + 2):
        next_root(shop)
    goes_on(shop)
    assert known_root(shop) == limits.MAX_ROOT_ROTATIONS + 1


@pytest.mark.parametrize(
    ("stolen", "rotated"),
    [
        ("timestamp", ["timestamp"]),
        ("snapshot", ["snapshot", "timestamp"]),
        ("targets", ["targets", "snapshot", "timestamp"]),
    ],
)
def test_versions_put_forward_are_undone_by_new_keys(
    shop: Shop, stolen: str, rotated: list[str]
) -> None:
    forge(shop, stolen, bump=HUGE)
    goes_on(shop)
    shop.serve(shop.folder / "two")
    shop.publish(skus(110))
    shop.publish(None)
    refused(shop, RollbackError, old=2)
    shop.rotate(*rotated)
    goes_on(shop, 3)


def test_a_generation_put_forward_is_undone_by_new_keys(shop: Shop) -> None:
    path = forged.blob_path(shop, "catalogue")
    data = replace(decode_catalogue(path.read_bytes()), generation=2**53 - 1, digest="")
    whole = b"".join(encode_catalogue(data))

    def change(release: dict[str, Any]) -> None:
        release |= {"generation": 2**53 - 1, "deltas": []}
        release["catalogue"]["content"] = content_digest(data)

    forged.change_release(shop, change)
    forged.replace_blob(shop, "catalogue", whole)
    goes_on(shop, 2**53 - 1)
    # With versions beyond the attacker's, it is the generation itself that is behind.
    shop.serve(shop.folder / "two")
    forge(shop, "targets", bump=50)
    forge(shop, "snapshot", bump=50)
    forge(shop, "timestamp", bump=50)
    refused(shop, RollbackError, "in use here", old=2**53 - 1)
    shop.serve(shop.folder / "two")
    shop.rotate("targets", "snapshot", "timestamp")
    shop.publish(skus(110))
    goes_on(shop, 3)
