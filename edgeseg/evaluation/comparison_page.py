"""A comparison as one HTML page: the verdict, each part, pictures of what was lost and gained."""

from __future__ import annotations

from html import escape

from edgeseg.evaluation.comparison import Change, Comparison, Difference, MaskOf
from edgeseg.evaluation.overlay import differences, dimmed
from edgeseg.evaluation.page import page, picture_figure, table
from edgeseg.evaluation.segmentation import read_pair

# Of each kind; a page of more would not be looked through.
_SHOWN = 12


def comparison_page(
    comparison: Comparison, names: tuple[str, str], first: MaskOf, second: MaskOf
) -> str:
    """Draw a page that holds everything it shows.

    The photos shown are read and segmented again, so that a comparison of thousands holds none.

    Args:
        comparison: what :func:`edgeseg.evaluation.comparison.compare` gave.
        names: what the two are called.
        first: the same way of segmenting.
        second: likewise.

    Raises:
        PhotoError: a photo cannot be read any more.
    """
    ordered = comparison.worst_first()
    losses = [change for change in ordered if change.iou_change < 0][:_SHOWN]
    gains = [change for change in ordered[::-1] if change.iou_change > 0][:_SHOWN]
    whole = comparison.whole
    rows = comparison.named_parts()
    body = [
        f"<h1>{escape(names[1])} against {escape(names[0])}</h1>",
        f"<p>{escape(told(whole, names))}</p>",
        table(
            ("photos of", "photos", names[0], names[1], "change", "verdict"),
            [_row(name, part) for name, part in rows],
            [False] * len(rows),
        ),
        "<p class=faint>Intervals hold 95% of resamples of the photos, those of one group drawn "
        "together. On the pictures, orange is what a mask has too much, blue what it lacks.</p>",
    ]
    for title, changes in (("Largest losses", losses), ("Largest gains", gains)):
        body.append(f"<h2>{title}</h2>")
        body += [_pictures(change, names, first, second) for change in changes]
        if not changes:
            body.append("<p>None.</p>")
    body += [
        f"<details><summary>All {whole.photos} photos</summary>",
        table(
            ("photo", names[0], names[1], "change"),
            [
                [
                    (change.judged.photo.name, change.judged.part),
                    (f"{change.first_iou:.4f}", ""),
                    (f"{change.second_iou:.4f}", ""),
                    (f"{change.iou_change:+.4f}", ""),
                ]
                for change in ordered
            ],
            [False] * len(ordered),
        ),
        "</details>",
    ]
    return page(f"{names[1]} against {names[0]}", "\n".join(body))


def told(whole: Difference, names: tuple[str, str]) -> str:
    """The verdict in a sentence."""
    said = {
        "better": f"{names[1]} is better than {names[0]} beyond noise",
        "worse": f"{names[1]} is worse than {names[0]} beyond noise",
        "no difference beyond noise": "There is no difference beyond noise",
    }
    return (
        f"{said[whole.verdict]}: IoU {whole.iou_change:+.4f} "
        f"({whole.low:+.4f} to {whole.high:+.4f}) on {whole.photos} photos of "
        f"{whole.groups} groups."
    )


def _row(name: str, part: Difference) -> list[tuple[str, str]]:
    return [
        (name, ""),
        (str(part.photos), f"{part.groups} groups"),
        (f"{part.first_iou:.4f}", ""),
        (f"{part.second_iou:.4f}", ""),
        (f"{part.iou_change:+.4f}", f"{part.low:+.4f} to {part.high:+.4f}"),
        (part.verdict, ""),
    ]


def _pictures(change: Change, names: tuple[str, str], first: MaskOf, second: MaskOf) -> str:
    judged = change.judged.photo
    photo, true = read_pair(judged)
    figures = [picture_figure(dimmed(photo, true), f"{judged.name}, true mask", "large")]
    for name, mask_of, score in (
        (names[0], first, change.first_iou),
        (names[1], second, change.second_iou),
    ):
        shown = differences(photo, mask_of(judged, photo), true)
        figures.append(picture_figure(shown, f"{name}: IoU {score:.4f}", "large"))
    return f'<div class="miss">{"".join(figures)}</div>'
