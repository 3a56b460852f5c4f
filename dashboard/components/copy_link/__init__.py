"""A button that copies the address of what is shown, and says who can open it."""

from __future__ import annotations

from pathlib import Path

from dashboard.components.component import Component

__all__ = ["copy_link_button"]

# Not 0.0.0.0: Streamlit would ask a server on the internet for this computer's address there.
COMMAND = "python -m streamlit run dashboard/app.py --server.address 192.168.1.20"

_component = Component(Path(__file__).parent)


def copy_link_button(link: str) -> None:
    """Show the button; a click on it runs the page again, so that the link has what parts of it have changed."""
    _component.mount("copy link", {"link": link, "command": COMMAND}, asked=_ignore)


def _ignore(times: object) -> None:
    """Do nothing: the rerun that follows is what the browser asked for."""
