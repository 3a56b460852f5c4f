"""Results that draw themselves in a notebook: `result.figure()`.

A result knows no figure: instruments and runs lie below `core.figures` and work without Plotly. So the figure is found
by name when it is asked for, as pandas finds its plotting backend, and `core.figures.drawing` says how each is drawn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go


class Drawn:
    """A result that has a figure."""

    def figure(self) -> go.Figure:
        """Return the figure that shows the whole result; `core.figures` has those with settings."""
        return importlib.import_module("core.figures.drawing").draw(self)
