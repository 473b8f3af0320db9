"""A real Chromium that drives a page, and tells what the page did that it should not."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE, DESK = (390, 780), (1280, 800)
# What counts as serious to the people who made axe, and what is worse.
_SERIOUS = ("serious", "critical")


@dataclass
class Tab:
    """A page in a tab, and what it did.

    Attributes:
        page: Playwright's.
        origin: of the page that is served.
        troubles: errors and dialogs: a script that ran, a policy that was broken.
        outside: what was asked of anybody else.
    """

    page: Any
    origin: str
    troubles: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note from now on what goes wrong."""
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._asked)

    def _dialog(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "blob:", "data:")):
            self.outside.append(request.url)

    def findings(self) -> list[str]:
        """Serious findings of axe in what is shown."""
        axe = pytest.importorskip("axe_core_python.sync_playwright", reason="needs axe-core")
        script = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(script)
        told = self.page.evaluate("axe.run()")
        return [
            f"{each['id']}: {node['html'][:120]}"
            for each in told["violations"]
            if each["impact"] in _SERIOUS
            for node in each["nodes"]
        ]

    def excess_px(self) -> float:
        """How much wider than the screen the page is."""
        wider: float = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return wider


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Chromium, headless; the test is skipped where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def tab(chromium: Any, origin: str, size: tuple[int, int] = PHONE, **options: Any) -> Iterator[Tab]:
    """A tab of its own, with cookies of its own."""
    width, height = size
    context = chromium.new_context(viewport={"width": width, "height": height}, **options)
    try:
        opened = Tab(context.new_page(), origin)
        opened.watch()
        yield opened
    finally:
        context.close()
