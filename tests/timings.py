"""How long people wait, in seconds on this machine: `make timings` prints medians, and asserts nothing.

Read them beside the load of the machine; a busy one is several times slower.
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.serving import DESKTOP, find_chromium, launch, serve_dashboard

REPEATS = 5
CLICKS = 20
PATIENCE_MS = 180_000
CHANGED = """(element, before) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`It is still ${before}.`)), 60000);
    const look = () => (element.textContent === before ? setTimeout(look, 5) : done());
    look();
})"""
LIVE = re.compile("Live: computed on this machine")


class Stopwatch:
    """Collects seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        """Time a block."""
        began = time.perf_counter()
        yield
        self.seconds.setdefault(what, []).append(time.perf_counter() - began)

    def table(self) -> str:
        """Return a line for each thing: median, fastest and slowest."""
        width = max(map(len, self.seconds))
        lines = [f"{'':{width}}   median      min      max"]
        for what, values in self.seconds.items():
            numbers = (statistics.median(values), min(values), max(values))
            lines.append(f"{what:{width}} " + " ".join(f"{number:6.2f} s" for number in numbers))
        return "\n".join(lines)


def main() -> None:
    """Time everything, print the table."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on the PATH: install it, or name one in TRIGGERSCOPE_CHROMIUM.")
    expect.set_options(timeout=PATIENCE_MS)
    watch = Stopwatch()
    with launch(chromium) as browser, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for number in range(REPEATS):
            time_server_start(watch, browser, Path(folder) / str(number))
        with serve_dashboard(Path(folder) / "last") as address:
            for number in range(REPEATS):
                with fresh_page(browser) as page:
                    time_start(watch, page, address, number)
            for number in range(REPEATS):
                with fresh_page(browser) as page:
                    run = time_lab(watch, page, address, number)
                with fresh_page(browser) as page:
                    time_explore(watch, page, run)
            with fresh_page(browser) as page:
                time_clicks(watch, page, address)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    print(f"{REPEATS} repeats on {os.cpu_count()} cores; load average at the end {load}\n\n{watch.table()}")


@contextmanager
def fresh_page(browser: Browser) -> Iterator[Page]:
    """Give a page in a window that has nothing cached."""
    with browser.new_context(**DESKTOP) as window:
        page = window.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page


def time_server_start(watch: Stopwatch, browser: Browser, home: Path) -> None:
    """Time from the command to all of Start in a cold window, as a second `make run` has it."""
    with ExitStack() as stack:
        page = stack.enter_context(fresh_page(browser))
        with watch.over("server start to numbers of this machine on Start"):
            with watch.over("server start to first paint of Start"):
                page.goto(stack.enter_context(serve_dashboard(home)))
                wait_for_start(page)
            page.get_by_text(LIVE).wait_for()


def time_start(watch: Stopwatch, page: Page, address: str, number: int) -> None:
    """Time the first paint in a cold window, and a sigma that no earlier repeat has asked for."""
    with watch.over("Start: first paint, server warm"):
        page.goto(address)
        wait_for_start(page)
    page.get_by_text(LIVE).wait_for()
    settle(page)
    for _ in range(number):
        lower_sigma(page)
    with watch.over("Start: sigma moved to new W"):
        lower_sigma(page)
    time_sticker(watch, page, number)


def time_sticker(watch: Stopwatch, page: Page, number: int) -> None:
    """Time the sticker's drop at places where nobody has had it yet, until its label and until all draws are there."""
    canvas, draws = page.locator(".placement canvas"), page.get_by_test_id("draws")
    box = canvas.bounding_box()
    pixel = box["width"] / 32

    def point(row: float, column: float) -> tuple[float, float]:
        return box["x"] + column * pixel, box["y"] + row * pixel

    here = point(22.5, 15.5)
    for row, column in ((2.5 + number, 2.5), (20.5 - number, 14.5)):
        settle(page)
        seen = page.locator(".placement .seen b")
        before = seen.inner_text()
        page.mouse.move(*here)
        page.mouse.down()
        here = point(row, column)
        page.mouse.move(*here)
        with watch.over("Start: sticker dropped to new W of all draws"):
            with watch.over("Start: sticker dropped to new label"):
                page.mouse.up()
                seen.evaluate(CHANGED, before, timeout=PATIENCE_MS)
            expect(draws).to_have_text("250")


