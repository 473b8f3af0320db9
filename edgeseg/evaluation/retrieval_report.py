"""A study of retrieval as one HTML file: tables, the sweep drawn, and the worst misses as pictures.

The page holds everything that it shows, runs no script and asks nothing of any network, so it can
be sent to someone and opened years later. Every text in it may come from outside (SKUs, paths,
groups) and is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from edgeseg import imaging
from edgeseg.evaluation.entrants import Entrant, GalleryViews
from edgeseg.evaluation.gallery_sweep import SweepPoint
from edgeseg.evaluation.page import page, picture_figure, table
from edgeseg.evaluation.retrieval import SEARCH_DEPTH, Background, Figures, query_picture
from edgeseg.evaluation.retrieval_study import Result, Study
from edgeseg.evaluation.sweep_chart import sweep_chart
from edgeseg.files import PathLike, write_atomic

WORST = 12

VIEWS_NAMES: dict[GalleryViews, str] = {
    "picture": "picture as it is",
    "two_views": "picture and garment",
}
_BACKGROUND_NAMES: dict[Background, str] = {
    "none": "background left in",
    "grabcut": "background removed by GrabCut",
    "model": "background removed by the model",
    "mask": "background removed by the true mask",
}
_FIGURES = {
    "recall_at_1": "recall@1",
    "recall_at_5": "recall@5",
    "recall_at_10": "recall@10",
    "mrr": "MRR",
}
_GROUP_FIGURES = ("recall_at_1", "recall_at_10")

# For whoever was sent the page and nothing else.
_HOW = f"""<h2>How it was measured</h2><ul>
<li>Search compares every item. Recall@k is the share of queries whose item is among the first k;
MRR the mean of 1 / rank, and of 0 beyond the first {SEARCH_DEPTH}.</li>
<li>Intervals hold 95% of 1,000 bootstrap resamples of items: the queries of one item stand or fall
together. A difference to the first embedder is taken query by query, so where its interval leaves
out 0 the two differ, even if their own intervals overlap.</li>
<li>All embedders were given the same pictures, one after the other: queries cut out on white and
framed alike, catalogue pictures framed alike. An embedder with a segmenter of its own is given what
that one cuts out; the others what the first one's does.</li>
<li>"{VIEWS_NAMES["picture"]}" is what any embedder can be given today; "{VIEWS_NAMES["two_views"]}"
is the mean with the embedding of the garment that the segmenter finds in the picture, which is how
edgeseg builds a catalogue.</li>
<li>PCA was fitted to the gallery's embeddings alone. For "cosine" its result was brought to length
1 again, for "Euclidean" it was not. The latter, with pictures as they are and backgrounds left in,
is the plain recipe for image search: features of a network, PCA, Euclidean distance.</li>
<li>Milliseconds are medians over the queries' pictures, one thread, in the same run, including the
resize to the embedder's size.</li>
</ul>"""


def write_report(path: PathLike, study: Study, first: Entrant, worst: int = WORST) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the HTML file.
        study: what was measured.
        first: the study's first entrant, which cuts the worst misses out again.
        worst: how many misses to show at most.

    Raises:
        PhotoError: a picture has become unreadable since.
        EdgesegError: the file cannot be written; one that was there is as before.
    """
    # A file name may hold bytes that are not UTF-8.
    write_atomic(path, report_page(study, first, worst).encode("utf-8", "replace"))


