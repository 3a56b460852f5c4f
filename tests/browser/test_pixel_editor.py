"""The pixel editor in a browser: hands on one side, the pixels that Python has on the other."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.conftest import Watch
from tests.browser.serving import DESKTOP, PHONE, serve

APP = Path(__file__).parent / "apps" / "pixel_editor_app.py"
YELLOW, WHITE, BLUE = (255, 214, 10, 255), (255, 255, 255, 255), (47, 111, 237, 255)


# --- A server of its own ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address():
    with serve(APP) as started:
        yield started


@pytest.fixture(scope="module")
def desktop(browser):
    """One window for many tests: its warm cache halves the time a page takes to load. Each page is its own session."""
    context = browser.new_context(**DESKTOP)
    yield context
    context.close()


# --- The editor, as a person meets it --------------------------------------------------------------------------------


class Editor:
    """One browser page with the editor."""

    def __init__(self, page: Page, address: str, query: str) -> None:
        self.page = page
        self.page.goto(f"{address}/?{query}")
        self.canvas = self.page.locator(".editor canvas")
        self.canvas.wait_for()
        self.size = int(re.search(r"size=(\d+)", query)[1])
        self.check_cells()

    def check_cells(self) -> None:
        """At every size and on every screen one canvas pixel is one device pixel, and all cells are equal squares."""
        width, height, seen = self.canvas.evaluate("it => [it.width, it.height, it.getBoundingClientRect().width]")
        assert width == height == pytest.approx(seen * self.page.evaluate("devicePixelRatio"))
        assert width % self.size == 0

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Return where the middle of a pixel is on the screen."""
        box = self.canvas.bounding_box()
        side = box["width"] / self.size
        return box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side

    def drag(self, *cells: tuple[float, float]) -> None:
        """Draw from cell to cell with the mouse, one event for each."""
        self.page.mouse.move(*self.place(*cells[0]))
        self.page.mouse.down()
        for cell in cells[1:]:
            self.page.mouse.move(*self.place(*cell))
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def run_again(self) -> None:
        """Let the page run again and wait until it shows so, without taking the mouse off the canvas."""
        runs = self.count("runs")
        self.button("Run again").evaluate("button => button.click()")
        self.sees(f"runs {runs + 1}")

    def python_has(self, pixels: dict[tuple[int, int], tuple[int, ...]]) -> None:
        """Wait until Python has exactly these pixels, {(row, column): (r, g, b, a)}, and nothing else."""
        words = ";".join(f"{r},{c}:{'.'.join(map(str, ink))}" for (r, c), ink in sorted(pixels.items()))
        self._look_for(f"pixels {words}".strip())
        expect(self.page.get_by_text(re.compile("^pixels"))).to_have_text(f"pixels {words}".strip())

    def sees(self, text: str) -> None:
        """Wait for a line of text."""
        self._look_for(text)
        expect(self.page.get_by_text(text, exact=True)).to_have_count(1)

    def _look_for(self, text: str) -> None:
        """Look at every frame for a line of text: quicker than `expect`, which then gives the better message."""
        script = (
            "text => [...document.querySelectorAll('[data-testid=stText]')].some(it => it.innerText.trim() === text)"
        )
        with contextlib.suppress(PlaywrightTimeoutError):
            self.page.wait_for_function(script, arg=text, timeout=5000)

    def colour_at(self, row: float, column: float) -> tuple[int, ...]:
        """Return what a place on the canvas looks like, (r, g, b); 2.5 is the edge between the pixels 2 and 3."""
        self.page.mouse.move(0, 0)
        script = """(it, [row, column]) => new Promise((done) =>
          requestAnimationFrame(() => requestAnimationFrame(() => {
            const side = it.width / SIZE;
            const at = [Math.round((column + 0.5) * side), Math.round((row + 0.5) * side)];
            done([...it.getContext('2d').getImageData(...at, 1, 1).data].slice(0, 3));
        })))"""
        return tuple(self.canvas.evaluate(script.replace("SIZE", str(self.size)), [row, column]))

    def count(self, what: str) -> int:
        return int(self.page.get_by_text(re.compile(rf"^{what} \d+$")).inner_text().split()[1])


@pytest.fixture
def open_editor(browser, desktop, address):
    watch, pages = Watch(), []

    def open_one(query: str = "size=8", before=None, **settings) -> Editor:
        context = browser.new_context(**settings) if settings else desktop
        page = context.new_page()
        pages.append(page)
        watch.follow(page)
        if before:
            before(page)
        return Editor(page, address, query)

    yield open_one
    for page in pages:
        (page if page.context is desktop else page.context).close()
    watch.check()


