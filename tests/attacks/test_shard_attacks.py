"""A publisher of shards that is hostile or has a bug, and whoever serves what it signed.

``store`` follows the shard Hamburg at generation 1; generation 2, in which both shards changed, is
served.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgeseg.errors import (
    DigestMismatchError,
    DownloadError,
    EdgesegError,
    EndlessDataError,
    FormatError,
    ManifestError,
    MixedMetadataError,
    RollbackError,
    SyncError,
)
from edgeseg.formats.shard_list import shard_slug
from tests.attacks import forged
from tests.attacks.forged import goes_on, refused, synced
from tests.edgeseg.sync.shop import Shop, answering, skus

OTHER = "Köln Süd"
FIRST = {"hamburg": skus(300), OTHER: skus(280, 500)}
SECOND = {"hamburg": [*skus(295), *skus(5, 900)], OTHER: [*skus(275, 500), *skus(5, 950)]}


@pytest.fixture(scope="module")
def between_shards(between: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Made once; each test has a copy."""
    made = Shop.make(tmp_path_factory.mktemp("shards"), between.bundle)
    made.publish_shards(FIRST)
    made.keep("one")
    made.sync(shard="hamburg")
    made.publish_shards(SECOND)
    made.keep("two")
    return made


@pytest.fixture
def shop(tmp_path: Path, between_shards: Shop) -> Shop:
    folder = tmp_path / "shop"
    shutil.copytree(between_shards.folder, folder)
    return replace(between_shards, folder=folder)


def name_of(shard: str) -> str:
    return f"{shard_slug(shard)}.release.json"


def release_of(shop: Shop, shard: str = "hamburg") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(forged.published_path(shop, name_of(shard)).read_bytes())
    return document


def list_release(shop: Shop, document: dict[str, Any], shard: str = "hamburg") -> None:
    """Publish a release under a shard's name, properly listed and signed."""
    target = forged.put(shop, name_of(shard), json.dumps(document).encode())
    target.unrecognized_fields["custom"] = {"shard": shard}
    forged.forge(shop, "targets", lambda signed: signed.targets.update({target.path: target}))


def earlier(shop: Shop, shard: str = "hamburg") -> dict[str, Any]:
    """The release of generation 1."""
    (path,) = (shop.folder / "one/targets").glob(f"*.{name_of(shard)}")
    document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def test_an_honest_publisher_is_followed(shop: Shop) -> None:
    goes_on(shop)
    assert shop.store().state().shard == "hamburg"


def test_the_release_of_another_shard_under_this_ones_name_is_refused(shop: Shop) -> None:
    honest = release_of(shop)
    list_release(shop, release_of(shop, OTHER))
    told = "lists the release of shard 'Köln Süd' as that of shard 'hamburg'"
    refused(shop, MixedMetadataError, told)
    # Nor does a publisher go on from there.
    with pytest.raises(MixedMetadataError, match="is the release of another shard"):
        shop.publish_shards(FIRST)
    list_release(shop, honest)
    goes_on(shop)


def test_another_shards_release_that_is_served_in_place_of_this_ones_is_refused(
    shop: Shop,
) -> None:
    forged.published_path(shop, name_of("hamburg")).write_bytes(
        forged.published_path(shop, name_of(OTHER)).read_bytes()
    )
    # It is longer than what was signed, for its name is.
    refused(shop, EndlessDataError)
    shop.serve(shop.folder / "two")
    goes_on(shop)


@pytest.mark.parametrize("shard", [None, {"name": "hamburh"}, {"name": "Hamburg"}, {"name": ""}])
def test_a_release_that_is_not_of_this_shard_is_refused(
    shop: Shop, shard: dict[str, str] | None
) -> None:
    document = release_of(shop)
    if shard is None:
        del document["shard"]
        document["format_version"] = 1
    else:
        document["shard"] |= shard
    list_release(shop, document)
    refused(shop, MixedMetadataError, "as that of shard 'hamburg'")


def test_a_release_of_a_shard_is_not_taken_for_that_of_all(shop: Shop) -> None:
    target = forged.put(shop, "release.json", json.dumps(release_of(shop)).encode())
    forged.forge(shop, "targets", lambda signed: signed.targets.update({target.path: target}))
    with pytest.raises(MixedMetadataError, match="the release of shard 'hamburg' as that of no"):
        shop.sync(shop.store("another"))
    goes_on(shop)


def test_a_shard_that_is_called_after_anothers_slug_does_not_pass_for_it(shop: Shop) -> None:
    shop.sync(shard=OTHER)
    crafted = release_of(shop, OTHER)
    crafted["shard"]["name"] = shard_slug(OTHER)
    list_release(shop, crafted, OTHER)
    refused(shop, MixedMetadataError, "as that of shard 'Köln Süd'", old=2)


@pytest.mark.parametrize("moves", [False, True])
def test_an_earlier_generation_of_any_shard_is_refused(shop: Shop, moves: bool) -> None:
    """A publisher that lists one shard's release of before signs it; the number tells."""
    synced(shop)
    shard = OTHER if moves else "hamburg"
    list_release(shop, earlier(shop, shard), shard)
    with pytest.raises(RollbackError, match="gives generation 1, and 2 is in use"):
        shop.sync(shard=shard)
    assert answering(shop.store()) == 2
    assert shop.store().state().shard == "hamburg"


