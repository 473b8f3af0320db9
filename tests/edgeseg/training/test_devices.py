"""Several devices train as one does: the same curve, whichever of them a run goes on with."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

import keras

from edgeseg.cli import main
from edgeseg.errors import DevicesError
from edgeseg.training.cpu_devices import FLAG, divide_processor
from edgeseg.training.devices import chosen_devices, over_devices
from tests.edgeseg.training.conftest import WriteRecipe

JAX = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="needs JAX: pip install 'edgeseg[jax]'"
)
NOT_JAX = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="of the backends that cannot, and this one can"
)
EDGESEG = (sys.executable, "-c", "import sys; from edgeseg.cli import main; sys.exit(main())")
# The devices' sums are added in another order than one's: 6e-8 of a float32 apart, which the steps
# of Adam enlarge where a gradient is near 0. 3e-5 was seen in 40 steps; another seed moves the same
# curve by 2e-1.
LOSS_TOLERANCE = 3e-4
# A bfloat16 has 8 bits, and the parts of a gradient are rounded to it before they are added: 2e-3
# was seen in 12 steps.
BFLOAT16_TOLERANCE = 2e-2
# Of the weights that a run keeps, which are some tenths: 2e-6 was seen.
WEIGHTS_TOLERANCE = 2e-4
# Of an IoU over four photographs of 72 x 96: some pixels at the threshold may fall to either side.
SCORE_TOLERANCE = 5e-3


def on_jax(command: list[str], repository: Path, **variables: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.run(
        command,
        cwd=repository,
        env={
            **environment,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            # Compiling takes much longer than these steps do.
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.fixture(scope="module")
def told(
    drawn_folder: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What ``shared_steps`` has to tell of its runs."""
    work: Path = tmp_path_factory.mktemp("shared")
    command = [
        sys.executable, "-m", "tests.edgeseg.training.shared_steps", str(drawn_folder), str(work),
    ]  # fmt: skip
    done = on_jax(command, repository, XLA_FLAGS=f"{FLAG}=4")
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((work / "told.json").read_text())
    return found


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two curves, as a share of the loss."""
    first, second = np.array(one["losses"]), np.array(other["losses"])
    assert first.shape == second.shape
    return float(np.max(np.abs(first - second) / np.abs(first)))


@JAX
@pytest.mark.long
def test_devices_share_a_step_and_give_one_curve(told: dict[str, Any]) -> None:
    assert told["devices"] == ["cpu:0", "cpu:1", "cpu:2", "cpu:3"]
    runs = told["segmenter"]
    assert runs["shares"] == {"1": [8], "2": [4], "4": [2]}
    one = runs["straight"]["1"]
    assert len(one["losses"]) == 40
    assert one["losses"][-1] < 0.8 * one["losses"][0]
    for count in ("2", "4"):
        many = runs["straight"][count]
        assert apart(one, many) < LOSS_TOLERANCE
        assert many["scores"] == pytest.approx(one["scores"], abs=SCORE_TOLERANCE)
    assert apart(one, runs["other_seed"]) > 100 * LOSS_TOLERANCE


@JAX
@pytest.mark.long
def test_batch_normalization_sees_the_whole_batch(told: dict[str, Any]) -> None:
    values = np.random.default_rng(5).normal(size=8).astype(np.float32)
    values[4:] += 10
    # A device by itself would see a variance of about 1, and a mean of 0 or of 10.
    assert values.var() > 20
    for gathered in told["statistics"].values():
        assert gathered["mean"] == pytest.approx(values.mean(), rel=1e-5)
        assert gathered["variance"] == pytest.approx(values.var(), rel=1e-5)


@JAX
@pytest.mark.long
def test_a_run_goes_on_with_other_devices(told: dict[str, Any]) -> None:
    runs = told["segmenter"]
    straight = runs["straight"]["1"]
    for resumed in runs["resumed"].values():
        rest = {"losses": straight["losses"][-len(resumed["losses"]) :]}
        assert len(resumed["losses"]) == 20
        assert apart(rest, resumed) < LOSS_TOLERANCE
        assert len(resumed["scores"]) == 10
    assert runs["kept_runs_alike"]
    assert runs["kept_weights_apart"] < WEIGHTS_TOLERANCE


@JAX
@pytest.mark.long
def test_every_kind_of_network_and_precision(told: dict[str, Any]) -> None:
    for kind in ("embedder", "classes"):
        assert apart(told[kind]["1"], told[kind]["2"]) < LOSS_TOLERANCE
        assert told[kind]["2"]["scores"] == pytest.approx(
            told[kind]["1"]["scores"], abs=SCORE_TOLERANCE
        )
    half = told["segmenter"]["bfloat16"]
    assert apart(half["1"], half["2"]) < BFLOAT16_TOLERANCE


@JAX
@pytest.mark.long
def test_what_is_refused_on_jax(told: dict[str, Any]) -> None:
    assert told["refusals"] == {
        "too few": "6 devices were asked for, and JAX has 4 of kind cpu; "
        "XLA_FLAGS=--xla_force_host_platform_device_count=6 makes 6 of one processor",
        "uneven": "the recipe has 6 samples in a step, which 4 devices cannot share evenly: "
        "a batch that 4 divides is needed",
    }
    assert told["left"], "a distribution was left behind"


@JAX
@pytest.mark.slow
def test_the_command_divides_the_processor_and_goes_on_with_one(
    drawn_folder: Path, write_recipe: WriteRecipe, tmp_path: Path, repository: Path
) -> None:
    command = [
        *EDGESEG, "train", "segmenter", "--data", str(drawn_folder), "--recipe",
        str(write_recipe()), "-o", str(tmp_path / "run"),
    ]  # fmt: skip
    shared = on_jax([*command, "--epochs", "2", "--devices", "2"], repository)
    assert shared.returncode == 0, shared.stderr
    assert "each step is shared by cpu:0, cpu:1 (parts of one processor" in shared.stderr
    history = (tmp_path / "run" / "history.json").read_bytes()
    # The same run under one device: done already.
    alone = on_jax([*command, "--epochs", "2", "--json"], repository)
    assert alone.returncode == 0, alone.stderr
    assert json.loads(alone.stdout)["epochs"] == json.loads(history)
    assert (tmp_path / "run" / "history.json").read_bytes() == history
    # What the user has settled is not settled anew.
    few = on_jax([*command, "--devices", "2"], repository, XLA_FLAGS=f"{FLAG}=1")
    assert few.returncode == 1
    assert few.stderr.splitlines() == [
        "edgeseg: 2 devices were asked for, and JAX has 1 of kind cpu; "
        f"XLA_FLAGS={FLAG}=2 makes 2 of one processor"
    ]


@NOT_JAX
@pytest.mark.parametrize("kind", ["segmenter", "embedder", "classes"])
def test_another_backend_is_told_before_anything_is_read(
    kind: str,
    write_recipe: WriteRecipe,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XLA_FLAGS", f"{FLAG}=2")
    recipe = {"segmenter": write_recipe(), "embedder": "default", "classes": "camvid_quick"}[kind]
    code = main([
        "train", kind, "--data", "no-such-folder", "--recipe", str(recipe),
        "-o", str(tmp_path / "run"), "--devices", "2",
    ])  # fmt: skip
    told = capsys.readouterr()
    assert code == 1
    assert told.err == (
        "edgeseg: Keras trains on several devices with its JAX backend, and this is "
        f"{keras.backend.backend()}: set KERAS_BACKEND=jax\n"
    )
    assert not told.out
    assert not (tmp_path / "run").exists()


def test_what_is_refused_whatever_the_backend(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen_devices(1, {"the recipe": 3}) == ()
    with pytest.raises(ValueError, match="1 is the fewest"):
        chosen_devices(0, {})
    arguments = ["train", "segmenter", "--data", "x", "-o", "y", "--devices", "0"]
    assert main(arguments) == 2
    assert "--devices" in capsys.readouterr().err

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    found = ["gpu:0", "gpu:1", "gpu:2"]
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: found)
    assert chosen_devices(2, {"the recipe": 8}) == ("gpu:0", "gpu:1")
    with pytest.raises(DevicesError, match=r"JAX has 3 of kind gpu$"):
        chosen_devices(4, {"the recipe": 8})
    stages = {"the stage crops": 4, "the stage whole": 1}
    with pytest.raises(DevicesError, match="the stage whole has 1 samples"):
        over_devices(2, stages)


def test_a_processor_is_divided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    divide_processor(3)
    assert os.environ["XLA_FLAGS"] == f"{FLAG}=3"
    divide_processor(4)
    assert os.environ["XLA_FLAGS"] == f"{FLAG}=3"
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    divide_processor(2)
    assert os.environ["XLA_FLAGS"] == f"--xla_dump_to=here {FLAG}=2"
