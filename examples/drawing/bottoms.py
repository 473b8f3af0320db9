"""Cuts of what is worn below the waist, on the feet and on the head."""

from __future__ import annotations

import math

import numpy as np

from examples.drawing.frame import Pose, mirror_part
from examples.drawing.geometry import (
    Part,
    Points,
    ellipse,
    floats,
    line,
    mirrored,
    outline,
    place,
    points,
    ribbon,
)
from examples.drawing.items import Item


def _leg(item: Item, long: bool, turn: float, knee: float) -> list[Part]:
    """The right leg; the waist's centre is (0, 0)."""
    cut = item.cut
    waist = 0.15 + 0.035 * cut["width"]
    hip = waist + 0.035 + 0.02 * cut["waist"]
    crotch = 0.25 + 0.04 * cut["detail"]
    reach = 0.62 + 0.1 * cut["length"] if long else 0.12 + 0.24 * cut["length"]
    hem = (0.09 if long else 0.175) + (0.075 if long else 0.05) * cut["flare"]
    angle = 0.06 + 0.08 * cut["shape"] + turn
    down = np.array([math.sin(angle), math.cos(angle)])
    lower = angle - knee
    down_lower = np.array([math.sin(lower), math.cos(lower)])
    inner = np.array([0.004, crotch])
    knee_in = inner + down * reach * 0.5
    hem_in = knee_in + down_lower * reach * 0.5
    across, across_lower = np.array([down[1], -down[0]]), np.array([down_lower[1], -down_lower[0]])
    hem_out = hem_in + across_lower * hem
    knee_out = knee_in + across * (hip + hem) * 0.52
    hip_out = (hip, crotch * 0.62)
    shape = outline(
        (-0.012, 0.0, 0.0),
        (waist, 0.004, -0.05),
        (hip_out[0], hip_out[1], -0.02),
        (knee_out[0], knee_out[1], 0.0),
        (hem_out[0], hem_out[1], 0.02),
        (hem_in[0], hem_in[1], 0.0),
        (knee_in[0], knee_in[1], 0.02),
        (inner[0] - 0.012, inner[1], 0.0),
    )
    pocket = line((waist * 0.55, 0.05), (hip * 0.98, 0.14), 0.2)
    hem_seam = line(hem_in - down_lower * 0.02, hem_out - down_lower * 0.02)
    parts = [Part(shape, angle=-(angle + lower) / 2, seams=(pocket, hem_seam))]
    if cut["trim"] > 0.7:
        cuff = points(
            hem_in - down_lower * 0.045,
            hem_out - down_lower * 0.045 + across_lower * 0.006,
            hem_out + across_lower * 0.006,
            hem_in - across_lower * 0.004,
        )
        parts.append(Part(cuff, "main" if cut["trim"] < 0.9 else "accent", thickness=0.7))
    return parts


def trousers(item: Item, pose: Pose) -> list[Part]:
    """Trousers and shorts."""
    cut = item.cut
    long = item.kind == "trousers"
    waist = 0.15 + 0.035 * cut["width"]
    left = [mirror_part(part) for part in _leg(item, long, pose.left, pose.left_elbow)]
    right = _leg(item, long, pose.right, pose.right_elbow)
    crotch = 0.25 + 0.04 * cut["detail"]
    band_line = line((-waist - 0.003, 0.018), (waist + 0.003, 0.018), -0.03)
    elastic = cut["style"] > 0.7
    inside = outline((-waist, 0.0, -0.08), (waist, 0.0, -0.05))
    parts = [Part(inside, "inside", thickness=0.3), *left, *right]
    fly = line((0.0, 0.04), (0.0, crotch))
    stitch = line((0.028, 0.04), (0.004, crotch * 0.72), 0.15)
    front = outline(
        (-0.03, 0.03, 0), (0.03, 0.03, 0), (0.004, crotch + 0.004, 0), (-0.006, crotch, 0)
    )
    parts.append(Part(front, seams=() if elastic else (fly, stitch), thickness=0.15))
    parts.append(
        Part(
            ribbon(band_line, 0.045),
            thickness=0.7,
            rib=elastic,
            fabric="accent" if elastic and cut["trim"] > 0.5 else "main",
        )
    )
    if elastic:
        for x in (-0.012, 0.014):
            cord = ribbon(line((x, 0.025), (x * 3, 0.13), 0.1), 0.008)
            parts.append(Part(cord, "trim", thickness=0.9))
    else:
        parts.append(Part(ellipse(0.0, 0.022, 0.02, 0.02), "trim", thickness=1.0))
        for x in (-0.62 * waist, 0.62 * waist):
            loop = points(
                (x - 0.006, -0.008), (x + 0.006, -0.008), (x + 0.006, 0.05), (x - 0.006, 0.05)
            )
            parts.append(Part(loop, thickness=0.9))
    if long and 0.45 < cut["style"] < 0.6:
        belt = ribbon(band_line, 0.036)
        buckle = points((-0.022, 0.0), (0.022, 0.0), (0.022, 0.042), (-0.022, 0.042))
        parts += [Part(belt, "dark", thickness=0.9), Part(buckle, "trim", thickness=0.9)]
    return parts


