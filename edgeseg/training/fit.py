"""The training loop: steps, validation, the best checkpoint kept, and a state to go on from.

After each epoch the whole state (weights, optimizer, history) is written to one file, atomically.
Samples are drawn from the seed and their place in the run alone, so a run that was killed and
resumed sees what it would have seen.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edgeseg.errors import FormatError
from edgeseg.files import read_bounded, write_atomic
from edgeseg.limits import MAX_CHECKPOINT_BYTES
from edgeseg.training.backend import jit_compile
from edgeseg.training.checkpoint import get_weights, set_weights, to_numpy
from edgeseg.training.optimizers import optimizer_from
from edgeseg.training.recipe import TrainingRecipe

Batch = tuple[NDArray[Any], NDArray[Any]]
STATE_FILE = "state.safetensors"
_PREFETCH_BATCHES = 4


class Task(Protocol):
    """What is trained: where its batches come from and how it is judged."""

    epoch_steps: int

    def batches(self, epoch: int) -> Iterable[Batch]:
        """The (inputs, targets) of one epoch; the same for the same epoch."""

    def evaluate(self) -> dict[str, float]:
        """Validation figures; ``score`` is the one that chooses, larger is better."""

    def keep(self, figures: dict[str, float]) -> None:
        """Called when ``score`` is the best so far: writes the checkpoint."""


@dataclass
class History:
    """What happened in each epoch; JSON types only.

    Attributes:
        run: what must not change between a run and its continuation.
        epochs: one record an epoch: ``epoch``, ``loss``, ``learning_rate``, ``seconds`` and the
            validation figures.
    """

    run: dict[str, Any]
    epochs: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Index of the epoch with the best score; -1 before the first."""
        scores = [record["score"] for record in self.epochs]
        return int(np.argmax(scores)) if scores else -1

    def stale_epochs(self) -> int:
        """Epochs since the best one."""
        return len(self.epochs) - 1 - self.best_epoch if self.epochs else 0

    def drops(self, patience: int) -> int:
        """How often the score has stood still for ``patience`` epochs, each spell counted anew."""
        best, waited, drops = -np.inf, 0, 0
        for record in self.epochs:
            if record["score"] > best:
                best, waited = record["score"], 0
            else:
                waited += 1
                if waited == patience:
                    drops, waited = drops + 1, 0
        return drops


def compiled(
    build: Callable[[ModuleType, int], Any],
    loss: Any,
    recipe: TrainingRecipe,
    seed: int,
    precision: str,
) -> Any:
    """Builds a network with seeded weights and compiles it for training.

    Args:
        build: from the framework and the input's side to the network.
        loss: a Keras loss.
        recipe: the input's side and the optimizer.
        seed: of the weights and of every random choice inside the network.
        precision: ``float32``, or ``bfloat16`` for the layers' arithmetic (weights stay float32).
    """
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        model = build(keras, recipe.input_px)
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(optimizer=optimizer_from(recipe.optimizer), loss=loss, jit_compile=jit_compile())
    return model


