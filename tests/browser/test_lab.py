"""The Lab in a browser: a trigger by keyboard alone, one by a finger on a phone, and what one sees of the training."""

from __future__ import annotations

import io
import os
import re
import signal
import time

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.pages import attack_success, rest, tab_to
from tests.browser.serving import DASHBOARD, PHONE, end_workers, serve, serve_dashboard
from tests.browser.test_accessibility import serious_faults

TRAINING_MS = 180_000  # for a machine that is busy with other things


def open_lab(page: Page, address: str, query: str = "") -> None:
    page.goto(f"{address}/lab{query}")
    expect(page.locator(".editor canvas")).to_be_visible(timeout=60_000)
    rest(page)


def samples(page: Page):
    return page.get_by_alt_text(re.compile("training images with the trigger"))


def test_a_trigger_drawn_and_trained_with_the_keyboard_alone(page, open_window, dashboard):
    open_lab(page, dashboard, "?seed=21")
    before = samples(page).get_attribute("src")
    tab_to(page, page.locator(".editor canvas"))
    page.keyboard.press("Delete")
    expect(page.get_by_text("The canvas is empty")).to_be_visible()
    page.keyboard.press("2")  # a brush of 2 x 2
    for key in ["ArrowUp"] * 3 + ["ArrowLeft"] * 3 + ["Space"]:
        page.keyboard.press(key)
    expect(page.get_by_text("The canvas is empty")).to_have_count(0)
    expect(samples(page)).not_to_have_attribute("src", before)
    tab_to(page, page.get_by_role("button", name="Train", exact=True))
    page.keyboard.press("Enter")
    assert attack_success(page, TRAINING_MS) >= 95
    expect(page.get_by_text(re.compile("^Control: "))).to_have_count(0, timeout=TRAINING_MS)

    # The film of its epochs: back to the first by keyboard, and on again by Play.
    films = page.get_by_role("group", name="The slice, epoch by epoch")
    film = films.last  # while the page is drawn anew, the old one may still stand before the new
    caption = film.locator(".caption")
    expect(caption).to_have_text(re.compile(r"^Epoch 10 of 10 · attack success \d+%"))
    expect(films).to_have_count(1)
    last = film.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    film.get_by_role("slider", name="Epoch").press("Home")
    expect(caption).to_have_text(re.compile("^Epoch 1 of 10"))
    assert film.locator("canvas").evaluate("canvas => canvas.toDataURL()") != last
    film.get_by_role("button", name="Play").press("Enter")
    expect(caption).to_have_text(re.compile("^Epoch 10 of 10"))
    assert film.locator("canvas").evaluate("canvas => canvas.toDataURL()") == last
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as GIF").click()
    picture = Image.open(io.BytesIO(download.value.path().read_bytes()))
    assert (picture.format, picture.n_frames) == ("GIF", 10)

    # The link shows all of it in another browser: the drawn trigger, and what the run reached.
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_role("textbox", name="Address of this view").input_value()
    other = open_window()
    other.goto(link)
    assert attack_success(other, TRAINING_MS) >= 95
    expect(samples(other)).to_have_attribute("src", samples(page).get_attribute("src"))


def test_options_opened_after_the_page_ran_again_are_those_that_suit(page, dashboard):
    """What a closed popover holds is not in the browser yet: its controls start late, and not from their minimum."""
    open_lab(page, dashboard)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("The canvas is empty")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The canvas is empty")).to_have_count(0)
    page.get_by_role("button", name="Options").click()
    expect(page.get_by_role("spinbutton", name="Epochs")).to_have_value("10")
    expect(page.get_by_role("spinbutton", name="Learning rate")).to_have_value("0.01")
    expect(page.get_by_role("spinbutton", name="Weight decay")).to_have_value("0.01")
    page.keyboard.press("Escape")
    assert "epochs" not in page.evaluate("location.href")


