"""No page has a serious or critical fault that axe-core finds, but for those of Streamlit's own markup listed here."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.screenshots import wait_until_drawn
from tests.browser.serving import DESKTOP

PAGES = ("/", "/lab", "/explore", "/gallery", "/runs", "/studies")
# Rule, and a part of the selector: markup that Streamlit writes and a page cannot change.
STREAMLITS_OWN: set[tuple[str, str]] = set()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_fault(open_window, dashboard, path):
    for theme in ("light", "dark"):
        page = open_window(**DESKTOP, color_scheme=theme)
        page.goto(dashboard + path)
        wait_until_drawn(page)
        found = Axe().run(page)
        serious = {
            (fault["id"], " ".join(map(str, node["target"])))
            for fault in found.response["violations"]
            if fault["impact"] in {"serious", "critical"}
            for node in fault["nodes"]
        }
        assert found.response["violations"] is not None
        assert {fault for fault in serious if not is_streamlits_own(*fault)} == set(), theme


def is_streamlits_own(rule: str, selector: str) -> bool:
    """Say whether a fault is one of the exceptions."""
    return any(rule == excepted and part in selector for excepted, part in STREAMLITS_OWN)
