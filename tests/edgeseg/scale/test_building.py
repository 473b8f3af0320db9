"""Builds that keep their work: the same answer, only what changed, nothing lost."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeseg.catalogue import Catalogue
from edgeseg.description import Describer
from edgeseg.errors import DatasetError, EdgesegError
from edgeseg.formats.shard_list import ShardList
from edgeseg.indexing import build_catalogue
from edgeseg.items import read_items
from edgeseg.scale.engine.local import LocalEngine
from edgeseg.scale.worker import Done, Work
from tests.edgeseg.scale.made import (
    EMBEDDER_DIGEST,
    MeanColour,
    built,
    made_shop,
    told_names,
    write_picture,
)

pytest.importorskip("pyarrow", reason="the scale extra is not installed")


class _Embeds:
    """`MeanColour` as an embedder, for a build at once."""

    dim = 3
    digest = EMBEDDER_DIGEST

    def embed(self, picture: np.ndarray) -> np.ndarray:
        return MeanColour().describe(picture, "")


def _shuffled(source: Path, seed: int) -> Path:
    head, *lines = source.read_text().splitlines()
    order = np.random.default_rng(seed).permutation(len(lines))
    target = source.with_name(f"shuffled-{seed}.csv")
    target.write_text("\n".join([head, *(lines[row] for row in order)]) + "\n")
    return target


def test_it_gives_the_catalogue_of_a_build_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made_shop(tmp_path / "shop", 30)
    done = built(source, tmp_path)
    # The made describer looks at the picture as it is, without framing it.
    monkeypatch.setattr(
        Describer, "describe", lambda self, picture, name: self.embedder.embed(picture)
    )
    at_once, _ = build_catalogue(read_items(source), _Embeds())
    at_once.save(tmp_path / "at-once.catalogue")
    assert (tmp_path / "shop.catalogue").read_bytes() == (
        tmp_path / "at-once.catalogue"
    ).read_bytes()
    assert done.summary.described == 30
    assert done.summary.shards[0].digest == Catalogue.open(tmp_path / "shop.catalogue").data.digest


def test_the_order_of_the_list_does_not_matter(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 30)
    digests = set()
    for seed, chunk in ((0, 4), (1, 7), (2, 100)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        done = built(_shuffled(source, seed), folder, chunk_pictures=chunk)
        digests.add(done.summary.shards[0].digest)
    assert len(digests) == 1


def test_the_next_build_describes_what_changed_and_nothing_else(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = made_shop(tmp_path / "shop", 20)
    built(source, tmp_path, told=told)
    told.unlink()
    again = built(source, tmp_path, told=told)
    assert (again.summary.pictures, again.summary.described) == (0, 0)
    assert again.summary.reused == 1
    assert told_names(told) == []

    write_picture(tmp_path / "shop" / "3.png", 1003)
    with source.open("a") as file:
        file.write("sku-new,new.png,style-1\n")
    write_picture(tmp_path / "shop" / "new.png", 1004)
    changed = built(source, tmp_path, told=told)
    assert told_names(told) == ["3.png", "new.png"]
    assert (changed.summary.items, changed.summary.pictures) == (21, 2)
    assert changed.summary.reused == 0

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert built(source, fresh).summary.shards[0].digest == changed.summary.shards[0].digest


def test_a_picture_that_moved_is_read_and_not_described_again(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = made_shop(tmp_path / "shop", 10)
    built(source, tmp_path, told=told)
    told.unlink()
    (tmp_path / "shop").rename(tmp_path / "of-today")
    moved = built(tmp_path / "of-today" / "items.csv", tmp_path, told=told)
    assert (moved.summary.pictures, moved.summary.known, moved.summary.described) == (10, 10, 0)
    assert told_names(told) == []


def test_a_picture_that_many_items_share_is_described_once_in_a_place(tmp_path: Path) -> None:
    told = tmp_path / "told"
    made_shop(tmp_path / "shop", 1)
    source = tmp_path / "shop" / "items.csv"
    source.write_text("sku,image\n" + "".join(f"sku-{n},0.png\n" for n in range(9)))
    done = built(source, tmp_path, told=told)
    assert told_names(told) == ["0.png"]
    assert done.summary.shards[0].items == 9


def test_shards_hold_their_own_and_share_the_work(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = made_shop(tmp_path / "shop", 23, ("north", "Köln Süd", "c/d"))
    done = built(source, tmp_path, told=told, output="shops", shard_by="warehouse")
    assert len(told_names(told)) == 23
    listed = ShardList.read(tmp_path / "shops")
    assert listed.shard_by == "warehouse"
    assert [shard.name for shard in listed.shards] == sorted(["north", "Köln Süd", "c/d"])
    skus: list[str] = []
    for shard in listed.shards:
        catalogue = Catalogue.open(tmp_path / "shops" / shard.file_name)
        assert catalogue.data.digest == shard.digest
        assert len(catalogue) == shard.items
        assert catalogue.info()["attributes"] == ["style"]
        skus += [item.sku for item in catalogue.items]
    # Each fifth of the 23 is in two.
    assert len(set(skus)) == 23
    assert len(skus) == 23 + 5
    assert done.summary.items == 23


def test_a_change_in_one_shard_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 20, ("north", "south"))
    built(source, tmp_path, output="shops", shard_by="warehouse")
    write_picture(tmp_path / "shop" / "1.png", 77)  # in the south alone
    again = built(source, tmp_path, output="shops", shard_by="warehouse")
    assert (again.summary.described, again.summary.reused) == (1, 1)


def test_a_shard_that_is_gone_leaves_no_file(tmp_path: Path) -> None:
    made_shop(tmp_path / "shop", 3)
    source = tmp_path / "shop" / "items.csv"
    source.write_text("sku,image,warehouse\na,0.png,north\nb,1.png,south\n")
    built(source, tmp_path, output="shops", shard_by="warehouse")
    (tmp_path / "shops" / "notes.txt").write_text("not ours")
    source.write_text("sku,image,warehouse\na,0.png,north\n")
    built(source, tmp_path, output="shops", shard_by="warehouse")
    assert sorted(path.name for path in (tmp_path / "shops").iterdir()) == [
        "north.catalogue",
        "notes.txt",
        "shards.json",
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("sku,image\na,0.png\n", "no item of .*items.csv says its warehouse"),
        ("sku,image,warehouse\na,0.png,%s\n" % ("n" * 201), "has a name of more than 200"),
        (
            "sku,image,warehouse\n" + "".join(f"a,0.png,w{n}\n" for n in range(1001)),
            "1001 values of warehouse, and at most 1000",
        ),
    ],
    ids=["none", "long", "many"],
)
def test_shards_that_cannot_be_are_refused_before_the_work(
    tmp_path: Path, lines: str, message: str
) -> None:
    told = tmp_path / "told"
    made_shop(tmp_path / "shop", 1)
    source = tmp_path / "shop" / "items.csv"
    source.write_text(lines)
    with pytest.raises(EdgesegError, match=message):
        built(source, tmp_path, told=told, output="shops", shard_by="warehouse")
    assert told_names(told) == []


def test_an_item_of_several_lines_is_one_item(tmp_path: Path) -> None:
    made_shop(tmp_path / "shop", 2)
    source = tmp_path / "shop" / "items.csv"
    source.write_text("sku,image,warehouse\na,0.png,north\na,0.png,south\nb,1.png,south\n")
    done = built(source, tmp_path, output="shops", shard_by="warehouse")
    assert {shard.name: shard.items for shard in done.summary.shards} == {"north": 1, "south": 2}
    assert done.summary.items == 2


@pytest.mark.parametrize(
    "lines", ["a,0.png\na,0.png\n", "a,0.png\na,1.png\n"], ids=["alike", "different"]
)
def test_a_sku_twice_is_refused(tmp_path: Path, lines: str) -> None:
    made_shop(tmp_path / "shop", 2)
    source = tmp_path / "shop" / "items.csv"
    source.write_text(f"sku,image\n{lines}")
    with pytest.raises(DatasetError, match="the SKU a is listed twice"):
        built(source, tmp_path)


def test_an_item_of_no_shard_is_told(tmp_path: Path) -> None:
    made_shop(tmp_path / "shop", 2)
    source = tmp_path / "shop" / "items.csv"
    source.write_text("sku,image,warehouse\na,0.png,north\nb,1.png,\n")
    done = built(source, tmp_path, output="shops", shard_by="warehouse", skip_unreadable=True)
    assert [(sku, reason) for sku, _, reason in done.unreadable] == [
        ("b", "it is listed for no shard")
    ]


def test_what_cannot_be_read_is_listed_and_nothing_is_written(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 6)
    (tmp_path / "shop" / "2.png").write_bytes(b"no picture")
    (tmp_path / "shop" / "4.png").unlink()
    refused = built(source, tmp_path)
    assert not refused.written
    assert not (tmp_path / "shop.catalogue").exists()
    with (tmp_path / "shop.catalogue.unreadable.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sku"] for row in rows] == ["sku-0002", "sku-0004"]
    assert all(row["reason"] and row["place"] for row in rows)

    done = built(source, tmp_path, skip_unreadable=True)
    assert done.written
    assert len(Catalogue.open(tmp_path / "shop.catalogue")) == 4
    # A picture that is none stays known as such; one that was missing is looked for again.
    assert done.summary.pictures == 1
    write_picture(tmp_path / "shop" / "2.png", 2)
    write_picture(tmp_path / "shop" / "4.png", 4)
    mended = built(source, tmp_path)
    assert mended.written
    assert mended.unreadable_file is None
    assert not (tmp_path / "shop.catalogue.unreadable.csv").exists()


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 2)
    for number in range(2):
        (tmp_path / "shop" / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="none of 2 pictures can be read, such as item sku-0000"):
        built(source, tmp_path, skip_unreadable=True)


class _Dies(LocalEngine):
    """Gives up in the middle, as a killed driver does: what was done and not told is lost."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks

    def work(self, work: Work, chunks: int) -> Iterator[Done]:
        for number, done in enumerate(super().work(work, chunks)):
            if number == self.chunks:
                raise KeyboardInterrupt
            yield done


