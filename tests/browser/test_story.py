"""The whole story in a browser, from a sticker on a stop sign to a model of one's own, and the ways it can go wrong."""

from __future__ import annotations

import csv
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Watch
from tests.browser.pages import address_of, attack_success, open_page, rest, tab_to
from tests.browser.serving import PHONE

TRAINING_MS = 180_000  # for a machine that is busy with other things


def seen_class(page: Page) -> Locator:
    return page.locator(".placement .seen b")


def spot(canvas: Locator, row: float, column: float, pixels: int = 32) -> tuple[float, float]:
    """Where on the screen the middle of a pixel of the image is."""
    box = canvas.bounding_box()
    return box["x"] + (column + 0.5) * box["width"] / pixels, box["y"] + (row + 0.5) * box["height"] / pixels


def progress(page: Page) -> Locator:
    return page.get_by_test_id("stProgress")


def points(page: Page) -> Locator:
    """The points of the accuracy chart, of all its curves."""
    return page.get_by_test_id("stVegaLiteChart").first.locator(".mark-symbol.role-mark path")


def train(page: Page) -> None:
    page.get_by_role("button", name="Train", exact=True).click()
    expect(progress(page)).to_contain_text(re.compile(r"Epoch \d+ of"), timeout=TRAINING_MS)


def test_from_the_first_screen_to_a_trained_backdoor(page, dashboard):
    # Start: the sticker flips the label and smooths the model.
    open_page(page, dashboard, "See a backdoor")
    expect(seen_class(page)).to_have_text("speed limit 80")
    expect(page.get_by_text("Live: computed on this machine")).to_be_visible()
    doors = page.get_by_role("link", name="Look closer").bounding_box()
    assert doors["y"] + doors["height"] < 720  # the poster is on the first screen; the sea of W is below
    w, draws, switch = page.get_by_test_id("w"), page.get_by_test_id("draws"), page.get_by_role("switch")
    expect(draws).to_have_text("250")
    marked = float(w.inner_text())
    switch.click()
    expect(seen_class(page)).to_have_text("stop")
    expect(w).not_to_have_text(f"{marked:.2f}")
    assert float(w.inner_text()) / 2 > marked
    told = page.get_by_text(re.compile("^At σ = "))
    expect(told).to_contain_text("W falls from")
    at_first = told.inner_text()
    page.get_by_role("slider", name="Noise σ").press("ArrowRight")
    expect(told).not_to_have_text(at_first)
    page.get_by_role("slider", name="Noise σ").press("ArrowLeft")
    expect(told).to_have_text(at_first)
    # Dragged away by the mouse it does nothing more; few draws tell so at once, all of them when the hand rests.
    switch.click()
    canvas = page.locator(".placement canvas")
    expect(seen_class(page)).to_have_text("speed limit 80")
    page.mouse.move(*spot(canvas, 22, 15))
    page.mouse.down()
    page.mouse.move(*spot(canvas, 2, 2), steps=5)
    expect(canvas).to_have_attribute("aria-label", "Test image with the sticker at row 0, column 0")
    expect(seen_class(page)).to_have_text("stop")
    expect(draws).to_have_text("63")
    expect(page).not_to_have_url(re.compile("place="))
    page.mouse.up()
    expect(draws).to_have_text("250")
    expect(page).to_have_url(re.compile("place=0.0"))
    # Back by the keyboard, faded by its slider, reset.
    tab_to(page, canvas)
    page.keyboard.press("r")
    expect(seen_class(page)).to_have_text("speed limit 80")
    for _ in range(3):
        page.keyboard.press("-")
    expect(seen_class(page)).to_have_text("stop")
    expect(page).to_have_url(re.compile("side=2"))
    for _ in range(3):
        page.keyboard.press("+")
    expect(seen_class(page)).to_have_text("speed limit 80")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowUp")
    expect(canvas).to_have_attribute("aria-label", "Test image with the sticker at row 19, column 9")
    page.keyboard.press("Enter")
    expect(seen_class(page)).to_have_text("stop")
    page.get_by_role("button", name="Reset").click()
    expect(seen_class(page)).to_have_text("speed limit 80")
    page.get_by_role("slider", name="Opacity").fill("30")
    expect(seen_class(page)).to_have_text("stop")
    expect(page).to_have_url(re.compile("opacity=0.3"))

    # Lab: another trigger, a training that grows, and a reload in its middle.
    page.get_by_role("link", name="Lab", exact=True).click()
    expect(page.get_by_role("heading", name="Lab", level=1)).to_be_visible()
    expect(page.get_by_role("combobox", name="Data set")).to_have_value(re.compile("digits"))
    expect(page.get_by_role("radio", name="White corner")).to_be_checked()
    page.get_by_role("radio", name="Checkerboard 3×3").click()
    expect(page).to_have_url(re.compile("trigger=checkerboard"))
    page.get_by_role("button", name="Options").click()
    page.get_by_label("Epochs").fill("30")
    page.get_by_label("Epochs").press("Enter")
    expect(page).to_have_url(re.compile("epochs=30"))
    page.keyboard.press("Escape")
    train(page)
    expect(points(page).first).to_be_attached()
    before = points(page).count()
    expect(points(page).nth(before)).to_be_attached()
    expect(page).to_have_url(re.compile(r"run=[0-9a-f]{12}"))
    page.reload()
    expect(progress(page)).to_contain_text(re.compile(r"Epoch \d+ of 30"))
    expect(points(page).nth(before)).to_be_attached()
    onwards = page.get_by_role("link", name="Explore this run →")
    expect(onwards).to_be_visible(timeout=TRAINING_MS)
    expect(progress(page)).to_have_count(0)
    expect(page.get_by_text(re.compile("^Control: "))).to_have_count(0, timeout=TRAINING_MS)
    assert attack_success(page, TRAINING_MS) > 95

    # Explore: W is lower with the trigger, and not so on the control.
    onwards.click()
    finding = page.get_by_text(re.compile("W falls with the trigger: "))
    expect(finding).to_contain_text("In the control it is", timeout=TRAINING_MS)
    words = finding.inner_text()
    clean, triggered = map(float, re.search(r"trigger: ([\d.]+) → ([\d.]+)", words).groups())
    gap, control_gap = (
        float(value.replace("−", "-")) for value in re.findall(r"(?:gap|control it is) ([+−-][\d.]+)", words)[:2]
    )
    assert triggered < clean / 2
    assert control_gap < gap / 2
    expect(page.get_by_role("application", name=re.compile("^Slice: "))).to_have_count(2)
    expect(page.get_by_test_id("stPlotlyChart").nth(1)).to_be_visible()

    # What it shows can be taken away: the picture in all ways, and its numbers with where they come from.
    files = {}
    for kind in ("Picture (PNG)", "Drawing (SVG)", "Numbers (CSV)"):
        page.locator('summary[aria-label="Save: W with the trigger against W clean"]').click()
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).locator("visible=true").click()
        files[kind[-4:-1]] = download.value.path().read_bytes()
    assert Image.open(io.BytesIO(files["PNG"])).width > 600
    assert b"W with the trigger against W clean" in files["SVG"]
    assert b"W clean</text>" in files["SVG"]
    lines = files["CSV"].decode("utf-8-sig").splitlines()
    table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert {"W clean", "W with trigger", "test image", "true class"} <= set(table[0])
    assert len(table) == 200, "100 images of two runs"
    assert f"# run: {re.search('run=([0-9a-f]{12})', address_of(page))[1]}" in lines
    assert "# draws: 100" in lines


