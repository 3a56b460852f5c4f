"""The runs behind the verdicts, in three charts; a click on a point opens its run in Explore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import plotly.graph_objects as go
import streamlit as st

from core.datasets import data_folder
from core.figures.studies import gap_against_success, gap_over_epochs, gap_over_sigma
from core.glossary import explain
from core.runs.root import run_named
from core.studies.columns import EpochRow, Row
from core.studies.grid import StudySpec
from core.studies.plan import find_spec
from dashboard import cached
from dashboard.markdown import plain
from dashboard.parts.chart import chart
from dashboard.parts.lab_link import lab_state
from dashboard.state import ExploreState, StudiesState, seed_default, seed_value, to_query

TITLES = {
    "success": "The gap against attack success",
    "sigma": "The gap over σ",
    "epochs": "The gap over the epochs",
}
MISSING = "studies.missing"  # the run that was clicked and is not here: (its name, what trains it or None)


def show_figures(state: StudiesState, spec: StudySpec, rows: Sequence[Row], epochs: Sequence[EpochRow]) -> StudiesState:
    """Show the gap against attack success, over sigma, and over the epochs; a click on a point opens its run."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    sigmas = sorted({row.sigma for row in rows if row.sigma is not None})
    st.subheader("The runs behind it", help=explain("gap"))
    left, right = st.columns([1.4, 1], vertical_alignment="bottom")
    start = state.kind if state.kind in kinds else kinds[0]
    kind = left.segmented_control("Trigger", kinds, required=True, **seed_default(state, "kind", start))
    middle = min(sigmas, key=lambda sigma: abs(sigma - (state.sigma or sigmas[len(sigmas) // 2])))
    sigma = middle
    if len(sigmas) > 1:
        sigma = right.select_slider("Noise σ", sigmas, **seed_value(state, "sigma", middle), help=explain("sigma"))
    of_kind = [row for row in rows if row.kind == kind]
    first, second, third = st.columns(3, gap="medium")
    about = {"study": state.study, "trigger": kind, "images": of_kind[0].images, "draws": of_kind[0].draws}
    with first:
        st.caption(f"**Gap against attack success**, σ = {sigma:g} (bars: 95% intervals over images)")
        show_figure(
            "success",
            gap_against_success([row for row in of_kind if row.sigma == sigma]),
            sigma,
            about | {"sigma": sigma},
        )
    with second:
        st.caption("**Gap over σ** (lines: means over seeds, points: runs)")
        show_figure("sigma", gap_over_sigma(of_kind, sigma), sigma, about)
    with third:
        along = [row for row in epochs if row.kind == kind]
        watched = f", σ = {along[0].sigma:g}, {along[0].images} images" if along else ""
        st.caption(f"**Gap over the epochs**{watched} (thin lines: runs)")
        if along:
            show_figure("epochs", gap_over_epochs(along), along[0].sigma, about | {"sigma": along[0].sigma})
    st.caption("Above 0 the model is smoother with the trigger. Click a point to open its run in Explore.")
    offer_missing_run(spec, of_kind)
    message = st.session_state.pop("studies.clicked", None)
    if message:
        st.info(plain(message), icon=":material/info:")
    return replace(state, kind=kind or start, sigma=sigma)


def show_figure(name: str, figure: go.Figure, sigma: float, about: Mapping[str, object]) -> None:
    """Draw a figure; a click on one of its points opens the run behind it."""
    # A new key forgets the click: who comes back from Explore is not sent there again.
    turn = st.session_state.setdefault("studies.turn", 0)
    alt = f"The gap of the study's runs, {name}"
    event = chart(figure, alt, key=f"studies.{name}.{turn}", title=TITLES[name], about=about, on_select="rerun")
    points = [point for point in event["selection"]["points"] if point.get("customdata")]
    if points:
        st.session_state["studies.turn"] = turn + 1
        open_run(str(points[0]["customdata"][0]), sigma)


def open_run(name: str, sigma: float) -> None:
    """Go to Explore with this run, or say why not."""
    run = run_named(name, cached.jobs().root)
    if run is None:
        st.session_state[MISSING] = name
        st.rerun()
    elif run.spec.is_control:
        st.session_state["studies.clicked"] = (
            f"The run {name} is a control. Choose a poisoned run: its control is shown next to it."
        )
        st.rerun()
    st.switch_page("explore/page.py", query_params=to_query(ExploreState(run=name, sigma=sigma)))


def offer_missing_run(spec: StudySpec, rows: Sequence[Row]) -> None:
    """Offer to train the one run behind the point that was clicked last, where it is not on this machine."""
    name = st.session_state.get(MISSING)
    row = next((row for row in rows if row.run == name), None)
    if row is None:
        return
    wanted = find_spec(spec, row, data_folder())
    words, button = st.columns([3.2, 1], vertical_alignment="center")
    poisoned = f"{row.kind} trigger, {100 * row.rate:g}% poisoned, seed {row.seed}"
    words.info(f"This run ({plain(poisoned)}) is precomputed: its model is not on this machine.")
    if wanted is not None and button.button("Train this one run", width="stretch", key="studies.train"):
        st.session_state.pop(MISSING)
        run = cached.jobs().submit_with_control(wanted)
        st.switch_page("lab/page.py", query_params=to_query(lab_state(wanted, run.name)))
