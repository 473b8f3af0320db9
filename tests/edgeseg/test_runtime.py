"""Which TFLite runtime is used, and what it is told and asked."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from edgeseg import runtime
from edgeseg.errors import MissingExtraError, ModelContractError
from edgeseg.formats.bundle import Bundle
from edgeseg.interpreter import Interpreter
from edgeseg.presets import preset_path
from tests.edgeseg.handmade import red_segmenter
from tests.edgeseg.test_interpreter import picture


def test_a_missing_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "INTERPRETERS", ("no-such-runtime",))
    with pytest.raises(MissingExtraError, match="pip install ai-edge-litert"):
        Interpreter(red_segmenter(8))


def test_the_runtime_is_named_with_its_version() -> None:
    name, version = runtime.runtime_name().split(" ")
    assert name in ("ai-edge-litert", "tflite-runtime")
    assert version[0].isdigit()
    assert Interpreter(red_segmenter(8)).runtime == runtime.runtime_name()


def test_loading_a_model_leaves_stderr_to_errors(capfd: pytest.CaptureFixture[str]) -> None:
    Interpreter(red_segmenter(8)).run(picture(0.5))
    assert capfd.readouterr() == ("", "")
    # What others write meanwhile is passed on.
    with runtime._without_info_lines():
        os.write(2, b"INFO: native chatter\na real warning\n")
    assert capfd.readouterr().err == "a real warning\n"


def test_a_runtime_that_is_asked_for_and_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runtime.INTERPRETER_VARIABLE, "tflite-runtime")
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(MissingExtraError, match=r"tflite-runtime: .*tflite_runtime"):
        runtime.runtime_name()


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        (runtime.INTERPRETER_VARIABLE, "tensorflow", MissingExtraError),
        (runtime.XNNPACK_VARIABLE, "0", ModelContractError),
    ],
)
def test_a_word_that_is_not_known_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, error: type[Exception]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(error, match=f"{variable} is '{value}': not"):
        Interpreter(red_segmenter(8))


def test_without_xnnpack_the_runtime_runs_every_operator_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Bundle.open(preset_path()).segmenter_model
    taken = runtime.operators(model)
    drawn = np.random.default_rng(1).random(Interpreter(model).input_shape, np.float32)
    delegated = Interpreter(model).run(drawn)
    monkeypatch.setenv(runtime.XNNPACK_VARIABLE, "off")
    own = runtime.operators(model)
    assert [each.name for each in own] == [each.name for each in taken]
    assert any(each.partition is not None for each in taken)
    assert all(each.partition is None for each in own)
    # Both round as TFLite's quantization specification says, each at its own places: a few steps
    # of 1/256 in the confidence.
    assert float(np.abs(Interpreter(model).run(drawn) - delegated).mean()) < 0.01
