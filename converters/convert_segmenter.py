"""The segmenter's way into a bundle: pruned once, compressed as often as recipes are tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import tf_keras

from converters.compress import Compressed, compress
from converters.evaluation import parity
from converters.evaluation.class_parity import ClassReference
from converters.evaluation.latency import Latency, measure_latency
from converters.evaluation.layers import layer_errors
from converters.evaluation.parity import MaskParity, MaskReference
from converters.evaluation.size import Size
from converters.fine_tune import TuningData
from converters.package import Converted
from converters.photographs import Photograph
from converters.pruning.magnitude import prune
from converters.pruning.structured import prune_structured
from converters.recipe import Recipe
from converters.report import Bought, NetworkReport, network_report
from converters.representative import RepresentativeSet, calibration_input, network_input
from converters.sources import OnProgress, Sources, tuning_data
from converters.tflite.conversion import to_tflite
from converters.tflite.one_partition import without_nearest_resize
from edgeseg.errors import ModelContractError
from edgeseg.training.checkpoint import Checkpoint, get_weights

_LAYER_CHECK_PICTURES = 8
# Enough for ranges that leave latency and bytes as they are.
_SIZING_PICTURES = 8


@dataclass(frozen=True)
class Attempt:
    """A segmenter after one recipe, and how it compares with the float one."""

    recipe: Recipe
    compressed: Compressed
    latency: Latency
    parity: MaskParity

    @property
    def failure(self) -> str | None:
        """What is below the recipe's floor, in words; None if nothing is."""
        return self.parity.failure(self.recipe.floor)


