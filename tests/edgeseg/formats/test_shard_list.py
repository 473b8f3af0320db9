"""The list of shards, and what their files are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeseg.errors import FormatError, UnsupportedFormatVersionError
from edgeseg.formats.shard_list import Shard, ShardList, check_slugs, shard_slug

LISTED = ShardList("warehouse", (Shard("Köln Süd", 3, "ab" * 32), Shard("hamburg", 2, "cd" * 32)))


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    LISTED.write(tmp_path)
    assert ShardList.read(tmp_path) == LISTED
    assert [each.file_name for each in LISTED.shards] == [
        "k-ln-s-d-36ee6749.catalogue",
        "hamburg.catalogue",
    ]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("hamburg", "hamburg"),
        ("lager-7", "lager-7"),
        ("x" * 40, "x" * 40),
        # Whatever is lost of a name, its digest tells.
        ("Hamburg", "hamburg-"),
        ("a--b", "a-b-"),
        ("-a", "a-"),
        ("a/b", "a-b-"),
        ("../../etc", "etc-"),
        ("a.b", "a-b-"),
        ("ü", "shard-"),
        ("", "shard-"),
        ("x" * 41, "x" * 40 + "-"),
    ],
)
def test_a_slug_has_plain_letters(name: str, slug: str) -> None:
    made = shard_slug(name)
    if slug.endswith("-"):
        assert made.startswith(slug)
        assert len(made) == len(slug) + 8
    else:
        assert made == slug


def test_names_that_would_share_a_file_are_refused(tmp_path: Path) -> None:
    check_slugs(["a", "A", "a-", "Ä"])
    names = ["Köln Süd", shard_slug("Köln Süd")]
    with pytest.raises(FormatError, match="'Köln Süd' and 'k-ln-s-d-36ee6749' would both"):
        check_slugs(names)
    ShardList("warehouse", tuple(Shard(name, 1, "ab" * 32) for name in names)).write(tmp_path)
    with pytest.raises(FormatError, match="rename one"):
        ShardList.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"format_version": 2}, UnsupportedFormatVersionError),
        ({"format_version": None}, UnsupportedFormatVersionError),
        ({"shard_by": 7}, FormatError),
        ({"shards": {}}, FormatError),
        ({"shards": [1]}, FormatError),
        ({"shards": [{"name": "a", "items": 1}]}, FormatError),
        ({"shards": [{"name": "a", "items": 0, "digest": "ab" * 32}]}, FormatError),
        ({"shards": [{"name": "a", "items": 1, "digest": "ab"}]}, FormatError),
        ({"shards": [{"name": "a", "items": 1, "digest": "ab" * 32}] * 2}, FormatError),
        ({"shards": [{"name": "a", "items": 1, "digest": "ab" * 32}] * 1_001}, FormatError),
        ({"more": 1}, FormatError),
    ],
)
def test_a_damaged_list_is_refused(
    tmp_path: Path, change: dict[str, Any], kind: type[FormatError]
) -> None:
    LISTED.write(tmp_path)
    path = tmp_path / "shards.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(kind):
        ShardList.read(tmp_path)
