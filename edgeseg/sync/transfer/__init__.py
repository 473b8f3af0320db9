"""Fetching files within bounds: from a web server or a folder."""