def skirt(item: Item, _pose: Pose) -> list[Part]:
    """Skirts: straight, flared or pleated."""
    cut = item.cut
    waist = 0.15 + 0.04 * cut["width"]
    hem = waist + 0.06 + 0.2 * cut["flare"]
    length = 0.42 + 0.4 * cut["length"]
    body = mirrored(
        (0, 0.0, 0.0),
        (waist, 0.0, -0.04 - 0.1 * cut["shape"]),
        (hem, length, 0.03),
        (0, length + 0.025, 0),
    )
    seams: list[Points] = [line((-hem, length - 0.02), (hem, length - 0.02), -0.02)]
    if cut["style"] > 0.55:
        for share in np.linspace(-0.85, 0.85, 5 + 2 * int(cut["detail"] * 4)):
            seams.append(line((waist * share, 0.03), (hem * share, length), 0.01))
    parts = [Part(outline((-waist, 0, -0.08), (waist, 0, -0.06)), "inside", thickness=0.3)]
    parts.append(Part(body, seams=tuple(seams)))
    if cut["shape"] > 0.6:
        y, x = length * 0.62, waist + 0.62 * (hem - waist) + 0.02
        parts.append(Part(ribbon(line((-x, y), (x, y), -0.03), 0.035), "main", thickness=1.0))
    band = ribbon(line((-waist - 0.002, 0.02), (waist + 0.002, 0.02), -0.03), 0.045)
    parts.append(
        Part(
            band, "accent" if cut["trim"] > 0.6 else "main", thickness=0.7, rib=cut["detail"] > 0.5
        )
    )
    if cut["style"] < 0.3:
        for y in np.linspace(0.06, length - 0.05, 5):
            parts.append(Part(ellipse(0.0, float(y), 0.02, 0.02), "trim", thickness=0.9))
    return parts


def _shoe(item: Item) -> list[Part]:
    """One right shoe seen from above, toe up, 0.8 long, centred on (0, 0)."""
    cut = item.cut
    wide = 0.3 + 0.05 * cut["width"]
    toe = 0.08 + 0.1 * cut["shape"]

    def foot(grow: float) -> Points:
        half = wide / 2 + grow
        return outline(
            (-toe, -0.4 - grow, -0.22),
            (half * 0.72, -0.38 - grow * 0.7, -0.2),
            (half, -0.16, -0.05),
            (half * 0.72, 0.14, 0.0),
            (half * 0.66, 0.34 + grow * 0.6, -0.3),
            (-half * 0.66, 0.34 + grow * 0.6, 0.0),
            (-half * 0.74, 0.1, 0.02),
            (-half * 0.96, -0.2, -0.1),
        )

    sole = Part(foot(0.014), "sole" if cut["trim"] > 0.35 else "dark", thickness=1.0)
    if cut["style"] > 0.78:  # a flip-flop: footbed and strap
        bed = Part(foot(-0.008), "main", thickness=0.4)
        left = Part(ribbon(line((-wide * 0.46, 0.0), (0.0, -0.25), -0.2), 0.034), "accent")
        right = Part(ribbon(line((wide * 0.44, 0.0), (0.0, -0.25), 0.2), 0.034), "accent")
        return [sole, bed, left, right, Part(ellipse(0, -0.255, 0.04, 0.04), "accent")]
    upper = Part(foot(-0.01), "main", thickness=1.8)
    opening = outline(
        (-0.075, -0.06, -0.3), (0.075, -0.06, -0.08), (0.085, 0.28, -0.45), (-0.085, 0.28, -0.08)
    )
    collar = place(opening * floats([1.22, 1.14]), 0.0, (0.0, -0.008))
    parts = [sole, upper, Part(collar, "accent" if cut["detail"] > 0.6 else "main", thickness=1.1)]
    parts.append(Part(opening, "dark", thickness=0.5))
    parts.append(Part(ellipse(0, 0.16, 0.13, 0.22), "inside", thickness=0.3))
    if cut["style"] < 0.5:  # laced
        tongue = outline(
            (-0.05, -0.21, -0.1), (0.05, -0.21, 0), (0.062, 0.0, -0.2), (-0.062, 0.0, 0)
        )
        parts.append(Part(tongue, "main" if cut["shape"] > 0.5 else "accent", thickness=0.8))
        for y in np.linspace(-0.18, -0.03, 5):
            lean = 0.014 if int(y * 1000) % 2 else -0.014
            lace = ribbon(line((-0.068, float(y) - lean), (0.068, float(y) + lean)), 0.015)
            parts.append(Part(lace, "trim", thickness=1.0))
        cap = line((-wide * 0.4, -0.23), (wide * 0.42, -0.22), -0.22)
        parts[1] = Part(upper.outline, "main", thickness=1.8, seams=(cap,))
    elif cut["style"] < 0.64:  # a strap with a buckle
        parts.append(Part(ribbon(line((-0.13, -0.07), (0.14, -0.08), 0.12), 0.05), "accent"))
        parts.append(Part(ellipse(0.11, -0.075, 0.03, 0.03), "trim", thickness=0.9))
    return parts


