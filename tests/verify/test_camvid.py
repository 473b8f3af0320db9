"""The check against the Tiramisu paper's table: its bars, and the way to it without TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeseg.imaging import encode_png
from tests.verify import camvid
from tests.verify.camvid import Bench, checks

SIZE = (136, 150)


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Eleven classes in vertical stripes, laid out as CamVid is."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (11, 3), dtype=np.uint8)
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        for kind in (split, f"{split}annot"):
            (tmp_path / "data" / kind).mkdir(parents=True)
        for index in range(count):
            columns = (np.arange(SIZE[1]) // 13 + index) % 12
            ids = np.broadcast_to(columns, SIZE).astype(np.uint8)
            photo = colours[ids % 11]
            (tmp_path / "data" / split / f"{index}.png").write_bytes(encode_png(photo))
            (tmp_path / "data" / f"{split}annot" / f"{index}.png").write_bytes(encode_png(ids))
    return tmp_path / "data"


def test_the_bars_are_the_papers_less_a_point_and_a_half() -> None:
    bench = Bench(Path("none"), Path("none"))
    figures = {f.what: f for c in checks(bench, list(camvid.PAPER)) for f in c.figures}
    assert len(figures) == 12
    promised = {what: figure.bar for what, figure in figures.items() if figure.rule != "told"}
    assert [round(bar, 3) for bar in promised.values()] == [0.574, 0.874, 0.654, 0.900]
    assert not any("67" in what or "moving" in what for what in promised)
    assert "FC-DenseNet103, statistics of 10 photographs: accuracy (paper 0.915)" in promised


def test_what_is_absent_is_told(drawn: Path, tmp_path: Path) -> None:
    arguments = ["--work", str(tmp_path / "work"), "--measure-only", "--network", "56"]
    for data, words in ((tmp_path / "none", "is not on this machine"), (drawn, "`make camvid`")):
        (check,) = checks(Bench(data, tmp_path / "work"), ["56"])
        assert all(words in row.status and not row.fine for row in check.rows())
        assert camvid.main([*arguments, "--data", str(data)]) == 1


@pytest.mark.slow
def test_everything_runs_on_pytorch_without_tensorflow(drawn: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="Keras's PyTorch backend needs PyTorch")
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("tensorflow", "tf_keras", "tensorflow_model_optimization"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is not to be imported')\n")
    command = [
        sys.executable, "-m", "tests.verify.camvid", "--data", str(drawn), "--network", "_quick",
        "--work", str(tmp_path / "work"), "--epochs", "1", "--json",
    ]  # fmt: skip
    path = os.pathsep.join([str(blocked), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": path}
    told = []
    for _ in range(2):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=500
        )
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    # The second time there is nothing left to train: the same checkpoint, the same figures.
    assert told[0] == told[1]
    values = [row["value"] for row in told[0]["rows"]]
    assert len(values) == 4
    assert all(0 < value < 1 for value in values)
    assert values[:2] != values[2:], "the two kinds of statistics are two figures"
