"""Cuts of what is worn above the waist, and dresses."""

from __future__ import annotations

import numpy as np

from examples.drawing.frame import (
    Frame,
    Pose,
    both_sleeves,
    frame_of,
    hem_seam,
    inside_back,
    mirror_part,
    neck_band,
)
from examples.drawing.geometry import (
    Part,
    bend,
    ellipse,
    floats,
    line,
    mirrored,
    outline,
    points,
    ribbon,
)
from examples.drawing.items import Item


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


def pullover(item: Item, pose: Pose) -> list[Part]:
    """T-shirts, long sleeves, polos and baby bodies."""
    frame = frame_of(item)
    long = item.kind == "long sleeve" or (item.kind == "body" and item.cut["style"] > 0.5)
    below, above = both_sleeves(item, frame, long, pose)
    body = frame.body()
    seams = [hem_seam(frame)]
    if item.kind == "body":
        narrow = mirrored(
            (0, frame.neck_depth, 0.38),
            (frame.neck, 0, 0.02),
            (frame.shoulder, frame.slope, -0.13),
            (*frame.armpit, -0.02),
            (frame.chest, frame.length * 0.78, 0.24),
            (0.085, frame.length + 0.08, 0.0),
            (0, frame.length + 0.085, 0),
        )
        leg = ribbon(
            line((frame.chest, frame.length * 0.78), (0.085, frame.length + 0.08), 0.24), 0.02
        )
        body, seams = narrow, []
        edge = Part(leg, "accent" if item.cut["trim"] > 0.5 else "main", thickness=0.4)
        above = [*above, edge, mirror_part(edge)]
        for x in (-0.05, 0.0, 0.05):
            above.append(Part(ellipse(x, frame.length + 0.06, 0.018, 0.018), "trim"))
    parts = [*below, *inside_back(frame)]
    parts.append(Part(body, seams=tuple(seams), graphic=True, thickness=0.8))
    if item.kind == "polo":
        fabric = "accent" if item.cut["trim"] > 0.6 else "main"
        parts += _placket(item, frame, frame.neck_depth + 0.17)
        parts += _collar(frame, 0.05, fabric)
    else:
        parts += neck_band(item, frame, 0.016 + 0.012 * item.cut["detail"])
        if item.kind == "long sleeve" and item.cut["detail"] > 0.6:
            hem = ribbon(hem_seam(frame), 0.05)
            parts.append(Part(hem, thickness=0.4, rib=True))
    return parts + above


def buttoned(item: Item, pose: Pose) -> list[Part]:
    """Shirts, hoodies and jackets: long in the sleeve, with a collar, hood or lapels."""
    frame = frame_of(item)
    cut = item.cut
    long = item.kind != "shirt" or cut["style"] > 0.35
    below, above = both_sleeves(item, frame, long, pose)
    body = Part(frame.body(), graphic=True, thickness=0.9, seams=(hem_seam(frame),))
    parts = list(below)
    hooded = item.kind == "hoodie" or (item.kind == "jacket" and cut["style"] < 0.4)
    if hooded:
        hood = mirrored(
            (0, -0.19, 0.0),
            (0.07, -0.185, -0.2),
            (0.155, -0.03, -0.2),
            (0.1, 0.06, 0.0),
            (0, 0.05, 0),
        )
        cave = mirrored(
            (0, -0.13, 0.0),
            (0.05, -0.125, -0.15),
            (0.1, -0.02, -0.1),
            (0.045, 0.06, 0),
            (0, 0.07, 0),
        )
        parts += [Part(hood, thickness=1.3), Part(cave, "inside", thickness=0.9)]
    else:
        parts += inside_back(frame)
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
            lapel = outline(
                (frame.neck - 0.01, -0.02, 0.0),
                (frame.neck + 0.05, 0.1, 0.0),
                (0.085, 0.13, 0.0),
                (0.006, 0.34, 0),
                (0.0, 0.08, 0),
            )
            half = Part(lapel, thickness=1.1, angle=0.2)
            parts += [half, mirror_part(half)]
        elif not hooded:
            parts += _collar(frame, 0.045, "accent" if cut["trim"] > 0.6 else "main")
        slit = Part(ribbon(line((0.1, 0.5), (0.16, 0.4)), 0.022), "main", thickness=0.9)
        parts += [slit, mirror_part(slit)]
    if item.kind == "hoodie" or cut["width"] > 0.5:
        hem = ribbon(hem_seam(frame), 0.06)
        fabric = "accent" if cut["trim"] > 0.72 else "main"
        parts.append(Part(hem, fabric, thickness=0.5, rib=True))
    return parts + above


