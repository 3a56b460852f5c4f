"""The pixel editor alone on a page, with everything Python knows about the drawing in words beside it.

Query parameters: `size` (pixels a side), `grey` (one channel), `sample` (0 for no image underneath, which otherwise
changes a little at each run, so that each run brings the editor new data).
"""

from __future__ import annotations

import hashlib
import io

import numpy as np
import streamlit as st
from PIL import Image

from dashboard.components.pixel_editor import Drawing, pixel_editor


def sample_image(size: int, shift: int, grey: bool) -> np.ndarray:
    """Return a ring on a gradient, uint8 [size, size, 3]."""
    rows, columns = np.mgrid[:size, :size] / (size - 1) - 0.5
    ring = np.abs(np.hypot(rows, columns) - 0.32) < 0.08
    image = np.stack([90 + 120 * (0.5 - rows), 110 + 100 * (0.5 - rows), np.full_like(rows, 120 + shift)], axis=-1)
    image[ring] = (200, 200, 200) if grey else (190, 40, 40)
    return (image if not grey else image.mean(-1, keepdims=True).repeat(3, -1)).astype(np.uint8)


def corner(size: int) -> np.ndarray:
    """Return an opaque white 2x2 patch in the lower right corner, uint8 [size, size, 4]."""
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[-2:, -2:] = 255
    return rgba


class CountingDrawing(Drawing):
    """A drawing that counts the strokes that it takes."""

    changes = 0

    def take(self, stroke: object) -> bool:
        """Take a stroke as every drawing does."""
        taken = super().take(stroke)
        self.changes += taken
        return taken


def step_sample(step: int) -> None:
    """Walk through four samples."""
    st.session_state.sample = (st.session_state.get("sample", 0) + step) % 4


def take_paste(content: bytes) -> None:
    """Remember the size and the first pixel of a pasted picture."""
    picture = Image.open(io.BytesIO(content))
    st.session_state.pasted = f"{picture.width}x{picture.height} {picture.convert('RGBA').getpixel((0, 0))}"


st.set_page_config(page_title="Pixel editor", layout="wide")
query = st.query_params
size, grey = int(query.get("size", "8")), query.get("grey") == "1"

if "drawing" not in st.session_state or st.session_state.drawing.rgba.shape[0] != size:
    st.session_state.drawing = CountingDrawing(np.zeros((size, size, 4), np.uint8))
drawing = st.session_state.drawing
st.session_state.runs = st.session_state.get("runs", 0) + 1

with st.container(horizontal=True):
    if st.button("White corner"):
        drawing.replace(corner(size))
    st.button("Run again")
    mounted = st.toggle("Editor", value=True)

left, right = st.columns([3, 1])
with left:
    if mounted:
        pixel_editor(
            drawing,
            key="editor",
            background=None if query.get("sample") == "0" else sample_image(size, st.session_state.runs % 2, grey),
            grey=grey,
            samples=(st.session_state.get("sample", 0), 4),
            on_sample=step_sample,
            on_paste=take_paste,
        )
with right:
    st.text(f"runs {st.session_state.runs}")
    st.text(f"changes {drawing.changes}")
    st.text(f"sample {st.session_state.get('sample', 0)}")
    st.text(f"pasted {st.session_state.get('pasted', 'nothing')}")
    st.text(f"digest {hashlib.sha256(drawing.rgba.tobytes()).hexdigest()[:16]}")
    drawn = {f"{row},{column}": drawing.rgba[row, column].tolist() for row, column in np.argwhere(drawing.rgba[..., 3])}
    if len(drawn) <= 200:
        st.text("pixels " + ";".join(f"{place}:{'.'.join(map(str, ink))}" for place, ink in drawn.items()))
