"""Workers and the GPUs of a cluster: what Ray is told of, for it need not be there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.errors import ModelContractError
from edgeseg.scale.building import build
from edgeseg.scale.engine.ray import RayEngine
from edgeseg.scale.plan import Description, Plan
from tests.edgeseg.scale.clusters import cluster_of
from tests.edgeseg.scale.made import EMBEDDER_DIGEST, MeanColour, built, made_shop

pytest.importorskip("ray", reason="the scale extra is not installed")
pytest.importorskip("pyarrow", reason="the scale extra is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A node with a GPU and two processors, and one with two processors alone."""
    with cluster_of({"num_cpus": 2, "num_gpus": 1}, {"num_cpus": 2, "num_gpus": 0}) as made:
        yield made


class TellsItsGpus(MeanColour):
    """Writes down which GPUs it may use, with the process."""

    def describe(self, picture: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        assert self.told is not None
        with self.told.open("a") as file:
            file.write(f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}\n")
        return MeanColour().describe(picture, name)


class Refuses(MeanColour):
    """What cannot be opened."""

    def __init__(self) -> None:
        raise ModelContractError("the bundle was made of another checkpoint")


def _built(folder: Path, source: Path, engine: RayEngine, describer: Any) -> Any:
    description = Description("ab" * 32, EMBEDDER_DIGEST, 3, describer)
    plan = Plan(str(source), folder / "shop.catalogue", folder / "cache", chunk_pictures=2)
    return build(plan, description, engine)


@pytest.mark.parametrize(("by_gpu", "gpus"), [(True, {"0"}), (False, {""})])
def test_a_worker_takes_a_gpu_where_it_wants_one(
    by_gpu: bool, gpus: set[str], cluster: Any, tmp_path: Path
) -> None:
    source = made_shop(tmp_path / "shop", 24)
    told = tmp_path / "told"
    engine = RayEngine(cluster.address, by_gpu=by_gpu)
    done = _built(tmp_path, source, engine, partial(TellsItsGpus, told))
    lines = [line.split(" ") for line in told.read_text().splitlines()]
    assert {seen for _, seen in lines} == gpus
    if by_gpu:
        assert len({process for process, _ in lines}) == 1
    alone = tmp_path / "alone"
    alone.mkdir()
    assert done.summary.shards[0].digest == built(source, alone).summary.shards[0].digest


def test_a_describer_that_cannot_be_opened_ends_the_build_in_its_own_line(
    cluster: Any, tmp_path: Path
) -> None:
    source = made_shop(tmp_path / "shop", 6)
    engine = RayEngine(cluster.address)
    with pytest.raises(ModelContractError, match=r"^the bundle was made of another checkpoint$"):
        _built(tmp_path, source, engine, Refuses)
