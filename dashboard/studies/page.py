"""Studies: grids of runs with their controls, and what they say about the paper's claims."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from core.datasets import data_folder
from core.errors import InputError
from core.figures.studies import gap_against_success, gap_over_epochs, gap_over_sigma
from core.glossary import explain
from core.runs.root import run_named, runs_root
from core.studies.claims import MARKS, SENTENCES, UNADJUSTED, Meaning, Outcome, Verdict
from core.studies.conduct import start_study
from core.studies.folder import Study, StudyState, find_study, list_studies, open_study
from core.studies.grid import StudySpec, read_study
from core.studies.plan import count_runs
from core.studies.rows import EpochRow, Row
from dashboard import cached
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.html import figure_ink
from dashboard.parts.titles import told_apart
from dashboard.state import (
    ExploreState,
    StudiesState,
    open_state,
    save_state,
    seed_default,
    seed_index,
    seed_value,
    to_query,
    widget_key,
)

LOOKS = {
    Outcome.SUPPORTED: "ts-yes",
    Outcome.REVERSED: "ts-no",
    Outcome.NOT_SUPPORTED: "ts-same",
    Outcome.UNDECIDED: "ts-open",
}
STYLE = """
<style>
.ts-scroll { overflow-x: auto; }
.ts-verdicts { border-collapse: separate; border-spacing: 3px; font-size: 0.86rem; font-variant-numeric: tabular-nums;
  width: 100%; min-width: 38rem; table-layout: fixed; }