def test_a_server_that_goes_back_to_before_a_move_is_refused(shop: Shop) -> None:
    shop.sync(shard=OTHER)
    shop.serve(shop.folder / "one")
    refused(shop, RollbackError, old=2)
    with pytest.raises(RollbackError):
        shop.sync(shard="hamburg")
    assert answering(shop.store()) == 2
    shop.serve(shop.folder / "two")
    assert shop.sync().result == "current"


def test_a_server_that_hides_a_shard_cannot_drop_it(shop: Shop) -> None:
    """What is no longer published is what was signed so."""
    document = forged.read(shop, "targets")
    del document.signed.targets[name_of("hamburg")]
    forged.path_of(shop, "targets").write_bytes(document.to_bytes())
    refused(shop, MixedMetadataError)
    shop.serve(shop.folder / "two")
    forged.published_path(shop, name_of("hamburg")).unlink()
    refused(shop, DownloadError, "being published just now")
    shop.serve(shop.folder / "two")
    goes_on(shop)


def blob_path(shop: Shop, kind: str) -> Path:
    fields = release_of(shop)
    named = fields["deltas"][-1] if kind == "delta" else fields[kind]
    return Path(shop.url) / "targets" / f"{named['sha256']}.{named['name']}"


@pytest.mark.parametrize("kind", ["catalogue", "delta"])
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), DigestMismatchError),
        (lambda data: data[: len(data) // 2], DownloadError),
        (lambda data: data + b"\0", EndlessDataError),
    ],
    ids=["one bit", "half", "longer"],
)
def test_an_altered_file_of_a_shard_is_refused(
    shop: Shop, kind: str, alter: Callable[[bytes], bytes], error: type[EdgesegError]
) -> None:
    """It is not listed: its digest in the release is what has to hold."""
    if kind == "catalogue":
        list_release(shop, release_of(shop) | {"deltas": []})
    path = blob_path(shop, kind)
    honest = path.read_bytes()
    path.write_bytes(alter(honest))
    refused(shop, error)
    path.write_bytes(honest)
    goes_on(shop)


def test_a_release_that_was_altered_on_its_way_is_refused(shop: Shop) -> None:
    path = forged.published_path(shop, name_of("hamburg"))
    honest = path.read_bytes()
    other = release_of(shop, OTHER)["catalogue"]["sha256"].encode()
    path.write_bytes(honest.replace(release_of(shop)["catalogue"]["sha256"].encode(), other))
    refused(shop, MixedMetadataError)
    path.write_bytes(honest)
    goes_on(shop)


def test_another_shards_catalogue_in_this_ones_release_is_refused(shop: Shop) -> None:
    content = release_of(shop)["catalogue"]["content"]
    exchanged = release_of(shop, OTHER)["catalogue"] | {"content": content}
    list_release(shop, release_of(shop) | {"catalogue": exchanged, "deltas": []})
    refused(shop, DigestMismatchError)


def test_another_shards_delta_in_this_ones_release_is_not_needed(shop: Shop) -> None:
    """It starts from another catalogue than it says, and the whole leads there too."""
    mine = release_of(shop)["deltas"][-1]
    exchanged = release_of(shop, OTHER)["deltas"][-1] | {"base": mine["base"]}
    list_release(shop, release_of(shop) | {"deltas": [exchanged]})
    report = synced(shop)
    assert (report.result, report.deltas, report.to_generation) == ("activated", 0, 2)


@pytest.mark.parametrize(
    ("shard", "kind"),
    [
        ("hamburg", ManifestError),
        ([], ManifestError),
        ({"name": "hamburg"}, ManifestError),
        ({"name": "hamburg", "catalogue_generation": 2, "more": 1}, ManifestError),
        ({"name": "ham\x1b[31mburg", "catalogue_generation": 2}, ManifestError),
        ({"name": "hamburg", "catalogue_generation": "2"}, ManifestError),
        ({"name": "hamburg", "catalogue_generation": 3}, FormatError),
        ({"name": "hamburg", "catalogue_generation": 1}, FormatError),
    ],
    ids=str,
)
def test_a_release_with_a_wrong_shard_is_refused(
    shop: Shop, shard: object, kind: type[EdgesegError]
) -> None:
    list_release(shop, release_of(shop) | {"shard": shard})
    refused(shop, kind)


def test_a_catalogue_of_another_generation_than_its_release_says_is_refused(shop: Shop) -> None:
    document = release_of(shop) | {"generation": 3, "deltas": []}
    document["shard"]["catalogue_generation"] = 3
    list_release(shop, document)
    refused(shop, DigestMismatchError)


@pytest.mark.parametrize(
    "custom",
    [
        None,
        5,
        "hamburg",
        [],
        {},
        {"shard": None},
        {"shard": 7},
        {"shard": "\x1b[31m"},
        {"shard": "two\nlines"},
        {"shard": "\u202ex"},
        {"shard": "x" * 100_000},
        {"shard": "another"},
    ],
    ids=ascii,
)
def test_what_is_listed_beside_a_shard_is_told_only_where_it_can_be(
    shop: Shop, custom: object
) -> None:
    def change(signed: Any) -> None:
        del signed.targets[name_of("hamburg")]
        signed.targets[name_of(OTHER)].unrecognized_fields["custom"] = custom
        kept = forged.put(shop, "plain.release.json", b"{}")
        kept.unrecognized_fields["custom"] = {"shard": "plain"}
        signed.targets[kept.path] = kept

    forged.forge(shop, "targets", change)
    error = refused(shop, SyncError, "no longer published")
    assert str(error).endswith("one of 'plain'")
    shop.serve(shop.folder / "two")
