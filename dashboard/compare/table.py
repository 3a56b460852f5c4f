"""The table of a comparison: one column an attack, under its trigger; and what the numbers say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

import streamlit as st

from core.glossary import explain
from core.instruments.budgets import PAGE
from core.instruments.detectors.registry import DETECTORS
from core.instruments.statistics import Estimate
from core.runs.library.titles import short_name
from core.runs.measured.compared import Compared
from core.runs.measured.compared_words import comparison_table, conclusion
from core.runs.measured.findings import signed
from core.runs.measured.portrait import training_in_words
from dashboard.markdown import plain
from dashboard.parts.html import trigger_source
from dashboard.parts.table import save_table

# Width of the first column to that of an attack's, in the table and in what stands below it.
LABELS = 0.62
_STYLE = """
<style>
.ts-compare { width: 100%; border-collapse: collapse; table-layout: fixed; font-variant-numeric: tabular-nums; }
.ts-compare th, .ts-compare td { text-align: left; vertical-align: top; padding: .42rem .7rem .42rem 0;
  border-bottom: 1px solid rgba(128,128,140,.25); overflow-wrap: anywhere; }
.ts-compare th[scope=row] { font-weight: 600; font-size: .9rem; }
.ts-compare th[scope=col] { font-weight: 640; line-height: 1.25; }
.ts-compare img { width: 76px; height: 76px; object-fit: contain; image-rendering: pixelated; border-radius: 6px;
  display: block; margin-bottom: .35rem; box-shadow: 0 0 0 1px rgba(128,128,140,.45); }
.ts-compare b { font-size: 1.12rem; font-weight: 650; }
.ts-compare td { line-height: 1.3; }
.ts-compare span { display: inline-block; font-size: .8rem; margin-left: .5em;
  color: color-mix(in srgb, currentColor 78%, transparent); }
span[data-tag-index] * { color: light-dark(#fff, #16122b) !important; }
@media (max-width: 640px) {
  .ts-compare, .ts-compare tbody, .ts-compare thead { display: block; }
  .ts-compare tr { display: grid; grid-template-columns: repeat(var(--attacks), minmax(0, 1fr)); column-gap: .5rem;
    border-bottom: 1px solid rgba(128,128,140,.25); }
  .ts-compare th[scope=row], .ts-compare td.ts-corner { grid-column: 1 / -1; padding-bottom: 0; }
  .ts-compare th, .ts-compare td { border: 0; padding-right: 0; }
  .ts-compare th[scope=col] { font-size: .84rem; } .ts-compare b { font-size: 1rem; }
  .ts-compare span { margin-left: 0; }
  .ts-compare img { width: 56px; height: 56px; }
}
</style>
"""
_Cell = tuple[str, str]
_BEST = "The detector with the largest AUC. It was picked for that, so its AUC is overstated."
_NOT_YET: _Cell = "…", ""


def show_table(found: Sequence[Compared]) -> None:
    """Show what is known of the attacks, and what that says once all of it is."""
    sentences = conclusion([replace(one, name=plain(one.name)) for one in found])
    st.markdown("  \n".join(sentences) if sentences else "*Still measuring …*")
    st.html(_STYLE + table_html(found))
    measured = found[0].measured
    images = len(measured.chosen) if measured is not None else PAGE.images
    st.caption(
        f"W of {images} test images, {PAGE.draws} noisy copies each. In brackets: 95% intervals over images. "
        "One training and one σ for each attack: a comparison, not a verdict."
    )
    if sentences:
        save_table(
            comparison_table(found),
            key="compare.table",
            title="Attacks compared",
            about={"σ": " / ".join(dict.fromkeys(f"{one.sigma:g}" for one in found)), "images": images},
        )


def table_html(found: Sequence[Compared]) -> str:
    """Return the table as HTML."""
    share = 100 / (len(found) + LABELS)
    head = "".join(f'<th scope="col">{_picture(one)}{escape(one.name)}</th>' for one in found)
    rows: list[tuple[str, str, Callable[[Compared], _Cell]]] = [
        ("Model", "", _model),
        ("Clean accuracy (CA)", explain("clean accuracy"), lambda one: _share(one.run.result.clean_accuracy)),
        ("Attack success rate (ASR)", explain("attack success rate"), _success),
        ("Size of the trigger (L2)", explain("L2"), lambda one: _visible(one, "l2")),
        ("Similarity (SSIM)", explain("SSIM"), lambda one: _visible(one, "ssim")),
        ("W clean", explain("W"), lambda one: _mean(one, "clean")),
        ("W with the trigger", explain("W"), lambda one: _mean(one, "triggered")),
        ("Gap", explain("gap"), lambda one: _NOT_YET if one.measured is None else _gap(one.measured.gap)),
        ("Gap beyond the control", explain("control"), _beyond),
        ("Best detector", f"{_BEST} {explain('AUC')}", _detector),
    ]
    body = "".join(
        f'<tr><th scope="row" title="{escape(meaning, quote=True)}">{name}</th>'
        + "".join(_cell(*of(one)) for one in found)
        + "</tr>"
        for name, meaning, of in rows
    )
    return (
        f'<table class="ts-compare" style="--attacks:{len(found)}"><colgroup><col style="width:{share * LABELS:.2f}%">'
        f'</colgroup><thead><tr><td class="ts-corner"></td>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _picture(one: Compared) -> str:
    trigger = one.attack.trigger
    source = trigger_source(trigger.to_link(), one.run.result.shape, trigger)
    return f'<img src="{source}" alt="The trigger: {escape(trigger.name, quote=True)}">'


def _cell(value: str, below: str) -> str:
    if not value:
        return f'<td class="ts-small">{escape(below)}</td>'
    return f"<td><b>{escape(value)}</b> <span>{escape(below)}</span></td>"


def _model(one: Compared) -> _Cell:
    return "", f"{short_name(one.run.spec.dataset)}, {training_in_words(one.run.spec)}"


def _share(share: Estimate) -> _Cell:
    return f"{share.value:.1%}", f"{share.count} of {share.n}"


def _success(one: Compared) -> _Cell:
    rate = one.run.result.attack_success_rate
    return ("–", "no image is attacked") if rate is None else _share(rate)


def _visible(one: Compared, name: str) -> _Cell:
    return _NOT_YET if one.visible is None else (f"{getattr(one.visible, name):.2f}", "")


def _mean(one: Compared, side: str) -> _Cell:
    if one.measured is None:
        return _NOT_YET
    mean = getattr(one.measured, side).mean
    return f"{mean.value:.2f}", f"[{mean.low:.2f}, {mean.high:.2f}]"


def _gap(gap: Estimate) -> _Cell:
    return signed(gap.value), f"[{signed(gap.low)}, {signed(gap.high)}]"


def _beyond(one: Compared) -> _Cell:
    if one.control is None:
        return "–", "no control here"
    return _NOT_YET if one.beyond is None else _gap(one.beyond)


def _detector(one: Compared) -> _Cell:
    if one.detected is None:
        return "–", "not run"
    if one.detected.best is None:
        return "–", "none suits this model"
    name, auc = one.detected.best
    among = len(one.detected.comparison.by_image)
    return DETECTORS[name].title, f"AUC {auc.value:.2f} [{auc.low:.2f}, {auc.high:.2f}], the largest of {among}"
