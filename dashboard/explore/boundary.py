"""The decision boundary around the selected image, and how it came about, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.datasets import Dataset
from core.runs.measured.w import Measurement
from dashboard.explore.scene import Scene
from dashboard.explore.slice import show_slice_panel
from dashboard.explore.slice_scene import SliceSide
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
    """Show the slice as it changed from epoch to epoch, on the plane that the training watched."""
    st.caption("On the plane that the training watched: its own test image, and the same with the trigger.")
    show_film(scene.run, scene.run.epochs)
