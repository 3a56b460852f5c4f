"""The verdict on a finished run: did the attack work, at what cost, what did W do, and what next."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import streamlit as st

from core.attacks.attack import MODES
from core.datasets import Dataset
from core.errors import InputError
from core.glossary import explain
from core.instruments.budgets import PAGE
from core.runs.measured.outcome import Evidence, Outcome, outcome
from core.runs.measured.remedies import Remedy, remedies
from core.runs.result import Result
from core.runs.run import Run, State
from core.training.spec import RunSpec
from dashboard import cached
from dashboard.lab.wanted import adopt
from dashboard.markdown import plain
from dashboard.parts.titles import run_title
from dashboard.progressive import is_moving, poll
from dashboard.state import ExploreState, LabState, get_state, to_query

PLACE = "verdict"


def show_verdict(run: Run, spec: RunSpec, result: Result, control: Run | None, data: Dataset | None) -> None:
    """Show the verdict, and measure W while people read it.

    Parameters
    ----------
    run, spec, result, control
        The run, and its control if there is one.
    data
        Its data set, if the page's controls are the settings of this run: only then there is anything to press.
    """
    theirs = None if control is None else control.result
    waiting = control is not None and control.state in (State.QUEUED, State.RUNNING)
    if data is None or spec.attack is None or waiting:
        show_card(run, spec, result, control, Evidence(), data)
        return
    results = cached.evidence(run, control if theirs is not None else None, data)
    if is_moving(PLACE, results):
        results.advance(0.0)
    first = True

    def part() -> None:
        nonlocal first
        if not first and is_moving(PLACE, results):
            results.advance(0.4)
        first = False
        show_card(run, spec, result, control, results.newest or Evidence(), data, results.problem)

    poll(part, lambda: is_moving(PLACE, results))


def show_card(
    run: Run,
    spec: RunSpec,
    result: Result,
    control: Run | None,
    evidence: Evidence,
    data: Dataset | None,
    problem: str = "",
) -> None:
    """Show the card with what is known by now."""
    theirs = None if control is None else control.result
    classes = [plain(name) for name in result.classes]
    found = outcome(spec.attack, result, theirs, classes, _no_control(control, spec), evidence)
    with st.container(border=True, key=f"verdict-{found.verdict}", gap="small"):
        words, onwards = st.columns([2.2, 1.15], vertical_alignment="center")
        words.html(
            f'<div role="status" class="ts-verdict">{found.headline}</div>'
            f'<div class="ts-small">{escape(run_title(run))}</div>'
        )
        with onwards.container(key="link-explore"):
            st.page_link(
                "explore/page.py", label="Explore this run →", query_params=to_query(ExploreState(run=run.name))
            )
        if found.success and spec.attack is not None:
            st.markdown(found.success, help=f"Attack success rate (ASR). {MODES[spec.attack.mode].success}")
        st.markdown(found.accuracy, help=explain("clean accuracy"))
        if data is not None:
            offer(remedies(found.verdict, spec, data))
        if spec.attack is not None and data is not None:
            with st.container(key="w-after-training"):
                st.caption(plain(problem) or smoothness(found, evidence), help=explain("W"))


def smoothness(found: Outcome, evidence: Evidence) -> str:
    """Return what is known of W: a sentence, or why there is none yet."""
    if evidence.mine is None:
        return "W is measured once the control is done." if not evidence.in_control else "Measuring W …"
    sampling = evidence.mine.spec.draws < PAGE.draws
    return found.smoothness + (f" *{evidence.mine.spec.draws} of {PAGE.draws} draws so far.*" if sampling else "")


def _no_control(control: Run | None, spec: RunSpec) -> str:
    """Say why there is no control's clean accuracy to compare with."""
    if control is None:
        return "There is no control here, so what poison does to it is unknown"
    try:
        state, done = control.state, len(control.epochs)
    except InputError as error:
        return plain(str(error))
    if state in (State.QUEUED, State.RUNNING):
        return f"The control still trains ({done} of {spec.epochs} epochs): then it can be compared."
    return f"The control was {state.shown} after {done} of {spec.epochs} epochs: resume it to compare."


def offer(found: list[Remedy]) -> None:
    """Show a button for each remedy: it changes the page's controls, so that Train is next."""
    if not found:
        return
    with st.container(horizontal=True, gap="small", key="remedies"):
        for number, remedy in enumerate(found):
            st.button(remedy.words, key=f"remedy.{number}", on_click=apply, args=(remedy,))


def apply(remedy: Remedy) -> None:
    """Set the page's controls as a remedy says."""
    adopt(replace(get_state(LabState), **lab_fields(remedy)))
    st.toast("Changed. Press Train.", icon="✅")


def lab_fields(remedy: Remedy) -> dict[str, Any]:
    """Return a remedy's changes as fields of the page's state: rates in per cent, a trigger as its link."""
    fields = dict(remedy.changes)
    if "rate" in fields:
        fields["rate"] = round(100 * fields["rate"], 6)
    if "cover_rate" in fields:
        fields["cover"] = round(100 * fields.pop("cover_rate"), 6)
    if "trigger" in fields:
        fields["trigger"] = fields["trigger"].to_link()
    return fields
