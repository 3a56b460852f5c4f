"""A component's scripts in a page of their own, without Streamlit."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from dashboard.components.component import joined_script
from tests.browser.serving import ROOT

COMPONENTS = ROOT / "dashboard" / "components"


def import_script(page: Page, script: Path) -> None:
    """Add what a script exports to `window.m`, imported from a blob as Streamlit does it."""
    page.evaluate(
        """async code => {
            const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
            window.m = { ...window.m, ...(await import(url)) };
        }""",
        joined_script(script),
    )
