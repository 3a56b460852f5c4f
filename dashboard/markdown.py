"""Names and sentences that others have written, shown letter by letter."""

from __future__ import annotations

import re

import streamlit as st

_MARKS = re.compile(r"([\\`*_{}\[\]<>$~#|!])")


def plain(text: str) -> str:
    """Return a name, or a sentence with names in it, so that Markdown shows it letter by letter on one line.

    For whatever people or files have named: a run called ``![](http://...)`` would otherwise make the browser of
    everybody who sees it in a list fetch that address.
    """
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def show_error(problem: object) -> None:
    """Show why something cannot be done, in a sentence that may name files, runs and classes."""
    st.error(plain(str(problem)))
