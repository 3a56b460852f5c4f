"""No page has a serious or critical fault that axe-core finds, but for those of Streamlit's own markup listed here."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from core.runs.shipped.gallery import exhibits
from tests.browser.screenshots import wait_until_drawn
from tests.browser.serving import DESKTOP

PAGES = ("/", "/lab", f"/explore?run={exhibits()[0].run.name}", "/gallery", "/runs", "/studies")
# Rule, and a part of the selector: markup that Streamlit writes and a page cannot change.
STREAMLITS_OWN: set[tuple[str, str]] = set()


@pytest.mark.parametrize("path", PAGES, ids=["start", "lab", "explore", "gallery", "runs", "studies"])
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.soak)])
def test_a_page_has_no_serious_fault(open_window, dashboard, path, theme):
    page = open_window(**DESKTOP, color_scheme=theme)
    page.goto(dashboard + path)
    wait_until_drawn(page)
    faults = serious_faults(page)
    assert {fault for fault in faults if not is_streamlits_own(*fault)} == set()


def test_a_page_of_faults_has_them(open_window):
    page = open_window()
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><img src=""><button></button></main></html>')
    assert {rule for rule, _ in serious_faults(page)} == {"image-alt", "button-name"}


def serious_faults(page: Page) -> set[tuple[str, str]]:
    """Return the serious and critical faults of what a page shows: rule and selector."""
    return {
        (fault["id"], " ".join(map(str, node["target"])))
        for fault in Axe().run(page).response["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    }


def is_streamlits_own(rule: str, selector: str) -> bool:
    """Say whether a fault is one of the exceptions."""
    return any(rule == excepted and part in selector for excepted, part in STREAMLITS_OWN)
