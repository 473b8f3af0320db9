"""A sync is killed, or the power cut, at steps that it takes; `make verify-sync` has them all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edgeseg.sync.shop import Shop, skus


@pytest.mark.parametrize("how", ["kill", "power"])
@pytest.mark.parametrize("first", [True, False], ids=["first sync", "delta"])
def test_the_old_or_the_new_generation_answers(
    shop: Shop, repository: Path, how: str, first: bool
) -> None:
    shop.publish(skus(400))
    if not first:
        shop.sync()
        assert shop.publish(skus(398) + skus(3, 500)).release.deltas
    store, root = shop.folder / "store", shop.folder / "keys" / "root.json"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.verify.interruptions", how, str(store), shop.url, str(root)]
        + ["7"] * (how == "kill"),
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(ran.stdout)
    assert told["wrong"] == []
    assert told["steps"] > 10
