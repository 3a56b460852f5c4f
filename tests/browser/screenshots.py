"""Pictures of the real pages for the README: `make screenshots` writes assets/screenshots anew."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from core.attacks.triggers import make_preset
from core.datasets import fingerprint
from core.runs.jobs.worker import train_run
from core.runs.run import Run
from core.runs.shipped.gallery import exhibits
from core.training.spec import make_spec
from tests.browser.serving import ROOT, find_chromium, launch, serve_dashboard

FOLDER = ROOT / "assets" / "screenshots"
SIZES = {"desktop": {"width": 1280, "height": 720}, "phone": {"width": 390, "height": 844}}
THEMES = ("light", "dark")
PATIENCE_MS = 120_000  # measuring W over sigma takes longest

DRAWN = """() => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    const app = document.querySelector('[data-testid=stApp]');
    return app?.dataset.testScriptState === 'notRunning'
        && all('[data-testid=stSkeleton], [data-testid=stProgress]').length === 0
        && all('[data-stale=true]').length === 0
        && [...document.images].every((image) => image.complete)
        && all('[data-testid=stPlotlyChart]').every((chart) => chart.querySelector('.main-svg'))
        && all('[data-testid=stVegaLiteChart]').every((chart) => chart.querySelector('svg'))
        && document.fonts.status === 'loaded';
}"""
QUIET = """() => new Promise((done) => {
    let last = performance.now();
    const seen = new MutationObserver(() => (last = performance.now()));
    seen.observe(document.body, { subtree: true, childList: true, attributes: true });
    const look = () => (performance.now() - last > 700 ? (seen.disconnect(), done(true)) : setTimeout(look, 50));
    look();
})"""


def main() -> None:
    """Train a run, open every page in every size and theme, and store what is seen."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium on the PATH: install it, or name one in TRIGGERSCOPE_CHROMIUM.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        run = train(home)
        paths = {
            "start": "/",
            "lab": f"/lab?run={run.name}",
            "explore": f"/explore?run={run.name}",
            "compare": f"/compare?runs={','.join(exhibit.run.name for exhibit in exhibits()[:4:2])}",
            "studies": "/studies",
            "gallery": "/gallery",
            "runs": "/runs",
        }
        with launch(chromium) as browser, serve_dashboard(home) as address:
            for name, path in paths.items():
                for size, viewport in SIZES.items():
                    for theme in THEMES:
                        window = browser.new_context(viewport=viewport, color_scheme=theme)
                        page = window.new_page()
                        page.goto(address + path)
                        store(picture(page, whole=(name, size) != ("start", "desktop")), f"{name}-{size}-{theme}.png")
                        window.close()
    total = sum(file.stat().st_size for file in FOLDER.glob("*.png"))
    print(f"{FOLDER}: {total / 1e6:.2f} MB")


def train(home: Path) -> Run:
    """Return a finished run of the digits under `home`, its control beside it."""
    spec = make_spec(
        dataset="digits",
        fingerprint=fingerprint("digits", home / "data"),
        trigger=make_preset("white-corner", (1, 8, 8)),
        target=0,
        rate=0.1,
    )
    run, _ = (train_run(each, home / "runs", home / "data") for each in (spec, spec.control()))
    return run


def picture(page: Page, whole: bool) -> Image.Image:
    """Return what the page shows once everything is drawn: its first screen, or all of it."""
    wait_until_drawn(page)
    if whole:  # the page scrolls inside its window, so the window has to grow
        height = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": max(height, 720)})
        wait_until_drawn(page)
    return Image.open(io.BytesIO(page.screenshot()))


def wait_until_drawn(page: Page) -> None:
    """Wait until the script has run, pictures, charts and fonts are there, and nothing has moved for a while."""
    page.get_by_role("heading", level=1).wait_for(timeout=PATIENCE_MS)
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
    page.evaluate(QUIET)
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)


def store(image: Image.Image, name: str) -> None:
    """Write a picture with a palette of 256 colours, which is a third of the size."""
    # One round of k-means: without it small patches of a class's colour take on a neighbour's.
    image.convert("RGB").quantize(256, kmeans=1, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)
    print(f"{name}: {image.width}x{image.height}, {(FOLDER / name).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
