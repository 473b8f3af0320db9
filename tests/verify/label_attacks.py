"""Attacks on the label page's own routes: each refused, and told in one line of the log."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeseg.labelling.label_set import LabelSet
from edgeseg.web.access import Access
from edgeseg.web.labelling.application import label_application
from edgeseg.web.server import listen, serving
from tests.verify.label_site import chromium, drawn_photo, make_labels, sit_down

_TOKEN = "a-token-that-nobody-guesses"
_SCRIPT = "<img src=x onerror=document.title='broken'>"


@dataclass
class Attack:
    """One request.

    Attributes:
        name: what it tries.
        path, body, headers: what is sent; a body makes it a POST.
        token: whether it asks a server that wants one.
    """

    name: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    token: bool = False


def _attacks(labels: LabelSet) -> Iterator[Attack]:
    record = labels.records()[0]
    person = {"who": "Mallory", "browser": "mallory-1"}
    action = {**person, "sha256": record.sha256, "strokes": 0, "side_px": 160}
    stroke = {"tool": "brush", "foreground": True, "points": [[1.0, 1.0]], "width_px": 9.0}
    photo = f"/api/photos/{record.id}"
    for name in ("..%2f..%2flabels.sqlite", "..", "%00", "1/../../labels.sqlite", "-1", "9" * 400):
        yield Attack("traversal", f"/api/photos/{name}/picture?side_px=80")
    for path in ("/labels.sqlite", "/masks/", "/page/../application.py", "/..%2fapplication.py"):
        yield Attack("traversal", path)
    for query in ("side_px=99999999", "side_px=80&box=0,0,999999,999999", "side_px=/etc/passwd"):
        yield Attack("picture", f"{photo}/picture?{query}")
    oversize = json.dumps(action | {"stroke": stroke | {"points": [[1.0, 1.0]] * 200_000}}).encode()
    yield Attack("oversize", f"{photo}/strokes", oversize)
    many = json.dumps(action | {"stroke": stroke | {"points": [[1, 1]] * 20_000}}).encode()
    yield Attack("many points", f"{photo}/strokes", many)
    for name, changes in (
        ("no number", {"stroke": stroke | {"points": [[10**400, 1]]}}),
        ("no tool", {"stroke": stroke | {"tool": "__class__"}}),
        ("unknown field", {"stroke": stroke, "path": "/etc/passwd"}),
        ("terminal", {"who": "\x1b[2J"}),
        ("mask of a gigapixel", {"stroke": stroke, "side_px": 10**9}),
        ("another photo", {"stroke": stroke, "sha256": "0" * 64}),
        ("a browser of a path", {"stroke": stroke, "browser": "../../etc/passwd"}),
    ):
        yield Attack(name, f"{photo}/strokes", json.dumps(action | changes).encode())
    accept = json.dumps(action).encode()
    yield Attack("nested", f"{photo}/accept", b"[" * 100_000)
    yield Attack("no JSON", f"{photo}/accept", b"\xff\xfe")
    yield Attack("twice a key", f"{photo}/accept", accept[:-1] + b',"who":"Anna"}')
    yield Attack("wrong type", f"{photo}/accept", accept, {"content-type": "text/plain"})
    yield Attack("form", f"{photo}/accept", accept, {"content-type": "multipart/form-data"})
    yield Attack("cross-site", f"{photo}/accept", accept, {"origin": "http://evil.example"})
    yield Attack("no origin", f"{photo}/accept", accept, {"origin": ""})
    yield Attack("rebinding", f"{photo}/picture?side_px=80", headers={"host": "evil.example"})
    yield Attack("get", f"{photo}/accept")
    yield Attack("no token", f"{photo}/picture?side_px=80", token=True)
    yield Attack("no token", f"{photo}/accept", accept, token=True)
    wrong = {"authorization": "Bearer wrong"}
    yield Attack("wrong token", f"{photo}/accept", accept, wrong, token=True)


def unrefused(place: Path) -> tuple[list[str], int]:
    """Try them all; gives those that were let through or not logged in one line, and how many.

    A script in a group's name is among them: it may only ever be shown as text.
    """
    labels = make_labels(place, map(drawn_photo, range(2)), group=f"{_SCRIPT}{{}}")
    before = _all_of(labels)
    let_through: list[str] = []
    tried = 0
    for token in (False, True):
        lines: list[str] = []
        listener = listen("127.0.0.1", 0)
        access = Access.to("127.0.0.1", listener.port, _TOKEN if token else None)
        with serving(label_application(labels, access, lines.append), listener, lines.append):
            for attack in _attacks(labels):
                if attack.token != token:
                    continue
                tried += 1
                lines.clear()
                status, told = _sent(listener.port, attack)
                one_line = len(lines) == 1 and lines[0].isascii() and "\n" not in lines[0]
                if not 400 <= status < 500 or not one_line or str(place) in told:
                    let_through.append(f"{attack.name}: {status} {lines}")
    if _all_of(labels) != before:
        let_through.append("something was changed")
    tried += 1
    if not _is_only_text(labels):
        let_through.append("a script in a group's name")
    return let_through, tried


def _all_of(labels: LabelSet) -> Any:
    return labels.records(), sorted(path.name for path in labels.folder.rglob("*"))


def _sent(port: int, attack: Attack) -> tuple[int, str]:
    own = {"origin": f"http://127.0.0.1:{port}", "content-type": "application/json"}
    headers = {name: value for name, value in (own | attack.headers).items() if value}
    if attack.body is None:
        headers.pop("origin", None)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        method = "GET" if attack.body is None else "POST"
        connection.request(method, attack.path, attack.body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _is_only_text(labels: LabelSet) -> bool:
    listener = listen("127.0.0.1", 0)
    access = Access.to("127.0.0.1", listener.port)
    application = label_application(labels, access, lambda _line: None)
    with serving(application, listener, lambda _line: None), chromium() as browser:
        page = browser.new_page()
        sit_down(page, listener.url(access), _SCRIPT)
        page.evaluate("document.querySelector('#coverage').open = true")
        shown = page.locator("#groups th").first.inner_text()
        return (
            shown.startswith(_SCRIPT)
            and page.title() != "broken"
            and not page.locator("img").count()
        )
