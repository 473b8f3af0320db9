"""A publisher with a shop of a few items, for tests: its keys, what it serves, and its scanners."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.catalogue import Catalogue, Item
from edgeseg.formats.bundle import Bundle
from edgeseg.formats.catalogue_file import read_catalogue
from edgeseg.formats.shard_list import Shard, ShardList, shard_slug
from edgeseg.publishing.keys import Keys, Quorum, init_keys
from edgeseg.publishing.publisher import Published, publish
from edgeseg.publishing.repository import Expiry
from edgeseg.publishing.rotation import rotate
from edgeseg.sync.client import SyncOptions, sync
from edgeseg.sync.clock import now
from edgeseg.sync.report import SyncReport
from edgeseg.sync.store import Store


@dataclass
class Shop:
    """Everything below one folder: ``keys``, ``www`` and stores.

    Attributes:
        folder: that one.
        bundle: path of what its catalogues are made with.
        embedder_digest: of that.
        dim: of that.
    """

    folder: Path
    bundle: Path
    embedder_digest: str
    dim: int

    @classmethod
    def make(cls, folder: Path, bundle: Path, targets: Quorum | None = None) -> Shop:
        """A shop with keys, and nothing published."""
        opened = Bundle.open(bundle)
        assert opened.embedder_digest is not None
        assert opened.manifest.embedder is not None
        init_keys(folder / "keys", {} if targets is None else {"targets": targets}, now())
        dim = opened.manifest.embedder.dim
        assert dim is not None
        return cls(folder, bundle, opened.embedder_digest, dim)

    @property
    def url(self) -> str:
        """The folder that is served."""
        return str(self.folder / "www")

    @property
    def keys(self) -> Keys:
        """The publisher's keys."""
        return Keys([self.folder / "keys"])

    @property
    def root(self) -> bytes:
        """What scanners trust."""
        return (self.folder / "keys" / "root.json").read_bytes()

    def embeddings(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        """Unit vectors, `(count, dim)` float32."""
        drawn = np.random.default_rng(seed).standard_normal((count, self.dim)).astype(np.float32)
        scaled: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return scaled

    def catalogue(self, skus: Iterable[str], seed: int = 0, name: str = "new") -> Path:
        """A catalogue file of items whose embeddings depend on their SKUs and a seed."""
        named = list(skus)
        rows = np.array([int(sku.lstrip("P")) for sku in named])
        # Drawn row by row: a longer pool begins as a shorter one.
        pool = self.embeddings(int(rows.max()) + 1, seed)
        path = self.folder / f"{name}.catalogue"
        items = [Item(sku, {"colour": f"c{row % 7}"}) for sku, row in zip(named, rows, strict=True)]
        Catalogue.from_embeddings(items, pool[rows], self.embedder_digest).save(path)
        return path

    def publish(
        self, skus: Iterable[str] | None, *, at: datetime | None = None, days: float = 14.0
    ) -> Published:
        """Publish items with the bundle; None signs anew."""
        files = [] if skus is None else [self.catalogue(skus), self.bundle]
        expiry = Expiry(targets_days=180.0, timestamp_days=days)
        return publish(files, self.url, self.keys, at or now(), expiry)

    def shards(self, lists: Mapping[str, Iterable[str]]) -> Path:
        """A folder of shards, each of its items."""
        folder = self.folder / "shards"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        listed = []
        for shard, named in lists.items():
            data = read_catalogue(self.catalogue(named, name=f"shards/{shard_slug(shard)}"))
            listed.append(Shard(shard, data.items, data.digest))
        ShardList("warehouse", tuple(listed)).write(folder)
        return folder

    def publish_shards(
        self, lists: Mapping[str, Iterable[str]], *, at: datetime | None = None
    ) -> Published:
        """Publish shards with the bundle."""
        return publish([self.shards(lists), self.bundle], self.url, self.keys, at or now())

    def rotate(self, *roles: str) -> int:
        """New keys for some roles."""
        return rotate(list(roles), self.url, self.keys, now())

    def keep(self, name: str) -> Path:
        """A copy of what is served now."""
        return Path(shutil.copytree(self.url, self.folder / name))

    def serve(self, kept: Path) -> None:
        """Serve a copy in place of what is served now."""
        shutil.rmtree(self.url)
        shutil.copytree(kept, self.url)

    def store(self, name: str = "store") -> Store:
        """A scanner's."""
        return Store(self.folder / name)

    def sync(
        self, store: Store | None = None, url: str | None = None, shard: str | None = None
    ) -> SyncReport:
        """What a scanner does."""
        options = SyncOptions(root=self.root, shard=shard)
        return sync(store or self.store(), url or self.url, options)


def skus(count: int, first: int = 0) -> list[str]:
    """``P<n>`` each."""
    return [f"P{number}" for number in range(first, first + count)]


def answering(store: Store) -> int:
    """The generation that answers, after its golden queries were asked."""
    opened = store.open_active()
    assert not opened.instead_of
    golden = opened.catalogue.data.golden
    assert golden is not None
    assert opened.catalogue.golden_recall() >= golden.recall_floor
    return opened.installed.generation
