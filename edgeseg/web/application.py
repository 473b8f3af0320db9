"""A page's application: its routes behind the guard, and every error as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from edgeseg.web.access import Access
from edgeseg.web.guard import Guard
from edgeseg.web.refusal import Log, RefusedError

_MESSAGES = {404: "there is nothing at this address", 405: "this address takes no such request"}


def make_application(routes: Sequence[BaseRoute], access: Access, log: Log) -> Starlette:
    """Make the ASGI application of a page.

    A handler reads bodies with :mod:`edgeseg.web.bodies`, raises
    :class:`edgeseg.web.refusal.RefusedError` for what it does not do, and leaves the event loop
    free: what takes more than a few milliseconds goes to a thread.

    Args:
        routes: the page's handlers, and :func:`edgeseg.web.static.static_routes`.
        access: who may ask.
        log: takes one line for each refusal.
    """
    application = Starlette(
        # Browsers ask for it unasked, and it is nothing that is refused.
        routes=[*routes, Route("/favicon.ico", _no_icon)],
        middleware=[Middleware(Guard, access=access, log=log)],
        exception_handlers={HTTPException: _refuse},
    )
    # "/api" and "/api/" are not one address here: a redirect would be one more thing to check.
    application.router.redirect_slashes = False
    return application


async def _no_icon(_request: Request) -> Response:
    return Response(status_code=204, headers={"cache-control": "max-age=86400"})


async def _refuse(_request: Request, error: Any) -> Response:
    """Hand Starlette's own refusals to the guard, which logs and answers them all."""
    message = _MESSAGES.get(error.status_code, "this cannot be done")
    raise RefusedError(error.status_code, message, headers=error.headers) from error
