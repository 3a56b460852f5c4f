"""The decision boundary around the selected image, and how it came about, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.datasets import Dataset
from core.runs.measured.w import Measurement
from core.training.spec import RunSpec
from dashboard.explore.scene import Scene
from dashboard.explore.slice import show_slice_panel
from dashboard.explore.slice_scene import SliceSide
from dashboard.markdown import plain
from dashboard.parts.curves import show_curves, show_loss
from dashboard.parts.film import show_film
from dashboard.state import ExploreState, get_state


def show_boundary(scene: Scene, data: Dataset, found: Mapping[str, Measurement], image: int) -> None:
    """Show the slices of all runs through one test image, each along its own trigger."""
    true, seed = data.test.labels.numpy()[[image]], scene.spec().seed
    sides = {
        side.name: SliceSide(
            side.run,
            side.attack.trigger_on(image, data.shape, seed=seed),
            int(side.attack.goal(true, len(scene.classes))[0]),
        )
        for side in scene.sides
    }
    show_slice_panel(get_state(ExploreState), data, sides, image, found)


def show_epochs(scene: Scene) -> None:
    """Show the slice epoch by epoch, on the plane that the training watched; the other run's film or the curves beside.

    A control has no film, since without a trigger there is no plane to watch.
    """
    run, spec, other = scene.run, scene.run.spec, next(iter(scene.sides[1:]), None)
    st.caption("On the plane that the training watched: its own test image, and the same with the trigger.")
    left, right = st.columns([1, 1.15], gap="medium")
    with left:
        st.caption(f"**{plain(scene.name)}**")
        show_film(run, run.epochs)
    with right:
        if other is not None and any(epoch.plane is not None for epoch in other.run.epochs):
            st.caption(f"**{plain(other.name)}**")
            show_film(other.run, other.run.epochs)
        elif isinstance(spec, RunSpec):
            control = run.control()
            theirs = control.epochs if control is not None else []
            show_curves(run, spec, run.epochs, theirs)
            show_loss(run, spec, run.epochs, theirs)
