"""Explore in a browser: by keyboard alone, and brought back whole from its address in another window."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from core.runs.shipped.gallery import exhibits
from tests.browser.pages import address_of, open_page, rest, tab_to

PATIENCE_MS = 120_000  # making the test images of the shipped example takes longest


def finding(page: Page) -> Locator:
    return page.get_by_text(re.compile("with the trigger: "))


def grid(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Test images")


def chosen(page: Page) -> Locator:
    return grid(page).locator('[aria-selected="true"]')


def trigger(page: Page) -> Locator:
    return page.get_by_role("application", name=re.compile("^Test image with the trigger at"))


def place(page: Page) -> Locator:
    return page.get_by_text(re.compile(r"^row \d+, column \d+, \d"))


def open_explore(page: Page, address: str) -> None:
    open_page(page, address, "Explore")
    expect(finding(page)).to_be_visible(timeout=PATIENCE_MS)
    expect(chosen(page)).to_have_count(1, timeout=PATIENCE_MS)


@pytest.mark.soak
def test_explore_by_keyboard_alone_and_back_from_its_address(open_window, dashboard):
    page = open_window()
    open_explore(page, f"{dashboard}/explore?run={exhibits()[0].run.name}&shown=images.around")
    rest(page)
    # The noise.
    said = finding(page).inner_text()
    tab_to(page, page.get_by_role("slider", name="Noise σ"))
    page.keyboard.press("ArrowLeft")
    expect(finding(page)).not_to_have_text(said)
    # Another image, and one pinned beside it.
    rest(page)
    tab_to(page, grid(page))
    first = chosen(page).get_attribute("data-place")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(chosen(page)).not_to_have_attribute("data-place", first)
    second = chosen(page).get_attribute("data-place")
    expect(page.get_by_text(re.compile(f"^Selected: .*no. {second}$"))).to_be_visible()
    rest(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("p")
    expect(page.get_by_text(re.compile("^Pinned: "))).to_be_visible()
    pinned = page.get_by_text(re.compile("^Pinned: ")).inner_text()
    # A point of the slice, which lies before the images.
    rest(page)
    tab_to(page, page.get_by_role("application", name=re.compile("^Slice: predicted labels")).first, key="Shift+Tab")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("point="))
    # The trigger, somewhere else.
    rest(page)
    tab_to(page, page.get_by_text("Where the trigger works").locator("xpath=ancestor-or-self::summary"))
    page.keyboard.press("Enter")
    expect(trigger(page)).to_be_visible()
    tab_to(page, trigger(page))
    where = trigger(page).get_attribute("aria-label")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    expect(trigger(page)).not_to_have_attribute("aria-label", where)
    expect(page).to_have_url(re.compile("place="))
    moved = trigger(page).get_attribute("aria-label")
    told = place(page)
    expect(told).not_to_contain_text("where it was trained")

    other = open_window()
    open_explore(other, address_of(page))
    expect(finding(other)).to_have_text(finding(page).inner_text())
    expect(chosen(other)).to_have_attribute("data-place", second)
    expect(other.get_by_text(re.compile("^Pinned: "))).to_have_text(pinned)
    expect(trigger(other)).to_have_attribute("aria-label", moved, timeout=PATIENCE_MS)
    expect(place(other)).to_have_text(told.inner_text())
    rest(other)
    assert address_of(other) == address_of(page)


@pytest.mark.soak
def test_the_trigger_follows_the_pointer(page, dashboard):
    open_explore(page, f"{dashboard}/explore?shown=images.where")
    expect(trigger(page)).to_be_visible(timeout=PATIENCE_MS)
    trigger(page).scroll_into_view_if_needed()
    box = trigger(page).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.7 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 3, box["y"] + 3, steps=4)
    page.mouse.up()
    expect(trigger(page)).to_have_attribute("aria-label", "Test image with the trigger at row 0, column 0")
    expect(place(page)).to_contain_text("row 0, column 0,")
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("(where it was trained)")).to_be_visible()
    expect(trigger(page)).not_to_have_attribute("aria-label", re.compile("row 0, column 0"))
