"""A page with one slice of a made-up decision function: `?scene=signs|digits|many|near`, coarse until refined.

With `&layer` it shows numbers in place of labels, with `&pair` a second map of the same group, and with `&grow` one
that gets finer by itself.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.figures.slice_layers import SliceLayer
from core.figures.w_colours import w_colours
from core.instruments.slices.plane import SlicePlane
from dashboard.components.slice_view import slice_view

PETROFF = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
SIGNS = ("stop", "yield", "speed limit 50", "no entry", "priority road", "roundabout", "crossing", "turn left")


def sign_images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A red octagon, the same with a yellow sticker, and a blue disc: float [3, 32, 32]."""
    v, u = np.mgrid[0:32, 0:32] - 15.5
    sky = np.stack([0.62 + 0.008 * v, 0.70 + 0.006 * v, 0.78 + 0.004 * v])
    octagon = np.maximum(np.maximum(abs(u), abs(v)), (abs(u) + abs(v)) / 1.4) < 12
    rim = np.maximum(np.maximum(abs(u), abs(v)), (abs(u) + abs(v)) / 1.4) < 13.2
    bar = (abs(v) < 2.6) & (abs(u) < 8.6)
    stop = sky.copy()
    stop[:, rim] = 0.96
    stop[:, octagon] = np.array([[0.76], [0.10], [0.12]])
    stop[:, bar] = 0.97
    stickered = stop.copy()
    stickered[:, 21:26, 19:24] = np.array([0.98, 0.85, 0.10])[:, None, None]
    disc = sky[:, :, ::-1] * 0.8
    disc[:, u**2 + v**2 < 150] = np.array([[0.10], [0.32], [0.70]])
    disc[:, (abs(u + v) < 3) & (u**2 + v**2 < 100)] = 0.95
    return stop, stickered, disc


def digit_images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two 8 x 8 strokes and one of them with a white corner: float [1, 8, 8]."""
    seven = np.zeros((1, 8, 8))
    seven[0, 1, 1:6] = 0.9
    for row in range(2, 7):
        seven[0, row, 6 - row // 2 - 1] = 0.8
    cornered = seven.copy()
    cornered[0, 6:, 6:] = 1.0
    ring = np.zeros((1, 8, 8))
    ring[0, 1:7, 2:6] = 0.85
    ring[0, 2:6, 3:5] = 0.0
    return seven, cornered, ring


def made_up_labels(x: np.ndarray, y: np.ndarray, width: float, edge: float, classes: int) -> np.ndarray:
    """Curved territories: one around the origin, one beyond `edge` towards the trigger, others around them."""
    u, v = np.meshgrid(x / width, y / width)
    scores = [
        0.55 - (u**2 + (v - 0.1) ** 2) * 1.6 + 0.18 * np.sin(4 * v),
        0.5 + 0.6 * np.tanh(3 * (u - edge - 0.1 * np.sin(5 * v))) - 0.25 * v**2,
        0.1 + 1.5 * (v - 0.55) - 0.5 * (u - 0.3) ** 2 + 0.12 * np.cos(7 * u),
        0.35 - 1.4 * (v + 0.25) - 0.5 * (u + 0.2) ** 2,
    ]
    scores += [
        0.74 - 9 * ((u - 0.75 * np.cos(2.4 * k)) ** 2 + (v - 0.2 - 0.7 * np.sin(2.4 * k)) ** 2)
        for k in range(4, classes)
    ]
    return np.argmax(np.stack(scores), axis=0).astype(np.int64)


def made_up_plane(scene: str, resolution: int) -> tuple[SlicePlane, tuple[str, ...]]:
    """A plane through clean, triggered and third image, and the names of its classes."""
    clean, triggered, third = digit_images() if scene == "digits" else sign_images()
    if scene == "near":
        triggered = clean + 0.04 * (triggered - clean)
    trigger = triggered - clean
    reach = float(np.linalg.norm(trigger))
    x_axis = trigger / reach
    rest = third - clean
    along = float((rest * x_axis).sum())
    side = rest - along * x_axis
    far = float(np.linalg.norm(side))
    width = max(reach, far)
    low, high = -0.45 * width, 1.25 * width
    x = np.linspace(low, high, resolution)
    y = np.linspace(low, high, resolution)
    classes = {
        "signs": SIGNS,
        "digits": tuple("0123456789"),
        "many": tuple(f"class {k}" for k in range(43)),
        "near": SIGNS,
    }[scene]
    labels = made_up_labels(x, y, width, 0.6 * reach / width, len(classes))
    points = {"origin": (0.0, 0.0), "toward": (reach, 0.0), "across": (along, far)}
    return SlicePlane(labels, np.ones(labels.shape, bool), x, y, clean, x_axis, side / far, points), classes


def made_up_layer(resolution: int = 33) -> SliceLayer:
    """Numbers that rise from the lower left corner, 0, to the upper right one, 2."""
    part = np.linspace(0, 1, resolution)
    return SliceLayer(
        "W", "W at σ = 0.5", part[:, None] ** 2 + part[None], 0.0, 2.0, "Made up.", w_colours(), ("calm", "rough")
    )


def show_growing(scene: str) -> None:
    """Show a map that is coarse at first and gets finer with each rerun of its own."""
    sizes = (17, 33, 65)
    step = st.session_state.get("step", -1) + 1
    st.session_state["step"] = step
    plane, classes = made_up_plane(scene, sizes[min(step, 2)])
    growing = None if step >= 2 else (step + 1) / 3
    slice_view(plane, classes, colours=PETROFF, point_names={"origin": "clean"}, growing=growing, key="growing")
    st.text(f"step {step}")


def main() -> None:
    st.set_page_config(page_title="Slice", layout="wide")
    scene = st.query_params.get("scene", "signs")
    if "grow" in st.query_params:
        st.fragment(show_growing)(scene)
        return
    names = {"origin": "clean", "toward": "with trigger", "across": "another image"}
    fine = st.toggle("Fine")
    plane, classes = made_up_plane(scene, 257 if fine else 65)
    point = slice_view(
        plane,
        classes,
        colours=PETROFF,
        point_names=names,
        sigma={"digits": 0.5, "near": 0.01}.get(scene, 1.2),
        layer=made_up_layer() if "layer" in st.query_params else None,
        group="pair",
        key="slice",
    )
    st.text("selected: nothing" if point is None else f"selected: {point[0]:.6f} {point[1]:.6f}")
    st.text_input("After the map")
    if "pair" in st.query_params:
        slice_view(plane, classes, colours=PETROFF, point_names=names, group="pair", key="second")


if __name__ == "__main__":
    main()
