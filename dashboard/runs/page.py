"""Runs: the library of every model that was trained or loaded here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import streamlit as st

from core.errors import InputError
from core.files import disk_use
from core.runs.library.bin import bring_back, deleted_runs, empty_bin
from core.runs.library.card import Card, card, short_name, stamp
from core.runs.library.search import ORDERS, SORTS, Order, Sort, find_cards
from core.runs.root import list_runs, runs_root
from core.runs.run import Run, State
from dashboard.markdown import plain
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.titles import EXAMPLES, GALLERY
from dashboard.runs.adding import KEPT, show_adding
from dashboard.runs.details import show_details
from dashboard.runs.rows import STYLE, in_bytes, now, row_html
from dashboard.state import (
    ExploreState,
    RunsState,
    get_state,
    open_state,
    save_state,
    seed_index,
    seed_value,
    seed_widget,
    seed_word_default,
    seed_word_index,
    set_state,
    to_query,
    widget_key,
)

PAGE_SIZE = 12
MOST_PICKED = 2


@st.cache_resource(max_entries=1024, show_spinner=False)
def done_card(path: Path, stamped: str) -> Card:
    """Return what is shown of a finished run; the stamp changes when its files do."""
    del stamped
    return card(Run(path))


def main() -> None:
    """Show the page."""
    state = open_state(RunsState)
    link = page_head("Runs", "Every model that was trained or loaded here: find it, name it, compare it, share it.")
    st.html(STYLE)
    show_messages()
    cards = every_card()
    own = [one for one in cards if is_own(one)]
    with st.expander("Load a model, or import a run", expanded=state.load or not own, icon=":material/upload_file:"):
        show_adding()
    state = show_filters(state, cards)
    found = find_cards(cards, state.find, state.dataset, cast("Sort", state.sort), cast("Order", state.order))
    show_summary(cards, found)
    state = show_picked(state, {one.run.name: one for one in cards})
    state = show_page(state, found)
    show_bin()
    save_state(state)
    with link:
        copy_link(state)


def every_card() -> list[Card]:
    """Return every run of this machine and the shipped ones; finished ones are read once."""
    found = []
    for run in list_runs(runs_root()):
        is_done = (run.path / "result.json").exists()
        found.append(done_card(run.path, stamp(run)) if is_done else card(run))
    return found + [done_card(run.path, stamp(run)) for shipped in (EXAMPLES, GALLERY) for run in list_runs(shipped)]


def is_own(one: Card) -> bool:
    """Say whether a run was made here rather than shipped with the program."""
    return one.run.path.parent == runs_root()


def show_messages() -> None:
    """Show what the last click has to say, and what the last loaded model turned out to be."""
    message = st.session_state.pop("runs.message", "")
    if message:
        st.info(plain(message))
    kept = st.session_state.get(KEPT)
    if kept is not None:
        _, words = kept
        with st.container(border=True, key="found"):
            st.markdown(words)
            st.button("Close", key="found.close", on_click=lambda: st.session_state.pop(KEPT, None))


def show_filters(state: RunsState, cards: list[Card]) -> RunsState:
    """Show search, filters and order; return what they say."""
    find = st.text_input(
        "Search",
        **seed_value(state, "find"),
        placeholder="Search: name, tag, trigger, note …",
        label_visibility="collapsed",
        on_change=to_first_page,
    )
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        sort = st.segmented_control(
            "Show",
            **seed_word_default(state, "sort", SORTS),
            required=True,
            wrap=True,
            label_visibility="collapsed",
            on_change=to_first_page,
        )
        datasets = sorted({one.spec.dataset for one in cards if one.spec is not None} | {state.dataset} - {""})
        with st.container(horizontal=True, width="content"):
            dataset = st.selectbox(
                "Data set",
                ["", *datasets],
                format_func=lambda name: short_name(name) or "All data sets",
                **seed_index(state, "dataset", ["", *datasets]),
                label_visibility="collapsed",
                on_change=to_first_page,
                width=165,
            )
            order = st.selectbox(
                "Order",
                **seed_word_index(state, "order", ORDERS),
                label_visibility="collapsed",
                on_change=to_first_page,
                width=165,
            )
    return replace(get_state(RunsState), find=find, dataset=dataset, sort=sort or "all", order=order)


def to_first_page() -> None:
    """Start another search at its beginning."""
    st.session_state.pop(widget_key(RunsState, "page"), None)
    set_state(replace(get_state(RunsState), page=1))


def show_summary(cards: list[Card], found: list[Card]) -> None:
    """Say how many runs there are and how much room they take."""
    own = [one for one in cards if is_own(one)]
    some = f"{len(found)} of " if len(found) < len(cards) else ""
    shipped = len(cards) - len(own)
    words = f"{some}{len(cards)} run{'s' if len(cards) != 1 else ''}"
    words += f", {shipped} of them shipped with the program" if shipped and own else ""
    st.caption(f"{words} · {in_bytes(sum(one.size for one in own))} on disk")
    if not own:
        st.info("Nothing was trained or loaded here yet. Train something in the Lab, or load a model above.")
        st.page_link("lab/page.py", label="Go to the Lab →")
    elif not found:
        st.info("No run matches. Broaden the search.")


def show_picked(state: RunsState, cards: dict[str, Card]) -> RunsState:
    """Show the runs chosen for looking at side by side, and the way there."""
    names = [name for name in state.pick.split(",") if name in cards][:MOST_PICKED]
    state = replace(state, pick=",".join(names))
    if not names:
        return state
    picked = [cards[name] for name in names]
    with st.container(border=True, key="picked"):
        st.markdown(" beside ".join(f"**{plain(one.title)}**" for one in picked))
        if len(picked) < MOST_PICKED:
            st.caption("Choose one more to look at both side by side.")
        elif len({one.result.shape for one in picked if one.result is not None}) != 1:
            st.caption("Their images differ in size or colour, so they cannot stand side by side: choose another.")
        else:
            with st.container(key="link-pair"):
                st.page_link(
                    "explore/page.py",
                    label="Open side by side →",
                    query_params=to_query(ExploreState(run=names[0], with_=names[1])),
                )
        st.button("Clear selection", key="pick.none", on_click=pick_none)
    return state


def pick_none() -> None:
    """Forget which runs were chosen."""
    set_state(replace(get_state(RunsState), pick=""))


def show_page(state: RunsState, found: list[Card]) -> RunsState:
    """Show the rows of one page, the open run's details below its row, and the way to the other pages."""
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(max(state.page, 1), pages)
    names = [one.run.name for one in found]
    if state.run in names and "RunsState.page" not in st.session_state:
        page = names.index(state.run) // PAGE_SIZE + 1  # a link to a run shows it, wherever it stands by now
    time, picked = now(), [name for name in state.pick.split(",") if name]
    with st.container(gap="xsmall"):
        for one in found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
            show_row(one, time, state.run == one.run.name, picked)
    if pages > 1:
        key = seed_widget(state, "page", page)
        st.session_state[key] = min(st.session_state[key], pages)
        page = st.pagination(pages, default=st.session_state[key], key=key)
    return replace(state, page=page, run=state.run if state.run in names else "")


