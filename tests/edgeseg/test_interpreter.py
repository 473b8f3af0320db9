"""The interpreter: quantized borders, shapes, threads and refusals."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from edgeseg.contract import InputTable
from edgeseg.errors import ModelContractError
from edgeseg.interpreter import Interpreter
from edgeseg.preprocessing import Preprocessing
from tests.edgeseg.handmade import ModelWriter, red_segmenter, two_output_model


def picture(red: float, other: float = 0.2, side: int = 8) -> np.ndarray:
    batch = np.full((1, side, side, 3), other, np.float32)
    batch[..., 0] = red
    return batch


def expected(red: float, other: float = 0.2) -> float:
    return float(1 / (1 + np.exp(-(20 * (red - other) - 5))))


# int8 borders: the input is off by at most half a step of 1/255, which the network's gain of
# 20 * sigmoid' (at most 5) makes 0.01; the output's own half step is 0.002.
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("FLOAT32", 1e-5), ("INT8", 0.02), ("UINT8", 0.02)]
)
@pytest.mark.parametrize("red", [0.0, 0.3, 0.45, 0.6, 1.0])
def test_output_is_in_real_values_whatever_the_border(
    dtype: str, tolerance: float, red: float
) -> None:
    model = Interpreter(red_segmenter(8, dtype))
    output = model.run(picture(red))
    assert output.dtype == np.float32
    assert output.shape == model.output_shape == (1, 8, 8, 1)
    assert model.input_shape == (1, 8, 8, 3)
    assert model.input_dtype == np.dtype(dtype.lower())
    np.testing.assert_allclose(output, expected(red), atol=tolerance)


def test_pixels_pass_an_8_bit_border_exactly() -> None:
    # 1/255 is the scale of the border and of the preprocessing: no pixel may move by a step.
    writer = ModelWriter()
    source = writer.tensor((1, 256), "UINT8", scale=1 / 255)
    result = writer.tensor((1, 256))
    writer.operator("DEQUANTIZE", [source], result)
    model = Interpreter(writer.finish([source], [result]))
    pixels = np.arange(256, dtype=np.float32)[None] * np.float32(1 / 255)
    np.testing.assert_array_equal(np.rint(model.run(pixels) * 255), np.arange(256)[None])


def test_values_outside_an_8_bit_border_are_clipped() -> None:
    model = Interpreter(red_segmenter(8, "INT8"))
    np.testing.assert_array_equal(model.run(picture(9.0, -9.0)), model.run(picture(1.0, 0.0)))


def test_the_parts_of_run_give_what_run_gives() -> None:
    model = Interpreter(red_segmenter(8))
    model.set_input(picture(0.5))
    model.invoke()
    np.testing.assert_array_equal(model.get_output(), model.run(picture(0.5)))


@pytest.mark.parametrize("dtype", ["FLOAT32", "INT8", "UINT8"])
def test_a_batch_that_is_quantized_already_is_taken_as_it_is(dtype: str) -> None:
    model = Interpreter(red_segmenter(8, dtype))
    batch = model.quantized(picture(0.45))
    assert batch.dtype == model.input_dtype
    np.testing.assert_array_equal(model.run(batch), model.run(picture(0.45)))


@pytest.mark.parametrize("dtype", ["FLOAT32", "INT8", "UINT8"])
@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (2 / 255, -1.0)])
def test_the_input_table_says_what_scaling_and_quantizing_say(
    dtype: str, scale: float, offset: float
) -> None:
    model = Interpreter(red_segmenter(8, dtype))
    preprocessing = Preprocessing(8, "stretch", scale, offset)
    pixels = np.random.default_rng(2).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    batch = InputTable(preprocessing, model).batch(pixels)
    assert batch.shape == model.input_shape
    np.testing.assert_array_equal(batch[0], model.quantized(preprocessing.normalized(pixels)))


def test_an_output_survives_the_next_run() -> None:
    model = Interpreter(red_segmenter(8))
    first = model.run(picture(1.0))
    kept = first.copy()
    model.run(picture(0.0))
    np.testing.assert_array_equal(first, kept)


def test_threads_do_not_mix_their_pictures() -> None:
    model = Interpreter(red_segmenter(8))
    wrong: list[float] = []

    def work(red: float) -> None:
        for _ in range(200):
            value = float(model.run(picture(red))[0, 0, 0, 0])
            if abs(value - expected(red)) > 1e-4:
                wrong.append(value)

    workers = [threading.Thread(target=work, args=(red,)) for red in (0.3, 0.45, 0.6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 8, 8, 1), (2, 8, 8, 3), (1, 9, 8, 3)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelContractError, match="takes"):
        Interpreter(red_segmenter(8)).run(np.zeros(shape, np.float32))


@pytest.mark.parametrize("model", [b"", b"x" * 100, b"\x89PNG\r\n\x1a\n" + bytes(64)])
def test_what_is_no_model_never_reaches_the_native_loader(model: bytes) -> None:
    with pytest.raises(ModelContractError, match="not a TFLite file"):
        Interpreter(model)


def test_a_model_of_two_outputs_is_refused() -> None:
    with pytest.raises(ModelContractError, match="2 outputs"):
        Interpreter(two_output_model())


def test_an_integer_border_without_a_scale_is_refused() -> None:
    writer = ModelWriter()
    source, result = writer.tensor((1, 4), "INT8"), writer.tensor((1, 4), "INT8")
    writer.operator("RELU", [source], result)
    with pytest.raises(ModelContractError):
        Interpreter(writer.finish([source], [result]))


def test_no_thread_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="threads"):
        Interpreter(red_segmenter(8), threads=0)
