"""What a drawn garment is: its kind, cut, fabric and colours, all from one seed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from examples.drawing.prints import Colour

KINDS: dict[str, float] = {
    "t-shirt": 5,
    "long sleeve": 3,
    "hoodie": 1.6,
    "polo": 1.6,
    "shirt": 2.2,
    "jacket": 2,
    "undershirt": 1.4,
    "dress": 2.6,
    "skirt": 1.5,
    "trousers": 3,
    "shorts": 2.2,
    "hat": 1.1,
    "shoes": 2.4,
    "body": 0.8,
}
"""Kinds of garment, and how common each is among drawn items."""

_CLOTH = {
    "solid": 6.0,
    "melange": 1.6,
    "stripes": 2.2,
    "pinstripes": 0.8,
    "gingham": 0.9,
    "tartan": 1.1,
    "dots": 1.2,
    "floral": 1.9,
    "leaves": 1.0,
    "motifs": 1.2,
    "camouflage": 0.5,
    "leopard": 0.5,
    "dyed": 0.6,
    "blocks": 0.9,
    "chevrons": 0.5,
    "knit": 0.8,
}
_PLAIN = {"solid": 6.0, "melange": 1.5, "blocks": 1.0}
_PRINTS_OF = {
    "trousers": {"solid": 4.0, "denim": 4.0, "melange": 1.0, "tartan": 0.6, "camouflage": 0.6},
    "shorts": {"solid": 3.0, "denim": 2.0, "floral": 1, "leaves": 1, "stripes": 0.7, "dots": 0.6},
    "jacket": {"solid": 5.0, "denim": 1.2, "melange": 1, "camouflage": 0.6, "motifs": 0.5},
    "hoodie": {**_PLAIN, "camouflage": 0.5, "dyed": 0.5, "stripes": 0.5},
    "polo": {**_PLAIN, "stripes": 2.0, "pinstripes": 0.4},
    "hat": {**_PLAIN, "denim": 0.8, "camouflage": 0.6, "knit": 1.0, "dots": 0.4},
    "shoes": {"solid": 6.0, "denim": 0.6, "leopard": 0.3, "dots": 0.3},
    "skirt": {**_CLOTH, "denim": 1.5},
}

_HUES = {
    "red": 0.99,
    "orange": 0.06,
    "yellow": 0.135,
    "green": 0.35,
    "teal": 0.49,
    "blue": 0.6,
    "violet": 0.74,
    "pink": 0.92,
}


@dataclass(frozen=True)
class Item:
    """A garment's drawing parameters; equal seeds draw equal garments.

    Attributes:
        seed: what everything below was drawn from.
        kind: one of `KINDS`.
        print_name: one of `examples.drawing.prints.PRINTS`.
        colour_name: name of the ground colour.
        colours: four RGB colours in [0, 1]: ground, second, third, accent.
        cut: numbers in [0, 1] that set lengths, widths and necklines, by name.
        graphic: what is printed on the chest: "none", "text", "emblem", "picture" or "logo".
    """

    seed: int
    kind: str
    print_name: str
    colour_name: str
    colours: tuple[tuple[float, float, float], ...]
    cut: dict[str, float]
    graphic: str

    def rng(self, purpose: int) -> np.random.Generator:
        """The item's own randomness for one purpose, the same on every call."""
        return np.random.default_rng([self.seed, purpose])

    def palette(self) -> list[Colour]:
        """The four colours as ``(3,)`` float32 arrays."""
        return [np.asarray(colour, np.float32) for colour in self.colours]


_CUTS = (
    "length",
    "width",
    "waist",
    "flare",
    "sleeve",
    "sleeve_width",
    "neck",
    "neck_depth",
    "style",
    "detail",
    "trim",
    "shape",
)


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    names = list(weights)
    chances = np.array([weights[name] for name in names], float)
    return str(names[int(rng.choice(len(names), p=chances / chances.sum()))])


def cloth_colour(rng: np.random.Generator) -> tuple[str, tuple[float, float, float]]:
    """A garment colour with its name; wardrobes are mostly dark, white, grey and blue."""
    if rng.random() < 0.42:
        name = _pick(rng, {"black": 3, "white": 2.4, "grey": 2, "beige": 1.2, "brown": 0.9})
        base, spread = {
            "black": (0.09, 0.05),
            "white": (0.9, 0.05),
            "grey": (0.5, 0.16),
            "beige": (0.78, 0.05),
            "brown": (0.34, 0.08),
        }[name]
        level = base + float(rng.uniform(-spread, spread))
        tint = {"beige": (1, 0.92, 0.78), "brown": (1, 0.72, 0.52)}.get(name, (1, 1, 1))
        wobble = rng.uniform(0.97, 1.03, 3)
        channels = [min(level * t * float(w), 1.0) for t, w in zip(tint, wobble, strict=True)]
        return name, (channels[0], channels[1], channels[2])
    name = _pick(rng, {**dict.fromkeys(_HUES, 1.0), "blue": 2.6, "red": 1.5, "pink": 1.4})
    hue = (_HUES[name] + float(rng.uniform(-0.03, 0.03))) % 1.0
    saturation, value = float(rng.beta(2.2, 1.8) * 0.75 + 0.15), float(rng.uniform(0.2, 0.92))
    return name, colorsys.hsv_to_rgb(hue, saturation, value)


def distant_colour(
    rng: np.random.Generator, others: list[tuple[float, float, float]]
) -> tuple[float, float, float]:
    """A colour that can be told from the others: at least 0.22 away from the nearest."""
    best, best_distance = (0.0, 0.0, 0.0), -1.0
    for _ in range(12):
        _, colour = cloth_colour(rng)
        distance = min(float(np.linalg.norm(np.subtract(colour, other))) for other in others)
        if distance > best_distance:
            best, best_distance = colour, distance
        if distance > 0.35:
            break
    return best


def draw_item(seed: int) -> Item:
    """Draws up a garment.

    Args:
        seed: any non-negative number; the same one gives the same garment for ever.

    Raises:
        ValueError: for a negative seed.
    """
    if seed < 0:
        raise ValueError(f"an item's seed is 0 or more, not {seed}")
    rng = np.random.default_rng([seed, 0])
    kind = _pick(rng, KINDS)
    print_name = _pick(rng, _PRINTS_OF.get(kind, _CLOTH))
    colour_name, ground = cloth_colour(rng)
    colours = [ground]
    while len(colours) < 4:
        colours.append(distant_colour(rng, colours))
    cut = {name: float(rng.random()) for name in _CUTS}
    graphic = "none"
    if kind in ("t-shirt", "long sleeve", "hoodie", "undershirt", "body", "polo", "dress"):
        if print_name in ("solid", "melange", "blocks", "dyed") and kind not in ("polo", "dress"):
            graphic = _pick(rng, {"none": 2, "text": 2, "emblem": 1.5, "picture": 2, "logo": 0.8})
        elif rng.random() < 0.15:
            graphic = "logo"
    if print_name == "denim":
        colour_name = "blue"
    return Item(seed, kind, print_name, colour_name, tuple(colours), cut, graphic)