def cells(rows, columns, ink):
    return {(row, column): ink for row in rows for column in columns}


# --- Stories ---------------------------------------------------------------------------------------------------------


def test_the_mouse_draws_exactly_these_pixels(open_editor):
    editor = open_editor()
    editor.drag((1, 1), (1, 6))  # one event for the whole way: no holes
    row = cells([1], range(1, 7), YELLOW)
    editor.python_has(row)
    editor.button("Brush 2").click()
    editor.page.locator(".colors").get_by_role("button", name="Red").click()
    editor.page.get_by_label("Opacity").fill("50")
    editor.drag((4.5, 3.5))  # an even brush lies around the nearest corner of the grid
    square = cells([4, 5], [3, 4], (229, 50, 45, 128))
    editor.python_has(row | square)
    editor.button("Eraser").click()
    editor.button("Brush 1").click()
    editor.drag((1, 3), (1, -3))  # out of the picture, the button still held
    editor.python_has(cells([1], range(4, 7), YELLOW) | square)
    assert editor.count("changes") == 3, "a stroke is sent once"


def test_line_rectangle_fill_eyedropper_move_mirror_clear(open_editor):
    editor = open_editor("size=8&sample=0")
    editor.button("Line").click()
    editor.drag((0, 0), (7, 0), (3, 3))  # only the last end counts
    diagonal = {(i, i): YELLOW for i in range(4)}
    editor.python_has(diagonal)
    editor.button("Rectangle, filled").click()
    editor.button("Rectangle, filled").click()  # again: outlined
    editor.drag((7, 7), (4, 4))
    frame = cells(range(4, 8), range(4, 8), YELLOW)
    for inside in [(5, 5), (5, 6), (6, 5), (6, 6)]:
        del frame[inside]
    editor.python_has(diagonal | frame)
    editor.button("Fill").click()
    editor.page.locator(".colors").get_by_role("button", name="Blue").click()
    editor.drag((5, 6))
    framed = cells(range(4, 8), range(4, 8), BLUE) | frame
    editor.python_has(diagonal | framed)
    editor.button("Eyedropper").click()
    editor.drag((0, 0))
    expect(editor.page.locator(".color-value")).to_have_text("#ffd60a")
    editor.button("Mirror left and right").click()
    editor.python_has({(r, 7 - c): ink for (r, c), ink in (diagonal | framed).items()})
    editor.button("Undo").click()
    editor.button("Eraser").click()
    editor.button("Brush 4").click()
    editor.drag((5.5, 5.5))
    editor.python_has(diagonal)
    editor.button(
        "Move",
    ).click()
    editor.drag((0, 0), (20, 2))  # never over the edge
    editor.python_has({(i + 4, i + 2): YELLOW for i in range(4)})
    editor.button("Move up").click()
    editor.button("Move left").click()
    editor.python_has({(i + 3, i + 1): YELLOW for i in range(4)})
    editor.button("Clear").click()
    editor.python_has({})


def test_the_keyboard_alone(open_editor):
    editor = open_editor("size=8&grey=1")
    editor.page.get_by_role("application").focus()
    spoken = editor.page.locator(".spoken")
    editor.press("ArrowUp")
    expect(spoken).to_have_text("Row 3, column 4: empty")
    editor.press("Space")
    editor.python_has({(3, 4): WHITE})
    editor.press("ArrowRight", "ArrowLeft")
    expect(spoken).to_have_text("Row 3, column 4: white")
    editor.page.keyboard.down("Enter")  # held: arrows draw
    editor.press("ArrowDown", "ArrowDown")
    editor.page.keyboard.up("Enter")
    column = cells([3, 4, 5], [4], WHITE)
    editor.python_has(column)
    editor.press("l", "Shift+ArrowLeft", "Space", "ArrowDown", "Escape")  # a line, given up
    editor.press("Space", "ArrowRight", "ArrowRight", "Space")
    editor.python_has(column | cells([6], [0, 1, 2], WHITE))
    expect(editor.button("Line")).to_have_attribute("aria-pressed", "true")
    editor.press("m", "ArrowRight", "ArrowRight")
    editor.python_has(cells([3, 4, 5], [6], WHITE) | cells([6], [2, 3, 4], WHITE))
    editor.press("h")
    editor.python_has(cells([3, 4, 5], [1], WHITE) | cells([6], [3, 4, 5], WHITE))
    runs = editor.count("runs")
    editor.press("c", "r", "4")  # Streamlit's own keys: they must not reach it
    expect(editor.page.locator(".spoken")).to_have_text("Brush 4")
    expect(editor.page.get_by_role("dialog")).to_have_count(0)
    assert editor.count("runs") == runs
    editor.page.keyboard.press("Shift+Tab")
    editor.press("ArrowRight", "Enter")  # a toolbar is one stop; the arrows walk in it
    assert editor.page.evaluate("document.activeElement.shadowRoot.activeElement.dataset.action") == "redo"