class SegmenterConversion:
    """One checkpoint and the photographs to judge its compressed forms by.

    Attributes:
        checkpoint: of the network as it is now: pruned, once it is.
        float_model: TFLite bytes of the network as it was trained, the reference of everything.
        model: ``tf_keras``, as it is now.
        own_float: TFLite bytes of ``model``, without quantization.
        reference: the float network's answers.
        bought: what each pruning bought.
        tuning: what was learnt from; None while nothing was.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        representative: RepresentativeSet,
        compared: Sequence[Photograph],
        compared_source: str,
        sources: Sources,
        tell: OnProgress,
    ) -> None:
        self.checkpoint = checkpoint
        self.sources = sources
        self.tell = tell
        self.representative = representative
        self.preprocessing = checkpoint.preprocessing
        self.pictures = network_input(representative.photographs, self.preprocessing)
        tell("converting the float segmenter", 0, 1)
        self.trained = self.model = checkpoint.build(tf_keras, sigmoid=True)
        self.float_model = self.own_float = to_tflite(self.trained, "none")
        tell("running the float segmenter", 0, 1)
        self.compared = compared
        judged = self.float_model, compared, self.preprocessing, compared_source
        self.reference = (
            ClassReference(*judged, checkpoint.classes)
            if checkpoint.classes
            else MaskReference(*judged)
        )
        self.bought: list[Bought] = []
        self.tuning: TuningData | None = None

    def prune(self, recipe: Recipe) -> None:
        """Prunes the network as the recipe says, whole filters before single weights."""
        if recipe.structured is not None:
            before = self.model
            result = prune_structured(
                self.checkpoint,
                recipe.structured,
                self._tuning(),
                recipe.seed,
                self.tell,
            )
            self.checkpoint = result.checkpoint
            self.model = result.checkpoint.build(tf_keras, sigmoid=True)
            self._account("structured", before, recipe, result.text())
        if recipe.pruning is not None:
            before = self.model
            self.model = prune(
                before,
                recipe.pruning,
                self._tuning(),
                self.preprocessing,
                recipe.seed,
                lambda done, total: self.tell("magnitude pruning", done, total),
            )
            run = {**self.checkpoint.run, "magnitude_pruning": asdict(recipe.pruning)}
            self.checkpoint = replace(
                self.checkpoint, weights=get_weights(self.model), evaluation={}, run=run
            )
            share = f"{recipe.pruning.final_sparsity:.0%} of the weights set to zero"
            self._account("magnitude", before, recipe, share)

    def attempt(self, recipe: Recipe) -> Attempt:
        """Compresses the network after a recipe and compares it with the float one.

        Raises:
            ModelContractError: the recipe does not apply to this network.
        """
        self.tell(f"{recipe.name}: converting the segmenter", 0, 1)
        compressed = compress(
            self.model,
            recipe,
            self.preprocessing,
            self.pictures,
            self._tuning,
            lambda done, total: self.tell(
                f"{recipe.name}: training with int8 simulated", done, total
            ),
        )
        # Peers are compared as they are; what may be shipped runs in one piece.
        whole = replace(compressed, model=without_nearest_resize(compressed.model))
        return self.judged(recipe, whole)

    def judged(self, recipe: Recipe, compressed: Compressed) -> Attempt:
        """A compressed network, whoever made it, against the float one."""
        self.tell(f"{recipe.name}: comparing the segmenters", 0, 1)
        latency = measure_latency(self.float_model, compressed.model)
        return Attempt(recipe, compressed, latency, self.reference.compare(compressed.model))

    def report(self, attempt: Attempt) -> NetworkReport:
        """Everything there is to say of an attempt, layer by layer.

        Raises:
            ParityError: it is below its recipe's floor.
        """
        self.tell("comparing layer by layer", 0, 1)
        preprocessing, model = self.preprocessing, attempt.compressed.model
        batches = [
            preprocessing.normalized(preprocessing.resized(photograph.image))[None]
            for photograph in _spread(self.compared, _LAYER_CHECK_PICTURES)
        ]
        # A pruned network has fewer tensors than the float one that everything else is held
        # against, and its own weights: what quantization did to it is told by its own float form.
        errors = layer_errors(
            self.own_float, model, [layer.name for layer in self.model.layers], batches
        )
        found = replace(attempt.parity, worst_layer=errors[0] if errors else None)
        parity.check("segmenter", found, attempt.recipe.floor)
        return network_report(
            attempt.recipe,
            quantization=attempt.recipe.quantization,
            ranges=attempt.compressed.ranges,
            parameters=(int(self.trained.count_params()), int(self.model.count_params())),
            float_model=self.float_model,
            converted_model=model,
            latency=attempt.latency,
            preprocessing=preprocessing,
            parity=found.to_dict(),
            errors=errors,
        )

    def converted(self, attempt: Attempt) -> Converted:
        """An attempt, ready to pack."""
        return Converted(
            attempt.compressed.model,
            self.preprocessing,
            int(self.model.count_params()),
            self.checkpoint.model_version,
            attempt.recipe.name,
            classes=self.checkpoint.classes,
        )

    def _tuning(self) -> TuningData:
        if self.checkpoint.classes:
            raise ModelContractError(
                "pruning and simulated quantization learn from masks of garments, and this "
                "segmenter tells classes apart: use a static, dynamic or float recipe"
            )
        if self.tuning is None:
            self.tell("reading photographs to learn from", 0, 1)
            self.tuning = tuning_data(
                self.sources, self.trained, self.representative, self.preprocessing, self.tell
            )
        return self.tuning

    def _account(self, kind: str, before: Any, recipe: Recipe, removed: str) -> None:
        """What a pruning bought: in the form that is shipped, but for what int8 costs."""
        self.tell(f"measuring what {kind} pruning bought", 0, 1)
        quantization = "static" if recipe.quantization == "aware" else recipe.quantization
        calibration = calibration_input(self.pictures[:_SIZING_PICTURES], self.preprocessing)
        models = [
            to_tflite(model, quantization, calibration, recipe.activations)
            for model in (before, self.model)
        ]
        floats = self.own_float, to_tflite(self.model, "none")
        parities = [self.reference.compare(each) for each in floats]
        self.own_float = floats[1]
        self.bought.append(
            Bought(
                kind=kind,
                removed=removed,
                measured_as=quantization,
                parameters=(int(before.count_params()), int(self.model.count_params())),
                latency=measure_latency(models[0], models[1]),
                size_before=Size.of(models[0]),
                size_after=Size.of(models[1]),
                iou_before=parities[0].iou_converted,
                iou_after=parities[1].iou_converted,
                iou_agreement=parities[1].iou_agreement,
            )
        )


def _spread(photographs: Sequence[Photograph], count: int) -> list[Photograph]:
    """``count`` of them, evenly from the first to the last, and so from every folder."""
    step = max(1, len(photographs) // count)
    return list(photographs[::step][:count])
