"""What differs between the backends of Keras 3, for code that runs on each of them."""

from __future__ import annotations

import keras


def jit_compile() -> bool:
    """Whether a model's steps are to be compiled by XLA.

    On JAX nothing else compiles them: without it each operation of a step is dispatched alone.
    TensorFlow has its graphs, where XLA compiles for minutes on a CPU and gains nothing, and
    PyTorch runs eagerly.
    """
    return bool(keras.backend.backend() == "jax")


def has_gpu() -> bool:
    """Whether what Keras computes goes to a GPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return bool(jax.default_backend() == "gpu")
    if backend == "torch":
        import torch

        return bool(torch.cuda.is_available())
    return bool(keras.distribution.list_devices("gpu"))
