"""Everything a link must carry: one typed object a page, to and from the URL.

A page opens its state, seeds its widgets with it, and keeps what the widgets say in the end. The URL in the browser is
always that of what is shown; a reload or another browser starts from it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st


@dataclass(frozen=True)
class StartState:
    """The poster: is the sticker on, and how strong is the noise."""

    sticker: bool = False
    sigma: float = 0.0


@dataclass(frozen=True)
class LabState:
    """The attack being prepared, and the run being watched.

    `trigger` is a preset's name or a drawn trigger's link text; `rate` is in per cent; `run` is a run's name or "".
    """

    dataset: str = "digits"
    trigger: str = "white-corner"
    target: int = 0
    rate: float = 10.0
    epochs: int = 10
    seed: int = 0
    sample: int = 0
    run: str = ""


@dataclass(frozen=True)
class ExploreState:
    """Which run is looked at beside which other, at what noise, on which image, and where on its slice."""

    run: str = ""
    with_: str = ""
    sigma: float = 0.0
    image: int = -1


# How long the browser may take to show an address that a page has set.
SETTLING_SECONDS = 3.0
_REPLACED = "replaced address"

Kind = TypeVar("Kind", StartState, LabState, ExploreState)


def from_query(kind: type[Kind], query: Mapping[str, str]) -> Kind:
    """Return the state in a URL's parameters; what is missing or cannot be read keeps its default."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        text = query.get(field.name.rstrip("_"))
        if text is not None:
            try:
                value = text == "1" if isinstance(field.default, bool) else type(field.default)(text)
            except ValueError:
                continue
            if not isinstance(value, float) or math.isfinite(value):
                values[field.name] = value
    return kind(**values)


def to_query(state: StartState | LabState | ExploreState) -> dict[str, str]:
    """Return the URL parameters of a state; defaults are left out."""
    query = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if value != field.default:
            query[field.name.rstrip("_")] = ("1" if value else "0") if isinstance(value, bool) else f"{value}"
    return query


def open_state(kind: type[Kind]) -> Kind:
    """Return the state that this page starts from: the URL's if a person brought it, else what was kept."""
    query = st.query_params.to_dict()
    kept = st.session_state.get(kind.__name__)
    if kept is None or (query and query != to_query(kept) and not _is_outdated(query)):
        kept = from_query(kind, query)
        for field in fields(kind):
            st.session_state.pop(widget_key(kind, field.name), None)
        # Kept at once: a click may end this run before the page reaches its own `keep`.
        st.session_state[kind.__name__] = kept
    return kept


def _is_outdated(query: dict[str, str]) -> bool:
    """Say whether this is the address we have just replaced: a quick click still brings it with it."""
    replaced, when = st.session_state.get(_REPLACED, (None, 0.0))
    return query == replaced and time.monotonic() - when < SETTLING_SECONDS


def widget_key(kind: type, name: str) -> str:
    """Return the key of the widget that shows one part of a page's state."""
    return f"{kind.__name__}.{name}"


def seed_widget(state: StartState | LabState | ExploreState, name: str, value: Any = None) -> str:
    """Give a widget its starting value unless it has one, and return its key."""
    key = widget_key(type(state), name)
    if key not in st.session_state:
        st.session_state[key] = getattr(state, name) if value is None else value
    return key


def keep(state: StartState | LabState | ExploreState) -> None:
    """Remember what the page shows now, and put it into the browser's address."""
    st.session_state[type(state).__name__] = state
    query, shown = to_query(state), st.query_params.to_dict()
    if shown != query:
        st.session_state[_REPLACED] = shown, time.monotonic()
        st.query_params.from_dict(query)


def link_to(state: StartState | LabState | ExploreState) -> str:
    """Return the full address that shows this state in another browser."""
    base = (st.context.url or "").split("?", maxsplit=1)[0]
    base += "/" if base.count("/") == 2 else ""  # scheme://host:port alone
    query = urlencode(to_query(state))
    return f"{base}?{query}" if query else base