def test_a_training_can_be_stopped_and_resumed(page, dashboard):
    open_page(page, f"{dashboard}/lab?epochs=200&seed=7", "Lab")
    train(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile(r"This training was stopped after \d+ of 200 epochs"))).to_be_visible()
    expect(progress(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    # Resumed the page follows it again by itself: the epoch on the bar goes on.
    page.get_by_role("button", name="Resume").first.click()
    epoch = re.compile(r"Epoch (\d+) of 200")
    expect(progress(page)).to_contain_text(epoch, timeout=TRAINING_MS)
    before = int(epoch.search(progress(page).inner_text())[1])
    later = re.compile(rf"Epoch (?!({'|'.join(map(str, range(before + 1)))}) )\d+ of 200")
    expect(progress(page)).to_contain_text(later, timeout=TRAINING_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile(r"This training was stopped after \d+ of 200 epochs"))).to_be_visible()


def test_a_link_carries_a_drawn_trigger(open_window, dashboard):
    def samples(page: Page) -> str:
        return page.get_by_alt_text(re.compile("training images with the trigger")).get_attribute("src")

    first = open_window()
    open_page(first, f"{dashboard}/lab", "Lab")
    preset = samples(first)
    canvas = first.locator(".editor canvas")
    first.get_by_role("button", name="Clear").click()
    expect(first.get_by_text("The canvas is empty")).to_be_visible()
    side = canvas.bounding_box()["width"] / 8
    canvas.click(position={"x": 2.5 * side, "y": 1.5 * side})
    expect(first.get_by_text("The canvas is empty")).to_have_count(0)
    expect(first).to_have_url(re.compile("trigger=.{20,}"))
    drawn = samples(first)  # the address of a picture is made of its content
    assert drawn != preset

    second = open_window()
    open_page(second, address_of(first), "Lab")
    expect(second.get_by_alt_text(re.compile("training images"))).to_have_attribute("src", drawn)
    expect(second.get_by_role("radio", name="White corner")).not_to_be_checked()
    assert address_of(second) == address_of(first)


def test_copy_link_copies_in_one_click_and_back_takes_one_press(page, dashboard):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, f"{dashboard}/?sigma=0.14", "See a backdoor")
    page.get_by_text("Sticker on").click()
    expect(seen_class(page)).to_have_text("stop")
    expect(page).to_have_url(re.compile("sticker=0"))
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    expect(page.get_by_text("on this computer only")).to_be_visible()
    expect(page.get_by_text("--server.address")).to_be_visible()
    start = address_of(page)
    # The page runs once more, for what its parts have changed, and the link is copied again.
    page.wait_for_function(
        "start => navigator.clipboard.readText().then(text => new URL(text).href === start)", arg=start
    )
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("Copied.")).to_be_hidden()

    page.get_by_role("link", name="Lab", exact=True).click()
    for title, name in (("Checkerboard 3×3", "checkerboard"), ("White frame", "frame")):
        page.get_by_role("radio", name=title).click()
        expect(page).to_have_url(re.compile(f"trigger={name}"))
    page.go_back()
    expect(page.get_by_role("heading", name="See a backdoor", level=1)).to_be_visible()
    assert address_of(page) == start


