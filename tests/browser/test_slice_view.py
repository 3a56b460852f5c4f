"""The slice in a browser: what is under the cursor is what Python says is there, and what is chosen gets to Python."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from core.datasets import load_dataset
from core.figures.w_colours import w_colours
from core.instruments.slices.choice import PlaneChoice, spanning_images
from core.instruments.slices.plane import SlicePlane
from core.instruments.slices.refine import slice_plane
from dashboard.explore.slice import LABELS_SIDE
from tests.browser.apps.slice_view_app import PETROFF, made_up_layer, made_up_plane
from tests.browser.modules import COMPONENTS, import_script
from tests.browser.pages import rest
from tests.browser.serving import PHONE, serve

APP = Path(__file__).parent / "apps" / "slice_view_app.py"
PANEL = Path(__file__).parent / "apps" / "slice_panel_app.py"
MARGIN, FRAME = 40, 52  # of the map inside its canvas: left, and left plus right


# --- A server of its own ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address():
    with serve(APP) as started:
        yield started


@dataclass
class Map:
    """The map on a page, addressed by the plane's own coordinates."""

    page: Page | Locator  # a part of the page where it has several maps
    plane: SlicePlane
    classes: tuple[str, ...]

    @property
    def canvas(self):
        return self.page.locator(".plane")

    def spot(self, x: float, y: float) -> tuple[float, float]:
        box = self.canvas.bounding_box()
        edge = box["width"] - FRAME
        (left, right), (bottom, top) = self.plane.x[[0, -1]], self.plane.y[[0, -1]]
        return (
            box["x"] + MARGIN + (x - left) / (right - left) * edge,
            box["y"] + FRAME - MARGIN + (top - y) / (top - bottom) * edge,
        )

    def place(self, column: int, row: int) -> tuple[float, float]:
        return float(self.plane.x[column]), float(self.plane.y[row])

    def picture(self) -> np.ndarray:
        """The drawn image, int [3, H, W]."""
        height, width, values = self.page.locator(".picture").evaluate(
            "c => [c.height, c.width, Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]"
        )
        rgba = np.array(values).reshape(height, width, 4)
        assert (rgba[..., 3] == 255).all()
        return rgba[..., :3].transpose(2, 0, 1)

    def expected_picture(self, x: float, y: float) -> np.ndarray:
        exact = self.plane.origin + x * self.plane.x_axis + y * self.plane.y_axis
        return np.broadcast_to(np.rint(255 * np.clip(exact, 0, 1)), (3, *exact.shape[1:]))

    def colour(self, column: int, row: int) -> str:
        """The map's own colour at a grid point, as #rrggbb."""
        left, top = self.spot(*self.place(column, row))
        box = self.canvas.bounding_box()
        pixel = self.canvas.evaluate(
            "(c, [x, y]) => Array.from(c.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3))",
            [round(left - box["x"]), round(top - box["y"])],
        )
        return "#" + bytes(pixel).hex()

    def expect_selected(self, point: tuple[float, float] | None) -> None:
        said = "nothing" if point is None else f"{point[0]:.6f} {point[1]:.6f}"
        expect(self.page.get_by_text(f"selected: {said}", exact=True)).to_be_visible()

    def shows(self, column: int, row: int) -> None:
        """The card tells the grid point: its image, its label, its coordinates."""
        x, y = self.place(column, row)
        expect(self.page.locator(".card .x")).to_have_text(f"{x:.2f}".replace("-", "−"))
        expect(self.page.locator(".card .y")).to_have_text(f"{y:.2f}".replace("-", "−"))
        expect(self.page.locator(".facts .name")).to_have_text(self.classes[self.plane.labels[row, column]])
        assert np.abs(self.picture() - self.expected_picture(x, y)).max() <= 1


def open_map(page: Page, address: str, scene: str = "signs") -> Map:
    page.goto(f"{address}/?scene={scene}")
    page.locator(".plane[aria-label]").first.wait_for()
    expect(page.get_by_text("selected: nothing")).to_be_visible()
    page.wait_for_function("document.fonts.ready.then(() => true)")
    return Map(page, *made_up_plane(scene.split("&", maxsplit=1)[0], 65))


def refine(at: Map, scene: str = "signs") -> Map:
    at.page.get_by_text("Fine", exact=True).click()
    plane, classes = made_up_plane(scene, 257)
    share = round(100 * (plane.labels == plane.labels[0, -1]).mean())
    expect(at.canvas).to_have_attribute("aria-label", re.compile(rf"{classes[plane.labels[0, -1]]} {share}%"))
    return Map(at.page, plane, classes)


