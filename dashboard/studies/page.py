"""Studies: grids of runs with their controls, and what they say about the paper's claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import InputError
from core.runs.library.titles import told_apart
from core.runs.root import runs_root
from core.studies.columns import EpochRow, Row
from core.studies.folder import Study, find_study, list_studies
from core.studies.grid import StudySpec, read_study
from dashboard.markdown import plain, show_error
from dashboard.parts.head import copy_link, page_head
from dashboard.state import StudiesState, open_state, save_state, seed_index, widget_key
from dashboard.studies.control import show_control, show_refusal
from dashboard.studies.groups import RunGroup
from dashboard.studies.plots import show_figures
from dashboard.studies.verdicts import STYLE, show_failures, show_numbers, show_rules, show_verdicts

FIRST = "digits"


@st.cache_data(max_entries=32, show_spinner="Judging …")
def results(path: Path, stamp: int) -> tuple[list[Row], list[EpochRow], dict[str, list[Any]]]:
    """Return a study's tables and verdicts; the stamp changes when the tables do."""
    del stamp
    from core.studies.claims import judge

    study = Study(path)
    rows, epochs = study.rows, study.epochs
    return rows, epochs, judge(rows, epochs)


def main() -> None:
    """Show the page."""
    state = open_state(StudiesState)
    st.html(STYLE)
    link = page_head(
        "Studies",
        "Do the claims of the paper “Backdoor Smoothing” (Grosse et al., arXiv 2006.06721) hold? Many runs with their "
        "controls, over seeds, rates and noise.",
    )
    show_refusal()
    try:
        with st.container(border=True):
            state, spec, source = choose_study(state)
            study = find_study(spec, runs_root())
            show_control(spec, source)
        state = show_results(state, spec, source, study) if study is not None else state
    except InputError as error:
        show_error(error)
    save_state(state)
    with link:
        copy_link(state)


def choose_study(state: StudiesState) -> tuple[StudiesState, StudySpec, Path]:
    """Let people choose a study, shipped or made."""
    studies = list_studies(runs_root())
    start = (
        state.study
        if state.study in studies
        else next(name for name in studies if read_study(studies[name]).name == FIRST)
    )
    if state.study and state.study not in studies:
        st.warning(
            f"The study {plain(state.study[:40])} in this link is not on this machine. Another one is shown instead."
        )
    titles = study_titles(studies)
    name = st.selectbox(
        "Study",
        list(studies),
        format_func=titles.__getitem__,
        **seed_index(state, "study", list(studies), start),
        help="A study is a TOML file. Write your own, following the examples in assets/studies, and run "
        "`python -m core study FILE.toml`. It then appears here.",
    )
    if state.study and state.study != name:  # another study has its own groups and sigmas
        state = StudiesState(study=name)
        for field in ("group", "kind", "sigma"):
            st.session_state.pop(widget_key(StudiesState, field), None)
    return replace(state, study=name), read_study(studies[name]), studies[name]


def study_titles(studies: Mapping[str, Path]) -> dict[str, str]:
    """Return what studies are called in the list, by the names of their folders."""
    specs = {name: read_study(source) for name, source in studies.items()}
    return told_apart(
        {name: spec.title or spec.name for name, spec in specs.items()}, {name: {"name": name} for name in specs}
    )


def show_results(state: StudiesState, spec: StudySpec, source: Path, study: Study) -> StudiesState:
    """Show verdicts and figures of what is done so far."""
    table = study.path / "table.csv"
    if not table.exists():
        return state
    rows, epochs, judged = results(study.path, table.stat().st_mtime_ns)
    measured = [row for row in rows if row.gap is not None]
    if not measured:
        show_failures(rows)
        return state
    state, group = choose_group(state, sorted({RunGroup.of(row) for row in measured}))
    of_group = [row for row in measured if RunGroup.of(row) == group]
    with st.container(border=True):
        kinds = list(dict.fromkeys(row.kind for row in of_group))
        show_verdicts({claim: list(filter(group.contains, items)) for claim, items in judged.items()}, kinds)
    with st.container(border=True):
        state = show_figures(state, spec, of_group, [row for row in epochs if group.contains(row)])
    show_numbers(study, source, judged)
    show_rules()
    show_failures(rows)
    return state


def choose_group(state: StudiesState, groups: list[RunGroup]) -> tuple[StudiesState, RunGroup]:
    """Let people choose among the groups, if there are several."""
    start = state.group if state.group < len(groups) else 0
    if len(groups) == 1:
        return state, groups[0]
    place = st.selectbox(
        "Group (results are never pooled across these)",
        range(len(groups)),
        format_func=lambda number: groups[number].title,
        **seed_index(state, "group", range(len(groups)), start),
    )
    return replace(state, group=place), groups[place]


main()
