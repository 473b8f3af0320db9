"""Float networks that describe catalogue pictures: as near to the bundle's own as is promised."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("keras", reason="needs the train extra")

import keras

from edgeseg.cli import main
from edgeseg.colour_descriptor import ColourDescriptor
from edgeseg.description import description_digest, open_describer
from edgeseg.errors import EdgesegError, ModelContractError
from edgeseg.formats.bundle import SEGMENTER_SECTION, Bundle, write_bundle
from edgeseg.imaging import encode_png
from edgeseg.presets import PRESETS, checkpoint_path, open_bundle, preset_of, preset_path
from edgeseg.training.checkpoint import load_checkpoint
from edgeseg.training.describing import (
    check_alike,
    describe_by_keras,
    import_keras,
    open_keras_describer,
)
from edgeseg.training.keras_describer import KerasDescriber
from edgeseg.training.originals import Originals, originals_of
from edgeseg.training.tolerance import LEAST_COSINE, LEAST_MEDIAN_COSINE
from examples.drawing.cloth import studio_picture
from examples.drawing.items import draw_item
from examples.drawing.snapshot import snapshot

PRESET = "nano"
SEGMENTER, EMBEDDER = checkpoint_path(PRESET), checkpoint_path("embedder")
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(PRESET)


@pytest.fixture(scope="module")
def originals(bundle: Bundle) -> Originals:
    return originals_of(bundle, SEGMENTER, EMBEDDER)


@pytest.fixture(scope="module")
def describer(bundle: Bundle, originals: Originals) -> KerasDescriber:
    return KerasDescriber(originals, bundle.colour, keras, batch_pictures=4)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Garments on white and on floors, and one picture without any."""
    on_white = [studio_picture(draw_item(seed)) for seed in range(5)]
    rng = np.random.default_rng(3)
    on_floors = [snapshot(draw_item(seed), rng, (240, 300))[0] for seed in range(5, 9)]
    return [*on_white, *on_floors, np.full((50, 70, 3), 255, np.uint8)]


def names(pictures: list[Picture]) -> list[str]:
    return [str(number) for number in range(len(pictures))]


def test_vectors_are_near_to_the_bundles_own(
    bundle: Bundle, describer: KerasDescriber, pictures: list[Picture]
) -> None:
    own = open_describer(bundle)
    expected = np.stack(
        [own.describe(*each) for each in zip(pictures, names(pictures), strict=True)]
    )
    found = describer.describe_all(pictures, names(pictures))
    assert found.dtype == np.float32
    assert found.shape == (len(pictures), own.dim) == (len(pictures), describer.dim)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-6)
    cosines = np.einsum("nd,nd->n", found, expected)
    assert cosines.min() >= LEAST_COSINE
    assert np.median(cosines) >= LEAST_MEDIAN_COSINE
    # What another picture has is no measure of nearness.
    assert np.median(expected @ expected.T) < LEAST_COSINE


def test_a_vector_does_not_depend_on_who_is_beside_it(
    describer: KerasDescriber, pictures: list[Picture]
) -> None:
    together = describer.describe_all(pictures, names(pictures))
    order = np.random.default_rng(1).permutation(len(pictures))
    shuffled = describer.describe_all([pictures[row] for row in order], names(pictures))
    alone = np.stack([describer.describe(picture, "alone") for picture in pictures])
    assert (shuffled == together[order]).all()
    assert (alone == together).all()


def test_threads_change_nothing(
    bundle: Bundle, originals: Originals, describer: KerasDescriber, pictures: list[Picture]
) -> None:
    several = KerasDescriber(originals, bundle.colour, keras, batch_pictures=4, threads=3)
    expected = describer.describe_all(pictures, names(pictures))
    assert (several.describe_all(pictures, names(pictures)) == expected).all()


def test_it_is_a_description_of_its_own_in_the_bundles_space(
    bundle: Bundle, originals: Originals, tmp_path: Path
) -> None:
    description = describe_by_keras(bundle, originals, tmp_path)
    assert description.embedder_digest == bundle.embedder_digest
    assert description.digest != description_digest(bundle)
    assert describe_by_keras(bundle, originals, tmp_path).digest == description.digest
    changed = _changed(originals, "embedder", 1.0001)
    assert describe_by_keras(bundle, changed, tmp_path).digest != description.digest


def test_a_bundle_was_made_of_what_answers_alike(bundle: Bundle, originals: Originals) -> None:
    assert open_keras_describer(bundle, originals).dim == 128
    for kind in ("segmenter", "embedder"):
        with pytest.raises(ModelContractError, match=f"the bundle's {kind} was not made of"):
            open_keras_describer(bundle, _changed(originals, kind, 1.2))


def _changed(originals: Originals, kind: str, factor: float) -> Originals:
    """With each weight of one of them changed a little, each otherwise."""
    rng = np.random.default_rng(0)
    checkpoint = getattr(originals, kind)
    weights = {
        name: (value * rng.uniform(1 / factor, factor, value.shape)).astype(np.float32)
        for name, value in checkpoint.weights.items()
    }
    return replace(originals, **{kind: replace(checkpoint, weights=weights)})


def test_a_describer_whose_networks_give_nothing_is_refused(
    bundle: Bundle, describer: KerasDescriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describer, "confidences", lambda _: np.full((2, 224, 224), np.nan))
    with pytest.raises(ModelContractError, match="differs by nan"):
        check_alike(describer, bundle)


