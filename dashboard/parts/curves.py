"""The curves of a training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.figures.palette import CLEAN, OTHER, TRIGGERED
from core.runs.run import Run
from core.training.events import Epoch
from core.training.spec import RunSpec
from dashboard.components.save_menu import save_menu
from dashboard.parts.chart import file_name

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator


@dataclass(frozen=True)
class Curve:
    """One line of a training chart: its name, colour and dash, and a value an epoch."""

    name: str
    colour: str
    dash: tuple[int, int]
    values: Sequence[float | None]


def show_curves(run: Run, spec: RunSpec, epochs: Sequence[Epoch], control: Sequence[Epoch]) -> None:
    """Show accuracy and W over the epochs, the control's beside them."""
    accuracy = [Curve("clean accuracy", CLEAN, (1, 0), [epoch.clean_accuracy.value for epoch in epochs])]
    smoothness = [Curve("W clean", CLEAN, (1, 0), [epoch.watch.clean for epoch in epochs])]
    if not spec.is_control:
        rates = [epoch.attack_success_rate for epoch in epochs]
        accuracy.append(Curve("attack success", TRIGGERED, (6, 3), [rate.value if rate else None for rate in rates]))
        smoothness.append(Curve("W with trigger", TRIGGERED, (6, 3), [epoch.watch.triggered for epoch in epochs]))
        accuracy.append(Curve("control", OTHER, (2, 2), [epoch.clean_accuracy.value for epoch in control]))
        smoothness.append(Curve("control, clean", OTHER, (2, 2), [epoch.watch.clean for epoch in control]))
    about = {"run": run.name, "training seed": spec.seed}
    left, right = st.columns(2)
    _chart(left, "accuracy", "Share of test images, by epoch", accuracy, spec.epochs, about)
    watch = epochs[-1].watch if epochs else None
    title = f"Mean W at σ = {watch.sigma:g} ({watch.images} images, {watch.draws} draws)" if watch else "Mean W"
    _chart(right, "smoothness", title, smoothness, spec.epochs, about)


def show_loss(run: Run, spec: RunSpec, epochs: Sequence[Epoch], control: Sequence[Epoch]) -> None:
    """Show the training's loss over the epochs, the control's beside it."""
    curves = [Curve("loss", CLEAN, (1, 0), [epoch.loss for epoch in epochs])]
    if not spec.is_control:
        curves.append(Curve("control", OTHER, (2, 2), [epoch.loss for epoch in control]))
    # It is largest at the start, so the axis stands still from then on.
    top = max([1e-3, *(value for curve in curves for value in curve.values if value is not None)])
    about = {"run": run.name, "training seed": spec.seed}
    _chart(st.container(), "loss", "Training loss, by epoch", curves, spec.epochs, about, top, height=120)


def _chart(
    place: DeltaGenerator,
    key: str,
    title: str,
    curves: Sequence[Curve],
    epochs: int,
    about: Mapping[str, object],
    top: float = 1.0,
    height: int = 150,
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
    alt = f"{title} over the epochs: {', '.join(order)}"
    longest = max(len(curve.values) for curve in curves)
    columns = {"epoch": range(1, longest + 1)} | {
        curve.name: [*curve.values, *[None] * (longest - len(curve.values))] for curve in curves
    }
    with place.container(key=f"saved-curve-{key}"):
        st.html(f'<div class="ts-small ts-saved"><b>{title}</b><br>{names}</div>')
        st.vega_lite_chart(frame, line, alt=alt)
        save_menu(
            file_name(title, about),
            title if "by epoch" in title else f"{title}, by epoch",
            words=alt,
            about=about,
            columns=columns,
            curves=[(curve.name, curve.colour, curve.dash) for curve in curves],
            key=f"curve.{key}.save",
        )


def _css_dash(curve: Curve) -> str:
    return {1: "solid", 6: "dashed", 2: "dotted"}[curve.dash[0]]
