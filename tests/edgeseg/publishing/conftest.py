"""The shop that the tests of syncs have, seen from its publisher's side."""

from __future__ import annotations

from tests.edgeseg.sync.conftest import shop, shop_bundle

__all__ = ["shop", "shop_bundle"]
