"""The parts of an HTML page that holds everything it shows: style, tables, pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from edgeseg import imaging
from edgeseg.imaging import Photo

_THUMB_PX = 176
_LARGE_PX = 320
_JPEG_QUALITY = 82

_STYLE = """
:root { color-scheme: light; --ink: #1d2430; --faint: #5f6979; --line: #e0e4ea; --right: #12824a;
  --tint: #f5f7f9; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); margin: 0 auto;
  padding: 2rem 1rem; max-width: 1240px; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; } p, li { max-width: 52rem; margin: .3rem 0; }
.faint, small { color: var(--faint); } .scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .4rem 0; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
td:nth-child(n+3) { font-variant-numeric: tabular-nums; }
td small { display: block; line-height: 1.2; } tr.first td { background: var(--tint); }
.charts { display: flex; flex-wrap: wrap; gap: 2rem; } .charts > div { flex: 1 1 26rem; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; max-width: 19rem; }
summary { cursor: pointer; margin: .8rem 0; font-weight: 600; }
svg { width: 100%; max-width: 560px; height: auto; }
.legend { list-style: none; padding: 0; font-size: .85rem; }
.legend b { display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; }
.miss { display: flex; flex-wrap: wrap; gap: .8rem; padding: .9rem 0;
  border-bottom: 1px solid var(--line); }
figure { margin: 0; width: 132px; }
figure img { width: 132px; height: 150px; object-fit: contain; background: #fff;
  border: 2px solid var(--line); border-radius: 6px; display: block; }
figure.right img { border-color: var(--right); }
figure.large { width: 232px; } figure.large img { width: 232px; height: 260px; }
figcaption { font-size: .78rem; color: var(--faint); overflow-wrap: anywhere; }
"""


def page(title: str, body: str) -> str:
    """A whole document.

    Args:
        title: text.
        body: HTML.
    """
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{_STYLE}</style></head><body>
{body}
</body></html>
"""


def table(
    columns: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]], firsts: Sequence[bool]
) -> str:
    """A table.

    Args:
        columns: text above each.
        rows: of cells: text, and a smaller line below it that may be empty.
        firsts: which rows are tinted.
    """
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = []
    for row, is_first in zip(rows, firsts, strict=True):
        cells = "".join(
            f"<td>{escape(text)}{f'<small>{escape(below)}</small>' if below else ''}</td>"
            for text, below in row
        )
        body.append(f'<tr class="first">{cells}</tr>' if is_first else f"<tr>{cells}</tr>")
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(body)}</table></div>'


def picture_figure(picture: Photo, caption: str, css: str = "") -> str:
    """A picture made small, inside the page, with its caption.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        caption: text.
        css: a class; `right` frames it green, `large` shows more of it.
    """
    side_px = _LARGE_PX if css == "large" else _THUMB_PX
    factor = min(1.0, side_px / max(picture.shape[:2]))
    width, height = (max(1, round(side * factor)) for side in picture.shape[1::-1])
    small = imaging.resize(picture, width, height)
    data = base64.b64encode(imaging.encode_jpeg(small, _JPEG_QUALITY)).decode("ascii")
    told = escape(caption)
    return (
        f'<figure class="{css}"><img alt="{told}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{told}</figcaption></figure>"
    )
