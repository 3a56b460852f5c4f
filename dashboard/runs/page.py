"""Runs: the library of every model that was trained or loaded here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import streamlit as st

from core.runs.library.card import Card, card, card_titles, stamp
from core.runs.library.search import ORDERS, SORTS, Order, Sort, find_cards
from core.runs.library.titles import short_name
from core.runs.root import list_runs, runs_root
from core.runs.run import Run
from dashboard.markdown import plain
from dashboard.parts.head import copy_link, page_head
from dashboard.parts.titles import EXAMPLES, GALLERY
from dashboard.runs.adding import KEPT, show_adding
from dashboard.runs.bin import just_deleted, remember_list, show_bin, show_undo
from dashboard.runs.details import show_details
from dashboard.runs.picking import picked, show_bar, show_box
from dashboard.runs.rows import STYLE, in_bytes, now, row_html
from dashboard.state import (
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
    widget_key,
)

PAGE_SIZE = 12


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
    titles = card_titles(cards)
    by_name = {one.run.name: one for one in cards}
    chosen = picked(state, by_name)
    state = show_page(replace(state, pick=",".join(chosen)), found, titles, chosen)
    show_bin()
    show_bar(chosen, titles)
    save_state(state)
    with link:
        copy_link(state)


def every_card() -> list[Card]:
    """Return every run of this machine and the shipped ones, each once; finished ones are read once."""
    runs: dict[str, Run] = {}
    for folder in (runs_root(), EXAMPLES, GALLERY):
        for run in list_runs(folder):
            runs.setdefault(run.name, run)
    done = {name for name, run in runs.items() if (run.path / "result.json").exists()}
    return [done_card(run.path, stamp(run)) if name in done else card(run) for name, run in runs.items()]


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
        placeholder="Search: name, attack, network, tag, note …",
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


def show_page(state: RunsState, found: list[Card], titles: Mapping[str, str], chosen: list[str]) -> RunsState:
    """Show the rows of one page, the open run's details below its row, and the way to the other pages."""
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(max(state.page, 1), pages)
    names = [one.run.name for one in found]
    if state.run in names and "RunsState.page" not in st.session_state:
        page = names.index(state.run) // PAGE_SIZE + 1  # a link to a run shows it, wherever it stands by now
    time = now()
    listed = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    remember_list([one.run.name for one in listed])
    gone = just_deleted(replace(state, page=page))
    with st.container(gap="xsmall"):
        for place, one in enumerate(listed):
            if gone is not None and gone.place == place:
                show_undo(gone)
            show_row(one, titles[one.run.name], time, state.run == one.run.name, chosen)
        if gone is not None and gone.place >= len(listed):
            show_undo(gone)
    if pages > 1:
        key = seed_widget(state, "page", page)
        st.session_state[key] = min(st.session_state[key], pages)
        page = st.pagination(pages, default=st.session_state[key], key=key)
    return replace(state, page=page, run=state.run if state.run in names else "")


def show_row(one: Card, title: str, time: float, is_open: bool, chosen: list[str]) -> None:
    """Show one run, with its details if it is the open one."""
    name = one.run.name
    with st.container(border=True, key=f"row-{name}"):
        with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"line-{name}"):
            show_box(one, title, chosen)
            st.html(row_html(one, title, time), width="stretch")
            st.button(
                "Close" if is_open else "Details",
                key=f"open.{name}",
                on_click=toggle_open,
                args=(name,),
                type="tertiary",
                width=72,
            )
        if is_open:
            show_details(one, title, is_own(one))


def toggle_open(name: str) -> None:
    """Open a run's details, or close them."""
    state = get_state(RunsState)
    set_state(replace(state, run="" if state.run == name else name))


main()
