"""No page has a serious or critical fault that axe-core finds."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from core.runs.shipped.gallery import exhibits
from tests.browser.screenshots import wait_until_drawn
from tests.browser.serving import DESKTOP

SHOWN = [exhibit.run.name for exhibit in exhibits()]
COMPARED = f"/compare?runs={SHOWN[0]},{SHOWN[2]}"
PAGES = ("/", "/lab", f"/explore?run={SHOWN[0]}", COMPARED, "/gallery", "/runs", "/studies")


@pytest.mark.parametrize("path", PAGES, ids=["start", "lab", "explore", "compare", "gallery", "runs", "studies"])
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.soak)])
def test_a_page_has_no_serious_fault(open_window, dashboard, path, theme):
    page = open_window(**DESKTOP, color_scheme=theme)
    page.goto(dashboard + path)
    wait_until_drawn(page)
    assert serious_faults(page) == set()


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
