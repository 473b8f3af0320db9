"""What tops share: how they lie, the body's measures, sleeves, necklines and hems."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from examples.drawing.geometry import (
    Part,
    Points,
    flip,
    floats,
    line,
    mirrored,
    outline,
    points,
    ribbon,
)
from examples.drawing.items import Item


@dataclass(frozen=True)
class Pose:
    """How a garment lies; zeros are the catalogue's tidy layout.

    Attributes:
        left: change of the left sleeve's or leg's angle, radians; positive is outwards.
        right: the same on the right.
        left_elbow: bend half-way down the left sleeve or leg, radians; positive is inwards.
        right_elbow: the same on the right.
    """

    left: float = 0.0
    right: float = 0.0
    left_elbow: float = 0.0
    right_elbow: float = 0.0


@dataclass(frozen=True)
class Frame:
    """The body of a top: right-hand half, garment units, collar at y = 0."""

    neck: float
    neck_depth: float
    shoulder: float
    slope: float
    armhole: float
    chest: float
    waist: float
    hem: float
    length: float
    v_neck: bool = False

    @property
    def armpit(self) -> tuple[float, float]:
        """Where the sleeve's lower edge meets the body's side."""
        return self.chest, self.slope + self.armhole

    def front_neck(self) -> Points:
        """The front neckline from the left neck point to the right."""
        if self.v_neck:
            left = line((-self.neck, 0), (0, self.neck_depth), 0.05)
        else:
            left = line((-self.neck, 0), (0, self.neck_depth), 0.38)
        return np.concatenate([left[:-1], (left * floats([-1, 1]))[::-1]])

    def body(self) -> Points:
        """The front's outline, from the neckline round to it again."""
        bulge = 0.05 if self.v_neck else 0.38
        side = self.length - self.armpit[1]
        pinch = 2 * ((self.chest + self.hem) / 2 - self.waist) / side
        return mirrored(
            (0, self.neck_depth, bulge),
            (self.neck, 0, 0.02),
            (self.shoulder, self.slope, -0.13),
            (*self.armpit, pinch),
            (self.hem, self.length, 0.02),
            (0, self.length + 0.008, 0),
        )


def frame_of(item: Item) -> Frame:
    """The item's body measures, by its kind and cut."""
    cut = item.cut
    length = 0.66 + 0.2 * cut["length"]
    chest = 0.235 + 0.07 * cut["width"]
    waist = chest - 0.055 * cut["waist"]
    deep = 0.05 + 0.09 * cut["neck_depth"]
    high = item.kind in ("hoodie", "polo", "shirt", "jacket")
    if item.kind == "dress":
        length, waist = 0.42 + 0.06 * cut["length"], chest - 0.03 - 0.05 * cut["waist"]
    return Frame(
        neck=0.085 + (0.0 if high else 0.05 * cut["neck"]),
        neck_depth=0.06 if high else deep,
        shoulder=chest - 0.015 - 0.03 * cut["shape"],
        slope=0.045,
        armhole=0.19 + 0.03 * cut["width"],
        chest=chest,
        waist=waist,
        hem=chest + 0.03 * cut["flare"] - 0.015 if item.kind != "dress" else waist,
        length=length,
        v_neck=not high and cut["style"] > 0.78,
    )


