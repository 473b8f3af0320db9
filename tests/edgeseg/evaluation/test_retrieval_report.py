"""The page of a study: whole, harmless whatever the names are, and the worst misses in order."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edgeseg import imaging
from edgeseg.embedder import Embedder
from edgeseg.errors import EdgesegError
from edgeseg.evaluation.entrants import Entrant
from edgeseg.evaluation.retrieval import Query
from edgeseg.evaluation.retrieval_report import report_page, write_report
from edgeseg.evaluation.retrieval_study import Study, run_study
from edgeseg.formats.bundle import Bundle
from edgeseg.items import Item
from edgeseg.segmenter import Segmenter

EVIL = '<b onclick="x">&\'bold'


class Page(HTMLParser):
    """A page's tags and text."""

    VOID = frozenset({"meta", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def garment(folder: Path, name: str, colour: tuple[int, int, int], ground: int = 255) -> Path:
    picture = np.full((300, 200, 3), ground, np.uint8)
    picture[60:240, 40:160] = colour
    path = folder / f"{name}.png"
    path.write_bytes(imaging.encode_png(picture))
    return path


@pytest.fixture
def entrant(tiny_bundle: Bundle) -> Entrant:
    return Entrant(f"tiny{EVIL}", Embedder(tiny_bundle), Segmenter(tiny_bundle))


@pytest.fixture
def study(tmp_path: Path, entrant: Entrant) -> Study:
    """Photos of twelve reds under the names of others, so that the ranks are 2, 4, 6 ..."""
    shop, photos = tmp_path / "shop", tmp_path / "photos"
    shop.mkdir()
    photos.mkdir()
    items = [
        (Item(f"{EVIL}{number}"), garment(shop, str(number), (230, 10, 15 * number)))
        for number in range(12)
    ]
    queries = [
        Query(
            garment(photos, f"{EVIL[1:8]}{n}", (230, 10, 15 * n), 90), f"{EVIL}{2 * n}", None, EVIL
        )
        for n in range(5)
    ]
    return run_study(items, queries, [entrant], ["none", "model"], sizes=(6, 40))


def test_the_page_is_whole_and_asks_for_nothing(study: Study, entrant: Entrant) -> None:
    page = Page(report_page(study, entrant))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"script", "link", "iframe", "object", "b onclick"})
    assert {"table", "svg", "polyline", "figure"} <= names
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "href" not in attributes
    sources = [image["src"] for image in page.of("img")]
    assert sources
    for source in sources:
        assert source is not None
        kind, data = source.split(",")
        assert kind == "data:image/jpeg;base64"
        assert max(imaging.read_photo(base64.b64decode(data)).shape) <= 176
    assert "http" not in re.sub(r"base64,[^\"]*", "", report_page(study, entrant))


def test_names_from_outside_are_text(study: Study, entrant: Entrant) -> None:
    html = report_page(study, entrant)
    assert EVIL not in html
    assert "<b onclick" not in html
    assert 'onclick="' not in html
    page = Page(html)
    # SKU, group and embedder come out as they were given.
    assert f"right: {EVIL}8, rank" in page.text
    assert f"Only {EVIL}: 5 queries" in page.text
    assert f"Worst misses of tiny{EVIL}" in page.text


def test_the_worst_misses_come_first(study: Study, entrant: Entrant) -> None:
    ranks = [rank for rank in study.product.ranks if rank is not None and rank > 1]
    assert len(ranks) == 4
    for worst in (4, 2):
        page = Page(report_page(study, entrant, worst))
        captions = [str(image["alt"]) for image in page.of("img")]
        told = [int(rank) for rank in re.findall(r", rank (\d+)$", "\n".join(captions), re.M)]
        assert told == sorted(ranks, reverse=True)[:worst]
        # Photo, crop, right item and five found; the right one is framed, also where it is found.
        assert len(page.of("figure")) == worst * 8
    framed = [each for each in page.of("figure") if each["class"] == "right"]
    assert len(framed) >= 2
    assert "Worst misses" not in report_page(study, entrant, 0)


def test_the_page_shows_what_was_embedded(study: Study, entrant: Entrant) -> None:
    images = Page(report_page(study, entrant, 1)).of("img")
    photo, crop = (
        imaging.read_photo(base64.b64decode(str(image["src"]).split(",")[1]))
        for image in images[:2]
    )
    # The ground is grey in the photo and white in the crop.
    assert np.abs(photo[2, 2].astype(int) - 90).max() < 12
    assert crop[2, 2].min() > 240


def test_the_page_says_which_galleries_are_perturbed(study: Study, entrant: Entrant) -> None:
    page = Page(report_page(study, entrant))
    assert "There are 12 real items." in page.text
    assert "perturbed copies" in page.text
    assert "40*" in page.text
    assert "12*" not in page.text
    assert any("28 of them perturbed copies" in text for text in page.text.split("tiny"))
    assert any("stroke-dasharray" in line for line in page.of("polyline"))


def test_a_page_is_written_whole_or_not_at_all(
    study: Study, entrant: Entrant, tmp_path: Path
) -> None:
    path = tmp_path / "study.html"
    write_report(path, study, entrant, 2)
    assert path.read_text(encoding="utf-8") == report_page(study, entrant, 2)
    before = path.read_bytes()
    study.items[0][1].write_bytes(b"")
    with pytest.raises(EdgesegError):
        write_report(path, study, entrant)
    assert path.read_bytes() == before
    with pytest.raises(EdgesegError, match="folder does not exist"):
        write_report(tmp_path / "none" / "study.html", study, entrant, 0)
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["study.html"]