def _moved(part: Part, turn: float, at: tuple[float, float]) -> Part:
    return Part(
        place(part.outline, turn, at),
        part.fabric,
        part.angle + turn,
        at,
        tuple(place(seam, turn, at) for seam in part.seams),
        part.thickness,
        part.rib,
        part.graphic,
    )


def shoes(item: Item, pose: Pose) -> list[Part]:
    """A pair of shoes, slippers or flip-flops, seen from above."""
    right = _shoe(item)
    left = [mirror_part(part) for part in right]
    gap = 0.21 + 0.02 * item.cut["width"]
    return [
        *(_moved(part, -0.05 - pose.left * 0.6, (-gap, pose.left * 0.12)) for part in left),
        *(_moved(part, 0.05 + pose.right * 0.6, (gap, -pose.right * 0.12)) for part in right),
    ]


def hat(item: Item, _pose: Pose) -> list[Part]:
    """Caps, bucket hats and beanies."""
    cut = item.cut
    if cut["style"] < 0.4:  # a peaked cap, three quarters from the front
        dome = mirrored(
            (0, -0.3, 0.0),
            (0.12, -0.285, -0.2),
            (0.3, 0.0, -0.05),
            (0.28, 0.1, -0.05),
            (0, 0.15, 0),
        )
        ribs = (
            line((0, -0.3), (0, 0.14)),
            line((-0.05, -0.29), (-0.2, 0.12), 0.2),
            line((0.05, -0.29), (0.2, 0.12), -0.2),
        )
        peak = outline(
            (-0.27, 0.08, -0.12), (0.27, 0.08, -0.05), (0.34, 0.24, -0.22), (-0.34, 0.24, -0.05)
        )
        rows = tuple(line((-0.3, 0.14 + d), (0.3, 0.14 + d), -0.2) for d in (0.03, 0.06))
        fabric = "accent" if cut["trim"] > 0.5 else "main"
        badge = Part(ellipse(0, -0.03, 0.15, 0.13), "trim", thickness=0.5)
        button = Part(ellipse(0, -0.3, 0.04, 0.025), fabric, thickness=1.0)
        cap = Part(dome, seams=ribs, thickness=1.7, graphic=True)
        return [
            cap,
            *([badge] if cut["detail"] > 0.4 else []),
            button,
            Part(peak, fabric, seams=rows, thickness=1.3),
        ]
    if cut["style"] < 0.72:  # a bucket or sun hat
        wide = 0.36 + 0.12 * cut["flare"]
        crown = mirrored((0, -0.22, 0.0), (0.17, -0.21, -0.2), (0.24, 0.06, 0.0), (0, 0.1, 0))
        brim = outline(
            (-0.24, 0.0, -0.05), (0.24, 0.0, 0.0), (wide, 0.17, -0.2), (-wide, 0.17, 0.0)
        )
        rows = tuple(line((-wide * s, 0.17 * s), (wide * s, 0.17 * s), -0.16) for s in (0.8, 0.9))
        band = ribbon(line((-0.236, 0.02), (0.236, 0.02), -0.08), 0.05)
        tape = Part(band, "accent" if cut["trim"] > 0.3 else "main", thickness=0.6)
        top = line((-0.18, -0.17), (0.18, -0.17), -0.12)
        return [
            Part(brim, seams=rows, thickness=1.2),
            Part(crown, seams=(top,), thickness=1.6),
            tape,
        ]
    dome = mirrored((0, -0.3, 0.0), (0.1, -0.28, -0.24), (0.25, 0.12, 0.0), (0, 0.14, 0))
    fold = outline(
        (-0.262, 0.05, -0.04), (0.262, 0.05, 0.02), (0.255, 0.2, -0.06), (-0.255, 0.2, 0.02)
    )
    parts = [Part(dome, thickness=1.7, rib=True)]
    parts.append(Part(fold, "accent" if cut["trim"] > 0.6 else "main", thickness=1.3, rib=True))
    if cut["detail"] > 0.5:
        parts.insert(0, Part(ellipse(0, -0.33, 0.17, 0.16), "accent", thickness=1.5))
    return parts