def report_page(study: Study, first: Entrant, worst: int = WORST) -> str:
    """The page's HTML; see :func:`write_report`."""
    product = study.product
    overall, items = product.overall, len(study.items)
    low, high = overall.intervals["recall_at_10"]
    missing = ""
    if study.not_in_gallery:
        missing = (
            f"<p>{len(study.not_in_gallery)} of the items asked for are not in the gallery, and "
            f"their queries count as missed: {escape(', '.join(study.not_in_gallery[:10]))}</p>"
        )
    others = [
        f"<details><summary>The same, the {_BACKGROUND_NAMES[background]}</summary>"
        f"{_comparison(study, background)}</details>"
        for background in study.backgrounds
        if background != product.background
    ]
    body = f"""<h1>How often is the right item found?</h1>
<p>{len(study.queries):,} photos of {len({q.sku for q in study.queries}):,} items were searched for
among {items:,} items. <b>{escape(product.method)}</b>, with the
{_BACKGROUND_NAMES[product.background]} and each item described by its picture and the garment in
it, has the right item first for {overall.recall_at_1:.0%} of them, and among the first ten for
{overall.recall_at_10:.0%} (95% interval {low:.0%} to {high:.0%}).</p>
{missing}<h2>By background: {escape(product.method)}</h2>
<p class="faint">In small print below a figure stands its 95% interval.</p>
{_backgrounds_table(study)}
<h2>Embedders compared, the {_BACKGROUND_NAMES[product.background]}</h2>
{_methods_table(study)}{_comparison(study, product.background)}
{"".join(others)}{_sweep_section(study)}{_misses_section(study, first, worst)}{_HOW}"""
    return page("Retrieval study", body)


def _methods_table(study: Study) -> str:
    rows = [
        [
            (method.name, ""),
            (method.digest[:12], ""),
            (str(method.dim), ""),
            (f"{method.embed_p50_ms:.2f}", ""),
            (f"{method.relative:.2f}x", ""),
        ]
        for method in study.methods
    ]
    columns = ("embedder", "digest", "dim", "embedding, p50 ms", "to the first")
    return table(columns, rows, [row == 0 for row in range(len(rows))])


def _backgrounds_table(study: Study) -> str:
    """The first method's figures by background, each group's beside those of all queries."""
    groups = study.product.groups
    columns = ["background", *_FIGURES.values()]
    columns += [f"{group}: {_FIGURES[name]}" for group in groups for name in _GROUP_FIGURES]
    shown = [
        each
        for each in study.results
        if (each.method, each.gallery_views) == (study.product.method, study.product.gallery_views)
    ]
    rows = [
        [
            (_BACKGROUND_NAMES[each.background].removeprefix("background "), ""),
            *(_cell(each.overall, name) for name in _FIGURES),
            *(_cell(each.groups[group], name) for group in groups for name in _GROUP_FIGURES),
        ]
        for each in shown
    ]
    return table(columns, rows, [each is study.product for each in shown])


def _comparison(study: Study, background: Background) -> str:
    """All methods with one background, together and by group."""
    results = [each for each in study.results if each.background == background]
    firsts = [each.method == study.methods[0].name for each in results]
    ms = {method.name: method.embed_p50_ms for method in study.methods}
    rows = [
        [
            (each.method, ""),
            (VIEWS_NAMES[each.gallery_views], ""),
            *(_cell(each.overall, figure) for figure in _FIGURES),
            _difference(each, is_first),
            (f"{ms[each.method]:.1f}", ""),
        ]
        for each, is_first in zip(results, firsts, strict=True)
    ]
    columns = ["embedder", "gallery", *_FIGURES.values(), "recall@10 to the first", "p50 ms"]
    section = table(columns, rows, firsts)
    whole = sorted({each.no_garment for each in results})
    if whole[-1]:
        # Each segmenter misses its own.
        told = " to ".join(str(count) for count in dict.fromkeys((whole[0], whole[-1])))
        section += f"<p>No garment was found in {told} photos, which were searched for whole.</p>"
    for group in study.product.groups:
        count = study.product.groups[group].queries
        rows = [
            [
                (each.method, ""),
                (VIEWS_NAMES[each.gallery_views], ""),
                *(_cell(each.groups[group], figure) for figure in _FIGURES),
            ]
            for each in results
        ]
        section += f"<h3>Only {escape(group)}: {count} queries</h3>"
        section += table(["embedder", "gallery", *_FIGURES.values()], rows, firsts)
    return section


def _cell(figures: Figures, name: str) -> tuple[str, str]:
    low, high = figures.intervals[name]
    return f"{getattr(figures, name):.3f}", f"{low:.2f} to {high:.2f}"


