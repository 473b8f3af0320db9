"""Optimizers by the names that recipes use."""

from __future__ import annotations

from typing import Any

import keras


def optimizer_from(options: dict[str, Any]) -> Any:
    """The optimizer of a recipe.

    Args:
        options: ``name`` (``adamw``: Loshchilov and Hutter, arXiv 1711.05101, with gradients
            clipped to norm 1; ``adam_amsgrad``: Reddi et al., arXiv 1904.09237; ``rmsprop``:
            Tieleman and Hinton, 2012), ``learning_rate`` and ``weight_decay``; with
            ``ema_momentum`` the optimizer keeps moving averages.

    Raises:
        ValueError: an unknown name.
    """
    rate, decay = float(options["learning_rate"]), float(options["weight_decay"])
    average: dict[str, Any] = {}
    if options.get("ema_momentum"):
        average = {"use_ema": True, "ema_momentum": float(options["ema_momentum"])}
    if options["name"] == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay, clipnorm=1.0, **average)
        # Decay pulls kernels only: shrinking a scale or a bias does not regularize.
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
        return optimizer
    if options["name"] == "adam_amsgrad":
        return keras.optimizers.Adam(rate, amsgrad=True, **average)
    if options["name"] == "rmsprop":
        return keras.optimizers.RMSprop(rate, **average)
    raise ValueError(f"unknown optimizer {options['name']!r}")