@pytest.mark.parametrize("chunks", [0, 1, 3, 5])
def test_a_build_that_died_goes_on_where_it_was(tmp_path: Path, chunks: int) -> None:
    told = tmp_path / "told"
    source = made_shop(tmp_path / "shop", 24)
    with pytest.raises(KeyboardInterrupt):
        built(source, tmp_path, _Dies(chunks), told=told)
    assert not (tmp_path / "shop.catalogue").exists()
    done = built(source, tmp_path, told=told)
    # The chunk that was done and not told of was done once all the same.
    assert len(told_names(told)) == 24
    assert done.summary.learnt == 4
    assert done.summary.described == 24 - 4 * (chunks + 1)
    whole = tmp_path / "whole"
    whole.mkdir()
    assert built(source, whole).summary.shards[0].digest == done.summary.shards[0].digest
    assert not list((tmp_path / "cache").rglob("work-*"))


class _TellsTwice(LocalEngine):
    """Tells of each chunk twice, and in another order."""

    def work(self, work: Work, chunks: int) -> Iterator[Done]:
        done = list(super().work(work, chunks))
        yield from reversed(done)
        yield from done


def test_an_answer_that_comes_twice_counts_once(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 10)
    done = built(source, tmp_path, _TellsTwice())
    assert (done.summary.pictures, done.summary.shards[0].items) == (10, 10)


