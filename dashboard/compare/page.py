"""Compare: two to four attacks, each with its own trigger on its own model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from core.errors import InputError
from core.glossary import explain
from core.instruments.budgets import PAGE
from core.runs.library.short_names import short_names
from core.runs.measured.compared import FEWEST, MOST, Compared, compared, comparison_steps
from core.runs.measured.w import sweep_sigmas
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.compare.detectors import show_detecting
from dashboard.compare.slices import show_slices
from dashboard.compare.sweep import show_sweep
from dashboard.compare.table import show_table
from dashboard.markdown import plain, show_error
from dashboard.parts.head import copy_link, load_with_progress, page_head
from dashboard.parts.titles import run_titles, runs_to_look_at
from dashboard.progressive import progressive, show_progressive
from dashboard.state import CompareState, get_state, open_state, save_state, seed_default, seed_value

LEVELS = 6


def main() -> None:
    """Show the page."""
    state = open_state(CompareState)
    link = page_head("Compare", "Two to four attacks next to each other, each with its own trigger on its own model.")
    runs = {run.name: run for run in runs_to_look_at() if run.spec.attack is not None}
    titles = run_titles(runs.values())
    with st.container(border=True):
        state = choose(state, runs, titles)
    save_state(state)
    chosen = [runs[name] for name in state.runs.split(",") if name in runs]
    if len(chosen) < FEWEST:
        st.info("Choose at least two attacks above, or tick them in Runs.")
        st.page_link("runs/page.py", label="Go to Runs →")
    else:
        try:
            show([compared(name, run, state.level) for name, run in zip(short_names(chosen), chosen, strict=True)])
        except InputError as error:
            show_error(error)
    with link:
        copy_link(get_state(CompareState))


def choose(state: CompareState, runs: Mapping[str, DoneRun], titles: Mapping[str, str]) -> CompareState:
    """Let people choose the attacks and the noise; return what they say."""
    wanted = [name for name in state.runs.split(",") if name]
    if missing := [name for name in wanted if name not in runs]:
        st.warning(
            f"Left out, because they are not on this machine, not finished or have no trigger of their own: "
            f"{plain(', '.join(name[:12] for name in missing[:MOST]))}."
        )
    left, right = st.columns([4, 1.4], vertical_alignment="bottom")
    names = left.multiselect(
        "Attacks",
        list(runs),
        **seed_default(state, "runs", list(dict.fromkeys(name for name in wanted if name in runs))[:MOST]),
        format_func=lambda name: titles.get(name, name),
        max_selections=MOST,
        placeholder="Choose two to four",
        wrap=True,
    )
    level = right.select_slider(
        "Noise σ",
        range(LEVELS),
        **seed_value(state, "level", min(max(state.level, 0), LEVELS - 1)),
        format_func=partial(_sigmas_at, [runs[name] for name in names]),
        help=explain("sigma"),
    )
    return replace(state, runs=",".join(names), level=level)


def _sigmas_at(runs: Sequence[DoneRun], level: int) -> str:
    """Return sigma at one level of the sweep; where the images differ in size, each one's."""
    shapes = dict.fromkeys(run.result.shape for run in runs) or {(1, 8, 8): None}
    return " / ".join(f"{sweep_sigmas(shape)[level]:g}" for shape in shapes)


def show(known: list[Compared]) -> None:
    """Show what is known of the attacks, and measure the rest."""
    datasets = {one.run.spec.dataset: load_with_progress(one.run.spec.dataset, cached.data_to_look_at) for one in known}
    found = known
    if all(one.is_complete for one in known):
        show_table(known)
    else:
        results = progressive(
            f"compare {' '.join(f'{one.run.path} {one.name}' for one in known)} {known[0].sigma}",
            lambda: comparison_steps(
                known, lambda run: cached.predictor(run.path), lambda run: datasets[run.spec.dataset]
            ),
        )
        if show_progressive("compare", results, _progress, show_table):
            return  # what follows waits: the page runs again when all is measured
        found = list(results.newest or known)
    show_detecting(found)
    with st.container(border=True):
        show_slices(found, datasets)
    with st.container(border=True):
        show_sweep(found, datasets)


def _progress(found: Sequence[Compared]) -> tuple[float, str]:
    share = sum(one.share for one in found) / len(found)
    return share, f"Measuring W: {share * PAGE.draws:.0f} of {PAGE.draws} draws"


main()
