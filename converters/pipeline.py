"""The pipeline: checkpoint, pruning, quantization, TFLite, parity gate, bundle.

Everything stays in memory until the gate has passed; then the bundle is written in one rename. A
conversion that is killed leaves nothing to clean up, and a rerun starts from the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from converters import package, parity
from converters.crops import Cropper
from converters.fine_tune import TuningData, fine_tune, self_taught
from converters.latency import measure_latency
from converters.layers import LayerError, layer_errors
from converters.package import Converted
from converters.photographs import Photograph, read_photographs
from converters.prune import prune
from converters.quantize import quantize_aware
from converters.recipe import Quantization, Recipe
from converters.report import NetworkReport, Report, Size, tool_versions
from converters.representative import (
    RepresentativeSet,
    calibration_input,
    network_input,
    representative_set,
)
from converters.tflite import anatomy, to_tflite
from edgeseg.errors import ModelContractError
from edgeseg.preprocessing import Preprocessing
from edgeseg.training.checkpoint import Checkpoint, load_checkpoint
from edgeseg.training.dataset import load_dataset

# Enough for a mean IoU that is steady to a thousandth, and a minute of float32 on a slow machine.
MAX_PARITY_PICTURES = 400
_LAYER_CHECK_PICTURES = 4
# Longer sides are shrunk to this many times the network's input before they are varied.
_TUNING_OVERSIZE = 2

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Sources:
    """The photographs that a conversion may use; every one of them is optional.

    Attributes:
        representative: folders to calibrate on.
        parity: folders to compare on; without any, the representative photographs are used.
        tuning: labelled folders for pruning and simulated quantization; without any, the float
            network labels the representative pictures.
    """

    representative: tuple[Path, ...] = ()
    parity: tuple[Path, ...] = ()
    tuning: tuple[Path, ...] = ()


def convert(
    checkpoint: Path,
    embedder_checkpoint: Path | None,
    recipe: Recipe,
    output: Path,
    sources: Sources | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Converts a segmenter, and an embedder where there is one, into a bundle.

    Args:
        checkpoint: a segmenter's.
        embedder_checkpoint: an embedder's, or None.
        recipe: the compression settings.
        output: the bundle to write or replace.
        sources: photographs.
        on_progress: called with (step, done, total).

    Returns:
        The report, which is in the bundle too.

    Raises:
        ParityError: a converted network is below the recipe's floor. Nothing was written.
        ModelContractError: a checkpoint is of the wrong kind, or does not fit the recipe.
        DatasetError: a folder of photographs cannot be used.
        EdgesegError: a file cannot be read or written.
    """
    sources = sources or Sources()
    tell: OnProgress = on_progress or (lambda _step, _done, _total: None)
    package.check_writable(output)
    segmenter_checkpoint = _load(checkpoint, "segmenter")
    embedding_checkpoint = (
        None if embedder_checkpoint is None else _load(embedder_checkpoint, "embedder")
    )
    tf_keras.utils.set_random_seed(recipe.seed)
    tell("reading photographs", 0, 1)
    representative = representative_set(
        sources.representative, recipe.calibration_pictures, recipe.seed
    )
    compared, compared_source = _parity_photographs(sources, representative, recipe.seed)

    segmenter, segmenter_report, tuning, float_model = _convert_segmenter(
        segmenter_checkpoint, recipe, representative, compared, compared_source, sources, tell
    )
    networks = {"segmenter": segmenter_report}
    embedder = None
    if embedding_checkpoint is not None:
        cropper = Cropper(float_model, segmenter_checkpoint.preprocessing)
        embedder, networks["embedder"] = _convert_embedder(
            embedding_checkpoint,
            recipe,
            [cropper.crop(p) for p in representative.photographs],
            [cropper.crop(p) for p in compared],
            compared_source,
            tell,
        )
    report = Report(recipe.to_dict(), representative.source, tuning, networks, tool_versions())
    tell("packing", 0, 1)
    package.write(output, recipe.name, segmenter, embedder, report)
    return report


def _convert_segmenter(
    checkpoint: Checkpoint,
    recipe: Recipe,
    representative: RepresentativeSet,
    compared: Sequence[Photograph],
    compared_source: str,
    sources: Sources,
    tell: OnProgress,
) -> tuple[Converted, NetworkReport, str | None, bytes]:
    """The segmenter, its report, the tuning data in words, and the float TFLite model."""
    preprocessing = checkpoint.preprocessing
    tell("converting the float segmenter", 0, 1)
    model = checkpoint.build(tf_keras, sigmoid=True)
    parameters, layers = int(model.count_params()), [layer.name for layer in model.layers]
    float_model = to_tflite(model, "none")
    calibration = calibration_input(
        network_input(representative.photographs, preprocessing), preprocessing
    )
    tuning = None
    if recipe.pruning is not None or recipe.quantization == "aware":
        tuning = _tuning_data(model, representative, preprocessing, sources)
    if recipe.pruning is not None and tuning is not None:
        model = prune(
            model, recipe.pruning, tuning, preprocessing, recipe.seed, _steps(tell, "pruning")
        )
    if recipe.quantization == "aware" and tuning is not None:
        model = quantize_aware(model, preprocessing, calibration)
        fine_tune(
            model,
            tuning,
            preprocessing,
            recipe.fine_tuning,
            recipe.seed,
            on_progress=_steps(tell, "training with int8 simulated"),
        )
    tell("converting the segmenter", 0, 1)
    converted_model = to_tflite(model, recipe.quantization, calibration)
    tell("comparing the segmenters", 0, 1)
    found = parity.compare_masks(
        float_model, converted_model, compared, preprocessing, compared_source
    )
    inputs = [
        preprocessing.normalized(preprocessing.resized(p.image))[None]
        for p in compared[:_LAYER_CHECK_PICTURES]
    ]
    found = replace(found, worst_layer=_worst(float_model, converted_model, layers, inputs))
    parity.check("segmenter", found, recipe.floor)
    report = _network_report(
        recipe.quantization, parameters, float_model, converted_model, preprocessing, found
    )
    converted = Converted(converted_model, preprocessing, parameters, checkpoint.model_version)
    return converted, report, None if tuning is None else tuning.source, float_model


