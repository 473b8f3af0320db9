"""The same builds on a real Ray cluster of several nodes on this machine."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeseg.errors import EdgesegError, ModelContractError
from edgeseg.scale.building import build
from edgeseg.scale.engine.ray import RayEngine
from edgeseg.scale.plan import Description, Plan
from tests.edgeseg.scale.clusters import cluster_of
from tests.edgeseg.scale.made import EMBEDDER_DIGEST, MeanColour, built, made_shop, told_names

pytest.importorskip("ray", reason="the scale extra is not installed")
pytest.importorskip("pyarrow", reason="the scale extra is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each."""
    with cluster_of({"num_cpus": 1}, {"num_cpus": 1}) as made:
        yield made


def test_it_is_the_same_catalogue(cluster: Any, tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 40, ("north", "south"))
    alone, many = tmp_path / "alone", tmp_path / "many"
    for folder in (alone, many):
        folder.mkdir()
    here = built(source, alone, output="shops", shard_by="warehouse")
    told = tmp_path / "told"
    there = built(
        source,
        many,
        RayEngine(cluster.address),
        told=told,
        output="shops",
        shard_by="warehouse",
    )
    assert [shard.digest for shard in there.summary.shards] == [
        shard.digest for shard in here.summary.shards
    ]
    assert len(told_names(told)) == 40
    # A worker that starts late finds nothing left to do.
    assert 1 <= len(there.summary.workers) <= 2
    assert there.summary.engine == "ray"


class _KillsItself(MeanColour):
    """A describer whose process is killed at its fifth picture, the first time."""

    def __init__(self, told: Path) -> None:
        super().__init__(told)
        self.left = 5

    def describe(self, picture: Any, name: str) -> Any:
        self.left -= 1
        marker = self.told.with_name("killed") if self.told else None
        if self.left == 0 and marker is not None:
            try:
                marker.touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().describe(picture, name)


class _Breaks(MeanColour):
    def describe(self, picture: Any, name: str) -> Any:
        raise ModelContractError("the network gives no vector")


def _built_with(open_describer: Callable[[], Any], source: Path, folder: Path, address: str) -> Any:
    description = Description("ab" * 32, EMBEDDER_DIGEST, 3, open_describer)
    plan = Plan(str(source), folder / "shop.catalogue", folder / "cache", chunk_pictures=4)
    return build(plan, description, RayEngine(address))


class _OpenKillsItself:
    def __init__(self, told: Path) -> None:
        self.told = told

    def __call__(self) -> MeanColour:
        return _KillsItself(self.told)


def test_a_worker_that_is_killed_is_replaced(cluster: Any, tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 30)
    done = _built_with(_OpenKillsItself(tmp_path / "told"), source, tmp_path, cluster.address)
    assert (tmp_path / "killed").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    assert done.summary.shards[0].digest == built(source, alone).summary.shards[0].digest


def test_a_node_that_is_killed_is_done_without(cluster: Any, tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 60)
    node = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
    killer = threading.Timer(2.0, cluster.remove_node, args=(node, False))
    killer.start()
    try:
        done = built(source, tmp_path, RayEngine(cluster.address), chunk_pictures=2)
    finally:
        killer.join()
    assert done.summary.shards[0].items == 60


def test_what_ray_prints_is_no_part_of_the_answer(
    cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as that a node was lost, which a thread of its prints at any time."""
    with RayEngine(cluster.address):
        print("Raylet is terminated")
    print("{}")
    told = capsys.readouterr()
    assert told.out == "{}\n"
    assert "Raylet is terminated" in told.err


def test_a_network_that_breaks_its_promise_ends_the_build_in_one_line(
    cluster: Any, tmp_path: Path
) -> None:
    source = made_shop(tmp_path / "shop", 5)
    with pytest.raises(EdgesegError, match="the network gives no vector") as caught:
        _built_with(_Breaks, source, tmp_path, cluster.address)
    assert "\n" not in str(caught.value)


def test_no_cluster_is_told_in_one_line(tmp_path: Path) -> None:
    source = made_shop(tmp_path / "shop", 2)
    with pytest.raises(EdgesegError, match=r"no Ray cluster at 127\.0\.0\.1:9") as caught:
        built(source, tmp_path, RayEngine("127.0.0.1:9"))
    assert "\n" not in str(caught.value)


def test_without_an_address_a_cluster_of_its_own_is_started_and_ended(
    cluster: Any, tmp_path: Path
) -> None:
    """Also where another one runs on this machine."""
    import ray

    source = made_shop(tmp_path / "shop", 10)
    done = built(source, tmp_path, RayEngine(workers=1))
    assert done.summary.shards[0].items == 10
    assert not ray.is_initialized()
