"""What a study is, how far it is, and the button that starts or stops it."""

from __future__ import annotations

import time
from html import escape
from pathlib import Path

import streamlit as st

from core.datasets import data_folder
from core.errors import InputError
from core.runs.root import runs_root
from core.studies.claims.verdict import FEWEST_SEEDS
from core.studies.conduct import start_study
from core.studies.folder import Study, StudyState, duration, find_study, open_study
from core.studies.grid import StudySpec
from core.studies.plan import count_runs, usual_seconds
from dashboard.markdown import plain, show_error


def show_refusal() -> None:
    """Show why Start could not begin, once."""
    refusal = st.session_state.pop("studies.refusal", None)
    if refusal:
        show_error(refusal)


def show_control(spec: StudySpec, source: Path) -> None:
    """Show what the study is, how far it is, and the button that starts or stops it."""
    try:
        st.html(f'<div class="ts-small">{escape(grid_in_words(spec))}</div>')
        if len(spec.seeds) < FEWEST_SEEDS:
            st.caption(f"With fewer than {FEWEST_SEEDS} seeds everything stays undecided, whatever the runs show.")
    except InputError as error:  # it cannot be carried out; what was computed of it can be looked at
        show_error(error)
        return
    study = Study(runs_root().resolve() / "studies" / spec.folder_name)
    running = study.state is StudyState.RUNNING
    # Only a study under way is looked at again and again.
    st.fragment(show_progress, run_every=1.0 if running else None)(study, spec, source, running)


def show_progress(study: Study, spec: StudySpec, source: Path, running: bool) -> None:
    """Show how far the study is; run again each second while it is under way."""
    state, progress = study.state, study.progress
    if (state is StudyState.RUNNING) != running:
        st.rerun()
    words, button = st.columns([3.2, 1], vertical_alignment="center")
    if progress is None:
        precomputed = find_study(spec)
        done = len({row.run for row in precomputed.rows}) if precomputed is not None else 0
        shipped = f" Below are precomputed results of {done} runs." if done else ""
        seconds = usual_seconds(spec)
        takes = "" if seconds is None else f" Start takes about {duration(seconds)} on two processor cores."
        words.caption(f"Not run on this machine yet.{shipped}{takes}")
    elif state is StudyState.RUNNING:
        words.progress(progress.share, text=f"Running: {progress.words}. {plain(progress.last)}")
    else:
        words.caption(f"{state.capitalize()}: {progress.words}.")
    if running:
        if button.button("Stop", width="stretch", icon=":material/stop:", key="studies.stop"):
            study.stop()
            words.caption("Stopping …")
    elif state is not StudyState.DONE or (progress and progress.failed):
        title = "Start" if progress is None else "Resume"
        if button.button(title, width="stretch", type="primary", icon=":material/play_arrow:", key="studies.start"):
            begin(source)


def begin(source: Path) -> None:
    """Start the study in a process of its own, and wait until it runs or has said why it cannot be carried out."""
    try:
        study = open_study(source, runs_root())
        process = start_study(study, runs_root(), data_folder())
        until = time.monotonic() + 20
        while study.state is not StudyState.RUNNING and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        if process.poll():
            raise InputError(study.last_words or "The study stopped immediately and left no error message.")
    except InputError as error:
        st.session_state["studies.refusal"] = str(error)
    st.rerun()


def grid_in_words(spec: StudySpec) -> str:
    """Return what is studied in a line."""
    rates = [rate for rate in spec.rates if rate > 0]
    kinds = [grid.kind for grid in spec.triggers]
    patterns = [pattern.kind for pattern in spec.patterns]
    measure, sigmas = spec.measure, spec.measure.sigmas
    parts = [
        f"{count_runs(spec)} runs",
        " + ".join(spec.datasets),
        " + ".join(spec.architectures),
        *([" + ".join(dict.fromkeys(kinds))] if kinds else []),
        *(["rates " + ", ".join(f"{100 * rate:g}" for rate in rates) + "%"] if rates else []),
        *(["patterns on the controls: " + " + ".join(patterns)] if patterns else []),
        f"{len(spec.seeds)} seeds",
        " and ".join(str(count) for count in spec.epochs) + " epochs",
        f"W on {measure.images} images with {measure.draws} draws each, σ = {min(sigmas):g} to {max(sigmas):g}",
    ]
    return " · ".join(parts)
