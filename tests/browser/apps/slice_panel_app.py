"""A page with the slice panel alone, on the runs in `TRIGGERSCOPE_RUNS`: the poisoned one and its control."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.runs.root import finished_runs
from dashboard import cached
from dashboard.explore.slice import show_slice_panel
from dashboard.explore.slice_scene import SliceSide
from dashboard.parts.head import load_with_progress
from dashboard.state import ExploreState, open_state, save_state

SIGMA, IMAGE = 0.3, 5


def main() -> None:
    """Show the panel with what the address says."""
    st.set_page_config(page_title="Slices", layout="wide")
    state = open_state(ExploreState)
    state = replace(state, sigma=state.sigma or SIGMA, image=IMAGE if state.image < 0 else state.image)
    runs = finished_runs(cached.runs_root())
    (run,) = (one for one in runs if not one.spec.is_control)
    control = next((one for one in runs if one.spec.is_control), None)
    data = load_with_progress(run.spec.dataset)
    sides = {
        name: SliceSide(one, run.trigger, run.spec.attack.target)
        for name, one in {"this run": run, "other run": control}.items()
        if one is not None
    }
    state = show_slice_panel(state, data, sides, state.image)
    st.text(f"state: {state.layer} {state.plane} {state.point}")
    save_state(state)


main()