def _difference(result: Result, is_first: bool) -> tuple[str, str]:
    if is_first:
        return "", ""
    change, low, high = result.against_first["recall_at_10"]
    return f"{change:+.3f}", f"{low:+.2f} to {high:+.2f}"


def _sweep_section(study: Study) -> str:
    swept = [(each, each.sweep) for each in study.results if each.sweep is not None]
    if not swept:
        return ""
    charts = []
    for views, name in VIEWS_NAMES.items():
        series = [(each.method, sweep) for each, sweep in swept if each.gallery_views == views]
        if series:
            charts.append(f"<div><h3>Gallery: {name}</h3>{sweep_chart(series)}</div>")
    real = len(study.items)
    sizes = [point.items for point in swept[0][1].points]
    columns = ["embedder", "gallery"]
    columns += [f"{size:,}{'*' if size > real else ''}" for size in sizes]
    columns += [f"{real:,}, {real - real // 3:,} of them copies*"]
    rows = []
    for each, sweep in swept:
        row = [(each.method, ""), (VIEWS_NAMES[each.gallery_views], "")]
        row += [_sweep_cell(point) for point in (*sweep.points, sweep.check)]
        rows.append(row)
    firsts = [each.method == study.methods[0].name for each, _ in swept]
    return (
        f"<h2>Gallery size</h2><p>Recall@10, the {_BACKGROUND_NAMES[swept[0][0].background]}; "
        "below it the interval, and recall@1 and @5. Galleries smaller than the real one hold the "
        "queries' items and others drawn at random, and are the mean of several draws.</p>"
        f"<p>* There are {real:,} real items. Larger galleries are filled up with perturbed copies "
        "of their embeddings, so what stands under them is a projection and not a measurement. The "
        "last column (a ring in the drawing) says how far to trust it: there, a third of the real "
        "items is filled up with copies to the real number. Where that is above the figure of the "
        f"{real:,} real ones, the projection flatters, and presumably more the further it goes: "
        "embedders that it flatters unlike cannot be compared by their dashed lines.</p>"
        f'<div class="charts">{"".join(charts)}</div>{table(columns, rows, firsts)}'
    )


def _sweep_cell(point: SweepPoint | None) -> tuple[str, str]:
    if point is None:
        return "-", ""
    low, high = point.intervals["recall_at_10"]
    at_1, at_5 = point.recall["recall_at_1"], point.recall["recall_at_5"]
    below = f"{low:.2f} to {high:.2f}; {at_1:.2f}, {at_5:.2f}"
    return f"{point.recall['recall_at_10']:.3f}", below


def _misses_section(study: Study, first: Entrant, worst: int) -> str:
    misses = "".join(_misses(study, first, worst))
    if not misses:
        return ""
    return (
        f"<h2>Worst misses of {escape(first.name)}</h2><p>What was photographed, what the embedder "
        "was given of it, the right item and where it came, and the first five that came instead."
        f"</p>{misses}"
    )


def _misses(study: Study, first: Entrant, worst: int) -> Iterator[str]:
    product = study.product
    paths = {item.sku: path for item, path in study.items}
    missed = [
        (rank, number) for number, rank in enumerate(product.ranks) if rank is not None and rank > 1
    ]
    for rank, number in sorted(missed, key=lambda each: (-each[0], each[1]))[:worst]:
        query = study.queries[number]
        crop, found = query_picture(query, first, product.background)
        view = f", {query.group}" if query.group else ""
        figures = [
            picture_figure(imaging.read_photo(query.image), f"photo{view}: {query.image.name}"),
            picture_figure(crop, "as embedded" if found else "no garment found: the whole photo"),
            picture_figure(
                imaging.read_photo(paths[query.sku]), f"right: {query.sku}, rank {rank:,}", "right"
            ),
        ]
        for place, row in enumerate(product.found[number], start=1):
            item, path = study.items[row]
            css = "right" if item.sku == query.sku else ""
            figures.append(picture_figure(imaging.read_photo(path), f"{place}. {item.sku}", css))
        yield f'<div class="miss">{"".join(figures)}</div>'
