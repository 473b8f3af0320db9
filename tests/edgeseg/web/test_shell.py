"""The shell of all pages: who is let in, what is refused, and what the log says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("httpx", reason="Starlette's test client needs httpx")

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from edgeseg.errors import DatasetError
from edgeseg.web.access import Access, is_loopback
from edgeseg.web.application import make_application
from edgeseg.web.bodies import read_body, read_fields, refusing

_LIMIT_BYTES = 2_000_000
_TOKEN = "a-token-that-nobody-guesses"
_ORIGIN = {"origin": "http://127.0.0.1:8000"}


async def _page(request: Request) -> Response:
    return Response("the page", media_type="text/plain")


async def _length(request: Request) -> Response:
    return JSONResponse({"length": len(await read_body(request, _LIMIT_BYTES, {"image/jpeg"}))})


async def _fields(request: Request) -> Response:
    fields = await read_fields(request, 1_000)
    with refusing():
        number = fields.integer("number", 0, 9)
        fields.done()
    return JSONResponse({"number": number})


async def _broken(request: Request) -> Response:
    raise DatasetError("cannot read /home/worker/secret.csv")


_ROUTES = [
    Route("/", _page),
    Route("/api/length", _length, methods=["POST"]),
    Route("/api/fields", _fields, methods=["POST"]),
    Route("/api/broken", _broken),
]


class Shell:
    """A client of the routes above, and the log."""

    def __init__(self, access: Access, base_url: str) -> None:
        self.lines: list[str] = []
        application = make_application(_ROUTES, access, self.lines.append)
        self.client = TestClient(application, base_url=base_url, follow_redirects=False)

    def refused(self) -> dict[str, object]:
        """The one line that was logged."""
        assert len(self.lines) == 1
        line = self.lines.pop()
        assert line.isascii()
        assert line.isprintable()
        told = json.loads(line)
        assert isinstance(told, dict)
        return told


@pytest.fixture
def local() -> Shell:
    return Shell(Access.to("127.0.0.1", 8000), "http://127.0.0.1:8000")


@pytest.fixture
def remote() -> Shell:
    return Shell(Access.to("192.168.1.5", 8000, _TOKEN), "http://192.168.1.5:8000")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert Access.to(host, 8000).token is None


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "scanner7", "localhost.evil.test"]
)
def test_beyond_loopback_there_is_always_a_token(host: str) -> None:
    assert not is_loopback(host)
    first, second = Access.to(host, 8000).token, Access.to(host, 8000).token
    assert first is not None
    assert len(first) >= 40
    assert first != second


def test_every_answer_has_the_headers(local: Shell) -> None:
    for path in ("/", "/nothing"):
        headers = local.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("127.0.0.1:9999", 200),  # a port that was forwarded
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.168.1.5", 421),
        ("127.0.0.1.evil.example", 421),
        ("a b", 400),
        ("", 400),
        ("127.0.0.1:8000\\", 400),
    ],
)
def test_a_page_has_no_other_name(local: Shell, host: str, status: int) -> None:
    """DNS rebinding: a name of the attacker's that leads here."""
    assert local.client.get("/", headers={"host": host}).status_code == status
    assert len(local.lines) == (status != 200)


def test_a_header_twice_is_refused(local: Shell) -> None:
    answer = local.client.get("/", headers=[("origin", "http://127.0.0.1:8000")] * 2)
    assert answer.status_code == 400
    assert "more than one origin" in str(local.refused()["why"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": "http://127.0.0.1:8000.evil.example"},
        {"origin": "file://127.0.0.1:8000"},
        _ORIGIN | {"sec-fetch-site": "cross-site"},
        _ORIGIN | {"sec-fetch-site": "same-site"},
        _ORIGIN | {"sec-fetch-site": "none"},
    ],
)
def test_no_other_site_posts(local: Shell, headers: dict[str, str]) -> None:
    sent = {"content-type": "image/jpeg", **headers}
    answer = local.client.post("/api/length", content=b"abc", headers=sent)
    assert answer.status_code == 403
    assert list(answer.json()) == ["error"]
    assert local.refused()["refused"] == 403


def test_the_page_itself_posts(local: Shell) -> None:
    for more in ({}, {"sec-fetch-site": "same-origin"}):
        headers = {"content-type": "image/jpeg", **_ORIGIN, **more}
        answer = local.client.post("/api/length", content=b"abc", headers=headers)
        assert answer.json() == {"length": 3}
    assert local.lines == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, 200),
    ],
)
def test_others_may_link_here_and_not_read(
    local: Shell, headers: dict[str, str], status: int
) -> None:
    assert local.client.get("/", headers=headers).status_code == status


def test_without_the_token_nothing_is_told(remote: Shell) -> None:
    for path in ("/", "/api/broken", "/nothing"):
        answer = remote.client.get(path)
        assert answer.status_code == 401
        assert list(answer.json()) == ["error"]
        assert remote.refused()["why"] == "no token"


