"""W over the slices: on one colour scale for all runs, better and better, and what it says around the two images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from core.figures.slice_layers import SliceLayer, smoothness_layer
from core.figures.slice_words import sea_made, sea_words
from core.instruments.slices.choice import PlaneChoice
from core.instruments.slices.plane_smoothness import Surroundings
from core.instruments.statistics import Estimate
from dashboard import cached
from dashboard.explore.slice_choice import W_DRAWS, W_SIDE
from dashboard.explore.slice_scene import SliceScene
from dashboard.markdown import plain
from dashboard.progressive import is_moving, progress_line

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.plane_smoothness import PlaneSmoothness
    from dashboard.progressive import Progressive


@dataclass(frozen=True, eq=False)
class Sea:
    """W over each run's slice as far as it was measured.

    Attributes
    ----------
    layers
        What is drawn.
    moving
        The share that is there, of those that are being measured.
    lines
        Show how far they are, and a way to stop them.
    complete
        W where it was measured everywhere.
    """

    layers: dict[str, SliceLayer]
    moving: dict[str, float]
    lines: dict[str, Callable[[], None]]
    complete: Mapping[str, PlaneSmoothness]


def advance_all(results: Mapping[str, Progressive], seconds: float) -> None:
    """Make better maps, one beside the other: the browser asks for this as soon as it has drawn the last ones."""
    for name, result in results.items():
        if is_moving(f"slice.{name}", result):
            result.advance(seconds / len(results))


def measure_sea(
    scene: SliceScene, choices: Mapping[str, PlaneChoice], planes: Mapping[str, SlicePlane], seconds: float
) -> Sea:
    """Measure W over all slices for about this long, and return what is there by now."""
    results = {
        name: cached.plane_smoothness(
            scene.sides[name].run.path, scene.plane_key(name, choices[name]), W_SIDE, scene.sigma, W_DRAWS, plane
        )
        for name, plane in planes.items()
    }
    advance_all(results, seconds)
    measured = {name: result.newest for name, result in results.items() if result.newest is not None}
    shares = {name: smoothness.share_measured for name, smoothness in measured.items()}
    waiting = {name for name, share in shares.items() if share < 1 and not results[name].done}
    known = {
        name: smoothness.with_known(
            {point: image.w for point, image in scene.known(name, choices[name], planes[name]).items()}
        )
        for name, smoothness in measured.items()
    }
    return Sea(
        layers={name: smoothness_layer(smoothness, list(known.values())) for name, smoothness in known.items()},
        moving={name: shares[name] for name in waiting if is_moving(f"slice.{name}", results[name])},
        lines={
            name: partial(progress_line, f"slice.{name}", results[name], shares[name], "Measuring W")
            for name in waiting
        },
        complete={name: smoothness for name, smoothness in measured.items() if shares[name] == 1},
    )


def show_sea_words(
    scene: SliceScene, choices: Mapping[str, PlaneChoice], planes: Mapping[str, SlicePlane], sea: Sea
) -> None:
    """Say what W is around the image with the trigger and around the clean one, where it was measured everywhere."""
    around = {
        name: found
        for name in sea.complete
        if (found := _around(scene, name, choices[name], planes[name], sea.complete[name])) is not None
    }
    if not around or len(around) < len(planes):
        return
    own, *others = around
    control = scene.sides[others[0]].run.spec.is_control if others else False
    if control:
        st.markdown(sea_words(around[own], around[others[0]]))
    else:
        for name, found in around.items():
            st.markdown(f"{plain(name)}: {sea_words(found)}" if others else sea_words(found))
    st.caption(sea_made(around[own], W_DRAWS if around[own].radius else scene.draws, seed=0))


def _around(
    scene: SliceScene, name: str, choice: PlaneChoice, plane: SlicePlane, smoothness: PlaneSmoothness
) -> Surroundings | None:
    """Mean W around both images; where too few points lie there, that of the images themselves if the page knows it."""
    if not choice.along_trigger:
        return None
    path, key = scene.sides[name].run.path, scene.plane_key(name, choice)
    found = cached.plane_surroundings(path, key, W_SIDE, scene.sigma, W_DRAWS, smoothness, plane)
    known = scene.known(name, choice, plane)
    if found is not None or len(known) < 2:
        return found
    clean, triggered = (known[plane.points[point]] for point in ("origin", "toward"))
    return Surroundings(*(Estimate(one.w, one.low, one.high, 1) for one in (clean, triggered)), radius=0.0)
