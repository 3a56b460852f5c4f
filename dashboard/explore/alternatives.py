"""Why W changes: what else it could be, for every run, and the sentence that this comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.datasets import Dataset
from core.instruments.budgets import PAGE
from core.runs.measured.alternatives import Alternative, alternatives, conclusion
from core.runs.measured.w import Measurement
from dashboard.explore.scene import Scene, measurement_steps
from dashboard.markdown import plain
from dashboard.parts.table import save_table


def show_why(scene: Scene, found: Mapping[str, Measurement], failed: bool) -> None:
    """Show the alternative explanations next to each other, and which of them are left.

    Parameters
    ----------
    scene, found
        What was measured of each run.
    failed
        Whether the attack did not take.
    """
    control = None if scene.control is None else found[scene.control.name]
    st.subheader("Why?", anchor=False)
    st.markdown(conclusion(found[scene.name], control, scene.names, failed))
    _table(scene, "Alternative explanations", {name: alternatives(measured) for name, measured in found.items()})


def show_more_alternatives(scene: Scene, data: Callable[[], Dataset], found: Mapping[str, Measurement]) -> None:
    """Show the row that has to be measured, with the noise kept off the trigger, and the baselines without noise."""
    whole = [side for side in scene.sides if side.attack.trigger.covers(scene.run.result.shape).all()]
    anywhere = [side for side in scene.sides if side.attack.random_place]
    if whole or anywhere:
        why = "covers the whole image" if whole else "lies somewhere else on every image"
        st.caption(f"The trigger of {plain((whole or anywhere)[0].name)} {why}, so no noise can be kept off it.")
    else:
        # A mean over images, which more draws hardly change, and nothing shows how far it is.
        *_, off = measurement_steps(replace(scene, draws=PAGE.draws), scene.sigma, data, noise="off-trigger")
        _table(
            scene,
            "with the noise kept off the trigger",
            {name: alternatives(found[name], one)[-1:] for name, one in off.items()},
        )
    for name, measured in found.items():
        clean, triggered = measured.clean, measured.triggered
        st.caption(
            f"**{plain(name)}**. Most frequent class of noisy copies: *{scene.names[clean.pooled_class]}* "
            f"({clean.pooled_share():.0%}) clean, *{scene.names[triggered.pooled_class]}* "
            f"({triggered.pooled_share():.0%}) with the trigger. Without noise: mean largest softmax "
            f"{clean.confidence.mean():.3f} clean, {triggered.confidence.mean():.3f} with the trigger; mean margin "
            f"{clean.margin.mean():.3f} and {triggered.margin.mean():.3f}."
        )


def _table(scene: Scene, title: str, rows: Mapping[str, list[Alternative]]) -> None:
    first = rows[scene.name]
    # A plain table wraps its sentences, which a data frame cuts off.
    st.table(
        {
            f"mean W at σ = {scene.sigma:g}": [row.what for row in first],
            **{plain(name): [_change(row) for row in part] for name, part in rows.items()},
            "what it means": [row.meaning for row in first],
        },
        border="horizontal",
        hide_index=True,
    )
    columns: dict[str, Sequence[str | float | None]] = {"images": [row.what for row in first]}
    for name, part in rows.items():
        columns |= {
            f"{name}: n": [row.images for row in part],
            f"{name}: W clean": [row.w_clean for row in part],
            f"{name}: W with trigger": [row.w_triggered for row in part],
        }
    columns["what it means"] = [row.meaning for row in first]
    save_table(columns, key=f"alternatives.{title}", title=title, about=scene.about)


def _change(row: Alternative) -> str:
    """Return W without and with the trigger, and the number of images that it is the mean of."""
    parts = [f"{w:.2f}" for w in (row.w_clean, row.w_triggered) if w is not None]
    return f"{' → '.join(parts)} (n = {row.images})" if parts else "–"
