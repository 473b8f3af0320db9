"""Catalogues and bundles on their way: published as static files, followed by scanners."""
