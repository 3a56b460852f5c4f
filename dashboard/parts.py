"""Small things that several pages show alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets import Dataset, fingerprint
from core.figures.palette import CLEAN, OTHER, TRIGGERED, class_colour
from core.runs.library import read_label, what_it_is
from core.runs.root import finished_runs
from core.runs.run import DoneRun, Run
from core.runs.shipped.examples import EXAMPLES
from core.runs.shipped.gallery import GALLERY
from core.training.events import Epoch
from core.training.spec import RunSpec
from dashboard import cached
from dashboard.state import AnyState, link_to

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


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


def page_head(title: str, lead: str) -> DeltaGenerator:
    """Show a page's title and what it is for; return the place for its link."""
    head, link = st.columns([6, 1], vertical_alignment="bottom")
    head.title(title, anchor=False)
    head.html(f'<p class="ts-lead">{escape(lead)}</p>')
    return link


# Text of the figures, on light and on dark ground: both at a contrast of 7 or more.
_INK = {"light": "#4b4d5c", "dark": "#c6c8d4"}


def figure_ink() -> str:
    """Return the colour of text in figures under the theme that the page has."""
    return _INK["dark" if st.context.theme.type == "dark" else "light"]


def picture(place: DeltaGenerator, pixels: np.ndarray, alt: str) -> None:
    """Show a picture as wide as its place, with words for those who cannot see it."""
    place.image(pixels, width="stretch", alt=alt, output_format="PNG")


def class_chip(name: str, label: int) -> str:
    """Return a class's name with its colour, as HTML."""
    return f'<span class="ts-chip"><i style="background:{class_colour(label)}"></i>{escape(name)}</span>'


def w_bar(name: str, w: float, low: float, high: float, colour: str) -> str:
    """Return W on a scale from 0 to 1 with its interval, as HTML."""
    return (
        f'<div class="ts-small" style="display:flex;justify-content:space-between"><span>{escape(name)}</span>'
        f"<span>{w:.2f}</span></div>"
        f'<div class="ts-bar"><b style="left:{100 * low:.1f}%;width:{max(1.0, 100 * (high - low)):.1f}%;'
        f'background:{colour};opacity:.35"></b><b style="left:calc({100 * w:.1f}% - 2px);width:4px;'
        f'background:{colour}"></b></div>'
    )


def copy_link(state: AnyState) -> None:
    """Offer the address of what is shown."""
    # Opening it runs the page again, so that the link has what parts of the page have changed by themselves.
    with st.popover("Copy link", width="stretch", key="copy link", on_change="rerun"):
        st.caption("Opens this very view in another browser that reaches this dashboard.")
        st.code(link_to(state), language=None, wrap_lines=True)


@dataclass(frozen=True)
class Curve:
    """One line of a training chart: its name, colour and dash, and a value an epoch."""

    name: str
    colour: str
    dash: tuple[int, int]
    values: Sequence[float | None]


def show_curves(spec: RunSpec, epochs: Sequence[Epoch], control: Sequence[Epoch]) -> None:
    """Show accuracy and W over the epochs, the control's beside them."""
    accuracy = [Curve("clean accuracy", CLEAN, (1, 0), [epoch.clean_accuracy.value for epoch in epochs])]
    smoothness = [Curve("W clean", CLEAN, (1, 0), [epoch.watch.clean for epoch in epochs])]
    if not spec.is_control:
        rates = [epoch.attack_success_rate for epoch in epochs]
        accuracy.append(Curve("attack success", TRIGGERED, (6, 3), [rate.value if rate else None for rate in rates]))
        smoothness.append(Curve("W with trigger", TRIGGERED, (6, 3), [epoch.watch.triggered for epoch in epochs]))
        accuracy.append(Curve("control", OTHER, (2, 2), [epoch.clean_accuracy.value for epoch in control]))
        smoothness.append(Curve("control, clean", OTHER, (2, 2), [epoch.watch.clean for epoch in control]))
    left, right = st.columns(2)
    _chart(left, "Share of test images, by epoch", accuracy, spec.epochs)
    watch = epochs[-1].watch if epochs else None
    title = f"Mean W at σ = {watch.sigma:g} ({watch.images} images, {watch.draws} draws)" if watch else "Mean W"
    _chart(right, title, smoothness, spec.epochs)


