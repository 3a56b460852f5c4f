"""The head of a page: its title, the link to what it shows, and the data set it waits for."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from core.datasets import Dataset, fingerprint
from dashboard import cached
from dashboard.components.copy_link import copy_link_button
from dashboard.state import AnyState, link_to

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


def page_head(title: str, lead: str) -> DeltaGenerator:
    """Show a page's title and what it is for; return the place for its link."""
    head, link = st.columns([6, 1], vertical_alignment="bottom")
    head.title(title, anchor=False)
    head.html(f'<p class="ts-lead">{escape(lead)}</p>')
    return link


def copy_link(state: AnyState) -> None:
    """Offer the address of what is shown."""
    with st.container(key="copy-link"):
        copy_link_button(link_to(state))


def load_with_progress(name: str, load: Callable[..., Dataset] = cached.dataset) -> Dataset:
    """Return a data set; while it is fetched or made, show how far it is.

    `load` may be `cached.data_to_look_at`, for pages that need no training images.
    """
    place = st.empty()

    def show(share: float, text: str) -> None:
        place.progress(min(max(share, 0.0), 1.0), text=text)

    data = load(name, fingerprint(name), show)
    place.empty()
    return data
