"""What a fall of W has to be held against, for both runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.datasets import Dataset
from core.instruments.budgets import PAGE
from core.runs.measured.findings import alternatives
from core.runs.measured.w import Measurement
from dashboard.explore.scene import Scene, measurement_steps
from dashboard.markdown import plain
from dashboard.parts.table import save_table
from dashboard.parts.titles import run_title


def show_alternatives(scene: Scene, data: Callable[[], Dataset], found: dict[str, Measurement]) -> None:
    """Show the table of alternatives of each run, its modal classes and its baselines without noise."""
    st.caption(
        f"Mean W at σ = {scene.sigma:g} in parts. A drop in W points to the backdoor only if neither the "
        "target class's own images nor the control show it."
    )
    off: dict[str, Measurement] = {}
    if not scene.trigger.covers(scene.run.result.shape).all():
        # A mean over images, which more draws hardly change, and nothing shows how far it is.
        *_, off = measurement_steps(replace(scene, draws=PAGE.draws), scene.sigma, data, noise="off-trigger")
    for place, (name, measured) in zip(st.columns(2, gap="medium"), found.items(), strict=False):
        with place:
            st.markdown(f"**{name}**: {plain(run_title(scene.runs[name]))}")
            _show_parts(scene, name, measured, off.get(name))


def _show_parts(scene: Scene, name: str, measured: Measurement, off: Measurement | None) -> None:
    rows = alternatives(measured, off, scene.classes)
    # A plain table wraps its sentences, which a data frame cuts off.
    st.table(
        {
            "images": [row.what for row in rows],
            "n": [row.images for row in rows],
            "W clean": [_number(row.w_clean) for row in rows],
            "W with trigger": [_number(row.w_triggered) for row in rows],
            "what it means": [row.meaning for row in rows],
        },
        border="horizontal",
        hide_index=True,
    )
    columns = {
        "images": [row.what for row in rows],
        "n": [row.images for row in rows],
        "W clean": [row.w_clean for row in rows],
        "W with trigger": [row.w_triggered for row in rows],
        "what it means": [row.meaning for row in rows],
    }
    about = scene.about | {"run": scene.runs[name].name, "next to run": None}
    save_table(columns, key=f"alternatives.{name}", title="Alternative explanations", about=about)
    clean, triggered = measured.clean, measured.triggered
    names = scene.names
    st.caption(
        f"Most frequent class of noisy copies: *{names[clean.pooled_class]}* ({clean.pooled_share():.0%}) clean, "
        f"*{names[triggered.pooled_class]}* ({triggered.pooled_share():.0%}) with the trigger. "
        f"Without noise: mean largest softmax {clean.confidence.mean():.3f} clean, "
        f"{triggered.confidence.mean():.3f} with the trigger; mean margin {clean.margin.mean():.3f} and "
        f"{triggered.margin.mean():.3f}."
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