@pytest.mark.parametrize("shown", ["wrong", _TOKEN[:-1], _TOKEN + "x", "é", "a" * 5000])
def test_a_wrong_token(remote: Shell, shown: str) -> None:
    assert remote.client.get("/", params={"token": shown}).status_code == 401
    assert remote.refused()["why"] == "a wrong token"


def test_the_token_is_handed_over_once(remote: Shell) -> None:
    """By the address, then kept where no script and no other site gets at it."""
    answer = remote.client.get("/", params={"token": _TOKEN})
    assert answer.status_code == 200
    assert 'content="0;url=/"' in answer.text
    assert _TOKEN not in answer.text
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=Strict" in kept
    assert remote.client.get("/").text == "the page"
    # Of no use at any other address.
    assert Shell(Access.to("0.0.0.0", 8000, _TOKEN), "http://192.168.1.5:8000").client.get(
        "/api/broken", params={"token": _TOKEN}
    ).status_code == 401  # fmt: skip
    assert remote.lines == []


def test_the_token_as_a_bearer(remote: Shell) -> None:
    assert remote.client.get("/", headers={"authorization": f"Bearer {_TOKEN}"}).text == "the page"
    assert remote.client.get("/", headers={"authorization": _TOKEN}).status_code == 401


def test_the_log_has_no_token(remote: Shell) -> None:
    remote.client.get("/nothing", params={"token": _TOKEN})
    assert _TOKEN not in remote.lines[0]


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/static/../../pyproject.toml",
        "//etc/passwd",
        "/api/length/",
        "/%00",
        "/%1b[31m%0a%e2%80%ae",
    ],
)
def test_no_path_leads_anywhere_else(local: Shell, path: str) -> None:
    answer = local.client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is nothing at this address"}
    assert local.refused()["refused"] == 404


def test_another_method(local: Shell) -> None:
    assert local.client.delete("/", headers=_ORIGIN).status_code == 405
    assert local.refused()["refused"] == 405


def test_what_breaks_here_tells_no_path(local: Shell) -> None:
    answer = local.client.get("/api/broken")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret.csv" in str(local.refused()["why"])


def _post(shell: Shell, content: object, **headers: str) -> tuple[int, str]:
    sent = {**_ORIGIN, "content-type": "image/jpeg"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer = shell.client.post("/api/length", content=content, headers=sent)  # type: ignore[arg-type]
    return answer.status_code, answer.text


def test_a_body_within_its_bound(local: Shell) -> None:
    assert _post(local, b"x" * _LIMIT_BYTES) == (200, f'{{"length":{_LIMIT_BYTES}}}')


def test_a_body_that_says_it_is_too_large(local: Shell) -> None:
    assert _post(local, b"x" * (_LIMIT_BYTES + 1))[0] == 413
    assert local.refused()["refused"] == 413


def test_a_body_that_does_not_say_it() -> None:
    """In chunks, without end: reading stops one chunk behind the bound."""
    local = Shell(Access.to("127.0.0.1", 8000), "http://127.0.0.1:8000")
    given = 0

    def endless() -> Iterator[bytes]:
        nonlocal given
        while given < 50 * _LIMIT_BYTES:
            given += 100_000
            yield b"x" * 100_000

    assert _post(local, endless())[0] == 413
    assert local.refused()["refused"] == 413


@pytest.mark.parametrize("stated", ["-1", "1e3", "0x10", "99999999999999999999999999", "²"])
def test_a_length_that_is_none(local: Shell, stated: str) -> None:
    headers = [
        (b"origin", b"http://127.0.0.1:8000"),
        (b"content-type", b"image/jpeg"),
        (b"content-length", stated.encode("latin-1", "replace")),
    ]
    answer = local.client.post("/api/length", content=b"abc", headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/html"},
        {"content_type": ""},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_encoding": "gzip"},
    ],
)
def test_a_body_of_another_type(local: Shell, headers: dict[str, str]) -> None:
    assert _post(local, b"abc", **headers)[0] == 415
    assert local.refused()["refused"] == 415


def test_an_empty_body(local: Shell) -> None:
    assert _post(local, b"")[0] == 400


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"number":10}', '{"number":1,"more":2}', '{"number":"1"}', "[" * 900, "{}"],
)
def test_json_that_is_not_what_is_asked(local: Shell, text: str) -> None:
    headers = {**_ORIGIN, "content-type": "application/json"}
    answer = local.client.post("/api/fields", content=text, headers=headers)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert local.refused()["refused"] == 400


def test_json_that_is(local: Shell) -> None:
    headers = {**_ORIGIN, "content-type": "application/json; charset=utf-8"}
    answer = local.client.post("/api/fields", content='{"number":7}', headers=headers)
    assert answer.json() == {"number": 7}
