"""What Python makes of the strokes that the pixel editor sends."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core.errors import InputError
from dashboard.components.pixel_editor import Drawing
from dashboard.components.pixel_editor.drawing import read_stroke


def stroke(revision: str, pixels: bytes) -> dict[str, str]:
    return {"revision": revision, "pixels": base64.b64encode(pixels).decode()}


def blank(height: int, width: int) -> Drawing:
    return Drawing(np.zeros((height, width, 4), np.uint8))


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_what_is_sent_is_what_was_drawn(height, width, seed):
    rgba = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    drawing = Drawing(rgba)
    told = drawing.message(None, grey=False)
    assert (told["width"], told["height"], told["background"]) == (width, height, None)
    assert base64.b64decode(told["pixels"]) == rgba.tobytes()
    # The same bytes back again give the same picture: row by row, four a pixel, nothing premultiplied.
    np.testing.assert_array_equal(read_stroke(stroke("a", rgba.tobytes()), revision="a", size=(height, width)), rgba)


def test_one_red_pixel_lands_in_its_row_and_column():
    pixels = bytearray(2 * 3 * 4)
    pixels[4 * (1 * 3 + 2) :] = (255, 0, 0, 128)
    expected = np.zeros((2, 3, 4), np.uint8)
    expected[1, 2] = (255, 0, 0, 128)
    np.testing.assert_array_equal(read_stroke(stroke("a", bytes(pixels)), revision="a", size=(2, 3)), expected)


def test_strokes_keep_the_revision_and_replacing_changes_it():
    drawing = blank(2, 2)
    first = drawing.revision
    assert drawing.take(stroke(first, bytes(range(16))))
    assert drawing.revision == first
    np.testing.assert_array_equal(drawing.rgba.ravel(), np.arange(16))
    drawing.replace(np.full((2, 2, 4), 9, np.uint8))
    assert drawing.revision != first
    assert blank(2, 2).revision != blank(2, 2).revision


def test_a_stale_stroke_changes_nothing():
    drawing = blank(2, 2)
    stale = drawing.revision
    drawing.replace(np.full((3, 3, 4), 7, np.uint8))
    before = drawing.rgba
    assert not drawing.take(stroke(stale, bytes(16)))
    assert drawing.rgba is before


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (stroke("now", bytes(15)), "has 16 bytes, but the stroke has 15"),
        (stroke("now", bytes(17)), "has 16 bytes, but the stroke has 17"),
        ({"revision": "now", "pixels": "not base64!"}, "not base64"),
        ({"revision": "now", "pixels": "é"}, "not base64"),
        ({"revision": "now"}, "has no pixels"),
        ({"revision": "now", "pixels": [0] * 16}, "has no pixels"),
        (None, "NoneType"),
        (["now"], "list"),
    ],
)
def test_an_unreadable_stroke_is_refused_in_a_sentence(sent, said):
    with pytest.raises(InputError, match=said):
        read_stroke(sent, revision="now", size=(2, 2))


@pytest.mark.parametrize(
    "rgba",
    [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 4), np.uint8)],
)
def test_only_rgba_pictures_can_be_drawn_on(rgba):
    with pytest.raises(InputError, match="uint8 array"):
        Drawing(rgba)


def test_the_background_has_the_drawings_size():
    drawing = blank(4, 6)
    sample = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert base64.b64decode(drawing.message(sample, grey=True)["background"]) == sample.tobytes()
    with pytest.raises(InputError, match="The background is 4x6, but the drawing is 6x4"):
        drawing.message(sample.transpose(1, 0, 2), grey=True)


def test_nobody_changes_the_picture_behind_the_browsers_back():
    given_rgba = np.zeros((2, 2, 4), np.uint8)
    drawing = Drawing(given_rgba)
    given_rgba[:] = 255
    assert not drawing.rgba.any()
    with pytest.raises(ValueError, match="read-only"):
        drawing.rgba[:] = 1
    drawing.take(stroke(drawing.revision, bytes(16)))
    with pytest.raises(ValueError, match="read-only"):
        drawing.rgba[:] = 1


def page():
    import numpy as np
    import streamlit as st

    from dashboard.components.pixel_editor import Drawing, pixel_editor

    drawing = st.session_state.setdefault("drawing", Drawing(np.zeros((8, 8, 4), np.uint8)))
    if st.button("Preset"):
        drawing.replace(np.full((8, 8, 4), 255, np.uint8))
    pixel_editor(drawing, key="editor", background=np.zeros((8, 8, 3), np.uint8), grey=True)
    st.text(f"{int((drawing.rgba[..., 3] > 0).sum())} drawn")


def test_a_page_with_the_editor_runs_and_reruns():
    app = AppTest.from_function(page).run()
    assert not app.exception
    assert app.text[0].value == "0 drawn"
    app.button[0].click().run()
    assert not app.exception
    assert app.run().text[0].value == "64 drawn"


def page_that_takes_strokes():
    import streamlit as st

    from dashboard.components.component import take_sent

    take_sent("editor", "stroke", st.session_state.drawing.take)


def test_only_a_stroke_that_counts_changes_the_picture(caplog):
    drawing = blank(2, 2)
    app = AppTest.from_function(page_that_takes_strokes)
    app.session_state["drawing"] = drawing

    def send(sent: object) -> None:
        app.session_state["editor"] = {"stroke": sent}
        assert not app.run().exception

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name.startswith("dashboard")]

    send(stroke("an older picture", bytes([5] * 16)))
    assert warnings() == []
    send(stroke(drawing.revision, bytes([5] * 3)))
    (warning,) = warnings()
    assert "has 16 bytes, but the stroke has 3" in warning
    assert not drawing.rgba.any()
    send(stroke(drawing.revision, bytes([7] * 16)))
    assert (drawing.rgba == 7).all()