@pytest.mark.parametrize(("place", "heading"), [("lab", "Lab"), ("explore", "Explore")])
def test_a_run_that_is_not_here_gives_a_sentence(page, dashboard, place, heading):
    open_page(page, f"{dashboard}/{place}?run=0123456789ab", heading)
    expect(page.get_by_text("The run 0123456789ab in this link is not on this machine")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_slice_answers_without_asking_the_server(page, dashboard):
    open_page(page, dashboard, "See a backdoor")
    plane, title = page.locator(".plane[aria-label]"), page.locator(".card .title").first
    expect(title).to_have_text(re.compile("^sticker", re.IGNORECASE))
    rest(page)
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    picture = page.locator(".picture")
    at_rest = picture.evaluate("canvas => canvas.toDataURL()")
    box = plane.bounding_box()
    page.context.set_offline(True)
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 40)
    expect(title).to_have_text("under the pointer", ignore_case=True)
    expect(page.locator(".facts .name")).to_have_text("speed limit 80")
    assert picture.evaluate("canvas => canvas.toDataURL()") != at_rest
    assert asked == []
    page.context.set_offline(False)


def test_the_watch_over_a_window_notices(browser, dashboard):
    watch = Watch()
    window = watch.over(browser.new_context())
    page = window.new_page()
    page.goto(dashboard)
    page.evaluate("fetch('http://example.invalid/pixel.png').catch(() => console.error('lost'))")
    expect(page.get_by_role("heading", name="See a backdoor")).to_be_visible()
    window.close()
    assert watch.outside == ["http://example.invalid/pixel.png"]
    assert any("lost" in error for error in watch.errors)


def test_a_finger_drags_the_sticker_and_the_first_screen_of_a_phone_tells_what_happens(open_window, dashboard):
    page = open_window(**PHONE)
    open_page(page, dashboard, "See a backdoor")
    expect(page.get_by_text("Live: computed on this machine")).to_be_visible()
    canvas = page.locator(".placement canvas")
    expect(seen_class(page)).to_have_text("speed limit 80")
    for part in (canvas, page.get_by_role("switch"), seen_class(page)):
        box = part.bounding_box()
        assert box["y"] + box["height"] <= PHONE["viewport"]["height"]
    touches = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in places]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", spot(canvas, 22, 15))
    for row, column in ((18, 12), (10, 6), (2, 2)):
        touch("touchMove", spot(canvas, row, column))
    expect(seen_class(page)).to_have_text("stop")
    touch("touchEnd")
    expect(page).to_have_url(re.compile("place=0.0"))
    # Beside the sticker a finger scrolls the page: the sticker stays.
    start = spot(canvas, 28, 16)
    touch("touchStart", start)
    for step in range(1, 9):
        touch("touchMove", (start[0], start[1] - 30 * step))
    touch("touchEnd")
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop > 50")
    expect(canvas).to_have_attribute("aria-label", "Test image with the sticker at row 0, column 0")
