"""Deleting: a run goes to the bin with Undo in its place, comes back from there, or leaves for good once confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import streamlit as st

from core.errors import InputError
from core.runs.library.bin import Deleted, bring_back, delete_run, deleted_runs, empty_bin
from core.runs.library.card import Card, card
from core.runs.root import runs_root
from core.runs.run import Run
from dashboard.markdown import plain
from dashboard.runs.rows import in_bytes
from dashboard.state import RunsState, get_state, set_state, widget_key

_GONE, _LISTED = "runs.gone", "runs.listed"


@dataclass(frozen=True)
class Gone:
    """A run that was just deleted: where it waits, what it was called, and its place in which list of runs."""

    deleted: Deleted
    title: str
    place: int
    view: RunsState


def remember_list(names: Sequence[str]) -> None:
    """Remember which runs are listed, so that Undo can stand where a deleted one was."""
    st.session_state[_LISTED] = list(names)


def just_deleted(state: RunsState) -> Gone | None:
    """Return the run that was deleted from this very list, if it is still in the bin."""
    gone: Gone | None = st.session_state.get(_GONE)
    if gone is None or gone.view != _view(state) or not gone.deleted.path.exists():
        return None
    return gone


def _view(state: RunsState) -> RunsState:
    return replace(state, run="", pick="", load=False)


def show_undo(gone: Gone) -> None:
    """Say what was deleted, in its place, with the way back."""
    with (
        st.container(border=True, key="row-undo"),
        st.container(horizontal=True, vertical_alignment="center", key="line-undo"),
    ):
        st.markdown(f"**{plain(gone.title)}** is in the bin.", width="content")
        st.button("Undo", key="undo", on_click=restore, args=(gone.deleted,))


def delete(run: Run, title: str) -> None:
    """Move a run to the bin, and close it."""
    try:
        deleted = delete_run(run)
    except InputError as error:
        st.session_state["runs.message"] = str(error)
        return
    state = get_state(RunsState)
    listed = st.session_state.get(_LISTED, [])
    place = listed.index(run.name) if run.name in listed else 0
    st.session_state[_GONE] = Gone(deleted, title, place, _view(state))
    left = ",".join(name for name in state.pick.split(",") if name and name != run.name)
    set_state(replace(state, run="", pick=left))


def restore(deleted: Deleted) -> None:
    """Move a run back to where it was, and show it."""
    try:
        run = bring_back(deleted)
    except InputError as error:
        st.session_state["runs.message"] = str(error)
        return
    set_state(replace(get_state(RunsState), run=run.name))
    st.session_state.pop(widget_key(RunsState, "page"), None)


def show_bin() -> None:
    """Show what was deleted, with the ways back and out."""
    deleted = deleted_runs(runs_root())
    if not deleted:
        return
    cards = [card(Run(one.path)) for one in deleted]
    how_many, size = in_words(cards)
    with st.expander(f"Bin: {how_many}, {size}", icon=":material/delete:", key="bin"):
        for one, what in zip(deleted, cards, strict=True):
            with st.container(horizontal=True, vertical_alignment="center", key=f"bin-{one.path.name}"):
                st.button("Restore", key=f"restore.{one.path.name}", on_click=restore, args=(one,))
                st.markdown(
                    f"{plain(_title(one, what))}  \n:small[deleted {_moment(one.when)} · {in_bytes(what.size)}]"
                )
        if st.button("Empty the bin …", key="bin.empty", type="tertiary"):
            confirm(deleted, how_many, size)


def _title(deleted: Deleted, what: Card) -> str:
    return f"damaged run {deleted.name}" if what.spec is None and not what.label.name else what.title


def in_words(cards: Sequence[Card]) -> tuple[str, str]:
    """Return how many runs these are, and their size on disk."""
    return f"{len(cards)} deleted run{'s'[: len(cards) > 1]}", in_bytes(sum(one.size for one in cards))


def _moment(when: float) -> str:
    moment = datetime.fromtimestamp(when).astimezone()
    return f"{moment.day} {moment:%B %Y, %H:%M}"


@st.dialog("Empty the bin?")
def confirm(deleted: Sequence[Deleted], how_many: str, size: str) -> None:
    """Ask before runs are removed for good."""
    st.write(f"This removes **{how_many}** ({size}) for good. There is no way back.")
    with st.container(horizontal=True):
        keep = st.button("Keep them", key="bin.keep")
        gone = st.button(
            "Remove for good", key="bin.remove", type="primary", on_click=throw_away, args=(tuple(deleted),)
        )
    if keep or gone:
        st.rerun()


def throw_away(deleted: Sequence[Deleted]) -> None:
    """Remove deleted runs for good."""
    freed = empty_bin(deleted)
    st.session_state["runs.message"] = f"The bin is empty: {in_bytes(freed)} freed."