def wait_for_start(page: Page) -> None:
    """Wait for the last things on Start: W and the painted slice."""
    page.get_by_test_id("w").wait_for()
    page.locator(".plane[aria-label]").wait_for()


def lower_sigma(page: Page) -> None:
    """Move the slider by one step and wait until W is told for it."""
    told = page.get_by_text(re.compile("^At σ = "))
    before = told.inner_text()
    page.get_by_role("slider", name="Noise σ").press("ArrowLeft")
    expect(told).not_to_have_text(before)


def time_lab(watch: Stopwatch, page: Page, address: str, number: int) -> str:
    """Time a stroke until the samples show it, and a training of ten epochs; return the run's address in Explore."""
    page.goto(f"{address}/lab?seed={number}")
    samples = page.get_by_alt_text(re.compile("training images with the trigger"))
    samples.wait_for()
    settle(page)
    before = samples.get_attribute("src")
    canvas = page.locator(".editor canvas")
    side = canvas.bounding_box()["width"] / 8
    with watch.over("Lab: stroke to preview"):
        canvas.click(position={"x": 2.5 * side, "y": 1.5 * side})
        expect(samples).not_to_have_attribute("src", before)
    settle(page)
    worker = "first on this server" if number == 0 else "worker warm"
    points = page.get_by_test_id("stVegaLiteChart").first.locator(".mark-symbol.role-mark path")
    onwards = page.get_by_role("link", name="Explore this run →")
    with watch.over(f"Lab: Train to finished model, {worker}"):
        with watch.over(f"Lab: Train to first point, {worker}"):
            page.get_by_role("button", name="Train", exact=True).click()
            points.first.wait_for(state="attached")
        onwards.wait_for()
    expect(page.get_by_text(re.compile("^Control: "))).to_have_count(0)  # the next one finds both workers idle
    return page.evaluate("link => link.href", onwards.element_handle())


def time_clicks(watch: Stopwatch, page: Page, address: str) -> None:
    """Time clicks on presets, each until the samples show it, while a run and its control are trained."""
    page.goto(f"{address}/lab?seed=99&epochs=200&architecture=resnet-18")
    samples = page.get_by_alt_text(re.compile("training images with the trigger"))
    samples.wait_for()
    settle(page)
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text(re.compile("^Epoch 1 of 200")).wait_for()
    page.get_by_text(re.compile("^Control: running")).wait_for()
    for number in range(CLICKS):
        before = samples.get_attribute("src")
        preset = page.get_by_role("radio", name=("White frame", "White corner")[number % 2])
        with watch.over("Lab: click on a preset to its samples, two jobs training"):
            preset.click()
            expect(samples).not_to_have_attribute("src", before)
    page.get_by_role("button", name="Stop").click()


def time_explore(watch: Stopwatch, page: Page, run: str) -> None:
    """Time the first sight of a run that nobody has measured, the same once it is measured, and another sigma."""
    finding = page.get_by_text(re.compile("with the trigger: "))
    for seen in ("never measured", "measured before"):
        with watch.over(f"Explore: link to everything, {seen}"):
            with watch.over(f"Explore: link to finding, {seen}"):
                page.goto(run)
                finding.wait_for()
            settle(page)
    before = finding.inner_text()
    with watch.over("Explore: sigma moved to new finding"):
        page.get_by_role("slider", name="Noise σ").press("ArrowRight")
        expect(finding).not_to_have_text(before)


def settle(page: Page) -> None:
    """Wait until the page's script has run to its end."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


if __name__ == "__main__":
    main()
