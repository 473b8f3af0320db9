"""A run's report: the document, and how it is shown.

``document`` makes the JSON document that ``schema.json`` describes, ``notes`` says what a reader
must know, ``stored`` reads a document back; ``tables`` lays it out in rows, for the terminal, for
``markdown`` and for ``page`` (HTML).
"""
