"""Training on several devices: each does its share of every step.

Keras's distribution API splits the batch over the devices and keeps a copy of the weights on each
(data parallel). One program runs on all of them as if they were one: the means of batch
normalization, what dropout leaves out, the loss and the gradients are those of the whole batch. So
a run is the one that a single device would have done, but for the order in which numbers are added,
and nothing of the devices enters its record or its state: it may go on with more of them, or fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
from numpy.typing import NDArray

from edgeseg.errors import DevicesError
from edgeseg.training.cpu_devices import FLAG

# Keras 3.15 has distribution on this backend alone: TensorFlow's is a prototype that distributes
# nothing, and PyTorch has none.
_BACKEND = "jax"


def chosen_devices(count: int, batches: Mapping[str, int]) -> tuple[str, ...]:
    """The devices that a run is to be shared by; looks before any work is done.

    Args:
        count: how many; at least 1.
        batches: samples in a step, by who says so.

    Returns:
        Their names, such as ``gpu:0``; none for a single device, which needs no sharing.

    Raises:
        DevicesError: the backend cannot, a batch cannot be shared evenly, or there are fewer.
    """
    if count < 1:
        raise ValueError(f"{count} devices: 1 is the fewest")
    if count == 1:
        return ()
    backend = keras.backend.backend()
    if backend != _BACKEND:
        raise DevicesError(
            f"Keras trains on several devices with its JAX backend, and this is {backend}: set "
            f"KERAS_BACKEND={_BACKEND}"
        )
    for source, batch in batches.items():
        if batch % count:
            raise DevicesError(
                f"{source} has {batch} samples in a step, which {count} devices cannot share "
                f"evenly: a batch that {count} divides is needed"
            )
    found = [str(name) for name in keras.distribution.list_devices()]
    if len(found) < count:
        kind = found[0].partition(":")[0]
        told = f"{count} devices were asked for, and JAX has {len(found)} of kind {kind}"
        if kind == "cpu":
            told += f"; XLA_FLAGS={FLAG}={count} makes {count} of one processor"
        raise DevicesError(told)
    return tuple(found[:count])


def over_devices(count: int, batches: Mapping[str, int]) -> AbstractContextManager[None]:
    """Within it, networks that are built keep a copy on each device, and steps are shared.

    Args:
        count: how many; at least 1, which changes nothing.
        batches: samples in a step, by who says so.

    Raises:
        DevicesError: as for :func:`chosen_devices`, and at once.
    """
    names = chosen_devices(count, batches)
    if not names:
        return nullcontext()
    scope: AbstractContextManager[None] = keras.distribution.DataParallel(
        devices=list(names)
    ).scope()
    return scope


def shared(batch: NDArray[Any]) -> Any:
    """A batch laid out over the devices of this run, for a network's prediction.

    Keras does so with what a network trains on, and leaves what it predicts for as it is: every
    device would then do the whole.

    Args:
        batch: the first axis is that of the samples.

    Returns:
        The batch as it is where there is one device, or where the devices cannot share it evenly.
    """
    distribution = keras.distribution.distribution()
    if distribution is None or len(batch) % distribution.device_mesh.devices.size:
        return batch
    return keras.distribution.distribute_tensor(batch, distribution.get_data_layout(batch.shape))
