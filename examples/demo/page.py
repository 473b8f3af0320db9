"""The demo's page: one HTML file, every picture inside it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgeseg.imaging import encode_jpeg, read_photo
from examples.demo.matching import Matched, Picture

_THUMB_PX = 132
_SHOWN_MATCHES = 5

_STYLE = """
:root { color-scheme: light; --ink: #1d2430; --faint: #6b7585; --line: #e3e6eb; --right: #159a55;
  --tint: #f5f7f9; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 0 auto; padding: 2rem 1rem;
  max-width: 1180px; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
p { max-width: 46rem; margin: .3rem 0; } .faint { color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: .8rem;
  margin: 1.2rem 0; }
.tile { background: var(--tint); border-radius: 10px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.5rem; } .tile span { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; } td, th { padding: .3rem .9rem .3rem 0; text-align: left;
  border-bottom: 1px solid var(--line); } td.n, th.n { text-align: right; }
.match { display: grid; grid-template-columns: 132px 132px 1fr; gap: .9rem; padding: .9rem 0;
  border-bottom: 1px solid var(--line); align-items: start; }
.rows { display: grid; gap: .5rem; min-width: 0; } .row { display: flex; gap: .35rem;
  flex-wrap: wrap; align-items: center; }
.row span { width: 7.2rem; color: var(--faint); font-size: .85rem; }
img { border-radius: 6px; display: block; background: #fff; }
.big img { width: 132px; height: 150px; object-fit: contain; background: var(--tint); }
.row img { width: 84px; height: 84px; object-fit: contain; border: 3px solid var(--line); }
.row img.right { border-color: var(--right); box-shadow: 0 0 0 2px var(--right); }
figcaption { font-size: .8rem; color: var(--faint); } figure { margin: 0; }
@media (max-width: 760px) { .match { grid-template-columns: 1fr 1fr; }
  .rows { grid-column: 1 / -1; } }
"""


@dataclass(frozen=True)
class Figures:
    """What was measured, as the commands printed it.

    Attributes:
        recall: retrieval's figures by background: "model", "none", "mask".
        segmentation: IoU and the rest.
        stages_ms: median milliseconds of each stage of a match.
        bench: bench's document.
        sizes_bytes: sizes of the files made, by name.
        elapsed_s: seconds of each step of the demo, by name.
    """

    recall: Mapping[str, Mapping[str, Any]]
    segmentation: Mapping[str, Any]
    stages_ms: Mapping[str, float]
    bench: Mapping[str, Any]
    sizes_bytes: Mapping[str, int]
    elapsed_s: Mapping[str, float]


def _image(picture: Picture, px: int = _THUMB_PX, css: str = "", alt: str = "") -> str:
    """The picture as an ``<img>``, shrunk to fit ``px`` (twice that, for sharp screens)."""
    scale = min(2 * px / max(picture.shape[:2]), 1.0)
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    data = base64.b64encode(encode_jpeg(small)).decode("ascii")
    return f'<img class="{css}" alt="{escape(alt)}" src="data:image/jpeg;base64,{data}">'


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        numbers = ['class="n"' if i else "" for i in range(len(row))]
        return "".join(f"<{tag} {n}>{escape(c)}</{tag}>" for c, n in zip(row, numbers, strict=True))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells(columns, "th")}</tr>{body}</table></div>'


def _tiles(figures: Figures) -> str:
    cut, whole = figures.recall["model"], figures.recall["none"]
    total_ms = sum(figures.stages_ms.values())
    tiles = (
        (
            f"{cut['recall_at_1']:.0%}",
            f"right item first; {whole['recall_at_1']:.0%} with the background",
        ),
        (
            f"{cut['recall_at_10']:.0%}",
            f"among the first ten; {whole['recall_at_10']:.0%} with the background",
        ),
        (f"{figures.segmentation['iou_mean']:.3f}", "mean IoU of the cutouts"),
        (f"{total_ms:.0f} ms", "from photo file to matches, one thread, median"),
        (f"{figures.sizes_bytes['bundle'] / 1e6:.2f} MB", "bundle: both networks and their report"),
    )
    return "".join(f'<div class="tile"><b>{b}</b><span>{escape(s)}</span></div>' for b, s in tiles)


def _recall_table(figures: Figures) -> str:
    names = {
        "model": "cut out by the network",
        "none": "left in",
        "mask": "cut out by the true mask",
    }
    rows = []
    for background, name in names.items():
        measured = figures.recall[background]
        row = [name]
        for key in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr"):
            low, high = measured["intervals"][key]
            row.append(f"{measured[key]:.3f} ({low:.2f} to {high:.2f})")
        rows.append(row)
    return _table(("background", "recall@1", "recall@5", "recall@10", "MRR"), rows)


def _bench_table(figures: Figures) -> str:
    rows = []
    for target in figures.bench["targets"]:
        for scenario in figures.bench["scenarios"]:
            run = target["scenarios"][scenario]
            cells = [
                "-" if run[p] is None else f"{run[p]:.2f}" for p in ("p50_ms", "p90_ms", "p99_ms")
            ]
            memory = f"{run['peak_memory_bytes'] / 1e6:.0f}"
            rows.append([target["name"], scenario, *cells, memory])
    return _table(("target", "scenario", "p50 ms", "p90 ms", "p99 ms", "peak MB"), rows)


def _matches(matched: Matched, catalogue: Path) -> str:
    def row(title: str, skus: Sequence[str]) -> str:
        pictures = "".join(
            _image(
                read_photo(catalogue / f"{sku}.png"),
                84,
                "right" if sku == matched.sku else "",
                f"{sku}, the right item" if sku == matched.sku else sku,
            )
            for sku in skus[:_SHOWN_MATCHES]
        )
        return f'<div class="row"><span>{title}</span>{pictures}</div>'

    def rank(cut_out: bool) -> str:
        found = matched.rank(cut_out)
        return f"rank {found}" if found else "not in ten"

    photo, cutout = _image(matched.photo, alt="photo"), _image(matched.query, alt="cutout")
    return (
        f'<div class="match"><figure class="big">{photo}'
        f"<figcaption>{escape(matched.sku)}</figcaption></figure>"
        f'<figure class="big">{cutout}<figcaption>cutout</figcaption></figure><div class="rows">'
        f"{row(f'cut out<br>{rank(True)}', matched.without)}"
        f"{row(f'background in<br>{rank(False)}', matched.whole)}</div></div>"
    )


def write_page(path: Path, matched: Sequence[Matched], catalogue: Path, figures: Figures) -> None:
    """Writes the page.

    Args:
        path: the HTML file.
        matched: what each snapshot matched, in the order of the page.
        catalogue: folder of the catalogue's pictures, ``SKU.png``.
        figures: what was measured.
    """
    segmentation = figures.segmentation
    quality = [
        ("images", f"{segmentation['images']}"),
        ("IoU, mean", f"{segmentation['iou_mean']:.4f}"),
        ("IoU, 10th percentile", f"{segmentation['iou_p10']:.4f}"),
        ("pixel accuracy", f"{segmentation['pixel_accuracy']:.4f}"),
        ("boundary F", f"{segmentation['boundary_f']:.4f}"),
    ]
    stages = [(name, f"{ms:.2f}") for name, ms in figures.stages_ms.items()]
    sizes = [(name, f"{size:,}") for name, size in figures.sizes_bytes.items()]
    elapsed = [(name, f"{seconds:.1f}") for name, seconds in figures.elapsed_s.items()]
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>edgeseg demo</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{_STYLE}</style></head><body>
<h1>A photo loses its background and finds its catalogue item</h1>
<p>Every picture here was drawn by <code>examples/drawing</code>; none is a photograph, and figures
on drawings say that the parts work together, not how good they are on photographs.</p>
<p class="faint">The process that matched had no machine-learning framework loaded.</p>
<div class="tiles">{_tiles(figures)}</div>
<h2>What background removal is worth</h2>{_recall_table(figures)}
<p class="faint">In brackets: 95% bootstrap intervals.</p>
<h2>Matches</h2><p>The right item is framed in green.</p>
{"".join(_matches(one, catalogue) for one in matched)}
<h2>Segmentation</h2>{_table(("figure", "int8 bundle"), quality)}
<h2>Time of a match, by stage</h2>{_table(("stage", "median ms"), stages)}
<h2>Bench</h2>{_bench_table(figures)}
<p><a href="bench.html">Every sample, drawn</a></p>
<h2>Sizes</h2>{_table(("file", "bytes"), sizes)}
<h2>Time of this demo</h2>{_table(("step", "seconds"), elapsed)}
</body></html>
"""
    path.write_text(page, encoding="utf-8")
