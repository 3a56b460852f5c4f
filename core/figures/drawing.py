"""Which figure a result draws of itself in a notebook: one function for each kind of result."""

from __future__ import annotations

from functools import singledispatch

import plotly.graph_objects as go

from core.drawing import Drawn
from core.figures.histogram import smoothness_histogram
from core.figures.line import line_figure
from core.figures.pairs import paired_scatter
from core.figures.roc import roc_curves
from core.figures.slice_plane import slice_figure
from core.figures.trigger_sweep import trigger_sweep
from core.instruments.detectors.comparison import Comparison
from core.instruments.slices.line import Line
from core.instruments.slices.plane import SlicePlane
from core.instruments.smoothness import Pair
from core.instruments.trigger_sweep import TriggerSweep
from core.runs.measured.w import Measurement


@singledispatch
def draw(result: Drawn) -> go.Figure:
    """Return the figure of a result; TypeError where nothing says how it is drawn."""
    raise TypeError(f"There is no figure of {type(result).__name__}; add one to core/figures/drawing.py.")


@draw.register
def _(pair: Pair) -> go.Figure:
    return smoothness_histogram(pair)


@draw.register
def _(measurement: Measurement) -> go.Figure:
    return paired_scatter({"this model": measurement})


@draw.register
def _(plane: SlicePlane) -> go.Figure:
    return slice_figure(plane)


@draw.register
def _(line: Line) -> go.Figure:
    return line_figure(line, [f"class {label}" for label in range(line.probability.shape[1])])


@draw.register
def _(sweep: TriggerSweep) -> go.Figure:
    return trigger_sweep(sweep)


@draw.register
def _(comparison: Comparison) -> go.Figure:
    """Draw the ROC curves against clean images of the other classes, of the detectors that score images."""
    scored = comparison.by_image
    asked = next((result.flagged.asked for result in scored.values()), None)
    return roc_curves({name: result.against_other for name, result in scored.items()}, asked)