def sleeve(
    item: Item, frame: Frame, long: bool, turn: float, elbow: float
) -> tuple[list[Part], bool]:
    """The right sleeve, and whether it is folded over the body (so that it is drawn last)."""
    cut = item.cut
    reach = 0.56 + 0.12 * cut["sleeve"] if long else 0.15 + 0.12 * cut["sleeve"]
    angle = (0.3 if long else 0.62) + 0.16 * cut["shape"] + turn
    cuff = (0.088 if long else 0.145) + 0.04 * cut["sleeve_width"]
    top = np.array([frame.shoulder - 0.004, frame.slope])
    pit = np.array([frame.armpit[0] - 0.003, frame.armpit[1] + 0.012])
    down = np.array([math.sin(angle), math.cos(angle)])
    lower = angle - elbow
    down_lower = np.array([math.sin(lower), math.cos(lower)])
    inward = np.array([-down[1], down[0]])
    inward_lower = np.array([-down_lower[1], down_lower[0]])
    elbow_out = top + down * reach * 0.5
    cuff_out = elbow_out + down_lower * reach * 0.5
    cuff_in = cuff_out + inward_lower * cuff
    width = 0.5 * (cuff + float(np.linalg.norm(pit - top)))
    elbow_in = elbow_out + (inward + inward_lower) / 2 * min(width, 0.2)
    tuck = np.array([frame.shoulder - 0.05, frame.armpit[1] - 0.03])
    shape = outline(
        (top[0] - 0.05, top[1] - 0.004, 0.03),
        (top[0], top[1], -0.04),
        (elbow_out[0], elbow_out[1], -0.02 if abs(elbow) < 0.5 else 0.0),
        (cuff_out[0], cuff_out[1], 0.03),
        (cuff_in[0], cuff_in[1], -0.02),
        (elbow_in[0], elbow_in[1], -0.03 if long else 0.0),
        (pit[0], pit[1], 0),
        (tuck[0], tuck[1], 0),
    )
    parts = [Part(shape, angle=-(angle + lower) / 2, origin=(float(top[0]), float(top[1])))]
    if item.kind in ("hoodie", "jacket", "shirt", "long sleeve") and long:
        back = -0.055 if item.kind != "shirt" else -0.06
        corner_out = cuff_out + down_lower * back
        corner_in = corner_out + inward_lower * (cuff + 0.008)
        band = points(corner_out - inward_lower * 0.003, cuff_out, cuff_in, corner_in)
        fabric = "accent" if cut["trim"] > 0.72 and item.kind != "shirt" else "main"
        parts.append(
            Part(band, fabric, angle=-lower, thickness=0.5, rib=item.kind in ("hoodie", "jacket"))
        )
    elif cut["trim"] > 0.4:
        corner_out = cuff_out - down_lower * 0.022
        stitch = line(corner_out, corner_out + inward_lower * cuff * 1.03)
        fabric = "accent" if cut["trim"] > 0.8 else "main"
        if fabric == "accent":
            band = points(corner_out, cuff_out, cuff_in, stitch[-1])
            parts.append(Part(band, fabric, angle=-lower, thickness=0.3, rib=True))
        else:
            parts[0] = Part(shape, angle=parts[0].angle, origin=parts[0].origin, seams=(stitch,))
    return parts, elbow > 1.2


def mirror_part(part: Part) -> Part:
    """The part on the other side of the garment."""
    return Part(
        flip(part.outline),
        part.fabric,
        -part.angle,
        (-part.origin[0], part.origin[1]),
        tuple(flip(seam) for seam in part.seams),
        part.thickness,
        part.rib,
        part.graphic,
    )


def both_sleeves(item: Item, frame: Frame, long: bool, pose: Pose) -> tuple[list[Part], list[Part]]:
    """Sleeves below the body, and sleeves folded over it."""
    below: list[Part] = []
    above: list[Part] = []
    right, right_over = sleeve(item, frame, long, pose.right, pose.right_elbow if long else 0.0)
    left, left_over = sleeve(item, frame, long, pose.left, pose.left_elbow if long else 0.0)
    (above if right_over else below).extend(right)
    (above if left_over else below).extend(mirror_part(part) for part in left)
    return below, above


def inside_back(frame: Frame) -> list[Part]:
    """What is seen of the back through the neck opening, with its sewn label."""
    back = line((frame.neck, 0), (-frame.neck, 0), -0.09)
    shape = np.concatenate([frame.front_neck(), back[:-1]])
    tag = points((-0.02, 0.016), (0.02, 0.016), (0.02, 0.038), (-0.02, 0.038))
    return [Part(shape, "inside", thickness=0.4), Part(tag, "trim", thickness=0.1)]


def neck_band(item: Item, frame: Frame, width: float = 0.02) -> list[Part]:
    """The band sewn round the neck opening, its back half and its front half."""
    fabric = "accent" if item.cut["trim"] > 0.66 else "main"
    back = ribbon(line((-frame.neck, 0.0), (frame.neck, 0.0), 0.1), width * 0.8)
    front = ribbon(frame.front_neck() + floats([0, width / 3]), width)
    return [Part(back, fabric, thickness=0.4), Part(front, fabric, thickness=0.5)]


def hem_seam(frame: Frame) -> Points:
    """The stitch line along the lower hem."""
    return line(
        (-frame.hem + 0.004, frame.length - 0.022), (frame.hem - 0.004, frame.length - 0.022)
    )
