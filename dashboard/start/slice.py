"""The slice on the poster: through the picture, the same with the trigger where it rests, and one of the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from core.attacks.triggers.placing import Placing, placed
from core.figures.palette import CLASSES
from core.instruments.slices.plane import SlicePlane
from dashboard import cached
from dashboard.components.slice_view import Point, slice_view
from dashboard.start.shown import Shown
from dashboard.start.story import EXAMPLES_IN_WORDS

# Pixels have 256 levels: an image that lies further from a plane than this share of the trigger's length is not on it.
_OFF_PLANE = 0.02
# How long one run works on a finer slice, and where the trigger rested last.
_BREATH, _RESTED = 0.3, "start.rested"


def rest_here(now: Shown) -> None:
    """Lay the slice through the picture with the trigger where it is now."""
    st.session_state[_RESTED] = now.name, replace(now.placing, opacity=1.0)


@st.fragment
def show_slice(now: Shown) -> None:
    """Show the slice where the hand last rested; the selected point is the picture as it is now, if it lies there."""
    example = EXAMPLES_IN_WORDS[now.name]
    name, rested = st.session_state.get(_RESTED, (now.name, Placing.of(now.trained)))
    trigger = placed(now.trained, now.shape, rested if name == now.name else Placing.of(now.trained))
    plane, growing = now.example.views.plane(), None
    if now.live:
        results = cached.example_plane(now.name, trigger)
        results.advance(_BREATH)
        if results.problem:
            st.caption(f"Here the {example.trigger} changes no pixel, so no slice goes through it.")
        plane = results.newest or plane
        growing = None if results.done else float(plane.evaluated.mean())
    slice_view(
        plane,
        now.classes,
        colours=CLASSES,
        point_names={"origin": f"no {example.trigger}", "toward": example.trigger, "across": example.third},
        axis_names=(f"more {example.trigger} →", f"more like {example.third} ↑"),
        sigma=now.sigma,
        selected=_place_on(plane, now),
        height_px=330,
        compact=True,
        growing=growing,
        key=f"start.slice.{now.name}",
    )


def _place_on(plane: SlicePlane, now: Shown) -> Point | None:
    """Return where the picture lies on a plane; None if it does not, as while the trigger is being moved."""
    image = now.image
    x, y = plane.nearest(image)
    end, _ = plane.points["toward"]
    if np.linalg.norm(image - (plane.origin + x * plane.x_axis + y * plane.y_axis)) > _OFF_PLANE * end:
        return None
    known = [point for point in plane.points.values() if np.hypot(point[0] - x, point[1] - y) < _OFF_PLANE * end]
    return known[0] if known else (x, y)