def test_a_finger_on_a_phone(open_editor):
    editor = open_editor("size=8", **PHONE)
    page = editor.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [
        button.bounding_box() for button in page.locator(".editor :is(button, input)").all() if button.is_visible()
    ]
    assert len(boxes) > 20
    assert min(min(box["width"], box["height"]) for box in boxes) >= 40
    assert page.locator(".editor").bounding_box()["width"] <= 390
    touch = page.context.new_cdp_session(page)

    def finger(kind: str, *where: tuple[float, float]) -> None:
        points = [dict(zip("xy", editor.place(*cell), strict=True)) for cell in where]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    top = page.locator(".editor").bounding_box()["y"]
    finger("touchStart", (6, 2))
    finger("touchMove", (3, 2))
    finger("touchMove", (1, 2))
    finger("touchEnd")
    editor.python_has(cells(range(1, 7), [2], YELLOW))
    assert page.locator(".editor").bounding_box()["y"] == top, "drawing must not scroll the page"
    # The stroke before was fast: without care the browser swallows this tap as the end of a fling.
    editor.button("Fill").tap()
    expect(editor.button("Fill")).to_have_attribute("aria-pressed", "true")
    page.touchscreen.tap(*editor.place(7, 7))
    everywhere = cells(range(8), range(8), YELLOW)
    editor.python_has(everywhere)
    # Who has no keyboard is told no keys and keeps the samples, also where the canvas seems to be chosen by one.
    editor.canvas.focus()
    editor.press("ArrowUp")
    expect(editor.button("Next sample")).to_be_visible()
    assert (
        editor.canvas.evaluate("it => getComputedStyle(it.parentElement.querySelector('.foot'), '::after').content")
        == "none"
    )


def test_undo_redo_and_pictures_from_outside(open_editor):
    editor = open_editor()
    first, second = cells([0], range(4), YELLOW), cells([2], range(3), YELLOW)
    preset = cells([6, 7], [6, 7], WHITE)
    editor.drag((0, 0), (0, 3))
    editor.python_has(first)
    editor.drag((2, 0), (2, 2))
    editor.python_has(first | second)
    editor.press("Control+z")
    editor.python_has(first)
    editor.press("Meta+z")
    editor.python_has({})
    editor.press("Shift+Control+Z")
    editor.python_has(first)
    editor.button("White corner").click()
    editor.python_has(preset)
    editor.drag((0, 7))  # drawn on the new picture, not on the old one
    editor.python_has(preset | {(0, 7): YELLOW})
    editor.press("Control+z", "Control+z")  # a preset can be undone as well
    editor.python_has(first)
    editor.button("Redo").click()
    editor.python_has(preset)
    # The editor taken away and put back shows what Python has, draws on it, and still knows its past.
    editor.page.get_by_text("Editor", exact=True).click()
    expect(editor.canvas).to_have_count(0)
    editor.page.get_by_text("Editor", exact=True).click()
    editor.drag((4, 4))
    editor.python_has(preset | {(4, 4): YELLOW})
    editor.press("Control+z", "Control+z")
    editor.python_has(first)


def test_the_sample_underneath_is_another_one_on_demand(open_editor):
    editor = open_editor()
    editor.button("Next sample").click()
    editor.sees("sample 1")
    expect(editor.page.locator(".sample-number")).to_have_text("sample 2 of 4")
    editor.canvas.focus()
    editor.press("ArrowUp", "n")
    editor.sees("sample 2")
    editor.press("Shift+Tab")  # while the canvas has the keyboard, its keys are told in that place
    editor.button("Previous sample").click()
    expect(editor.page.locator(".sample-number")).to_have_text("sample 2 of 4")
    editor.python_has({})
    # What is drawn on it is outlined, so that it is told from the sample's own pixels; only on the screen.
    editor.drag((3, 3))
    edge, middle = editor.colour_at(3, 2.5), editor.colour_at(3, 3)
    assert (edge, middle) == ((230, 159, 0), YELLOW[:3])
    editor.python_has({(3, 3): YELLOW})


