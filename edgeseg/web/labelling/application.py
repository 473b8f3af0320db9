"""The label page's routes: each reads what is asked, and hands it to the table in a thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from edgeseg.labelling.label_set import LabelSet
from edgeseg.labelling.records import State
from edgeseg.web.access import Access
from edgeseg.web.application import make_application
from edgeseg.web.bodies import read_fields, refusing
from edgeseg.web.labelling.asked import (
    MAX_ACTION_BYTES,
    Action,
    Person,
    optional_id,
    photo_id_of,
)
from edgeseg.web.labelling.pictures import MAX_SIDE_PX, MIN_SIDE_PX, Cut
from edgeseg.web.labelling.table import Answer, Table
from edgeseg.web.refusal import Log
from edgeseg.web.static import static_routes

_PACKAGE = "edgeseg.web.labelling"
_SCRIPTS = (
    "canvas",
    "drawing",
    "keys",
    "main",
    "mask",
    "outbox",
    "panel",
    "pointer",
    "session",
    "talk",
)
_FILES = {
    "/": "page/index.html",
    "/style.css": "page/style.css",
    "/icon.svg": "page/icon.svg",
} | {f"/{name}.js": f"page/{name}.js" for name in _SCRIPTS}
# A photo's address has its digest, so what is there never changes.
_KEPT = {"cache-control": "private, max-age=3600, immutable"}

T = TypeVar("T")


def label_application(labels: LabelSet, access: Access, log: Log) -> Starlette:
    """Make the ASGI application of the label page.

    Args:
        labels: what is labelled.
        access: who may ask.
        log: takes one line for each refusal.
    """
    handlers = _Handlers(Table(labels))
    return make_application([*handlers.routes(), *static_routes(_PACKAGE, _FILES)], access, log)


class _Handlers:
    def __init__(self, table: Table) -> None:
        self._table = table

    def routes(self) -> list[BaseRoute]:
        photo = "/api/photos/{id}"
        posts = {
            "/api/next": self._next,
            "/api/skipped": self._skipped,
            "/api/alive": self._alive,
            f"{photo}/release": self._release,
            f"{photo}/reopen": self._reopen,
        }
        actions: dict[str, Callable[[Action], Answer]] = {
            "strokes": self._table.stroke,
            "undo": self._table.undo,
            "redo": self._table.redo,
        }
        states: dict[str, State] = {"accept": "accepted", "reject": "rejected", "skip": "skipped"}
        for name, state in states.items():
            actions[name] = partial(self._table.decide, state=state)
        for name, act in actions.items():
            posts[f"{photo}/{name}"] = partial(self._act, act)
        return [
            Route(f"{photo}/picture", self._picture, methods=["GET"]),
            *(
                Route(path, _as_endpoint(handler), methods=["POST"])
                for path, handler in posts.items()
            ),
        ]

    async def _next(self, request: Request) -> Answer:
        person, side_px = await _person_and_side(request)
        return await _in_thread(self._table.next, person, side_px)

    async def _skipped(self, request: Request) -> Answer:
        person, side_px = await _person_and_side(request)
        return await _in_thread(self._table.skipped, person, side_px)

    async def _alive(self, request: Request) -> Answer:
        fields = await read_fields(request, MAX_ACTION_BYTES)
        person = Person.take(fields)
        with refusing():
            photo_id = optional_id(fields, "photo")
            active = fields.take("active") is True
            fields.done()
        return await _in_thread(self._table.alive, person, photo_id, active)

    async def _release(self, request: Request) -> Answer:
        photo_id = photo_id_of(request.path_params["id"])
        fields = await read_fields(request, MAX_ACTION_BYTES)
        person = Person.take(fields)
        with refusing():
            fields.done()
        return await _in_thread(self._table.release, person, photo_id)

    async def _reopen(self, request: Request) -> Answer:
        photo_id = photo_id_of(request.path_params["id"])
        fields = await read_fields(request, MAX_ACTION_BYTES)
        with refusing():
            instead_of = optional_id(fields, "instead_of")
        action = Action.take(photo_id, fields)
        return await _in_thread(self._table.reopen, action, instead_of)

    async def _act(self, act: Callable[[Action], Answer], request: Request) -> Answer:
        photo_id = photo_id_of(request.path_params["id"])
        action = Action.take(photo_id, await read_fields(request, MAX_ACTION_BYTES))
        return await _in_thread(act, action)

    async def _picture(self, request: Request) -> Response:
        photo_id = photo_id_of(request.path_params["id"])
        query = request.query_params
        cut = Cut.parse(query.get("side_px", ""), query.get("box"))
        data = await _in_thread(self._table.picture, photo_id, cut)
        return Response(data, headers=_KEPT, media_type="image/jpeg")


async def _person_and_side(request: Request) -> tuple[Person, int]:
    fields = await read_fields(request, MAX_ACTION_BYTES)
    person = Person.take(fields)
    with refusing():
        side_px = fields.integer("side_px", MIN_SIDE_PX, MAX_SIDE_PX)
        fields.done()
    return person, side_px


def _as_endpoint(
    handler: Callable[[Request], Awaitable[Answer]],
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return JSONResponse(await handler(request))

    return endpoint


async def _in_thread(work: Callable[..., T], *arguments: object) -> T:
    return await anyio.to_thread.run_sync(partial(work, *arguments))