def strapped(item: Item, _pose: Pose) -> list[Part]:
    """Undershirts, vests and camisoles."""
    cut = item.cut
    frame = frame_of(item)
    thin = cut["style"] > 0.6
    top = 0.2 if thin else 0.0
    strap = 0.1 + 0.03 * cut["neck"]
    depth = 0.2 + 0.06 * cut["neck_depth"] if thin else 0.12 + 0.1 * cut["neck_depth"]
    pinch = 2 * ((frame.chest + frame.hem) / 2 - frame.waist) / (frame.length - 0.27)
    if thin:
        body = mirrored(
            (0, depth + 0.02, 0.1),
            (strap, 0.17, 0.05),
            (strap + 0.012, 0.17, 0.1),
            (frame.chest, 0.26, pinch),
            (frame.hem, frame.length, 0.02),
            (0, frame.length + 0.008, 0),
        )
    else:
        body = mirrored(
            (0, depth, 0.38),
            (strap - 0.02, 0, 0),
            (strap + 0.035, 0.008, 0.22),
            (frame.chest, 0.27, pinch),
            (frame.hem, frame.length, 0.02),
            (0, frame.length + 0.008, 0),
        )
    seams = (hem_seam(frame),)
    parts: list[Part] = []
    if thin:
        back = mirrored((0, 0.21, 0), (strap, 0.18, 0), (frame.chest, 0.26, 0), (0, 0.4, 0))
        cord = Part(ribbon(line((strap + 0.004, 0.19), (strap - 0.03, 0.0), 0.06), 0.011), "main")
        behind = Part(
            ribbon(line((strap - 0.03, 0.0), (strap + 0.02, 0.22), -0.12), 0.01), "inside"
        )
        parts += [
            Part(back, "inside", thickness=0.4),
            behind,
            mirror_part(behind),
            cord,
            mirror_part(cord),
        ]
    else:
        rear = mirrored(
            (0, 0.06, 0.3),
            (strap - 0.02, 0.0, 0),
            (strap + 0.03, 0.01, 0.2),
            (frame.chest - 0.02, 0.25, 0),
            (0, 0.4, 0),
        )
        parts.append(Part(rear, "inside", thickness=0.4))
    parts.append(Part(body, seams=seams, graphic=True, thickness=0.8))
    edge = bend(
        (0, depth + (0.02 if thin else 0)),
        (strap - (0 if thin else 0.02), 0.17 if thin else 0),
        0.1 if thin else 0.38,
    )
    neckline = np.concatenate([(edge * floats([-1, 1]))[::-1], edge[1:]])
    fabric = "accent" if cut["trim"] > 0.6 else "main"
    parts.append(Part(ribbon(neckline, 0.014), fabric, thickness=0.4))
    if cut["detail"] > 0.75 and top:
        parts.append(Part(ribbon(hem_seam(frame), 0.06), "accent", thickness=0.4))
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
        below, above = both_sleeves(item, frame, cut["style"] < 0.18, pose)
    shoulder = frame.shoulder if sleeved else frame.shoulder - 0.055
    bulge = 0.05 if frame.v_neck else 0.38
    body = mirrored(
        (0, frame.neck_depth, bulge),
        (frame.neck, 0, 0.02),
        (shoulder, frame.slope - 0.01, -0.13 if sleeved else 0.16),
        (*frame.armpit, -0.02),
        (frame.waist, frame.length, -0.03 - 0.12 * cut["detail"]),
        (hem, length, 0.03),
        (0, length + 0.02, 0),
    )
    waist = line((-frame.waist, frame.length), (frame.waist, frame.length), -0.02)
    stitch = line((-hem + 0.01, length - 0.02), (hem - 0.01, length - 0.02), -0.012)
    parts = [*below, *inside_back(frame), Part(body, seams=(waist, stitch), graphic=True)]
    if cut["trim"] > 0.55:
        fabric = "accent" if cut["trim"] > 0.75 else "main"
        parts.append(Part(ribbon(waist, 0.02 + 0.03 * cut["detail"]), fabric, thickness=0.6))
    if cut["shape"] > 0.65:
        for level in (0.55, 0.78):
            y = frame.length + level * (length - frame.length)
            x = frame.waist + level * (hem - frame.waist) + 0.012
            frill = ribbon(line((-x, y), (x, y), -0.02), 0.05)
            parts.append(Part(frill, "main", thickness=1.0))
    return [*parts, *neck_band(item, frame, 0.014), *above]