.ts-verdicts th { font-weight: 550; text-align: left; padding: 0.1rem 0.3rem; line-height: 1.15; }
.ts-verdicts th span { font-weight: 400; opacity: 0.75; }
.ts-verdicts th:first-child { width: 13.5rem; position: sticky; left: 0; background: light-dark(#fcfcfd, #12131a); }
.ts-verdicts thead th { text-align: center; }
.ts-verdicts td { text-align: center; border-radius: 5px; padding: 0.22rem 0.3rem; white-space: nowrap; }
.ts-verdicts tr.ts-gap td { height: 3px; padding: 0; }
@media (max-width: 640px) {
  .ts-verdicts { font-size: 0.78rem; min-width: 27rem; }
  .ts-verdicts th:first-child { width: 5.2rem; }
}
.ts-yes { background: #00795f; color: #fff; } .ts-no { background: #a52a6a; color: #fff; }
.ts-same { background: rgba(128,128,140,0.32); } .ts-open { border: 1px dashed rgba(128,128,140,0.55); }
.ts-keys i { display: inline-block; border-radius: 4px; padding: 0 0.35rem; font-style: normal; margin-right: 0.3rem; }
</style>
"""
FIRST = "digits"
HOW = "W is measured on the same test images with the same noise under a run and its control; the run is the unit."


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
        state = show_results(state, study) if study is not None else state
    except InputError as error:
        st.error(str(error))
    save_state(state)
    with link:
        copy_link(state)


def show_refusal() -> None:
    """Show why Start could not begin, once."""
    refusal = st.session_state.pop("studies.refusal", None)
    if refusal:
        st.error(refusal)


def choose_study(state: StudiesState) -> tuple[StudiesState, StudySpec, Path]:
    """Let people choose a study, shipped or made."""
    studies = list_studies(runs_root())
    start = (
        state.study
        if state.study in studies
        else next(name for name in studies if read_study(studies[name]).name == FIRST)
    )
    if state.study and state.study not in studies:
        st.warning(f"The study {state.study} in this link is not on this machine; another one is shown instead.")
    titles = study_titles(studies)
    name = st.selectbox(
        "Study",
        list(studies),
        format_func=titles.get,
        **seed_index(state, "study", list(studies), start),
        help="A study is a TOML file; write one after the examples in assets/studies and run "
        "`python -m core study FILE.toml`: it then appears here.",
    )
    if state.study and state.study != name:  # another study has its own groups and sigmas
        state = StudiesState(study=name)
        for field in ("group", "kind", "sigma"):
            st.session_state.pop(widget_key(StudiesState, field), None)
    return replace(state, study=name), read_study(studies[name]), studies[name]


def study_titles(studies: Mapping[str, Path]) -> dict[str, str]:
    """Return what studies are called in the list, by the names of their folders."""
    specs = {name: read_study(source) for name, source in studies.items()}
    return told_apart({name: spec.title or spec.name for name, spec in specs.items()}, {name: name for name in specs})


def show_control(spec: StudySpec, source: Path) -> None:
    """Show what the study is, how far it is, and the button that starts or stops it."""
    try:
        st.html(f'<div class="ts-small">{escape(grid_in_words(spec))}</div>')
    except InputError as error:  # it cannot be carried out; what was computed of it can be looked at
        st.error(str(error))
        return
    study = Study(runs_root().resolve() / "studies" / spec.folder_name)
    running = study.state is StudyState.RUNNING
    # Only a study under way is looked at again and again.
    st.fragment(show_progress, run_every=1.0 if running else None)(study, source, running)


def show_progress(study: Study, source: Path, running: bool) -> None:
    """Show how far the study is; run again each second while it is under way."""
    state, progress = study.state, study.progress
    if (state is StudyState.RUNNING) != running:
        st.rerun()
    words, button = st.columns([3.2, 1], vertical_alignment="center")
    if progress is None:
        came = find_study(read_study(source))
        done = len({row.run for row in came.rows}) if came is not None else 0
        shipped = f" Below are the results that come with this version, of {done} runs." if done else ""
        words.caption(f"Not run on this machine yet.{shipped}")
    elif state is StudyState.RUNNING:
        words.progress(progress.share, text=f"Running: {progress.words}. {progress.last}")
    else:
        words.caption(f"{state.capitalize()}: {progress.words}.")
    if running:
        if button.button("Stop", width="stretch", icon=":material/stop:", key="studies.stop"):
            study.stop()
            words.caption("Stopping …")
    elif state is not StudyState.DONE or (progress and progress.failed):
        title = "Start" if progress is None else "Go on"
        if button.button(title, width="stretch", type="primary", icon=":material/play_arrow:", key="studies.start"):
            begin(source)


def begin(source: Path) -> None:
    """Start the study in a process of its own and wait until it has begun, or has said why it cannot be carried out."""
    try:
        study = open_study(source, runs_root())
        process = start_study(study, runs_root(), data_folder())
        until = time.monotonic() + 20
        while study.state is not StudyState.RUNNING and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        if process.poll():
            raise InputError(study.last_words or "The study ended at once, and nobody knows why.")
    except InputError as error:
        st.session_state["studies.refusal"] = str(error)
    st.rerun()


def grid_in_words(spec: StudySpec) -> str:
    """Return what is studied in a line."""
    rates = [rate for rate in spec.rates if rate > 0]
    kinds = [grid.kind for grid in spec.triggers]
    measure = spec.measure
    parts = [
        f"{count_runs(spec)} runs",
        " + ".join(spec.datasets),
        " + ".join(spec.architectures),
        *([" + ".join(dict.fromkeys(kinds))] if kinds else []),
        *(["rates " + ", ".join(f"{100 * rate:g}" for rate in rates) + " %"] if rates else []),
        *(["patterns on the controls: " + " + ".join(one.kind for one in spec.patterns)] if spec.patterns else []),
        f"{len(spec.seeds)} seeds",
        " and ".join(str(count) for count in spec.epochs) + " epochs",
        f"W on {measure.images} images, {measure.draws} draws, σ {min(measure.sigmas):g} to {max(measure.sigmas):g}",
    ]
    return " · ".join(parts)


def show_results(state: StudiesState, study: Study) -> StudiesState:
    """Show verdicts and figures of what is done so far."""
    table = study.path / "table.csv"
    if not table.exists():
        return state
    rows, epochs, judged = results(study.path, table.stat().st_mtime_ns)
    measured = [row for row in rows if row.gap is not None]
    if not measured:
        show_failures(rows)
        return state
    groups = sorted({group_of(row) for row in measured})
    if len(groups) > 1:
        place = st.selectbox(
            "Group: nothing is pooled over these",
            range(len(groups)),
            format_func=lambda number: group_in_words(groups[number]),
            **seed_index(state, "group", range(len(groups)), state.group if state.group < len(groups) else 0),
        )
        state = replace(state, group=place)
    group = groups[state.group if state.group < len(groups) else 0]
    with st.container(border=True):
        mine = [row for row in measured if group_of(row) == group]
        kinds = list(dict.fromkeys(row.kind for row in mine))
        show_verdicts({claim: [one for one in found if belongs(one, group)] for claim, found in judged.items()}, kinds)
    with st.container(border=True):
        state = show_figures(state, mine, [row for row in epochs if belongs(row, group)])
    show_numbers(study, judged)
    show_failures(rows)
    return state


def group_of(row: Row) -> tuple[Any, ...]:
    """Return what is never pooled, but for the trigger's kind and sigma."""
    return (
        row.dataset,
        row.architecture,
        row.mode,
        -1 if row.target is None else row.target,
        row.epochs,
        row.noise or "",
    )


def belongs(one: Verdict | Meaning | EpochRow, group: tuple[Any, ...]) -> bool:
    """Say whether something is about the runs of a group."""
    dataset, architecture, mode, target, epochs, noise = group
    same = (one.dataset, one.architecture, one.epochs) == (dataset, architecture, epochs)
    if isinstance(one, Meaning):
        return same
    same = same and (one.mode, -1 if one.target is None else one.target) == (mode, target)
    return same and (not isinstance(one, Verdict) or one.noise == noise)


def group_in_words(group: tuple[Any, ...]) -> str:
    """Return what a group is called."""
    dataset, architecture, mode, target, epochs, noise = group
    goal = "" if target < 0 else f" → class {target}"
    return f"{dataset}, {architecture}, {epochs} epochs, {mode}{goal}, noise {noise}"


def show_verdicts(judged: dict[str, list[Any]], kinds: Sequence[str]) -> None:
    """Show each claim with its verdicts, a row for each kind of trigger and part, a column for each sigma."""
    st.subheader("What becomes of the claims", help=HOW)
    keys = "".join(f'<i class="{LOOKS[outcome]}">{mark}</i>{outcome} &nbsp; ' for outcome, mark in MARKS.items())
    st.html(f'<div class="ts-small ts-keys">{keys}</div>')
    for claim in ("C1", "C3", "C4"):
        found = judged.get(claim, [])
        if found:
            st.markdown(f"**{claim}** {SENTENCES[claim]}")
            st.html(verdict_table(found, kinds))
    st.caption(
        "Numbers: C1 mean gap beyond the control's, C4 beyond random patterns' (the gap itself has to agree), C3 "
        "rank correlation of the gap beyond the control's with attack success, for these rates. For these test images "
        "and this noise; Holm over the sigmas; fewer than 5 seeds decide nothing. How it is decided: docs/claims.md."
    )


def verdict_table(verdicts: Sequence[Verdict], kinds: Sequence[str]) -> str:
    """Return verdicts as an HTML table."""
    sigmas = sorted({one.sigma for one in verdicts})
    parts = list(dict.fromkeys(one.part for one in verdicts))
    lines = sorted({(kinds.index(one.kind), parts.index(one.part)) for one in verdicts})
    head = "".join(f'<th scope="col">σ {sigma:g}</th>' for sigma in sigmas)
    body = []
    before = ""
    for kind, part in ((kinds[kind], parts[part]) for kind, part in lines):
        found = {one.sigma: one for one in verdicts if (one.kind, one.part) == (kind, part)}
        cells = "".join(verdict_cell(found[sigma]) if sigma in found else "<td></td>" for sigma in sigmas)
        gap = '<tr class="ts-gap"><td></td></tr>' if before not in ("", kind) else ""
        named = f"{escape(kind)} <span>{escape(part.replace('<=', '≤'))}</span>"
        body.append(f'{gap}<tr><th scope="row">{named}</th>{cells}</tr>')
        before = kind
    table = f'<table class="ts-verdicts"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return f'<div class="ts-scroll">{table}</div>'


def verdict_cell(one: Verdict) -> str:
    """Return one verdict as a table cell; its reason appears on hover."""
    number = "–" if one.statistic is None else f"{one.statistic:+.2f}"
    reach = "" if one.low is None else f", 95 % interval {one.low:+.3f} to {one.high:+.3f}"
    plain = "" if one.unadjusted is None else f"; {UNADJUSTED[one.claim]} {one.unadjusted:+.2f}"
    title = f"{one.verdict}: {one.reason}; {one.seeds} seeds, {len(one.runs)} runs{reach}{plain}"
    told = f'title="{escape(title)}" aria-label="{escape(title)}"'
    return f'<td class="{LOOKS[one.verdict]}" {told}>{MARKS[one.verdict]} {number}</td>'


def show_figures(state: StudiesState, rows: list[Row], epochs: list[EpochRow]) -> StudiesState:
    """Show the gap against attack success, over sigma, and over the epochs; a click on a point opens its run."""
    kinds = list(dict.fromkeys(row.kind for row in rows))
    sigmas = sorted({row.sigma for row in rows})
    st.subheader("The runs behind it", help=explain("gap"))
    left, right = st.columns([1.4, 1], vertical_alignment="bottom")
    start = state.kind if state.kind in kinds else kinds[0]
    kind = left.segmented_control("Trigger", kinds, required=True, **seed_default(state, "kind", start))
    middle = min(sigmas, key=lambda sigma: abs(sigma - (state.sigma or sigmas[len(sigmas) // 2])))
    sigma = middle
    if len(sigmas) > 1:
        sigma = right.select_slider("Noise σ", sigmas, **seed_value(state, "sigma", middle), help=explain("sigma"))
    mine = [row for row in rows if row.kind == kind]
    first, second, third = st.columns(3, gap="medium")
    with first:
        st.caption(f"**against attack success**, σ = {sigma:g}; bars: 95 %, more images")
        show_figure("success", gap_against_success([row for row in mine if row.sigma == sigma]), sigma)
    with second:
        st.caption("**over σ**, mean of the seeds; points: runs")
        show_figure("sigma", gap_over_sigma(mine, sigma), sigma)
    with third:
        along = [row for row in epochs if row.kind == kind]
        watched = f", σ = {along[0].sigma:g}, {along[0].images} images" if along else ""
        st.caption(f"**over the epochs**{watched}; thin: runs")
        if along:
            show_figure("epochs", gap_over_epochs(along), along[0].sigma)
    here = any(run_named(row.run, cached.jobs().root) for row in mine[:1])
    click = (
        "Click a point to open its run in Explore."
        if here
        else "These results came with this version: start the study to train its runs here, then a click on a point "
        "opens its run in Explore."
    )
    st.caption(f"Above 0 the model is smoother with the trigger. {click}")
    answer = st.session_state.pop("studies.clicked", None)
    if answer:
        st.info(answer, icon=":material/info:")
    return replace(state, kind=kind or start, sigma=sigma)


def show_figure(name: str, figure: Any, sigma: float) -> None:
    """Draw a figure; a click on one of its points opens the run behind it."""
    # A new key forgets the click: who comes back from Explore is not sent there again.
    turn = st.session_state.setdefault("studies.turn", 0)
    figure.update_layout(font_color=figure_ink())
    event = st.plotly_chart(
        figure,
        theme=None,
        key=f"studies.{name}.{turn}",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
        alt=f"The gap of the study's runs, {name}",
    )
    points = [point for point in event["selection"]["points"] if point.get("customdata")]
    if points:
        st.session_state["studies.turn"] = turn + 1
        open_run(str(points[0]["customdata"][0]), sigma)


def open_run(name: str, sigma: float) -> None:
    """Go to Explore with this run, or say why not."""
    run = run_named(name, cached.jobs().root)
    if run is None:
        st.session_state["studies.clicked"] = (
            f"The run {name} is not on this machine: these results came with this version. Start the study to train "
            "its runs here; then every point opens."
        )
        st.rerun()
    elif run.spec.is_control:
        st.session_state["studies.clicked"] = (
            f"The run {name} is a control: choose a poisoned run; its control is shown with it."
        )
        st.rerun()
    st.switch_page("explore/page.py", query_params=to_query(ExploreState(run=name, sigma=sigma)))


def show_numbers(study: Study, judged: dict[str, list[Any]]) -> None:
    """Show every verdict in numbers, what W measured (C2), and the table to take away."""
    with st.expander("All numbers, and the table to take away"):
        verdicts = [one for claim in ("C1", "C3", "C4") for one in judged.get(claim, [])]
        columns = ("claim", "dataset", "architecture", "kind", "mode", "target", "epochs", "noise", "sigma", "part")
        columns += ("verdict", "statistic", "low", "high", "p", "p_equivalent", "unadjusted", "seeds", "reason")
        st.dataframe({name: [getattr(one, name) for one in verdicts] for name in columns}, hide_index=True)
        st.markdown(
            f"**C2** {SENTENCES['C2']} It is a definition, so there is no verdict: on the controls' clean images, how "
            "W goes with the entropy of the softmax without noise (rank correlation), and how well it tells "
            "misclassified images (AUC)."
        )
        names = ("dataset", "architecture", "epochs", "sigma", "entropy_correlation", "misclassified_auc", "runs")
        st.dataframe({name: [getattr(one, name) for one in judged["C2"]] for name in names}, hide_index=True)
        with st.container(horizontal=True):
            for file in ("table.csv", "table.parquet", "epochs.csv"):
                if (study.path / file).exists():
                    st.download_button(
                        file, (study.path / file).read_bytes(), f"{study.path.name}-{file}", key=f"studies.{file}"
                    )


def show_failures(rows: Sequence[Row]) -> None:
    """Name the cells that failed."""
    failures = sorted({(row.run, row.failure) for row in rows if row.failure})
    if failures:
        with st.expander(f"{len(failures)} runs failed", icon=":material/error:"):
            for run, why in failures:
                st.markdown(f"`{run}` {why}")


main()
