"""A segmenter of several classes becomes a bundle, as one of garments does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import auto
from converters.evaluation.class_parity import ClassReference
from converters.photographs import Photograph, read_photographs
from converters.pipeline import convert
from converters.recipe import Pruning, Recipe
from converters.recipes import load_recipe
from converters.sources import Sources
from converters.tflite.conversion import to_tflite
from edgeseg.categories import CategorySegmenter
from edgeseg.errors import EdgesegError, ModelContractError, ParityError
from edgeseg.evaluation.classes import VOID, evaluate_classes, pairs_of_classes
from edgeseg.formats.bundle import Bundle
from edgeseg.imaging import encode_png
from edgeseg.training.checkpoint import Checkpoint, get_weights
from edgeseg.training.networks.tiramisu import TIRAMISUS, Tiramisu
from tests.converters.conftest import STRETCH, build

CLASSES = ("sky", "road", "car")
NETWORK = replace(TIRAMISUS["test_tiny"], classes=len(CLASSES))
# In the paper's order, with what the device family leaves out.
PAPER_STYLE = Tiramisu(
    down=(1, 1), bottleneck=1, growth_rate=4, stem_filters=8, classes=3, weight_decay=1e-4
)
OPEN = {"iou_drop": 1.0, "iou_agreement": 0.0, "embedding_cosine": 0.0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("classes") / "segmenter.safetensors"
    weights = get_weights(build(NETWORK))
    Checkpoint("segmenter", NETWORK, STRETCH, weights, classes=CLASSES).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    """Noise, labelled by where it is, with some void: laid out as CamVid is."""
    root: Path = tmp_path_factory.mktemp("camvid")
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 4)):
        for kind in (split, f"{split}annot"):
            (root / kind).mkdir()
        for index in range(count):
            coarse = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            photo = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
            ids = np.repeat(np.arange(40, dtype=np.uint8)[:, None] // 14, 48, axis=1)
            ids[:, :2] = len(CLASSES)
            (root / split / f"{index}.png").write_bytes(encode_png(photo))
            (root / f"{split}annot" / f"{index}.png").write_bytes(encode_png(ids))
    return root


@pytest.fixture(scope="module")
def paper_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("paper") / "segmenter.safetensors"
    weights = get_weights(build(PAPER_STYLE))
    Checkpoint("segmenter", PAPER_STYLE, STRETCH, weights, classes=CLASSES).save(path)
    return path


def recipe_of(name: str, **changes: Any) -> Recipe:
    recipe = load_recipe(name)
    floor = replace(recipe.floor, **OPEN)
    return replace(recipe, **{"calibration_pictures": 6, "floor": floor, **changes})


@pytest.mark.parametrize("name", ["float32", "dynamic_wi8", "static_wi8_ai8"])
def test_a_bundle_of_classes(name: str, checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.bundle"
    report = convert(
        checkpoint,
        None,
        recipe_of(name),
        output,
        Sources(representative=(folder,), parity=(folder,)),
    )
    bundle = Bundle.open(output)
    assert bundle.manifest.segmenter.outputs == "category_scores"
    assert bundle.manifest.segmenter.classes == CLASSES
    parity = report.networks["segmenter"].parity
    assert (parity["pictures"], parity["labelled"]) == (4, 4)
    assert list(parity["folders"]) == [folder.name]
    # What the gate compared is what the runtime gives.
    segmenter = CategorySegmenter(bundle)
    found = evaluate_classes(
        pairs_of_classes(folder, "val").pairs,
        lambda photos: [segmenter.segment(photo) for photo in photos],
        CLASSES,
    )
    assert parity["iou_converted"] == pytest.approx(found.mean_iou, abs=1e-9)
    assert parity["iou_agreement"] == pytest.approx(1.0, abs=0.0 if name == "float32" else 0.25)
    assert parity["mask_error_mean"] < 0.02


def test_the_papers_order_of_layers_converts_too(
    paper_style: Path, folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.bundle"
    sources = Sources(representative=(folder,), parity=(folder,))
    report = convert(paper_style, None, recipe_of("static_wi8_ai8"), output, sources)
    assert report.networks["segmenter"].parity["mask_error_mean"] < 0.03
    assert CategorySegmenter(output).classes == CLASSES


def test_photographs_of_classes_are_read_once_and_without_their_masks(folder: Path) -> None:
    for split, count in (("train", 6), ("val", 4)):
        garments = read_photographs([folder], split, 100, 0)  # type: ignore[arg-type]
        assert len(garments) == count
        assert not any(photograph.labelled for photograph in garments)
        classes = read_photographs([folder], split, 100, 0, 3)  # type: ignore[arg-type]
        assert all(photograph.labelled and photograph.mask is None for photograph in classes)
        assert {int(i) for p in classes if p.ids is not None for i in np.unique(p.ids)} == {
            0, 1, 2, VOID,
        }  # fmt: skip


def test_the_gate_refuses_another_network(checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    """The float network against itself with two classes exchanged."""
    model = build(NETWORK)
    float_model = to_tflite(model, "none")
    pictures = read_photographs([folder], "val", 100, 0, 3)
    unlabelled = [Photograph(p.name, p.image) for p in pictures]
    same = ClassReference(float_model, unlabelled, STRETCH, "noise", CLASSES).compare(float_model)
    assert same.iou_agreement == 1.0
    assert same.iou_drop is None
    assert same.failure(load_recipe("float32").floor) is None
    head = model.get_layer("head_conv")
    kernel, bias = head.get_weights()
    head.set_weights([kernel[..., [1, 0, 2]], bias[[1, 0, 2]]])
    other = ClassReference(float_model, unlabelled, STRETCH, "noise", CLASSES).compare(
        to_tflite(model, "none")
    )
    assert other.iou_agreement < 0.5
    assert "agreement" in str(other.failure(load_recipe("float32").floor))
    strict = replace(load_recipe("dynamic_wi8").floor, iou_drop=-1.0)
    output = tmp_path / "out.bundle"
    with pytest.raises(ParityError, match="IoU drops"):
        convert(
            checkpoint,
            None,
            recipe_of("float32", floor=strict),
            output,
            Sources(parity=(folder,)),
        )
    assert not output.exists()


def test_what_is_for_garments_only(
    checkpoint: Path, embedder_path: Path, folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.bundle"
    sources = Sources(representative=(folder,), parity=(folder,))
    with pytest.raises(ModelContractError, match="leave out --embedder"):
        convert(checkpoint, embedder_path, recipe_of("float32"), output, sources)
    for recipe in (
        recipe_of("qat_wi8_ai8"),
        recipe_of("float32", pruning=Pruning(0.5)),
    ):
        with pytest.raises(ModelContractError, match="learn from masks of garments"):
            convert(checkpoint, None, recipe, output, sources)
    assert not output.exists()


def test_recipe_auto_passes_by_what_does_not_apply(
    checkpoint: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The peers have tests of their own, and know of no classes.
    monkeypatch.setattr(auto, "_peers", lambda _conversion: [])
    output = tmp_path / "out.bundle"
    rungs = [recipe_of("qat_wi8_ai8"), recipe_of("float32")]
    report = convert(checkpoint, None, rungs, output, Sources(parity=(folder,)))
    verdicts = {trial.name: trial.verdict for trial in report.trials}
    assert verdicts["qat_wi8_ai8"].startswith("does not apply: pruning and simulated")
    assert verdicts["float32"] == "taken"
    assert Bundle.open(output).manifest.segmenter.recipe == "float32"
    with pytest.raises(EdgesegError, match="holds the networks against labels"):
        convert(checkpoint, None, rungs, output, Sources(representative=(folder,)))
