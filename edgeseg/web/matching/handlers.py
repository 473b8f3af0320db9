"""The handheld page's addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edgeseg import imaging, limits
from edgeseg.errors import DatasetError, PhotoError
from edgeseg.labelling.strokes import Stroke
from edgeseg.web.bodies import read_body, read_fields, refusing
from edgeseg.web.matching.answers import Answer, Answers
from edgeseg.web.matching.decisions import Decisions, UndecidableError
from edgeseg.web.matching.thumbnails import Thumbnails
from edgeseg.web.refusal import RefusedError
from edgeseg.web.static import static_routes

PHOTO_TYPES = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/gif"}
)
_PAGE = {
    "/": "page/index.html",
    "/page.css": "page/page.css",
    "/page.js": "page/page.js",
    "/correction.js": "page/correction.js",
    "/server.js": "page/server.js",
    "/service-worker.js": "page/service-worker.js",
    "/manifest.webmanifest": "page/manifest.webmanifest",
    "/icon.svg": "page/icon.svg",
    "/icon-192.png": "page/icon-192.png",
    "/icon-512.png": "page/icon-512.png",
}
_IMMUTABLE = {"cache-control": "private, max-age=3600, immutable"}

T = TypeVar("T")


class MatchingPage:
    """The handlers, and what they share.

    Args:
        answers: of photos.
        decisions: of the worker.
    """

    def __init__(self, answers: Answers, decisions: Decisions) -> None:
        self._answers, self._decisions = answers, decisions
        self._thumbnails = Thumbnails()
        # Apart from each other: thumbnails do not wait for the next photo's match.
        self._matching: anyio.CapacityLimiter | None = None
        self._drawing: anyio.CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """All of the page's addresses."""
        one = "/api/answers/{answer_id}"
        return [
            *static_routes("edgeseg.web.matching", _PAGE),
            Route("/api/state", self._state, methods=["GET"]),
            Route("/api/answers", self._answer, methods=["POST"]),
            Route(f"{one}/cutout", self._cutout, methods=["GET"]),
            Route(f"{one}/photo", self._photo, methods=["GET"]),
            Route(f"{one}/mask", self._mask, methods=["GET"]),
            Route(f"{one}/thumbnails/{{rank:int}}", self._thumbnail, methods=["GET"]),
            Route(f"{one}/strokes", self._correct, methods=["POST"]),
            Route(f"{one}/decision", self._decide, methods=["POST"]),
        ]

    async def _state(self, _request: Request) -> Response:
        return JSONResponse(await self._drawn(self._told_state))

    def _told_state(self) -> dict[str, Any]:
        source = self._answers.source
        opened = source.current()
        return {
            "generation": opened.generation,
            "age": source.age_told(opened),
            "items": len(opened.matcher.catalogue),
            # The reason may name files of this machine, and is in the log of whoever syncs.
            "behind": bool(source.trouble),
            "pictures": bool(opened.pictures),
        }

    async def _answer(self, request: Request) -> Response:
        whole = request.query_params.get("whole") == "1"
        data = await read_body(request, limits.MAX_PHOTO_BYTES, PHOTO_TYPES, "the photo")
        try:
            answer = await self._matched(partial(self._answers.answer, data, whole))
        except PhotoError as error:
            # Of bytes that came by the network: the message names no file.
            raise RefusedError(422, str(error)) from error
        return JSONResponse(answer.to_dict(), 201)

    async def _correct(self, request: Request) -> Response:
        answer = self._kept(request)
        fields = await read_fields(request, limits.MAX_STROKES_BYTES, "the strokes")
        with refusing():
            told = fields.array("strokes", limits.MAX_STROKES)
            fields.done()
        try:
            strokes = [Stroke.from_dict(each if isinstance(each, dict) else {}) for each in told]
        except DatasetError as error:
            raise RefusedError(400, str(error)) from error
        corrected = await self._matched(partial(self._answers.corrected, answer, strokes))
        return JSONResponse(corrected.to_dict(), 201)

    async def _decide(self, request: Request) -> Response:
        answer = self._kept(request)
        fields = await read_fields(request, limits.MAX_CONFIRMING_BYTES, "the decision")
        with refusing():
            sku = fields.take("sku")
            fields.done()
        if not (sku is None or isinstance(sku, str)):
            raise RefusedError(400, "an item is named by its SKU, or null")
        try:
            await self._drawn(partial(self._decisions.decide, answer, sku))
        except UndecidableError as error:
            raise RefusedError(409, str(error)) from error
        return JSONResponse({"kept": sku}, 201)

    async def _cutout(self, request: Request) -> Response:
        answer = self._kept(request)
        if not answer.cutout_jpeg:
            raise RefusedError(404, "no garment was found in this photo")
        return _jpeg(answer.cutout_jpeg)

    async def _photo(self, request: Request) -> Response:
        answer = self._kept(request)
        return _jpeg(await self._drawn(partial(imaging.encode_jpeg, answer.photo, 85)))

    async def _mask(self, request: Request) -> Response:
        answer = self._kept(request)
        if answer.mask is None:
            raise RefusedError(404, "this photo was matched whole")
        png = await self._drawn(partial(imaging.encode_png, answer.mask))
        return Response(png, headers=_IMMUTABLE, media_type="image/png")

    async def _thumbnail(self, request: Request) -> Response:
        answer = self._kept(request)
        rank = request.path_params["rank"]
        sku = next((match.sku for match in answer.matches if match.rank == rank), None)
        picture = None if sku is None else answer.pictures.get(sku)
        made = None
        if picture is not None:
            made = await self._drawn(partial(self._thumbnails.of, picture))
        if made is None:
            raise RefusedError(404, "there is no picture of this item")
        return _jpeg(made)

    def _kept(self, request: Request) -> Answer:
        answer = self._answers.find(request.path_params["answer_id"])
        if answer is None:
            raise RefusedError(410, "this answer is no longer kept: take the photo again")
        return answer

    async def _matched(self, work: Callable[[], T]) -> T:
        if self._matching is None:
            self._matching = anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(work, limiter=self._matching)

    async def _drawn(self, work: Callable[[], T]) -> T:
        if self._drawing is None:
            self._drawing = anyio.CapacityLimiter(2)
        return await anyio.to_thread.run_sync(work, limiter=self._drawing)


def _jpeg(data: bytes) -> Response:
    return Response(data, headers=_IMMUTABLE, media_type="image/jpeg")
