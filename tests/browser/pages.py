"""What tests of several pages do alike: open one, wait for it, walk to something by Tab."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

HAS_FOCUS = """element => {
    let active = document.activeElement;
    while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
    return element === active || element.contains(active);
}"""


def address_of(page: Page) -> str:
    return page.evaluate("location.href")


def open_page(page: Page, address: str, heading: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()


def attack_success(page: Page, patience_ms: int) -> float:
    """Wait for the verdict in the Lab and return the attack success rate that it names, in per cent."""
    sentence = page.get_by_text(re.compile(r"are taken for .* with the trigger")).first
    expect(sentence).to_be_visible(timeout=patience_ms)
    return float(re.search(r"([\d.]+)%", sentence.inner_text())[1])


def rest(page: Page, patience_ms: int = 120_000) -> None:
    """Wait until the page's script does not run."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_attached(timeout=patience_ms)


def tab_to(page: Page, wanted: Locator, most: int = 90, key: str = "Tab") -> None:
    """Press Tab, or Shift+Tab for what lies before, until something has the focus."""
    for _ in range(most):
        if wanted.evaluate(HAS_FOCUS):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{most} times Tab did not lead to {wanted}")
