"""The handheld page: a photo, its cutout, the items nearest to it, and what the worker says."""