# --- Looking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["signs", "digits"])
def test_hovering_shows_the_very_image(page, address, scene):
    at = open_map(page, address, scene)
    assert np.abs(at.picture() - at.expected_picture(0, 0)).max() <= 1  # at rest: the clean image
    for column, row in [(3, 2), (60, 5), (30, 40), (62, 62), (5, 50)]:
        page.mouse.move(*at.spot(*at.place(column, row)))
        at.shows(column, row)
    page.mouse.move(5, 5)
    expect(page.locator(".card .title").first).to_have_text("clean")
    for column, row in [(60, 5), (45, 30), (50, 55), (10, 52)]:
        assert at.colour(column, row) == PETROFF[at.plane.labels[row, column]]


def test_finer_labels_arrive_without_a_blank_frame_and_leave_cursor_and_selection(page, address):
    at = open_map(page, address)
    chosen = at.place(44, 20)
    page.mouse.click(*at.spot(*chosen))
    at.expect_selected(chosen)
    page.keyboard.press("ArrowRight")
    at.canvas.evaluate(
        """canvas => {
            window.sameCanvas = canvas;
            window.blankFrames = 0;
            const look = () => {
                const [x, y] = [canvas.width / 2, canvas.height / 2];
                window.blankFrames += canvas.getContext('2d').getImageData(x, y, 1, 1).data[3] === 0;
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    at.canvas.press("ArrowRight")
    fine = refine(at)
    fine.expect_selected(chosen)
    assert at.canvas.evaluate("canvas => canvas === window.sameCanvas")
    assert page.evaluate("window.blankFrames") == 0
    page.mouse.move(5, 5)
    expect(page.locator(".card .title").first).to_have_text("selected")
    fine.shows(4 * 44, 4 * 20)
    at.canvas.press("ArrowRight")
    fine.shows(4 * 44 + 1, 4 * 20)


def test_a_layer_gives_the_colours_and_its_number_at_the_cursor(page, address):
    at = open_map(page, address, "signs&layer")
    layer = made_up_layer()
    expect(page.locator(".scale-title")).to_have_text("W at σ = 0.5")
    expect(page.locator(".bar")).to_have_text("calm 02 rough")
    for column, row in [(60, 4), (44, 56), (8, 48)]:  # on the layer's own grid, which is half as fine
        page.mouse.move(*at.spot(*at.place(column, row)))
        expect(page.locator(".card .value")).to_have_text(f"{layer.values[row // 2, column // 2]:.2f}")
        at.shows(column, row)
    page.mouse.move(5, 5)
    expect(page.locator(".card .title").first).to_have_text("clean")
    for column, row in [(60, 4), (44, 56), (60, 44)]:  # off borders and names
        wanted = w_colours()[round(255 * layer.values[row // 2, column // 2] / 2)].astype(int)
        found = np.array(list(bytes.fromhex(at.colour(column, row)[1:])))
        assert np.abs(found - wanted).max() <= 4, (column, row)
    assert "Shown in colour: W at σ = 0.5, from 0.00 to 2.00." in at.canvas.get_attribute("aria-label")
    # Saved, it has the same map at twice the size, and the layer's bar below it.
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as PNG").click()
    assert re.fullmatch(r"triggerscope-[\w-]+\.png", download.value.suggested_filename)
    saved = Image.open(io.BytesIO(download.value.path().read_bytes()))
    width = round(at.canvas.bounding_box()["width"])
    assert saved.width == 2 * width < saved.height
    assert len(saved.crop((2 * MARGIN, 2 * width + 50, 2 * width - 40, 2 * width + 51)).getcolors(9999)) > 20


def test_an_unfinished_map_asks_for_better_ones_until_there_are_none(page, address):
    page.goto(f"{address}/?grow")
    expect(page.get_by_text("step 2", exact=True)).to_be_visible()
    canvas = page.locator(".plane")
    expect(canvas).to_have_attribute("aria-busy", "false")
    plane, classes = made_up_plane("signs", 65)
    share = round(100 * (plane.labels == 0).mean())
    expect(canvas).to_have_attribute("aria-label", re.compile(rf"{classes[0]} {share}%"))
    page.wait_for_timeout(300)  # it asks no more
    expect(page.get_by_text("step 2", exact=True)).to_be_visible()


def test_maps_of_one_group_look_at_the_same_image(open_window, address):
    page = open_window(viewport={"width": 1280, "height": 1400})
    at = open_map(page, address, "signs&pair")
    second = page.locator(".slice").nth(1)
    second.locator(".plane[aria-label]").wait_for()
    first = Map(page.locator(".slice").first, at.plane, at.classes)
    page.mouse.move(*first.spot(*at.place(50, 40)))
    for card in (page.locator(".slice").first, second):
        expect(card.locator(".card .x")).to_have_text(f"{at.plane.x[50]:.2f}")
        expect(card.locator(".card .y")).to_have_text(f"{at.plane.y[40]:.2f}")
    page.mouse.move(5, 5)
    expect(second.locator(".card .title").first).to_have_text("clean")


# --- Choosing --------------------------------------------------------------------------------------------------------


def test_a_click_selects_the_grid_point_or_the_very_point_of_interest(page, address):
    at = open_map(page, address)
    x, y = at.spot(*at.place(50, 30))
    page.mouse.click(x + 2, y - 2)
    at.expect_selected(at.place(50, 30))
    at.shows(50, 30)
    toward = at.plane.points["toward"]
    x, y = at.spot(*toward)
    page.mouse.click(x + 4, y + 3)
    at.expect_selected(toward)
    expect(page.locator(".card .title").first).to_have_text("with trigger, selected")
    assert np.abs(at.picture() - at.expected_picture(*toward)).max() <= 1


def test_the_keyboard_walks_selects_and_clears(page, address):
    at = open_map(page, address)
    page.get_by_role("switch", name="Fine").focus()
    page.keyboard.press("Tab")
    expect(at.canvas).to_be_focused()
    assert at.canvas.evaluate("canvas => getComputedStyle(canvas).outlineStyle") == "solid"
    column = int(np.abs(at.plane.x).argmin())
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    at.shows(column + 2, column + 9)
    spoken = page.locator(".spoken")
    expect(spoken).to_contain_text(at.classes[at.plane.labels[column + 9, column + 2]])
    expect(spoken).to_contain_text(f"along the trigger {at.plane.x[column + 2]:.2f}")
    page.keyboard.press("Enter")
    at.expect_selected(at.place(column + 2, column + 9))
    page.evaluate("['keydown', 'keyup'].forEach((k) => document.addEventListener(k, () => (window.leaked = true)))")
    page.keyboard.press("c")  # Streamlit would clear its caches
    page.keyboard.press("r")  # and run again
    assert page.evaluate("window.leaked") is None
    page.keyboard.press("Escape")
    at.expect_selected(None)
    expect(at.canvas).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Save as PNG")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".notes summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("After the map")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    for _ in range(7):  # 65 points a side: the walk ends in the corner
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowUp")
    at.shows(0, 64)


def test_on_a_phone_a_drag_looks_and_a_tap_selects(open_window, address):
    page = open_window(**PHONE)
    at = open_map(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".card").bounding_box()["y"] > at.canvas.bounding_box()["y"] + 300
    touch = page.context.new_cdp_session(page)

    def finger(kind: str, *place: int) -> None:
        points = [dict(zip("xy", at.spot(*at.place(*place)), strict=True))] if place else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    finger("touchStart", 40, 20)
    for step in range(1, 6):
        finger("touchMove", 40, 20 + 4 * step)
    finger("touchEnd")
    at.shows(40, 40)
    at.expect_selected(None)
    page.touchscreen.tap(*at.spot(*at.place(50, 20)))
    at.expect_selected(at.place(50, 20))
    at.shows(50, 20)


# --- The panel: two runs, one selection ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel_address(tmp_path_factory, poisoned, control):
    folder = tmp_path_factory.mktemp("panel")
    for run in (poisoned, control):
        shutil.copytree(run.path, folder / "runs" / run.name)
    with serve(PANEL, {"TRIGGERSCOPE_RUNS": str(folder / "runs"), "TRIGGERSCOPE_DATA": str(folder)}) as started:
        yield started


def open_panel(page: Page, address: str) -> None:
    """Open the panel and wait until its maps are finished; a fresh server imports torch before it shows any."""
    page.goto(address)
    maps = page.locator(".plane[aria-label]")
    maps.nth(1).wait_for(timeout=90_000)
    for number in (0, 1):
        expect(maps.nth(number)).to_have_attribute("aria-busy", "false", timeout=60_000)
    rest(page)
    page.wait_for_function("document.fonts.ready.then(() => [...document.images].every((image) => image.complete))")


@pytest.mark.soak
def test_a_click_selects_in_both_runs_and_the_link_restores_it(open_window, panel_address, poisoned):
    data = load_dataset("digits")
    images = spanning_images(PlaneChoice("class"), data, 5, poisoned.trigger)
    plane = slice_plane(poisoned.predictor(), images.origin, images.toward, images.across, LABELS_SIDE)
    x, y = plane.x[105], plane.y[70]

    def both_show_it(page: Page) -> None:
        for number in (0, 1):
            card = Map(page.locator(".slice").nth(number), plane, data.classes)
            expect(card.page.locator(".card .title").first).to_have_text("selected")
            assert np.abs(card.picture() - card.expected_picture(x, y)).max() <= 1

    page = open_window(viewport={"width": 1280, "height": 1400})
    open_panel(page, f"{panel_address}/?plane=class.0&layer=labels")
    page.mouse.click(*Map(page.locator(".slice").first, plane, data.classes).spot(x, y))
    both_show_it(page)
    page.wait_for_function("location.search.includes('point=')")
    link = page.evaluate("location.href")
    page = open_window(viewport={"width": 1280, "height": 1400})
    open_panel(page, link)
    both_show_it(page)
    shown = page.get_by_alt_text(f"The image at the selected point: along the trigger {x:.2f}, towards a 0 {y:.2f}")
    drawn = shown.evaluate(
        """image => {
            const canvas = new OffscreenCanvas(8, 8), context = canvas.getContext('2d');
            context.imageSmoothingEnabled = false;
            context.drawImage(image, 0, 0, 8, 8);
            return Array.from(context.getImageData(0, 0, 8, 8).data).filter((_, i) => i % 4 === 0);
        }"""
    )
    exact = Map(page, plane, data.classes).expected_picture(x, y)[0]
    assert np.abs(np.array(drawn).reshape(8, 8) - exact).max() <= 1


# --- Drawing, without a page -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawing(browser):
    """Runs JavaScript with what the component's drawing modules export as `m`."""
    page = browser.new_page()
    for module in ("raster.js", "labels.js", "regions.js"):
        import_script(page, COMPONENTS / "slice_view" / module)
    yield page.evaluate
    page.close()


@pytest.mark.parametrize("kinds", [2, 5, 40])
def test_smooth_borders_leave_every_grid_point_its_own_label(drawing, kinds):
    resolution, scale = 21, 9
    labels = np.random.default_rng(kinds).integers(0, kinds, (resolution, resolution))
    size = (resolution - 1) * scale + 1  # an odd scale and one pixel more: grid points fall on pixels' centres
    pixels = drawing(
        """([labels, resolution, size, kinds]) => {
            const tiles = Array.from({ length: kinds }, (_, kind) => new Uint32Array(256).fill(kind));
            const border = { rgb: [0, 0, 0], width: -1 };
            return Array.from(m.shadeMap(Uint8Array.from(labels), resolution, size, size, tiles, border));
        }""",
        [labels.ravel().tolist(), resolution, size, kinds],
    )
    drawn = np.array(pixels).reshape(size, size)[::-1]
    at = np.rint(np.arange(resolution) * size / (resolution - 1) - 0.5).clip(0, size - 1).astype(int)
    np.testing.assert_array_equal(drawn[np.ix_(at, at)], labels)


def test_labels_of_points_stay_inside_and_apart(drawing):
    rng = np.random.default_rng(0)
    frame = {"left": 40, "top": 12, "width": 306, "height": 306}
    corner = np.array([frame["left"], frame["top"]])
    for trial in range(60):
        spots = corner + 306 * rng.random((3, 2))
        if trial % 3 == 0:
            spots[1] = np.clip(
                spots[0] + rng.normal(0, 4, 2), corner, corner + 306
            )  # clean and triggered nearly coincide
        sizes = [{"width": width, "height": 19} for width in (48, 92, 104)]
        boxes = drawing(
            "([spots, sizes, frame]) => m.placeLabels(spots.map(([x, y]) => ({x, y})), sizes, [13, 13, 13], frame)",
            [spots.tolist(), sizes, frame],
        )
        edges = [(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in boxes]
        for left, top, right, bottom in edges:
            assert left >= 40
            assert top >= 12
            assert right <= 346
            assert bottom <= 318
        for i, j in [(0, 1), (0, 2), (1, 2)]:
            a, b = edges[i], edges[j]
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (trial, edges)


def test_a_name_goes_to_the_widest_part_of_each_region(drawing):
    labels = np.zeros((33, 33), int)
    labels[10:25, 4:19] = 1  # a square with a thin arm
    labels[17, 19:30] = 1
    spots = drawing(
        "([labels]) => m.roomiestSpots(Uint8Array.from(labels), 33, new Uint8Array(labels.length))",
        [labels.ravel().tolist()],
    )
    square = next(spot for spot in spots if spot["label"] == 1)
    assert abs(square["column"] - 11) <= 1
    assert abs(square["row"] - 17) <= 1
    assert 6.5 <= square["clearance"] <= 7.5


def test_more_classes_than_colours_get_patterns(drawing):
    tiles = drawing(
        """colours => Array.from({ length: 43 }, (_, label) => {
            const fill = m.fillOf(colours, label);
            const colourAt = (x, y) => (fill.inStroke(x, y) ? fill.stroke : fill.colour).join();
            return Array.from({ length: 256 }, (_, i) => colourAt(i % 16, i >> 4)).join(' ');
        })""",
        list(PETROFF),
    )
    assert len(set(tiles)) == 43