def fit(
    model: Any,
    task: Task,
    run_folder: Path,
    run: dict[str, Any],
    recipe: TrainingRecipe,
    *,
    on_step: Callable[[int, int, float], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> History:
    """Trains a compiled model, going on from ``run_folder`` where a state of this run is there.

    Args:
        model: a compiled Keras model.
        task: batches, validation, and what to do with the best.
        run_folder: holds the state and ``history.json``.
        run: what the run is; a state of another run is refused.
        recipe: how long, and how the learning rate moves.
        on_step: called with (epoch, step, mean loss so far).
        on_epoch: called with the epoch's record.

    Raises:
        FormatError: ``run_folder`` holds a state of another run, or a damaged one.
    """
    run_folder.mkdir(parents=True, exist_ok=True)
    model.optimizer.build(model.trainable_variables)
    history = _restore(model, run_folder, run)
    schedule, epochs = recipe.schedule, recipe.epochs
    peak_rate = float(recipe.optimizer["learning_rate"])
    while len(history.epochs) < epochs and history.stale_epochs() < recipe.early_stopping_patience:
        epoch, started = len(history.epochs), time.monotonic()
        drops = history.drops(schedule.patience)
        _place_dropout(model, epoch * task.epoch_steps)
        losses: list[float] = []
        for step, (inputs, targets) in enumerate(_prefetch(task.batches(epoch))):
            done = epoch * task.epoch_steps + step
            rate = schedule.rate(peak_rate, done, task.epoch_steps, epochs, drops)
            model.optimizer.learning_rate.assign(rate)
            losses.append(float(np.mean(model.train_on_batch(inputs, targets))))
            if on_step is not None:
                on_step(epoch, step + 1, float(np.mean(losses)))
        with _averaged(model):
            figures = task.evaluate()
            record = {
                "epoch": epoch,
                "loss": float(np.mean(losses)),
                "learning_rate": rate,
                "seconds": round(time.monotonic() - started, 1),
                **figures,
            }
            history.epochs.append(record)
            if history.best_epoch == epoch:
                task.keep(record)
        _store(model, run_folder, history)
        if on_epoch is not None:
            on_epoch(record)
    return history


@contextmanager
def _averaged(model: Any) -> Iterator[None]:
    """The moving averages in the place of the weights, where the optimizer keeps them."""
    if not model.optimizer.use_ema:
        yield
        return
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()


def _store(model: Any, run_folder: Path, history: History) -> None:
    tensors = {f"weights/{name}": value for name, value in get_weights(model).items()}
    for index, variable in enumerate(model.optimizer.variables):
        tensors[f"optimizer/{index:04d}"] = np.asarray(to_numpy(variable), order="C")
    text = json.dumps({"run": history.run, "epochs": history.epochs})
    write_atomic(run_folder / STATE_FILE, save(tensors, metadata={"history": text}))
    _tell(run_folder, history)


def _tell(run_folder: Path, history: History) -> None:
    write_atomic(run_folder / "history.json", json.dumps(history.epochs, indent=1).encode())


def _restore(model: Any, run_folder: Path, run: dict[str, Any]) -> History:
    path = run_folder / STATE_FILE
    if not path.exists():
        return History(run)
    data = read_bounded(path, 4 * MAX_CHECKPOINT_BYTES, "training state")
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        stored = json.loads(header["__metadata__"]["history"])
        history = History(stored["run"], list(stored["epochs"]))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error
    # Compared as JSON: a tuple that went through the file has become a list.
    if json.loads(json.dumps(run)) != history.run:
        raise FormatError(f"{run_folder} holds another run (recipe, data or seed): choose another")
    prefix = "weights/"
    set_weights(
        model, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    )
    try:
        for index, variable in enumerate(model.optimizer.variables):
            variable.assign(tensors[f"optimizer/{index:04d}"])
    except (ValueError, KeyError) as error:
        # Another release of Keras may keep other variables for the same optimizer.
        raise _damaged(path, error) from error
    # The last run may have been killed between the two files of an epoch.
    _tell(run_folder, history)
    return history


def _damaged(path: Path, error: Exception) -> FormatError:
    reason = " ".join(str(error).split())
    return FormatError(f"{path}: damaged ({reason}); delete the folder to start anew")


def _place_dropout(model: Any, done: int) -> None:
    """Dropout draws by a seed and a count: here the count is the place in the run."""
    for variable in model.non_trainable_variables:
        if variable.name.endswith("seed_generator_state"):
            state = to_numpy(variable).copy()
            state[1] = done
            variable.assign(state)


def _prefetch(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Makes the next batches in a thread while the network works on this one."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_PREFETCH_BATCHES)
    stopped = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as error:  # noqa: BLE001 (handed to the consumer, which raises it)
            put(error)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
