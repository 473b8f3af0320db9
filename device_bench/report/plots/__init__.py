"""Plots of a report, one file a kind: HTML and SVG that need nothing beside them.

A plot has no size of its own: it is as wide as the page, on a phone and on a desk, and its words
keep their size. So every place along x is a percentage, every height is in pixels, and colours are
classes of ``page.css``.
"""