def test_a_trigger_drawn_with_a_finger_on_a_phone(open_window, dashboard):
    page = open_window(**PHONE)
    open_lab(page, dashboard)
    before = samples(page).get_attribute("src")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    canvas = page.locator(".editor canvas")
    canvas.scroll_into_view_if_needed()
    top = canvas.bounding_box()["y"]
    touch, side = page.context.new_cdp_session(page), canvas.bounding_box()["width"] / 8

    def finger(kind: str, *cell: float) -> None:
        box = canvas.bounding_box()
        at = [{"x": box["x"] + (cell[1] + 0.5) * side, "y": box["y"] + (cell[0] + 0.5) * side}] if cell else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    finger("touchStart", 1, 1)
    finger("touchMove", 4, 1)
    finger("touchMove", 4, 5)
    finger("touchEnd")
    expect(samples(page)).not_to_have_attribute("src", before)
    expect(page).to_have_url(re.compile("trigger="))
    assert canvas.bounding_box()["y"] == top, "drawing must not scroll the page"
    train = page.get_by_role("button", name="Train", exact=True)
    train.scroll_into_view_if_needed()
    assert train.bounding_box()["height"] >= 38


def test_canvas_and_curves_are_on_one_screen_while_it_trains(page, dashboard):
    open_lab(page, dashboard, "?seed=22&epochs=40")
    page.get_by_role("button", name="Train", exact=True).click()
    canvas = page.locator(".editor canvas").bounding_box()
    assert canvas["y"] + canvas["height"] <= 720
    for number in (0, 1):
        chart = page.get_by_test_id("stVegaLiteChart").nth(number)
        expect(chart).to_be_visible(timeout=TRAINING_MS)
        box = chart.bounding_box()
        assert box["y"] + box["height"] <= 720
    page.get_by_role("button", name="Stop").click()


@pytest.mark.soak
def test_the_verdict_is_seen_without_scrolling_and_greyed_under_other_settings(page, dashboard):
    open_lab(page, dashboard, "?seed=22&epochs=2")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("One run, one seed").first).to_be_visible(timeout=TRAINING_MS)
    card = page.locator("[class*=st-key-verdict-]")
    expect(card).to_have_count(1)
    assert card.bounding_box()["y"] + card.bounding_box()["height"] <= 720
    assert page.evaluate("document.scrollingElement.scrollTop") == 0
    chart = page.get_by_test_id("stVegaLiteChart").first
    assert chart.evaluate("chart => getComputedStyle(chart).opacity") == "1"
    page.get_by_role("radio", name="White frame").click()
    expect(page.get_by_text("Press Train for the settings above")).to_be_visible()
    expect(chart).to_have_css("opacity", "0.45")
    expect(page.locator("canvas[role=img]").last).to_have_attribute("aria-label", re.compile("Slice"))
    assert serious_faults(page) == set()
    page.get_by_role("button", name="Back to its settings").click()
    expect(page.get_by_text("Press Train for the settings above")).to_have_count(0)
    expect(page.get_by_role("radio", name="White corner")).to_be_checked()


@pytest.mark.soak
def test_a_training_outlives_its_server(browser, tmp_path):
    where = {"TRIGGERSCOPE_RUNS": str(tmp_path / "runs"), "TRIGGERSCOPE_DATA": str(tmp_path / "data")}
    page = browser.new_page()
    with serve(DASHBOARD, where) as address:
        open_lab(page, address, "?epochs=200")
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_test_id("stProgress")).to_contain_text(re.compile(r"Epoch \d+ of"), timeout=TRAINING_MS)
        expect(page).to_have_url(re.compile("run="))
        query = page.evaluate("location.search")
        port = address.rsplit(":", 1)[1]
        os.kill(server_on(port), signal.SIGKILL)
    with serve_dashboard(tmp_path) as address:
        open_lab(page, address)  # the server's first page is slower than the next
        began = time.monotonic()
        page.goto(f"{address}/lab{query}")
        bar = page.get_by_test_id("stProgress")
        expect(bar).to_contain_text(re.compile(r"Epoch \d+ of 200"), timeout=TRAINING_MS)
        seconds = time.monotonic() - began
        end_workers(tmp_path / "runs")
    print(f"\nthe link shows a running training after {seconds:.1f} s")  # noqa: T201
    page.close()


def server_on(port: str) -> int:
    """Return the id of the Streamlit server on this port; skips where the system has no /proc."""
    from pathlib import Path

    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "streamlit" in command and port in command:
            return int(process.name)
    pytest.skip("processes cannot be found without /proc")
