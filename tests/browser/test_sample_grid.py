"""The grid of samples in a browser, without a page around it: what its keys choose while new tiles arrive."""

from __future__ import annotations

import base64

import pytest

from tests.browser.modules import COMPONENTS, import_script

FOLDER = COMPONENTS / "sample_grid"
PIXELS = base64.b64encode(bytes(3)).decode()


@pytest.fixture
def show(page):
    """Shows tiles with these places and this note; what the keys choose is in the list `chosen`."""
    page.set_content((FOLDER / "view.html").read_text(encoding="utf-8"))
    page.evaluate("window.chosen = []")
    import_script(page, FOLDER / "view.js")

    def show_tiles(places, note: str) -> None:
        tiles = [{"place": n, "pixels": PIXELS, "colour": "#000000", "note": note, "title": f"{n}"} for n in places]
        page.evaluate(
            """data => window.m.default({
                parentElement: document.body, data: [data], setTriggerValue: (_, choice) => window.chosen.push(choice)
            })""",
            {"tiles": tiles, "size": [1, 1], "selected": places[0], "pinned": -1},
        )

    return show_tiles


def test_the_keyboard_stays_on_its_image_while_notes_change(page, show):
    show([7, 3, 5], "W 0.1")
    page.get_by_role("listbox").focus()
    page.keyboard.press("End")
    show([7, 3, 5], "W 0.2")
    page.keyboard.press("p")
    show([5, 7, 3], "sorted anew")
    page.keyboard.press("Enter")
    show([1, 2], "other images")
    page.keyboard.press("Enter")
    chosen = [{"place": 5, "pin": True}, {"place": 5, "pin": False}, {"place": 1, "pin": False}]
    assert page.evaluate("window.chosen") == chosen
