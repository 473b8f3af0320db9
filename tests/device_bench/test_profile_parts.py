"""Models are taken apart rightly: what the parts give, what they are called, what they cost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device_bench.errors import BenchError
from device_bench.profile import measure
from device_bench.profile.blocks import blocks_of
from device_bench.profile.cut import Cutter
from device_bench.profile.graph import Graph
from device_bench.profile.measure import Measurement
from edgeseg import runtime
from edgeseg.errors import ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.presets import preset_path
from tests.device_bench import profile_models as models
from tests.edgeseg import handmade


def _graph(model: bytes) -> Graph:
    return Graph(model, runtime.load_model(model)[0])


def _cut(model: bytes, chosen: list[int]) -> bytes:
    part = _graph(model).part(chosen)
    out = bytearray(model)
    for place, data in Cutter(model).part(part.operators, part.inputs, part.outputs):
        out += bytes(max(0, place + len(data) - len(out)))
        out[place : place + len(data)] = data
    return bytes(out)


def _whole(model: bytes) -> dict[int, np.ndarray]:
    """Every tensor of the model that an operator makes, by the runtime's own kernels."""
    import importlib

    module = importlib.import_module(
        f"{runtime.runtime_name().split()[0].replace('-', '_')}.interpreter"
    )
    native = module.Interpreter(model_content=model, experimental_preserve_all_tensors=True)
    native.allocate_tensors()
    random = np.random.default_rng(3)
    for details in native.get_input_details():
        native.set_tensor(details["index"], _drawn(details, random))
    native.invoke()
    graph = _graph(model)
    wanted = {*graph.inputs, *(t for node in graph.nodes for t in node.outputs)}
    return {tensor: native.get_tensor(tensor) for tensor in wanted}


def _drawn(details: dict, random: np.random.Generator) -> np.ndarray:
    values = random.uniform(0, 1 if details["dtype"] == np.float32 else 100, details["shape"])
    return values.astype(details["dtype"])


@pytest.mark.parametrize(
    "make",
    [
        models.skipping,
        models.half_weights,
        handmade.colour_embedder,
        handmade.two_output_model,
        lambda: handmade.red_segmenter(dtype="INT8"),
        lambda: handmade.red_segmenter(dtype="UINT8"),
    ],
    ids=["skipping", "half", "embedder", "two", "int8", "uint8"],
)
def test_each_part_gives_the_tensors_of_the_whole(make) -> None:
    model = make()
    whole = _whole(model)
    nodes = _graph(model).nodes
    runs = [[node.index] for node in nodes if not node.constant]
    runs += [[n.index for n in nodes[start:] if not n.constant] for start in range(len(nodes))]
    for run in runs:
        part = _graph(model).part(run)
        native, _ = runtime.load_model(cut := _cut(model, run))
        assert len(cut) >= len(model)
        assert {d["index"] for d in native.get_input_details()} == set(part.inputs)
        assert [d["index"] for d in native.get_output_details()] == list(part.outputs)
        for tensor in part.inputs:
            native.set_tensor(tensor, whole[tensor])
        native.invoke()
        for tensor in part.outputs:
            made = native.get_tensor(tensor).astype(np.float64)
            # XNNPACK adds a convolution's products in an order of its own, and an integer
            # that lies on the edge between two may fall to either side.
            step = 1.0 if whole[tensor].dtype in (np.int8, np.uint8) else 1e-5
            assert np.abs(made - whole[tensor]).max() <= step, (run, tensor)


def test_parts_that_give_something_else_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starve(self: measure._Running) -> None:
        for tensor, source in self._sources:
            self._native.set_tensor(tensor, source() * 0)

    monkeypatch.setattr(measure._Running, "_feed", starve)
    with pytest.raises(BenchError, match="do not give what it gives as a whole"):
        Measurement(models.skipping(), 1, tmp_path)


@pytest.mark.parametrize("network", ["segmenter_model", "embedder_model"])
def test_the_built_in_networks_come_apart(network: str, tmp_path: Path) -> None:
    """Every operator of a preset runs alone, and the last gives what the whole gives."""
    model = getattr(Bundle.open(preset_path()), network)
    measurement = Measurement(model, 1, tmp_path)
    told = measurement.round()
    assert len(told["operators"]) == len(measurement.graph.nodes)
    assert len(told["blocks"]) == len(measurement.blocks)
    assert min(told["operators"] + told["blocks"] + told["whole"] + told["empty"]) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["part.tflite"]


def test_a_tiramisus_blocks_are_named_by_its_layers() -> None:
    model = Bundle.open(preset_path()).segmenter_model
    names = [block.name for block in blocks_of(_graph(model).nodes)]
    ways = [
        f"{way}{level}" for way, levels in (("down", "0123"), ("up", "3210")) for level in levels
    ]
    middle = [*ways[:4], "bottleneck", *ways[4:]]
    assert names == ["input", "stem", *middle, "head", "output"]


def test_blocks_come_from_names_and_else_from_sizes() -> None:
    named = blocks_of(_graph(models.skipping()).nodes)
    assert [(block.name, block.operators) for block in named] == [
        ("down0", (0, 2)),
        ("side", (1,)),
        ("up0", (3, 4, 5)),
    ]
    assert named[0].runs() == [(0,), (2,)]
    nameless = blocks_of(_graph(handmade.red_segmenter(dtype="INT8")).nodes)
    assert [block.name for block in nameless] == ["operators 0 to 3 (32x32)"]
    embedder = blocks_of(_graph(handmade.colour_embedder()).nodes)
    assert [block.name for block in embedder] == [
        "operator 0 (32x32)",
        "operators 1 to 2 (no picture)",
    ]


def test_multiply_accumulates_are_counted_by_the_shapes() -> None:
    few, many = _graph(models.quarter_and_whole(32)).nodes
    assert few.macs == 32 * 32 * 16 * 3 * 3 * 64
    assert many.macs == 4 * few.macs
    assert [node.macs for node in _graph(handmade.colour_embedder(32)).nodes] == [
        32 * 32 * 4 * 3,
        None,
        None,
    ]


def test_what_depends_on_constants_alone_goes_with_its_user() -> None:
    graph = _graph(models.half_weights())
    assert [node.constant for node in graph.nodes] == [True, False]
    assert graph.part([1]).operators == (0, 1)
    assert graph.part([1]).inputs == tuple(graph.inputs)


def test_control_flow_is_told() -> None:
    with pytest.raises(ModelContractError, match="2 graphs"):
        Cutter(models.two_graphs())


@pytest.mark.parametrize("length", [8, 12, 24, 40])
def test_a_file_that_ends_early_is_told(length: int) -> None:
    with pytest.raises(ModelContractError, match="damaged"):
        Cutter(models.skipping()[:length])
