"""A browser and a dashboard for the session; for each test a fresh window that reaches nothing but this machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.browser.serving import DESKTOP, find_chromium, launch, serve_dashboard

OUTSIDE = re.compile(r"^(?!(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:)")
# Streamlit first asks for its own health and configuration below the page's path, gets a 404, and then finds the root.
KNOWN_MISSES = re.compile(
    r"^http://127\.0\.0\.1:\d+/(lab|explore|compare|gallery|runs|studies)/_stcore/(health|host-config)$"
)

PATIENCE_MS = 60_000  # other tests keep the machine busy meanwhile
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser():
    chromium = find_chromium()
    if chromium is None:
        reason = "There is no Chromium on the PATH: install it, or name one in TRIGGERSCOPE_CHROMIUM."
        (pytest.fail if os.environ.get("TRIGGERSCOPE_REQUIRE_BROWSER") == "1" else pytest.skip)(reason)
    with launch(chromium) as started:
        yield started


@pytest.fixture(scope="session")
def dashboard(browser, tmp_path_factory):
    with serve_dashboard(tmp_path_factory.mktemp("dashboard")) as address:
        yield address


@dataclass
class Watch:
    """Lets windows reach this machine only, and notes what they tried and what they complained about."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> BrowserContext:
        context.route(OUTSIDE, lambda route: route.abort())
        context.route_web_socket(OUTSIDE, lambda socket: socket.close())
        context.on("page", self.follow)
        return context

    def follow(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self._note(request.url))
        page.on("websocket", lambda socket: self._note(socket.url))
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def check(self) -> None:
        assert self.outside == []
        assert self.errors == []

    def _note(self, url: str) -> None:
        if OUTSIDE.match(url):
            self.outside.append(url)

    def _on_console(self, message: ConsoleMessage) -> None:
        known = "404 (Not Found)" in message.text and KNOWN_MISSES.match(message.location["url"])
        if message.type == "error" and not known:
            self.errors.append(f"{message.text} {message.location['url']}")


@pytest.fixture
def open_window(browser):
    """Open fresh windows; after the test each of them is looked at for requests to the outside and console errors."""
    watch, windows = Watch(), []

    def open_one(**device) -> Page:
        windows.append(watch.over(browser.new_context(**(device or DESKTOP))))
        return windows[-1].new_page()

    yield open_one
    for window in windows:
        window.close()
    watch.check()


@pytest.fixture
def page(open_window) -> Page:
    return open_window()
