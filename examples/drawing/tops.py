"""Cuts of what is worn above the waist, and dresses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from examples.drawing.geometry import (
    Part,
    Points,
    bend,
    ellipse,
    flip,
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
        return self.chest, self.slope + self.armhole

    def front_neck(self) -> Points:
        """The front neckline from the left neck point to the right."""
        if self.v_neck:
            left = line((-self.neck, 0), (0, self.neck_depth), -0.06)
        else:
            left = line((-self.neck, 0), (0, self.neck_depth), -0.32)
        return np.concatenate([left[:-1], (left * np.float32([-1, 1]))[::-1]])

    def body(self) -> Points:
        bulge = 0.06 if self.v_neck else 0.32
        waist_y = self.slope + self.armhole + 0.45 * (self.length - self.slope - self.armhole)
        return mirrored(
            (0, self.neck_depth, -bulge),
            (self.neck, 0, 0.02),
            (self.shoulder, self.slope, -0.13),
            (*self.armpit, -0.03),
            (self.waist, waist_y, -0.03),
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
    pit = np.array(frame.armpit) + (-0.003, 0.012)
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


def _sleeves(item: Item, frame: Frame, long: bool, pose: Pose) -> tuple[list[Part], list[Part]]:
    """Sleeves below the body, and sleeves folded over it."""
    below: list[Part] = []
    above: list[Part] = []
    right, right_over = sleeve(item, frame, long, pose.right, pose.right_elbow if long else 0.0)
    left, left_over = sleeve(item, frame, long, pose.left, pose.left_elbow if long else 0.0)
    (above if right_over else below).extend(right)
    (above if left_over else below).extend(mirror_part(part) for part in left)
    return below, above


def _inside_back(frame: Frame, lift: float = 0.012) -> list[Part]:
    """What is seen of the back through the neck opening, with its sewn label."""
    back = line((frame.neck, 0), (-frame.neck, 0), 0.14 - lift)
    shape = np.concatenate([frame.front_neck(), back[:-1]])
    tag = points((-0.02, 0.016), (0.02, 0.016), (0.02, 0.038), (-0.02, 0.038))
    return [Part(shape, "inside", thickness=0.4), Part(tag, "trim", thickness=0.1)]


def _neck_band(item: Item, frame: Frame, width: float = 0.02) -> list[Part]:
    fabric = "accent" if item.cut["trim"] > 0.66 else "main"
    back = ribbon(line((-frame.neck, 0.0), (frame.neck, 0.0), -0.12), width * 0.8)
    front = ribbon(frame.front_neck() + np.float32([0, width / 2]), width)
    return [Part(back, fabric, thickness=0.4), Part(front, fabric, thickness=0.5)]


def _collar(frame: Frame, size: float, fabric: str) -> list[Part]:
    stand = ribbon(line((-frame.neck, 0.0), (frame.neck, 0.0), -0.16), 0.05)
    leaf = outline(
        (frame.neck - 0.03, -0.03, 0.1),
        (frame.neck + 0.02, 0.008, 0.05),
        (0.06 + size * 0.4, frame.neck_depth + size, 0.0),
        (0.0, frame.neck_depth + 0.012, 0.12),
    )
    half = Part(leaf, fabric, angle=0.5, thickness=1.1)
    return [Part(stand, fabric, thickness=0.6), half, mirror_part(half)]


def _placket(item: Item, frame: Frame, end: float, zipped: bool = False) -> list[Part]:
    """The front closing, with buttons or a zip, down to y = ``end``."""
    start = frame.neck_depth + 0.005
    if zipped:
        fabric = "trim" if item.cut["trim"] > 0.5 else "dark"
        strip = points((-0.008, start), (0.008, start), (0.008, end), (-0.008, end))
        pull = ellipse(0.0, start + 0.03, 0.016, 0.035)
        return [Part(strip, fabric, thickness=0.8), Part(pull, "trim", thickness=0.6)]
    half = 0.017
    strip = points((-half, start), (half, start), (half, end), (-half, end))
    sides = (line((-half * 0.8, start), (-half * 0.8, end)), line((half * 0.8, start), (half, end)))
    parts = [Part(strip, "main", seams=sides, thickness=0.4)]
    count = max(2, round((end - start) / 0.095))
    for y in np.linspace(start + 0.02, end - 0.03, count):
        parts.append(Part(ellipse(0, float(y), 0.016, 0.016), "trim", thickness=0.8))
    return parts


def _pocket(x: float, y: float, width: float, height: float) -> Part:
    shape = outline(
        (x, y, 0),
        (x + width, y, 0),
        (x + width, y + height * 0.8, 0.1),
        (x + width / 2, y + height, 0.1),
        (x, y + height * 0.8, 0),
    )
    return Part(shape, "main", thickness=0.35, seams=(line((x, y + 0.02), (x + width, y + 0.02)),))


def _hem_seam(frame: Frame) -> Points:
    return line((-frame.hem + 0.004, frame.length - 0.022), (frame.hem - 0.004, frame.length - 0.022))


def pullover(item: Item, pose: Pose) -> list[Part]:
    """T-shirts, long sleeves, polos and baby bodies."""
    frame = frame_of(item)
    long = item.kind == "long sleeve" or (item.kind == "body" and item.cut["style"] > 0.5)
    below, above = _sleeves(item, frame, long, pose)
    body = frame.body()
    seams = [_hem_seam(frame)]
    if item.kind == "body":
        narrow = mirrored(
            (0, frame.neck_depth, -0.32),
            (frame.neck, 0, 0.02),
            (frame.shoulder, frame.slope, -0.13),
            (*frame.armpit, -0.02),
            (frame.chest, frame.length * 0.78, 0.24),
            (0.085, frame.length + 0.08, 0.0),
            (0, frame.length + 0.085, 0),
        )
        leg = ribbon(line((frame.chest, frame.length * 0.78), (0.085, frame.length + 0.08), 0.24), 0.02)
        body, seams = narrow, []
        edge = Part(leg, "accent" if item.cut["trim"] > 0.5 else "main", thickness=0.4)
        above = [*above, edge, mirror_part(edge)]
        for x in (-0.05, 0.0, 0.05):
            above.append(Part(ellipse(x, frame.length + 0.06, 0.018, 0.018), "trim"))
    parts = [*below, *_inside_back(frame)]
    parts.append(Part(body, seams=tuple(seams), graphic=True, thickness=0.8))
    if item.kind == "polo":
        fabric = "accent" if item.cut["trim"] > 0.6 else "main"
        parts += _placket(item, frame, frame.neck_depth + 0.17)
        parts += _collar(frame, 0.05, fabric)
    else:
        parts += _neck_band(item, frame, 0.016 + 0.012 * item.cut["detail"])
        if item.kind == "long sleeve" and item.cut["detail"] > 0.6:
            hem = ribbon(_hem_seam(frame), 0.05)
            parts.append(Part(hem, thickness=0.4, rib=True))
    return parts + above


def buttoned(item: Item, pose: Pose) -> list[Part]:
    """Shirts, hoodies and jackets: long in the sleeve, with a collar, hood or lapels."""
    frame = frame_of(item)
    cut = item.cut
    long = item.kind != "shirt" or cut["style"] > 0.35
    below, above = _sleeves(item, frame, long, pose)
    body = Part(frame.body(), graphic=True, thickness=0.9, seams=(_hem_seam(frame),))
    parts = list(below)
    hooded = item.kind == "hoodie" or (item.kind == "jacket" and cut["style"] < 0.4)
    if hooded:
        hood = mirrored((0, -0.19, 0.0), (0.07, -0.185, -0.2), (0.155, -0.03, -0.2), (0.1, 0.06, 0.0), (0, 0.05, 0))
        cave = mirrored((0, -0.13, 0.0), (0.05, -0.125, -0.15), (0.1, -0.02, -0.1), (0.045, 0.06, 0), (0, 0.07, 0))
        parts += [Part(hood, thickness=1.3), Part(cave, "inside", thickness=0.9)]
    else:
        parts += _inside_back(frame)
    parts.append(body)
    bottom = frame.length - 0.004
    if item.kind == "shirt":
        parts += _placket(item, frame, bottom)
        parts += _collar(frame, 0.06, "main")
        if cut["detail"] > 0.4:
            parts.append(_pocket(0.06, 0.19, 0.1, 0.12))
        return parts + above
    if item.kind == "hoodie":
        pouch = outline((-0.1, 0.42, 0), (0.1, 0.42, 0), (0.165, 0.6, 0), (-0.165, 0.6, 0))
        zipped = cut["style"] > 0.6
        parts.append(Part(pouch, thickness=0.6))
        if zipped:
            parts += _placket(item, frame, bottom, zipped=True)
        for x in (-0.035, 0.035):
            cord = ribbon(line((x, 0.05), (x * 1.3, 0.2 + 0.05 * cut["detail"]), 0.05), 0.009)
            parts.append(Part(cord, "trim", thickness=0.9))
    else:
        parts += _placket(item, frame, bottom, zipped=cut["detail"] > 0.4)
        if not hooded and cut["style"] > 0.7:
            lapel = outline((frame.neck - 0.01, -0.02, 0.0), (frame.neck + 0.05, 0.1, 0.0), (0.085, 0.13, 0.0), (0.006, 0.34, 0), (0.0, 0.08, 0))
            half = Part(lapel, thickness=1.1, angle=0.2)
            parts += [half, mirror_part(half)]
        elif not hooded:
            parts += _collar(frame, 0.045, "accent" if cut["trim"] > 0.6 else "main")
        slit = Part(ribbon(line((0.1, 0.5), (0.16, 0.4)), 0.022), "main", thickness=0.9)
        parts += [slit, mirror_part(slit)]
    if item.kind == "hoodie" or cut["width"] > 0.5:
        hem = ribbon(_hem_seam(frame), 0.06)
        fabric = "accent" if cut["trim"] > 0.72 else "main"
        parts.append(Part(hem, fabric, thickness=0.5, rib=True))
    return parts + above


def strapped(item: Item, pose: Pose) -> list[Part]:
    """Undershirts, vests and camisoles."""
    cut = item.cut
    frame = frame_of(item)
    thin = cut["style"] > 0.6
    top = 0.2 if thin else 0.0
    strap = 0.1 + 0.03 * cut["neck"]
    depth = 0.2 + 0.06 * cut["neck_depth"] if thin else 0.12 + 0.1 * cut["neck_depth"]
    if thin:
        body = mirrored((0, depth + 0.02, -0.1), (strap, 0.17, 0.05), (strap + 0.012, 0.17, 0.1), (frame.chest, 0.26, -0.02), (frame.waist, 0.45, -0.03), (frame.hem, frame.length, 0.02), (0, frame.length + 0.008, 0))
    else:
        body = mirrored((0, depth, -0.3), (strap - 0.02, 0, 0), (strap + 0.035, 0.008, 0.22), (frame.chest, 0.27, -0.02), (frame.waist, 0.45, -0.03), (frame.hem, frame.length, 0.02), (0, frame.length + 0.008, 0))
    seams = (_hem_seam(frame),)
    parts: list[Part] = []
    if thin:
        back = mirrored((0, 0.21, 0), (strap, 0.18, 0), (frame.chest, 0.26, 0), (0, 0.4, 0))
        cord = Part(ribbon(line((strap + 0.004, 0.19), (strap - 0.03, 0.0), 0.06), 0.011), "main")
        behind = Part(ribbon(line((strap - 0.03, 0.0), (strap + 0.02, 0.22), -0.12), 0.01), "inside")
        parts += [Part(back, "inside", thickness=0.4), behind, mirror_part(behind), cord, mirror_part(cord)]
    else:
        rear = mirrored((0, 0.07, -0.25), (strap - 0.02, 0.0, 0), (strap + 0.03, 0.01, 0.2), (frame.chest - 0.02, 0.25, 0), (0, 0.4, 0))
        parts.append(Part(rear, "inside", thickness=0.4))
    parts.append(Part(body, seams=seams, graphic=True, thickness=0.8))
    edge = bend((0, depth + (0.02 if thin else 0)), (strap - (0 if thin else 0.02), 0.17 if thin else 0), -0.1 if thin else -0.3)
    neckline = np.concatenate([(edge * np.float32([-1, 1]))[::-1], edge[1:]])
    fabric = "accent" if cut["trim"] > 0.6 else "main"
    parts.append(Part(ribbon(neckline, 0.014), fabric, thickness=0.4))
    if cut["detail"] > 0.75 and top:
        parts.append(Part(ribbon(_hem_seam(frame), 0.06), "accent", thickness=0.4))
    return parts


def dress(item: Item, pose: Pose) -> list[Part]:
    """Dresses: a bodice with sleeves or without, and a skirt."""
    cut = item.cut
    frame = frame_of(item)
    length = 0.92 + 0.28 * cut["length"]
    hem = frame.chest + 0.02 + 0.24 * cut["flare"]
    sleeved = cut["style"] < 0.6
    below: list[Part] = []
    above: list[Part] = []
    if sleeved:
        below, above = _sleeves(item, frame, cut["style"] < 0.18, pose)
    shoulder = frame.shoulder if sleeved else frame.shoulder - 0.055
    bulge = 0.06 if frame.v_neck else 0.32
    body = mirrored(
        (0, frame.neck_depth, -bulge),
        (frame.neck, 0, 0.02),
        (shoulder, frame.slope - 0.01, -0.13 if sleeved else 0.16),
        (*frame.armpit, -0.02),
        (frame.waist, frame.length, -0.03 - 0.12 * cut["detail"]),
        (hem, length, 0.03),
        (0, length + 0.02, 0),
    )
    waist = line((-frame.waist, frame.length), (frame.waist, frame.length), -0.02)
    stitch = line((-hem + 0.01, length - 0.02), (hem - 0.01, length - 0.02), -0.012)
    parts = [*below, *_inside_back(frame), Part(body, seams=(waist, stitch), graphic=True)]
    if cut["trim"] > 0.55:
        fabric = "accent" if cut["trim"] > 0.75 else "main"
        parts.append(Part(ribbon(waist, 0.02 + 0.03 * cut["detail"]), fabric, thickness=0.6))
    if cut["shape"] > 0.65:
        for level in (0.55, 0.78):
            y = frame.length + level * (length - frame.length)
            x = frame.waist + level * (hem - frame.waist) + 0.012
            frill = ribbon(line((-x, y), (x, y), -0.02), 0.05)
            parts.append(Part(frill, "main", thickness=1.0))
    return [*parts, *_neck_band(item, frame, 0.014), *above]