def test_a_picture_is_pasted_from_the_clipboard_and_a_large_one_shrunk(open_editor):
    editor = open_editor(**DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    copy = """async ([width, height, colour]) => {
        const canvas = new OffscreenCanvas(width, height);
        const context = canvas.getContext('2d');
        context.fillStyle = colour;
        context.fillRect(0, 0, width, height);
        const picture = await canvas.convertToBlob({ type: 'image/png' });
        await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
    }"""
    editor.page.evaluate(copy, [20, 10, "#ff0000"])
    editor.button("Paste a picture").click()
    expect(editor.page.get_by_text("pasted 20x10 (255, 0, 0, 255)")).to_be_visible()
    editor.page.evaluate(copy, [2000, 1000, "#00ff00"])
    editor.canvas.focus()
    editor.press("Control+v")
    expect(editor.page.get_by_text("pasted 512x256 (0, 255, 0, 255)")).to_be_visible()
    editor.page.evaluate("navigator.clipboard.writeText('words')")
    editor.button("Paste a picture").click()
    expect(editor.page.locator(".status")).to_have_text("There is no picture on the clipboard")
    editor.python_has({})


def test_a_rerun_in_the_middle_of_a_stroke_changes_nothing_but_a_new_picture_does(open_editor):
    editor = open_editor()
    editor.page.mouse.move(*editor.place(2, 1))
    editor.page.mouse.down()
    for column in (3, 5, 6):
        editor.page.mouse.move(*editor.place(2, column))
        editor.run_again()
    assert editor.count("changes") == 0
    editor.page.mouse.up()
    editor.python_has(cells([2], range(1, 7), YELLOW))
    assert editor.count("changes") == 1

    preset = cells([6, 7], [6, 7], WHITE)
    editor.page.mouse.move(*editor.place(4, 1))
    editor.page.mouse.down()
    editor.button("White corner").evaluate("button => button.click()")
    editor.python_has(preset)
    editor.page.mouse.move(*editor.place(4, 6))
    editor.page.mouse.up()
    editor.run_again()
    editor.python_has(preset)
    assert editor.count("changes") == 1


def test_a_stroke_lost_on_the_way_is_sent_again(open_editor):
    lossy = {"deaf": False}

    def forward(route) -> None:
        server = route.connect_to_server()
        route.on_message(lambda message: None if lossy["deaf"] else server.send(message))

    editor = open_editor(before=lambda page: page.route_web_socket(re.compile("_stcore/stream"), forward))
    lossy["deaf"] = True
    editor.drag((3, 3))
    editor.page.wait_for_timeout(1100)
    lossy["deaf"] = False
    editor.python_has({})
    editor.run_again()
    editor.python_has({(3, 3): YELLOW})
    assert editor.count("changes") == 1


def test_dark_and_light_follow_the_theme(open_editor):
    editor = open_editor(**DESKTOP, color_scheme="dark")

    def brightness(selector: str, what: str) -> float:
        script = f"""element => {{
            const context = new OffscreenCanvas(1, 1).getContext('2d');
            context.fillStyle = getComputedStyle(element).{what};
            context.fillRect(0, 0, 1, 1);
            return Math.max(...context.getImageData(0, 0, 1, 1).data.slice(0, 3));
        }}"""
        return editor.page.locator(selector).first.evaluate(script)

    editor.drag((0, 0), (0, 1))
    dark = brightness(".bar", "backgroundColor"), brightness(".status", "color")
    editor.page.emulate_media(color_scheme="light")
    expect(editor.page.locator(".stApp")).to_have_css("color-scheme", "light")
    light = brightness(".bar", "backgroundColor"), brightness(".status", "color")
    assert dark[0] < dark[1]
    assert light[1] < light[0]
    assert dark[0] < light[0]
    # The theme's change lost nothing.
    editor.button("Undo").click()
    editor.button("Redo").click()
    editor.python_has(cells([0], [0, 1], YELLOW))


def test_each_stroke_runs_the_page_once_and_is_shown(open_editor):
    editor = open_editor("size=32")
    drawn = {}
    for row in range(5):
        runs = editor.count("runs")
        editor.drag((row, 0), (row, 9))
        drawn |= cells([row], range(10), YELLOW)
        editor.python_has(drawn)
        assert (editor.count("runs"), editor.count("changes")) == (runs + 1, row + 1)