def show_loss(spec: RunSpec, epochs: Sequence[Epoch], control: Sequence[Epoch]) -> None:
    """Show the training's loss over the epochs, the control's beside it."""
    curves = [Curve("loss", CLEAN, (1, 0), [epoch.loss for epoch in epochs])]
    if not spec.is_control:
        curves.append(Curve("control", OTHER, (2, 2), [epoch.loss for epoch in control]))
    # It is largest at the start, so the axis stands still from then on.
    top = max([1e-3, *(value for curve in curves for value in curve.values if value is not None)])
    _chart(st.container(), "Training loss, by epoch", curves, spec.epochs, top, height=120)


def _chart(
    place: DeltaGenerator, title: str, curves: Sequence[Curve], epochs: int, top: float = 1.0, height: int = 150
) -> None:
    """Draw curves on axes that stand still from the first epoch to the last."""
    # Named one by one: what Vega chooses is rounded to the same words, 0.25 to 0.3 and two halves to one epoch.
    ticks = {"values": [0, 0.5, 1], "format": ".1f"} if top == 1 else {"tickCount": 5}
    step = -(-epochs // 5)
    edge = 0.02 * epochs if epochs > 1 else 0.5
    import pandas as pd  # takes a third of a second, and the first page draws none

    names = "".join(
        f'<span class="ts-key"><i style="border-top: 3px {_css_dash(curve)} {curve.colour}"></i>{curve.name}</span>'
        for curve in curves
    )
    place.html(f'<div class="ts-small"><b>{title}</b><br>{names}</div>')
    rows = [
        {"epoch": number, "value": value, "curve": curve.name}
        for curve in curves
        for number, value in enumerate(curve.values, start=1)
        if value is not None
    ]
    order = [curve.name for curve in curves]
    line = {
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 18, "filled": True}, "clip": True},
        "encoding": {
            "x": {
                "field": "epoch",
                "type": "quantitative",
                "scale": {"domain": [1 - edge, epochs + edge], "nice": False},
                "axis": {"title": None, "values": list(range(step, epochs + 1, step)), "format": "d", "grid": False},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": {"domain": [0, top * 1.03], "nice": False},
                "axis": {"title": None} | ticks,
            },
            "color": {
                "field": "curve",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": order, "range": [curve.colour for curve in curves]},
            },
            "strokeDash": {
                "field": "curve",
                "type": "nominal",
                "legend": None,
                "scale": {"domain": order, "range": [list(curve.dash) for curve in curves]},
            },
            "tooltip": [
                {"field": "curve", "type": "nominal", "title": "curve"},
                {"field": "epoch", "type": "quantitative"},
                {"field": "value", "type": "quantitative", "format": ".3f"},
            ],
        },
        "height": height,
    }
    frame = pd.DataFrame(rows, columns=["epoch", "value", "curve"])
    place.vega_lite_chart(frame, line, alt=f"{title} over the epochs: {', '.join(order)}")


def _css_dash(curve: Curve) -> str:
    return {1: "solid", 6: "dashed", 2: "dotted"}[curve.dash[0]]


def runs_to_look_at() -> list[DoneRun]:
    """Return the finished runs of this machine, newest first, and the shipped examples after them."""
    return [*finished_runs(cached.jobs().root), *finished_runs(EXAMPLES), *finished_runs(GALLERY)]


def run_titles(runs: Iterable[Run]) -> dict[str, str]:
    """Return what runs are called in a list, by their names."""
    listed = {run.name: run for run in runs}
    details = {name: f"{run.spec.architecture}, {run.spec.epochs} epochs · {name[:6]}" for name, run in listed.items()}
    return told_apart({name: run_title(run) for name, run in listed.items()}, details)


def told_apart(titles: Mapping[str, str], details: Mapping[str, str]) -> dict[str, str]:
    """Return titles with details behind those that several share: a list goes by what it shows."""
    often = Counter(titles.values())
    return {name: title if often[title] == 1 else f"{title} · {details[name]}" for name, title in titles.items()}


def run_title(run: Run) -> str:
    """Return what a run is called in lists: the name that people gave it, or what it is."""
    spec, name = run.spec, read_label(run).name
    seed = "" if spec.seed is None else f", seed {spec.seed}"
    return name or what_it_is(spec, run.result, run.name) + seed