def test_other_checkpoints_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    for segmenter, embedder, told in (
        (EMBEDDER, EMBEDDER, "the segmenter's checkpoint is wanted"),
        (SEGMENTER, SEGMENTER, "the embedder's checkpoint is wanted"),
        (checkpoint_path("base"), EMBEDDER, "1178225 weights, not 758649"),
        (tmp_path / "none", EMBEDDER, "none"),
    ):
        with pytest.raises(EdgesegError, match=told):
            originals_of(bundle, segmenter, embedder)
    checkpoint = load_checkpoint(EMBEDDER)
    colour = checkpoint.colour
    assert colour is not None
    changes: list[tuple[dict[str, Any], str]] = [
        ({"preprocessing": replace(checkpoint.preprocessing, offset=0.5)}, "its preprocessing"),
        ({"colour": None}, "describes colours otherwise"),
        ({"colour": replace(colour, share=0.25)}, "describes colours otherwise"),
        ({"colour": ColourDescriptor(-colour.projection, colour.share)}, "colours otherwise"),
    ]
    for change, told in changes:
        replace(checkpoint, **change).save(tmp_path / "changed.safetensors")
        with pytest.raises(ModelContractError, match=told):
            originals_of(bundle, SEGMENTER, tmp_path / "changed.safetensors")


def test_another_backend_than_the_one_that_runs_is_refused() -> None:
    with pytest.raises(EdgesegError, match="and another is wanted"):
        import_keras("another", 1)


@pytest.fixture
def shop(tmp_path: Path, pictures: list[Picture]) -> Path:
    with (tmp_path / "items.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["sku", "image"])
        for number, picture in enumerate(pictures):
            (tmp_path / f"{number}.png").write_bytes(encode_png(picture))
            table.writerow([f"S{number}", f"{number}.png"])
    return tmp_path / "items.csv"


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_cache_holds_both_and_mixes_neither(
    shop: Path, tmp_path: Path, pictures: list[Picture], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow", reason="the scale extra is not installed")
    cache, output = tmp_path / "cache", tmp_path / "shop.catalogue"
    command = ("index", "build", shop, "--cache", cache, "--bundle", PRESET, "-o", output, "--json")
    described, digests = [], []
    for forward in ("litert", "keras", "litert", "keras"):
        code, out, err = run_cli(capsys, *command, "--forward", forward)
        assert code == 0, err
        document = json.loads(out)
        described.append(document["described"])
        digests.append(document["catalogues"][0]["digest"])
    assert described == [len(pictures), len(pictures), 0, 0]
    assert digests[0] == digests[2] != digests[1] == digests[3]
    # A scanner with the bundle searches what Keras described.
    picture = tmp_path / "2.png"
    code, out, err = run_cli(
        capsys, "match", picture, "--catalogue", output, "--bundle", PRESET, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["photos"][0]["matches"][0]["sku"] == "S2"


def test_shuffled_items_give_the_same_catalogue(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow", reason="the scale extra is not installed")
    head, *lines = shop.read_text().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([head, *reversed(lines)]) + "\n")
    digests = []
    for source in (shop, shuffled):
        code, out, err = run_cli(
            capsys, "index", "build", source, "--cache", tmp_path / source.stem,
            "-o", tmp_path / f"{source.stem}.catalogue", "--bundle", PRESET,
            "--forward", "keras", "--json",
        )  # fmt: skip
        assert code == 0, err
        digests.append(json.loads(out)["catalogues"][0]["digest"])
    assert digests[0] == digests[1]


@pytest.fixture
def no_embedder(bundle: Bundle, tmp_path: Path) -> Path:
    path = tmp_path / "no-embedder.bundle"
    models = {SEGMENTER_SECTION: bundle.segmenter_model}
    write_bundle(path, replace(bundle.manifest, embedder=None), models)
    return path


def test_what_is_wrong_is_told_in_one_line(
    shop: Path, tmp_path: Path, no_embedder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("index", "build", shop, "-o", tmp_path / "shop.catalogue")
    by_keras = (*command, "--cache", tmp_path / "cache", "--forward", "keras")
    own = ("--segmenter-checkpoint", SEGMENTER, "--embedder-checkpoint", EMBEDDER)
    for arguments, expected, told in (
        ((*command, "--forward", "keras"), 2, "need a --cache folder"),
        ((*command, *own), 2, "checkpoints are for --forward keras"),
        ((*by_keras, "--bundle", no_embedder), 2, "the checkpoints that it was made of"),
        ((*by_keras, "--bundle", no_embedder, *own), 1, "the bundle has no embedder"),
        ((*by_keras, "--bundle", "base", *own[:2]), 1, "758649 weights, not 1178225"),
        ((*by_keras, "--embedder-checkpoint", shop), 1, "not a checkpoint of edgeseg"),
    ):
        code, _, err = run_cli(capsys, *arguments)
        assert code == expected, err
        assert told in err
        assert len(err.strip().splitlines()) == 1, err


@pytest.mark.parametrize("missing", ["keras", "safetensors"])
def test_a_missing_extra_is_told_in_one_line(missing: str, shop: Path, tmp_path: Path) -> None:
    command = [
        "index", "build", str(shop), "-o", str(tmp_path / "shop.catalogue"), "--bundle", PRESET,
        "--cache", str(tmp_path / "cache"), "--forward", "keras",
    ]  # fmt: skip
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from edgeseg.cli import main; sys.exit(main({command!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1, done.stderr
    assert f"{missing} is not installed" in done.stderr
    assert "pip install 'edgeseg[train]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_preset_is_known_by_name_and_by_path(tmp_path: Path) -> None:
    assert preset_of(None) == "small"
    for name in PRESETS:
        assert preset_of(name) == preset_of(preset_path(name)) == name
    copy = tmp_path / "nano.bundle"
    assert preset_of(copy) is None
