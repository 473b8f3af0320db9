"""Figures about quality: how good the masks are, and how often the right item is found.

Nothing here knows a machine-learning framework, so a handheld can measure itself.
"""
