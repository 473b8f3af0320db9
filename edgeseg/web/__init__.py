"""Pages in a browser, served by Starlette on uvicorn (extra ``serve``): the shell that they share.

A page is its handlers and its static files. What keeps it safe is not theirs to remember: every
request passes :mod:`edgeseg.web.guard` first, bodies are read by :mod:`edgeseg.web.bodies`, and no
path of a request ever reaches the file system (:mod:`edgeseg.web.static`).
"""