def _convert_embedder(
    checkpoint: Checkpoint,
    recipe: Recipe,
    representative: Sequence[NDArray[np.uint8]],
    compared: Sequence[NDArray[np.uint8]],
    compared_source: str,
    tell: OnProgress,
) -> tuple[Converted, NetworkReport]:
    """The embedder and its report, from crops on white; it is neither pruned nor fine-tuned.

    Its masks would be no target, and each new embedding space makes every catalogue anew: with
    ``qat_wi8_ai8`` it is quantized as with ``static_wi8_ai8``.
    """
    preprocessing = checkpoint.preprocessing
    quantization: Quantization = "static" if recipe.full_int8 else recipe.quantization
    tell("converting the embedder", 0, 1)
    # Divided by its length an embedding's values are small and of unequal range: int8 keeps more of
    # the projection before that, and the runtime normalizes in any case.
    model = checkpoint.build(tf_keras, normalize=not recipe.full_int8)
    reference = checkpoint.build(tf_keras, normalize=True)
    layers = [layer.name for layer in model.layers]
    float_model = to_tflite(reference, "none")
    calibration = calibration_input(
        np.stack([preprocessing.resized(picture) for picture in representative]), preprocessing
    )
    converted_model = to_tflite(model, quantization, calibration)
    tell("comparing the embedders", 0, 1)
    pictures = np.stack([preprocessing.resized(picture) for picture in compared])
    found = parity.compare_embeddings(
        float_model, converted_model, pictures, preprocessing, f"crops of {compared_source}"
    )
    # The last layer's length differs by design; the layers before it are compared.
    inputs = [preprocessing.normalized(p)[None] for p in pictures[:_LAYER_CHECK_PICTURES]]
    worst = _worst(float_model, converted_model, [n for n in layers if n != "embedding"], inputs)
    found = replace(found, worst_layer=worst)
    parity.check("embedder", found, recipe.floor)
    parameters = int(model.count_params())
    report = _network_report(
        quantization, parameters, float_model, converted_model, preprocessing, found
    )
    dim = int(model.output_shape[-1])
    return (
        Converted(converted_model, preprocessing, parameters, checkpoint.model_version, dim),
        report,
    )


def _network_report(
    quantization: Quantization,
    parameters: int,
    float_model: bytes,
    converted_model: bytes,
    preprocessing: Preprocessing,
    found: parity.MaskParity | parity.EmbeddingParity,
) -> NetworkReport:
    before, after = anatomy(float_model), anatomy(converted_model)
    return NetworkReport(
        quantization=quantization,
        parameters=parameters,
        size_before=Size.of(float_model),
        size_after=Size.of(converted_model),
        sparsity_before=before.sparsity,
        sparsity_after=after.sparsity,
        latency=measure_latency(float_model, converted_model),
        operations=after.operations,
        direct_input=after.takes_bytes(preprocessing),
        parity=found.to_dict(),
    )


def _worst(
    float_model: bytes,
    converted_model: bytes,
    layers: Sequence[str],
    inputs: Sequence[NDArray[np.float32]],
) -> LayerError | None:
    errors = layer_errors(float_model, converted_model, layers, inputs)
    return errors[0] if errors else None


def _tuning_data(
    model: Any, representative: RepresentativeSet, preprocessing: Preprocessing, sources: Sources
) -> TuningData:
    if not sources.tuning:
        return self_taught(model, representative, preprocessing)
    dataset = load_dataset(list(sources.tuning), _TUNING_OVERSIZE * preprocessing.input_px)
    return TuningData(f"{len(dataset.train)} labelled photographs", samples=tuple(dataset.train))


def _parity_photographs(
    sources: Sources, representative: RepresentativeSet, seed: int
) -> tuple[list[Photograph], str]:
    if sources.parity:
        photographs = read_photographs(sources.parity, "val", MAX_PARITY_PICTURES, seed)
        return photographs, f"{len(photographs)} photographs"
    source = f"{representative.source}, the calibration's own"
    if representative.drawn:
        # A drawing's label says nothing of a network that learnt from photographs: agreement only.
        return [replace(p, mask=None) for p in representative.photographs], source
    return list(representative.photographs), source


def _load(path: Path, kind: str) -> Checkpoint:
    checkpoint = load_checkpoint(path)
    if checkpoint.kind != kind:
        raise ModelContractError(
            f"{path}: is the checkpoint of {checkpoint.kind}, and one of {kind} is needed here"
        )
    return checkpoint


def _steps(tell: OnProgress, step: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(step, done, total)
