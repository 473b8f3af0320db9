"""The rows of the handheld page can fall short: a mixed answer and an open door are seen."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs the extra serve")

from edgeseg.imaging import encode_png
from tests.verify import attacked_page, switched_page
from tests.verify.attacked_page import Attack
from tests.verify.switched_page import Seen, look


def _page(said: int, of_skus: int, of_pictures: int, skus: int = 5) -> Any:
    colour = switched_page.COLOURS[of_pictures - 1]
    body = encode_png(np.full((40, 40, 3), colour, np.uint8))
    first = switched_page.ITEMS * (of_skus - 1)
    told = {
        "said": f"Found in generation {said}.",
        "skus": [f"P{first + number}" for number in range(skus)],
        "pictures": ["/1", "/2", "/3", "/4", "/5"],
    }
    answer = SimpleNamespace(status=200, body=lambda: body)
    return SimpleNamespace(
        evaluate=lambda _script: told, request=SimpleNamespace(get=lambda _address: answer)
    )


@pytest.mark.parametrize(
    ("page", "mixed"),
    [
        (_page(2, 2, 2), 0),
        (_page(2, 1, 1), 1),
        (_page(2, 2, 1), 1),
        (_page(2, 1, 2), 1),
        (_page(2, 2, 2, skus=4), 1),
    ],
)
def test_a_mixed_answer_is_counted(page: Any, mixed: int) -> None:
    seen = Seen()
    look(page, "http://here", seen)
    assert (seen.mixed, seen.answers, seen.generations) == (mixed, 1, {2})


@pytest.fixture
def open_door() -> Iterator[int]:
    """A server that takes everything."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def test_what_is_let_in_and_not_logged_is_counted(
    open_door: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacked_page, "_LOG_S", 0.1)
    server: Any = SimpleNamespace(port=open_door, lines=[])
    attack = Attack("a door", ("GET / HTTP/1.1",))
    assert attacked_page.through(server, [attack], "127.0.0.1") == [
        "a door: not refused (200)",
        "a door: 0 lines in the log",
    ]
