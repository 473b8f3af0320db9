"""The handheld page over a shop of five colours, with the hand-made networks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("httpx", reason="Starlette's test client needs httpx")

import httpx
from starlette.testclient import TestClient

from edgeseg.acceptance import Acceptance
from edgeseg.catalogue import Catalogue, Item
from edgeseg.embedder import Embedder, studio_crop
from edgeseg.formats.bundle import Bundle, write_bundle
from edgeseg.imaging import Photo, encode_jpeg, encode_png
from edgeseg.sync.confirmations import ConfirmationLog
from edgeseg.web.access import Access
from edgeseg.web.application import make_application
from edgeseg.web.matching.answers import Answers
from edgeseg.web.matching.decisions import Decisions
from edgeseg.web.matching.handlers import MatchingPage
from edgeseg.web.matching.source import FileSource
from tests.edgeseg.handmade import MakeBundle, red_square_photo

COLOURS = {
    "red": (220, 20, 20),
    "orange": (240, 150, 20),
    "green": (20, 160, 40),
    "blue": (20, 40, 200),
    "olive": (110, 120, 20),
}
ORIGIN = {"origin": "http://127.0.0.1:8000"}
EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>'


def studio_picture(colour: tuple[int, int, int]) -> Photo:
    picture = np.full((200, 160, 3), 255, np.uint8)
    picture[40:130, 40:120] = colour
    return picture


def photo_bytes() -> bytes:
    """A red rectangle on grey-green, as a PNG: decoded, it is the very picture."""
    return encode_png(red_square_photo())


@dataclass
class Shop:
    """A catalogue with its items' pictures, and the bundle that it was made with."""

    folder: Path
    bundle: Path
    prefix: str = "sku-"

    @property
    def catalogue(self) -> Path:
        return self.folder / "shop.catalogue"

    @property
    def items(self) -> Path:
        return self.folder / "items.csv"

    def build(self, generation_prefix: str = "", attributes: dict[str, str] | None = None) -> None:
        """Write the catalogue; replacing it is a new generation."""
        embedder = Embedder(Bundle.open(self.bundle))
        rows = ["sku,image"]
        items, vectors = [], []
        for name, colour in COLOURS.items():
            picture = studio_picture(colour)
            (self.folder / f"{name}.jpg").write_bytes(encode_jpeg(picture, 95))
            sku = f"{generation_prefix}{self.prefix}{name}"
            rows.append(f'"{sku.replace(chr(34), chr(34) * 2)}",{name}.jpg')
            items.append(Item(sku, {"colour": name, **(attributes or {})}))
            vectors.append(embedder.embed(studio_crop(picture)))
        self.items.write_text("\n".join(rows) + "\n")
        Catalogue.from_embeddings(items, np.stack(vectors), embedder.digest).save(self.catalogue)


@dataclass
class Page:
    """A client of the page, and what it left."""

    shop: Shop
    client: TestClient
    source: FileSource
    log: ConfirmationLog
    photos: Path
    lines: list[str] = field(default_factory=list)

    def post(
        self, path: str, content: bytes, kind: str = "image/png", **headers: str
    ) -> httpx.Response:
        sent = {**ORIGIN, "content-type": kind, **headers}
        answer: httpx.Response = self.client.post(path, content=content, headers=sent)
        return answer

    def post_json(self, path: str, document: Any) -> httpx.Response:
        return self.post(path, json.dumps(document).encode(), "application/json")

    def answer(self, content: bytes | None = None, query: str = "") -> dict[str, Any]:
        told = self.post(f"/api/answers{query}", content or photo_bytes())
        assert told.status_code == 201, told.text
        document: dict[str, Any] = told.json()
        return document

    def why(self) -> str:
        """The reason in the one line that was logged."""
        assert len(self.lines) == 1, self.lines
        why: str = json.loads(self.lines.pop())["why"]
        return why


@pytest.fixture
def shop(tmp_path: Path, make_bundle: MakeBundle) -> Shop:
    made = make_bundle(
        embedder_changes={"acceptance": Acceptance(4.0, -40.0, 2.0, 0.5, 0.05)},
    )
    path = tmp_path / "tiny.bundle"
    write_bundle(path, made.manifest, made.sections())
    shop = Shop(tmp_path, path)
    shop.build()
    return shop


MakePage = Callable[[], Page]


@pytest.fixture
def make_page(shop: Shop) -> MakePage:
    """Opens the page over the shop as it is then."""

    def make() -> Page:
        source = FileSource(shop.catalogue, shop.bundle, 1, shop.items)
        log = ConfirmationLog(shop.folder / "kept" / "confirmations.jsonl")
        photos = shop.folder / "photos"
        lines: list[str] = []
        page = MatchingPage(Answers(source, 3), Decisions(log, photos))
        access = Access.to("127.0.0.1", 8000)
        application = make_application(page.routes(), access, lines.append)
        client = TestClient(application, base_url="http://127.0.0.1:8000")
        return Page(shop, client, source, log, photos, lines)

    return make


@pytest.fixture
def page(make_page: MakePage) -> Page:
    return make_page()
