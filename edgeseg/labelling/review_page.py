"""A second look as one HTML page: label, the network's mask, and what they differ in."""

from __future__ import annotations

from html import escape

from edgeseg.evaluation.overlay import differences, dimmed
from edgeseg.evaluation.page import page, picture_figure
from edgeseg.evaluation.segmentation import read_pair
from edgeseg.imaging import resize_bilinear
from edgeseg.labelling.doubt import GivesConfidence
from edgeseg.labelling.review import Review, Reviewed

_THRESHOLD = 0.5


def review_page(review: Review, network: GivesConfidence, count: int) -> str:
    """Draw a page that holds everything it shows.

    The photos shown are read and segmented again, so that a review of thousands holds none.

    Args:
        review: what :func:`edgeseg.labelling.review.review_labels` gave.
        network: the same network.
        count: how many labels to show.

    Raises:
        PhotoError: a photo cannot be read any more.
    """
    shown = review.worst_first[:count]
    body = [
        "<h1>Second look</h1>",
        f"<p>{review.suspected} of {len(review.worst_first)} labels are contradicted by the "
        f"network with confidence; here are the first {len(shown)}.</p>",
        "<p class=faint>Orange is labelled and background to the network, blue is garment to the "
        "network and not labelled. The network may be wrong: it is a reason to look.</p>",
        *(_entry(place, each, network) for place, each in enumerate(shown, start=1)),
    ]
    return page("Second look", "\n".join(body))


def _entry(place: int, each: Reviewed, network: GivesConfidence) -> str:
    photo, label = read_pair(each.photo)
    height, width = label.shape
    mask = resize_bilinear(network.network_confidence(photo), width, height) >= _THRESHOLD
    figures = [
        picture_figure(dimmed(photo, label), "the label", "large"),
        picture_figure(dimmed(photo, mask), "the network's mask", "large"),
        picture_figure(differences(photo, label, mask), "what they differ in", "large"),
    ]
    said = f"{each.suspicion.score:.1%} contradicted, IoU {each.suspicion.iou:.3f}"
    return (
        f"<h3>{place}. {escape(each.photo.name)}</h3>"
        f"<p>{said}: {escape(each.suspicion.reason)}.</p>"
        f'<div class="miss">{"".join(figures)}</div>'
    )
