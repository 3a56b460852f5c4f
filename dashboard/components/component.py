"""What all components have in common: three files beside their Python, declared once; data out, messages in.

A component is a folder with `view.html`, `view.css` and `view.js`. Its scripts are ordinary modules that import from
each other and from `shared/`. Streamlit imports a script from a blob, where no relative import leads anywhere, so the
modules are joined to one here.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from core.errors import InputError

__all__ = ["Component", "joined_script", "sent", "take_sent", "to_base64"]

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default )", re.MULTILINE)
_COMMENT = re.compile(r"^ *(//.*|/\*(?:(?!\*/)[\s\S])*\*/) *\n", re.MULTILINE)
_DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


class Component:
    """A component that runs in the browser.

    Parameters
    ----------
    folder
        Where its `view.html`, `view.css` and `view.js` are; the folder's name is the component's.
    """

    def __init__(self, folder: Path) -> None:
        self._mount = component(
            folder.name,
            html=(folder / "view.html").read_text(encoding="utf-8"),
            css=(folder / "view.css").read_text(encoding="utf-8"),
            js=joined_script(folder / "view.js"),
        )

    def mount(self, key: str, data: Mapping[str, Any], **take: Callable[[object], object]) -> None:
        """Show it on the page.

        Parameters
        ----------
        key
            Names this instance among the page's widgets.
        data
            What its script gets, ready for JSON.
        **take
            For each name under which the script sends something: called with what it sent, before the page runs
            again. An InputError that it raises is logged, and the message ignored.
        """
        listeners: dict[str, Any] = {
            f"on_{name}_change": partial(take_sent, key, name, taking) for name, taking in take.items()
        }
        # In a list Streamlit looks for no data frames; looking imports pandas, which delays the first page.
        self._mount(key=key, data=[data], **listeners)


def sent(key: str, name: str) -> object:
    """Return what the component of this key sent last under a name, unchecked; None if nothing."""
    state: Any = st.session_state.get(key)
    return state.get(name) if isinstance(state, Mapping) else None


def take_sent(key: str, name: str, take: Callable[[object], object]) -> None:
    """Call `take` with what a component sent; what `take` refuses with an InputError is logged and ignored."""
    try:
        take(sent(key, name))
    except InputError as error:
        # Only another client or a bug sends this; the visitor could do nothing about it.
        logging.getLogger(__name__).warning("Ignored the %s of a component: %s", name, error)


def to_base64(array: np.ndarray) -> str:
    """Return an array's bytes, row by row, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def joined_script(entry: Path) -> str:
    """Return one module with the content of a script and of all that it imports, which export what the script exports.

    Raises
    ------
    ValueError
        Two of the modules declare the same name.
    """
    script = "\n".join(_modules(entry.resolve(), set()))
    names = _DECLARED.findall(script)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{entry} and its modules declare twice: {', '.join(sorted(twice))}. Rename one of each.")
    return script


def _modules(module: Path, done: set[Path], *, exports: bool = True) -> list[str]:
    """The text of a module, after the texts of those that it imports."""
    done.add(module)
    text = module.read_text(encoding="utf-8")
    texts = []
    for name in _IMPORT.findall(text):
        imported = (module.parent / name).resolve()
        if imported not in done:
            texts += _modules(imported, done, exports=False)
    text = _COMMENT.sub("", _IMPORT.sub("", text))
    return [*texts, text if exports else _EXPORT.sub("", text)]
