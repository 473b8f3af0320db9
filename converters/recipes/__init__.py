"""The recipes that come with the package, one JSON file each, and one's own."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from converters.recipe import Recipe
from edgeseg.errors import EdgesegError
from edgeseg.files import read_bounded

MAX_RECIPE_BYTES = 64 * 1024

# What `--recipe auto` tries: the cheapest to run first, in milliseconds and then in bytes. Those of
# like cost are in the order of what they cost to make. (int16 activations are not in it: where a
# CPU runs the network they are slower than float32, which keeps more.)
LADDER = (
    "static_wi8_ai8",
    "static_wi8_ai8_recalibrated",
    "static_wi8_ai8_equalized",
    "qat_wi8_ai8",
    "static_wi8_ai8_float_head",
    "dynamic_wi8",
    "float16",
    "float32",
)


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(
        entry.name.removesuffix(".json")
        for entry in resources.files(__name__).iterdir()
        if entry.name.endswith(".json")
    )


def load_recipe(name: str) -> Recipe:
    """A recipe of the package by its name, or one's own by the path of its JSON file.

    Raises:
        EdgesegError: there is none of that name, or it cannot be read.
    """
    if name in recipe_names():
        text = (resources.files(__name__) / f"{name}.json").read_text("utf-8")
    elif name.endswith(".json"):
        data = read_bounded(Path(name), MAX_RECIPE_BYTES, "recipe")
        text = data.decode("utf-8", errors="replace")
    else:
        raise EdgesegError(f"no recipe {name!r}: take one of {', '.join(recipe_names())}")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EdgesegError(f"recipe {name}: not JSON ({error})") from error
    if not isinstance(values, dict):
        raise EdgesegError(f"recipe {name}: must be a JSON object")
    return Recipe.from_dict(values, f"recipe {name}")


def ladder() -> tuple[Recipe, ...]:
    """The recipes that ``--recipe auto`` tries, the cheapest first."""
    return tuple(load_recipe(name) for name in LADDER)