class _Forgets(LocalEngine):
    """Ends without having done all."""

    def work(self, work: Work, chunks: int) -> Iterator[Done]:
        return super().work(work, chunks - 1)


def test_an_engine_that_leaves_chunks_undone_is_told(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 10)
    with pytest.raises(EdgesegError, match="1 of 3 chunks were not done"):
        built(source, tmp_path, _Forgets())


def test_a_damaged_cache_costs_work_and_nothing_else(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = made_shop(tmp_path / "shop", 12)
    before = built(source, tmp_path, told=told).summary.shards[0].digest
    (home,) = (tmp_path / "cache").iterdir()
    parts = sorted((home / "parts").rglob("*.parquet"))
    assert len(parts) == 3
    (home / "ledger.sqlite").write_bytes(b"no database, but long enough to be looked at" * 50)
    parts[0].write_bytes(parts[0].read_bytes()[:-20])
    for catalogue in (home / "catalogues").iterdir():
        catalogue.write_bytes(b"")
    told.unlink()
    again = built(source, tmp_path, told=told)
    assert len(told_names(told)) == 4
    assert again.summary.shards[0].digest == before
    assert again.summary.reused == 0


def test_a_part_that_went_missing_is_made_again(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 12)
    before = built(source, tmp_path).summary.shards[0].digest
    (home,) = (tmp_path / "cache").iterdir()
    sorted((home / "parts").rglob("*.parquet"))[1].unlink()
    for catalogue in (home / "catalogues").iterdir():
        catalogue.unlink()
    assert built(source, tmp_path).summary.shards[0].digest == before


def test_two_builds_at_once_do_not_share_a_cache(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 3)

    class Inside(LocalEngine):
        def __enter__(self) -> LocalEngine:
            with pytest.raises(EdgesegError, match="in use by another process"):
                built(source, tmp_path)
            return self

    assert built(source, tmp_path, Inside()).written


def test_an_output_that_cannot_be_written_keeps_the_work(tmp_path: Path) -> None:
    told = tmp_path / "told"
    source = made_shop(tmp_path / "shop", 5)
    (tmp_path / "shop.catalogue").mkdir()
    with pytest.raises(EdgesegError, match="it is a folder"):
        built(source, tmp_path, told=told)
    (tmp_path / "shop.catalogue").rmdir()
    assert built(source, tmp_path, told=told).summary.described == 0
    assert len(told_names(told)) == 5
