"""The release document: its one spelling, what is refused, and what a device must have."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from edgeseg.errors import EdgesegError, IncompatibleError
from edgeseg.sync.compatibility import Device, check_compatible
from edgeseg.sync.release import Blob, DeltaLink, Needs, Release, ShardPart, release_name

DIGESTS = [f"{number:02x}" * 32 for number in range(10)]
RELEASE = Release(
    generation=12,
    published=datetime(2026, 3, 1, 6, 0, 5, tzinfo=timezone.utc),
    content=DIGESTS[0],
    catalogue=Blob("generation-12.catalogue", DIGESTS[1], 5_000),
    bundle=Blob("b.bundle", DIGESTS[2], 900),
    deltas=(
        DeltaLink(Blob("generation-10-to-11.delta", DIGESTS[3], 70), 10, DIGESTS[4], 11),
        DeltaLink(Blob("generation-11-to-12.delta", DIGESTS[5], 80), 11, DIGESTS[6], 12),
    ),
    needs=Needs(bundle_format_version=3, memory_bytes=1 << 28, machines=("aarch64", "x86_64")),
)
# As a file that was once published holds it; a reader of later versions has to read it too.
GOLDEN = (
    '{"bundle":{"length_bytes":900,"name":"b.bundle","sha256":"' + DIGESTS[2] + '"},'
    '"catalogue":{"content":"' + DIGESTS[0] + '","length_bytes":5000,'
    '"name":"generation-12.catalogue","sha256":"' + DIGESTS[1] + '"},'
    '"deltas":[{"base":"' + DIGESTS[4] + '","base_generation":10,"generation":11,'
    '"length_bytes":70,"name":"generation-10-to-11.delta","sha256":"' + DIGESTS[3] + '"},'
    '{"base":"' + DIGESTS[6] + '","base_generation":11,"generation":12,'
    '"length_bytes":80,"name":"generation-11-to-12.delta","sha256":"' + DIGESTS[5] + '"}],'
    '"format_version":1,"generation":12,'
    '"needs":{"bundle_format_version":3,"catalogue_format_version":2,"delta_format_version":1,'
    '"machines":["aarch64","x86_64"],"memory_bytes":268435456},'
    '"published":"2026-03-01T06:00:05Z"}'
)


def test_it_has_one_spelling() -> None:
    assert RELEASE.to_bytes().decode() == GOLDEN
    assert Release.from_bytes(GOLDEN.encode()) == RELEASE


SHARDED = replace(RELEASE, generation=15, shard=ShardPart("Köln Süd", 12))


def test_a_shards_release_says_which_one_it_is_of() -> None:
    golden = GOLDEN.replace(
        '"format_version":1,"generation":12', '"format_version":2,"generation":15'
    )
    golden = golden[:-1] + ',"shard":{"catalogue_generation":12,"name":"K\\u00f6ln S\\u00fcd"}}'
    assert SHARDED.to_bytes().decode() == golden
    assert Release.from_bytes(golden.encode()) == SHARDED
    assert (SHARDED.shard_name, SHARDED.catalogue_generation) == ("Köln Süd", 12)
    assert (RELEASE.shard_name, RELEASE.catalogue_generation) == (None, 12)


@pytest.mark.parametrize(
    "change",
    [
        {"shard": None},
        {"shard": "Köln Süd"},
        {"shard": {"name": "Köln Süd"}},
        {"shard": {"name": "x" * 201, "catalogue_generation": 12}},
        {"shard": {"name": "two\nlines", "catalogue_generation": 12}},
        {"shard": {"name": "Köln Süd", "catalogue_generation": 12, "more": 1}},
        # Later than the release, before the last delta ends, and none.
        {"shard": {"name": "Köln Süd", "catalogue_generation": 16}, "deltas": []},
        {"shard": {"name": "Köln Süd", "catalogue_generation": 11}},
        {"shard": {"name": "Köln Süd", "catalogue_generation": 0}, "deltas": []},
        {"format_version": 1},
        {"format_version": 2.0},
        {"format_version": True},
    ],
    ids=str,
)
def test_what_breaks_a_shards_release_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(SHARDED.to_bytes()) | change
    with pytest.raises(EdgesegError):
        Release.from_bytes(json.dumps(document).encode())


def test_a_shards_release_has_a_plain_name() -> None:
    assert release_name(None) == "release.json"
    assert release_name("hamburg") == "hamburg.release.json"
    odd = ["Hamburg", "Köln Süd", "a/b", "../x", "release", "", " ", "ß" * 200, "x" * 200, "a.b"]
    names = [release_name(name) for name in odd]
    assert len(set(names)) == len(odd)
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)
        assert len(name) <= 65


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["generation"], 0),
        (["generation"], 11),
        (["published"], "yesterday"),
        (["catalogue", "name"], "../../etc/passwd"),
        (["catalogue", "name"], "/x"),
        (["catalogue", "sha256"], "12"),
        (["catalogue", "length_bytes"], 1 << 40),
        (["bundle", "length_bytes"], -1),
        (["deltas", 0, "generation"], 12),
        (["deltas", 1, "base_generation"], 9),
        (["needs", "machines"], [1]),
        (["needs", "machines"], "x86_64"),
        (["more"], 1),
        (["needs", "more"], 1),
    ],
)
def test_what_breaks_it_is_refused(path: list[Any], value: Any) -> None:
    document = json.loads(GOLDEN)
    inner = document
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(EdgesegError):
        Release.from_bytes(json.dumps(document).encode())


def test_a_later_format_asks_for_an_update() -> None:
    later = GOLDEN.replace('"format_version":1', '"format_version":3,"new":true')
    with pytest.raises(IncompatibleError, match="update edgeseg"):
        Release.from_bytes(later.encode())


@pytest.mark.parametrize(
    ("needs", "words"),
    [
        ({}, None),
        ({"machines": ()}, None),
        ({"machines": ("armv7l",)}, "is for armv7l, and this device is aarch64"),
        ({"memory_bytes": 1 << 31}, "asks for 2048 MiB of memory, and this device has 1024 MiB"),
        ({"bundle_format_version": 99}, "a bundle of format_version 99"),
        ({"catalogue_format_version": 99}, "a catalogue of format_version 99"),
    ],
)
def test_what_a_device_lacks_is_named(needs: dict[str, Any], words: str | None) -> None:
    release = replace(RELEASE, needs=replace(RELEASE.needs, **needs))
    device = Device("aarch64", 1 << 30)
    if words is None:
        check_compatible(release, device)
    else:
        with pytest.raises(IncompatibleError, match=words):
            check_compatible(release, device)
