"""Everything a link must carry: one typed object a page, to and from the URL.

A page opens its state, seeds its widgets with it, and keeps what the widgets say in the end. The URL in the browser is
always that of what is shown; a reload or another browser starts from it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st

from core.instruments.budgets import PAGE


@dataclass(frozen=True)
class StartState:
    """The poster: which example it shows, whether the sticker is on, and how strong the noise is.

    `place` ("row.column"), `opacity` and `side` are what the sticker was changed to, as in `ExploreState`.
    """

    example: str = "sign"
    sticker: bool = True
    sigma: float = 0.0
    place: str = ""
    opacity: float = 1.0
    side: int = 0


@dataclass(frozen=True)
class LabState:
    """The attack being prepared, how to train on it, and the run being watched.

    `trigger` is a preset's name or a trigger's link text, and `trigger_source` the open way of making one; `rate` and
    `cover` are in per cent; `sources` are class numbers, "1-3". What is "", 0 or below 0 among the training's settings
    is what `preset` makes of it for the data set. `run` is a run's name or "".
    """

    dataset: str = "digits"
    trigger: str = "white-corner"
    trigger_source: str = "draw"
    mode: str = "all-to-one"
    target: int = 0
    sources: str = ""
    cover: float = 5.0
    anywhere: bool = False
    perturbed: bool = False
    rate: float = 10.0
    preset: str = "fast"
    architecture: str = ""
    epochs: int = 0
    batch: int = 0
    optimiser: str = "adamw"
    learning_rate: float = 0.0
    weight_decay: float = -1.0
    augmentation: str = ""
    seed: int = 0
    precision: str = ""
    sample: int = 0
    run: str = ""


@dataclass(frozen=True)
class ExploreState:
    """Which run is looked at beside which other, at what noise, on which image, and where on its slice.

    `trigger` (a preset's name or a link text) and `target` are for runs that have none of their own; `shared` puts the
    first run's trigger on both. `pin` is a second image. `draws` is how many noise draws measure W of each image, and
    `view` how W is drawn; `first`, `of` and `fooled` are the sample picker's order and filters. `place` ("row.column"),
    `opacity` and `side` are what the trigger was changed to, `under` the triggers to overlay by name, separated by
    commas, and `shown` the sections that are open. `layer` ("" for W, where it is there soon), `plane`
    (`PlaneChoice.to_link`) and `point` ("x,y" on it) are the slice's.
    """

    run: str = ""
    with_: str = ""
    sigma: float = 0.0
    image: int = -1
    pin: int = -1
    trigger: str = ""
    target: int = -1
    shared: bool = False
    draws: int = PAGE.draws
    view: str = "pairs"
    first: str = "number"
    of: int = -1
    fooled: str = "all"
    place: str = ""
    opacity: float = 1.0
    side: int = 0
    layer: str = ""
    plane: str = ""
    point: str = ""
    under: str = ""
    shown: str = ""


@dataclass(frozen=True)
class RunsState:
    """Which runs of the library are shown, in which order, on which page, and which is open.

    `find` are words, `dataset` a name or "" for all, `sort` and `order` keys of `SORTS` and `ORDERS` in
    `core.runs.library.search`, `run` the open run's name or "", and `pick` the names of those to look at side by side,
    separated by commas.
    """

    find: str = ""
    dataset: str = ""
    sort: str = "all"
    order: str = "newest"
    page: int = 1
    run: str = ""
    pick: str = ""
    load: bool = False


@dataclass(frozen=True)
class CompareState:
    """Which attacks are compared, at what noise, and on which image their slices are drawn.

    `runs` are the names of their runs, separated by commas, `level` the place of sigma in the sweep of each one's
    images, `image` the place of the image among those that all of the attacks are about, and `layer` what the slices
    show, "labels" or "W".
    """

    runs: str = ""
    level: int = 2
    image: int = 0
    layer: str = "labels"


@dataclass(frozen=True)
class StudiesState:
    """Which study is looked at, and which of its groups, kinds of triggers and sigmas the figures show.

    `study` is the name of its folder; `group` the place of the group in the study's list.
    """

    study: str = ""
    group: int = 0
    kind: str = ""
    sigma: float = 0.0


# How long the browser may take to show an address that a page has set.
SETTLING_SECONDS = 3.0
_REPLACED = "replaced addresses"
_OPEN_PAGE = "open page"

AnyState = StartState | LabState | ExploreState | CompareState | RunsState | StudiesState
Kind = TypeVar("Kind", StartState, LabState, ExploreState, CompareState, RunsState, StudiesState)


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


def to_query(state: AnyState) -> dict[str, str]:
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
    arriving = st.session_state.get(_OPEN_PAGE) != kind.__name__
    st.session_state[_OPEN_PAGE] = kind.__name__
    if kept is None or (query and query != to_query(kept) and (arriving or not _is_outdated(query))):
        kept = from_query(kind, query)
        for field in fields(kind):
            st.session_state.pop(widget_key(kind, field.name), None)
        # Kept at once: a click may end this run before the page reaches its own `save_state`.
        st.session_state[kind.__name__] = kept
    return kept


def _is_outdated(query: dict[str, str]) -> bool:
    """Say whether this is an address that we have just replaced: quick clicks still bring such ones with them.

    Only time tells them from the same addresses brought by the back button.
    """
    return any(query == replaced for replaced, _ in _replaced_lately())


def _replaced_lately() -> list[tuple[dict[str, str], float]]:
    """Return the addresses that this session replaced and the browser may not have changed yet, and when."""
    now = time.monotonic()
    return [(query, when) for query, when in st.session_state.get(_REPLACED, []) if now - when < SETTLING_SECONDS]


def _remember_addresses(state: AnyState) -> None:
    """Remember the addresses that the next clicks may still bring, before this state of a page counts.

    The browser's own, and that of the state so far, which we may have set and the browser not come to yet. A click that
    brings one of them would else be taken for a person's link, and undone.
    """
    query, kept = to_query(state), st.session_state.get(type(state).__name__, state)
    old = [(one, time.monotonic()) for one in (st.query_params.to_dict(), to_query(kept)) if one != query]
    st.session_state[_REPLACED] = _replaced_lately() + old


def widget_key(kind: type, name: str) -> str:
    """Return the key of the widget that shows one part of a page's state."""
    return f"{kind.__name__}.{name}"


def seed_widget(state: AnyState, name: str, value: Any = None) -> str:
    """Give a widget its starting value unless it has one, and return its key."""
    key = widget_key(type(state), name)
    if key not in st.session_state:
        st.session_state[key] = getattr(state, name) if value is None else value
    return key


# A value from `st.session_state` is sent to the browser once. A widget that is not on the screen by then, because it is
# in a closed popover or the page runs again at once, would start from its own default and bring that back as a person's
# wish. So the value is also given as the default, which is sent with every run.


def seed_value(state: AnyState, name: str, value: Any = None) -> dict[str, Any]:
    """Return the key and the starting value of a slider, switch or field as arguments."""
    key = seed_widget(state, name, value)
    return {"key": key, "value": st.session_state[key]}


def seed_default(state: AnyState, name: str, value: Any = None) -> dict[str, Any]:
    """Return the key and the starting value of a segmented control or multiple choice as arguments."""
    key = seed_widget(state, name, value)
    return {"key": key, "default": st.session_state[key]}


def seed_index(state: AnyState, name: str, options: Sequence[Any], usual: Any = None) -> dict[str, Any]:
    """Return the key and the starting place of a choice among options as arguments; `usual` where the state has none.

    Without `usual` the first option stands in for a value that is not among them.
    """
    value = getattr(state, name)
    key = seed_widget(state, name, value if value in options else usual)
    chosen = st.session_state[key]
    return {"key": key, "index": options.index(chosen) if chosen in options else 0}


def seed_word_default(state: AnyState, name: str, words: Mapping[Any, str], value: str | None = None) -> dict[str, Any]:
    """Return options, key and starting value of a segmented control over words as arguments.

    `value` starts it, by default the state's; what is not among `words` gives way to the usual one.
    """
    wanted = getattr(state, name) if value is None else value
    start = wanted if wanted in words else getattr(type(state), name)
    return {"options": list(words), "format_func": words.get, **seed_default(state, name, start)}


def seed_word_index(state: AnyState, name: str, words: Mapping[Any, str], usual: str | None = None) -> dict[str, Any]:
    """Return options, key and starting place of a selectbox over words as arguments; `usual` as in `seed_index`."""
    usual = getattr(type(state), name) if usual is None else usual
    return {"options": list(words), "format_func": words.get, **seed_index(state, name, list(words), usual)}


def save_state(state: AnyState) -> None:
    """Remember what the page shows now, and put it into the browser's address."""
    query, shown = to_query(state), st.query_params.to_dict()
    # First, since a click may end this run at any line.
    _remember_addresses(state)
    st.session_state[type(state).__name__] = state
    if shown != query:
        st.query_params.from_dict(query)


def get_state(kind: type[Kind]) -> Kind:
    """Return what the page shows now, for callbacks and for parts of a page that run again alone."""
    return st.session_state.get(kind.__name__) or kind()


def set_state(state: AnyState) -> None:
    """Make this the page's state from a callback, which comes before the page runs again and looks at the address."""
    _remember_addresses(state)
    st.session_state[type(state).__name__] = state


def update_state(kind: type, **changes: Any) -> None:
    """Change what is kept of a page between two of its runs, as callbacks of widgets may, never pages themselves."""
    set_state(replace(st.session_state[kind.__name__], **changes))


def link_to(state: AnyState) -> str:
    """Return the full address that shows this state in another browser."""
    base = (st.context.url or "").split("?", maxsplit=1)[0]
    base += "/" if base.count("/") == 2 else ""  # scheme://host:port alone
    query = urlencode(to_query(state))
    return f"{base}?{query}" if query else base