def show_row(one: Card, time: float, is_open: bool, picked: list[str]) -> None:
    """Show one run, with its details if it is the open one."""
    name = one.run.name
    with st.container(border=True, key=f"row-{name}"):
        with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"line-{name}"):
            is_full = len(picked) >= MOST_PICKED and name not in picked
            st.session_state[f"pick.{name}"] = name in picked
            st.checkbox(
                f"Choose {plain(one.title)}",
                key=f"pick.{name}",
                label_visibility="collapsed",
                disabled=one.state is not State.DONE or is_full,
                on_change=toggle_picked,
                args=(name,),
                help="Choose two to look at them side by side",
            )
            st.html(row_html(one, time), width="stretch")
            st.button(
                "Close" if is_open else "Details",
                key=f"open.{name}",
                on_click=toggle_open,
                args=(name,),
                type="tertiary",
                width=72,
            )
        if is_open:
            show_details(one, is_own(one))


def toggle_picked(name: str) -> None:
    """Choose a run, or choose it no longer."""
    state = get_state(RunsState)
    picked = [one for one in state.pick.split(",") if one]
    picked = [one for one in picked if one != name] if name in picked else [*picked, name][:MOST_PICKED]
    set_state(replace(state, pick=",".join(picked)))


def toggle_open(name: str) -> None:
    """Open a run's details, or close them."""
    state = get_state(RunsState)
    set_state(replace(state, run="" if state.run == name else name))


def show_bin() -> None:
    """Show what was deleted, and the ways back and out."""
    deleted = deleted_runs(runs_root())
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="bin"):
        size = in_bytes(sum(disk_use(one.path) for one in deleted))
        st.caption(f"In the bin: {len(deleted)} deleted run{'s' if len(deleted) > 1 else ''}, {size}")
        st.button(f"Restore {deleted[0].name}", key="bin.undo", on_click=undo)
        st.button("Empty the bin", key="bin.empty", on_click=throw_away, type="tertiary")


def undo() -> None:
    """Bring back what was deleted last."""
    deleted = deleted_runs(runs_root())
    if not deleted:
        return
    try:
        run = bring_back(deleted[0])
    except InputError as error:
        st.session_state["runs.message"] = str(error)
        return
    set_state(replace(get_state(RunsState), run=run.name))
    st.session_state.pop(widget_key(RunsState, "page"), None)


def throw_away() -> None:
    """Empty the bin for good."""
    freed = empty_bin(runs_root())
    st.session_state["runs.message"] = f"The bin is empty; {in_bytes(freed)} are free again."


main()
