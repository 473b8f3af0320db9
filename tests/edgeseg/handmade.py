"""Hand-made networks, small enough to reason about, and bundles of them; no framework is needed.

The segmenter finds red: `sigmoid(20 * (r - (g + b) / 2) - 5)`. The embedder is the mean of
`(1 - r, 1 - g, 1 - b, r)` over the picture, L2-normalised: a mean colour in which white is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeseg.formats.bundle import Bundle
from edgeseg.formats.manifest import NetworkManifest
from edgeseg.imaging import resize
from edgeseg.preprocessing import Preprocessing

SIDE_PX = 32

# Makes a bundle of the hand-made networks, see conftest.
MakeBundle = Callable[..., Bundle]


class ModelWriter:
    """Lays out a TFLite file tensor by tensor with the schema that comes with LiteRT."""

    def __init__(self) -> None:
        self.schema = pytest.importorskip(
            "ai_edge_litert.schema_py_generated", reason="needs LiteRT's schema to make models"
        )
        self.flatbuffers = pytest.importorskip("flatbuffers")
        self.model = self.schema.ModelT()
        self.model.version = 3
        self.model.description = b"hand-made for tests"
        self.model.operatorCodes = []
        self.model.buffers = [self.schema.BufferT()]
        self.graph = self.schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: tuple[int, ...],
        dtype: str = "FLOAT32",
        data: np.ndarray | None = None,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.shape = np.array(shape, dtype=np.int32)
        tensor.type = getattr(self.schema.TensorType, dtype)
        tensor.name = f"t{len(self.graph.tensors)}".encode()
        tensor.buffer = 0
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), dtype=np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scale is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([scale], dtype=np.float32)
            tensor.quantization.zeroPoint = np.array([zero_point], dtype=np.int64)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self, name: str, inputs: list[int], output: int, options: str | None = None, **fields: Any
    ) -> None:
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, name)
        # Old readers look at the 8-bit field; codes above 126 are not used here.
        code.deprecatedBuiltinCode = code.builtinCode
        code.version = 2 if name in ("QUANTIZE", "DEQUANTIZE") else 1
        self.model.operatorCodes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array(inputs, dtype=np.int32)
        operator.outputs = np.array([output], dtype=np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self.schema, f"{options}T")()
            for key, value in fields.items():
                setattr(operator.builtinOptions, key, value)
        self.graph.operators.append(operator)

    def convolution(self, source: int, side: int, weights: np.ndarray, bias: np.ndarray) -> int:
        """Add a 1x1 convolution; `weights` is `(out, in)`."""
        kernel = self.tensor(
            (len(weights), 1, 1, weights.shape[1]), data=weights.astype(np.float32)
        )
        shift = self.tensor((len(bias),), data=bias.astype(np.float32))
        result = self.tensor((1, side, side, len(weights)))
        self.operator(
            "CONV_2D", [source, kernel, shift], result, "Conv2DOptions", strideH=1, strideW=1
        )
        return result

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs = np.array(inputs, dtype=np.int32)
        self.graph.outputs = np.array(outputs, dtype=np.int32)
        builder = self.flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def red_segmenter(side: int = SIDE_PX, dtype: str = "FLOAT32") -> bytes:
    """A segmenter of red things; `dtype` INT8 or UINT8 gives it an integer input and output."""
    writer = ModelWriter()
    zero_point = -128 if dtype == "INT8" else 0
    source = image = writer.tensor((1, side, side, 3))
    if dtype != "FLOAT32":
        source = writer.tensor((1, side, side, 3), dtype, scale=1 / 255, zero_point=zero_point)
        writer.operator("DEQUANTIZE", [source], image)
    logits = writer.convolution(image, side, np.array([[20.0, -10.0, -10.0]]), np.array([-5.0]))
    result = writer.tensor((1, side, side, 1))
    writer.operator("LOGISTIC", [logits], result)
    if dtype != "FLOAT32":
        real = result
        result = writer.tensor((1, side, side, 1), dtype, scale=1 / 256, zero_point=zero_point)
        writer.operator("QUANTIZE", [real], result, "QuantizeOptions")
    return writer.finish([source], [result])


CLASSES = ("red", "green", "blue")


def colour_categories(side: int = SIDE_PX, outputs: int = 3) -> bytes:
    """A segmenter that tells red, green and blue apart, by a softmax over the channels."""
    writer = ModelWriter()
    source = writer.tensor((1, side, side, 3))
    weights = 10.0 * np.eye(outputs, 3)
    logits = writer.convolution(source, side, weights, np.zeros(outputs))
    result = writer.tensor((1, side, side, outputs))
    writer.operator("SOFTMAX", [logits], result, "SoftmaxOptions", beta=1.0)
    return writer.finish([source], [result])


def colour_embedder(side: int = SIDE_PX) -> bytes:
    """An embedder of mean colours, 4-d."""
    writer = ModelWriter()
    source = writer.tensor((1, side, side, 3))
    weights = np.array([[-1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0], [1.0, 0, 0]])
    features = writer.convolution(source, side, weights, np.array([1.0, 1.0, 1.0, 0.0]))
    axes = writer.tensor((2,), "INT32", data=np.array([1, 2], dtype=np.int32))
    mean = writer.tensor((1, 4))
    writer.operator("MEAN", [features, axes], mean, "ReducerOptions", keepDims=False)
    result = writer.tensor((1, 4))
    writer.operator("L2_NORMALIZATION", [mean], result, "L2NormOptions")
    return writer.finish([source], [result])


def two_output_model() -> bytes:
    """A model that no part of edgeseg can use."""
    writer = ModelWriter()
    source = writer.tensor((1, 4))
    first, second = writer.tensor((1, 4)), writer.tensor((1, 4))
    writer.operator("LOGISTIC", [source], first)
    writer.operator("LOGISTIC", [source], second)
    return writer.finish([source], [first, second])


def network(model: str, **changes: Any) -> NetworkManifest:
    """A manifest entry for one of the hand-made networks, with changes."""
    segmenter = model == "segmenter"
    fields: dict[str, Any] = {
        "section": f"{model}.tflite",
        "preprocessing": Preprocessing(SIDE_PX, "stretch" if segmenter else "pad_white"),
        "parameters": 4 if segmenter else 16,
        "recipe": "float32",
        "model_version": "hand-made",
        "dim": None if segmenter else 4,
        "outputs": "confidence_mask" if segmenter else "embedding",
    }
    return NetworkManifest(**{**fields, **changes})


def red_square_photo(
    width: int = 200, height: int = 150, box: tuple[int, int, int, int] = (60, 30, 140, 120)
) -> np.ndarray:
    """A red rectangle (left, top, right, bottom) on grey-green: `(height, width, 3)` uint8."""
    photo = np.full((height, width, 3), (90, 120, 90), dtype=np.uint8)
    left, top, right, bottom = box
    photo[top:bottom, left:right] = (220, 20, 20)
    return photo


def garment_on_white(
    seed: int, width: int = 160, height: int = 200, colour: tuple[int, int, int] = (90, 110, 150)
) -> np.ndarray:
    """A shirt of folds that only its seed has, one sleeve longer: `(height, width, 3)` uint8."""
    random = np.random.default_rng(seed)
    # Folds: brighter and darker patches, the same in all three channels as under one light.
    folds = resize(random.normal(0.0, 25.0, (10, 8)).astype(np.float32), width, height)
    shirt = np.zeros((height, width), dtype=bool)
    rows, columns = height // 20, width // 16
    shirt[2 * rows : 18 * rows, 4 * columns : 12 * columns] = True
    shirt[3 * rows : 8 * rows, 2 * columns : 4 * columns] = True
    shirt[3 * rows : 6 * rows, 12 * columns : 15 * columns] = True
    picture = np.full((height, width, 3), 255, dtype=np.uint8)
    cloth = np.clip(np.array(colour) + folds[..., None], 0, 235)
    picture[shirt] = cloth.astype(np.uint8)[shirt]
    return picture
