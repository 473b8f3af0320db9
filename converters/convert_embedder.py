"""The embedder's way into a bundle, from crops on white; it is neither pruned nor fine-tuned.

Its masks would be no target, and each new embedding space makes every catalogue anew: with
``qat_wi8_ai8`` it is quantized as with ``static_wi8_ai8``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tf_keras
from numpy.typing import NDArray

from converters.evaluation import parity
from converters.evaluation.latency import measure_latency
from converters.evaluation.layers import layer_errors
from converters.package import Converted
from converters.recipe import Quantization, Recipe
from converters.report import NetworkReport, network_report
from converters.representative import calibration_input
from converters.sources import OnProgress
from converters.tflite.conversion import to_tflite
from edgeseg.errors import ParityError
from edgeseg.training.checkpoint import Checkpoint

_LAYER_CHECK_PICTURES = 4


class EmbedderConversion:
    """One checkpoint and the crops to judge its compressed forms by."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        representative: Sequence[NDArray[np.uint8]],
        compared: Sequence[NDArray[np.uint8]],
        compared_source: str,
        tell: OnProgress,
    ) -> None:
        self.checkpoint = checkpoint
        self.tell = tell
        self.source = f"crops of {compared_source}"
        preprocessing = checkpoint.preprocessing
        self.representative = np.stack([preprocessing.resized(each) for each in representative])
        self.compared = np.stack([preprocessing.resized(each) for each in compared])
        tell("converting the float embedder", 0, 1)
        self.float_model = to_tflite(checkpoint.build(tf_keras, normalize=True), "none")

    def convert_by(self, recipes: Sequence[Recipe]) -> tuple[Converted, NetworkReport]:
        """The embedder after the first recipe whose floor it meets.

        Raises:
            ParityError: it meets none; the error is the last one's.
        """
        for recipe in recipes[:-1]:
            try:
                return self.convert(recipe)
            except ParityError:
                self.tell(f"{recipe.name}: the embedder is below the floor", 0, 1)
        return self.convert(recipes[-1])

    def convert(self, recipe: Recipe) -> tuple[Converted, NetworkReport]:
        """The embedder after a recipe.

        Raises:
            ParityError: it is below the recipe's floor.
        """
        checkpoint, preprocessing = self.checkpoint, self.checkpoint.preprocessing
        quantization: Quantization = (
            "static" if recipe.quantization == "aware" else recipe.quantization
        )
        self.tell(f"{recipe.name}: converting the embedder", 0, 1)
        # Divided by its length an embedding's values are small and of unequal range: int8 keeps
        # more of the projection before that, and the runtime normalizes in any case.
        model = checkpoint.build(tf_keras, normalize=quantization != "static")
        calibration = calibration_input(self.representative, preprocessing)
        converted = to_tflite(model, quantization, calibration, recipe.activations)
        self.tell(f"{recipe.name}: comparing the embedders", 0, 1)
        found = parity.compare_embeddings(
            self.float_model, converted, self.compared, preprocessing, self.source
        )
        batches = [preprocessing.normalized(p)[None] for p in self.compared[:_LAYER_CHECK_PICTURES]]
        # The last layer's length differs by design; the layers before it are compared.
        names = [layer.name for layer in model.layers if layer.name != "embedding"]
        errors = layer_errors(self.float_model, converted, names, batches)
        found = replace(found, worst_layer=errors[0] if errors else None)
        parity.check("embedder", found, recipe.floor)
        parameters = int(model.count_params())
        report = network_report(
            recipe,
            quantization=quantization,
            ranges="calibrated" if quantization == "static" else None,
            parameters=(parameters, parameters),
            float_model=self.float_model,
            converted_model=converted,
            latency=measure_latency(self.float_model, converted),
            preprocessing=preprocessing,
            parity=found.to_dict(),
            errors=errors,
        )
        colour = checkpoint.colour
        packed = Converted(
            converted,
            preprocessing,
            parameters,
            checkpoint.model_version,
            recipe.name,
            dim=int(model.output_shape[-1]) + (0 if colour is None else colour.dim),
            colour=colour,
        )
        return packed, report
