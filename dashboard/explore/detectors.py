"""W beside other detectors on one run: ROC curves, what a threshold attains, and when each fails.

A page calls `show_detectors(run, data)` inside a section of its own; nothing is computed before the button is pressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from core.attacks.attack import Attack
from core.datasets import Dataset
from core.figures.roc import roc_curves
from core.glossary import explain
from core.instruments.detectors import DETECTORS
from core.instruments.detectors.comparison import Comparison, ComparisonSpec, Inverted, Scored
from core.instruments.detectors.roc import Roc
from core.instruments.statistics import Proportion
from core.runs.measured.detectors import comparison_name
from core.runs.measured.w import sweep_sigmas
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.parts import figure_ink
from dashboard.progressive import asked_for, show_progressive

PANEL = "detectors"
_RATES = (0.01, 0.05, 0.1)


def show_detectors(run: DoneRun, data: Dataset, attack: Attack | None = None) -> None:
    """Let people set detectors on a run, and show how well each tells triggered from clean images.

    Parameters
    ----------
    run
        A done run.
    data
        Its data set; only its classes and shape are read.
    attack
        Whose trigger is to be detected; by default the run's own.
    """
    attack = attack or run.spec.attack
    if attack is None:
        st.info("This run has no trigger of its own, so there is nothing to detect: choose a trigger for it first.")
        return
    st.caption(
        "All detectors see the same test images, and none sees an image both with and without the trigger. Each is "
        "compared against clean images of other classes and, apart, against clean images of the target class: those "
        "are what a detector confuses most easily with the trigger."
    )
    columns = st.columns([1.2, 1.2, 2], vertical_alignment="bottom")
    sigmas = sweep_sigmas(data.shape)
    sigma = columns[0].select_slider("Noise σ of W", sigmas, sigmas[2], key="detectors.sigma", help=explain("sigma"))
    asked = columns[1].selectbox(
        "Clean images that may be flagged", _RATES, 1, format_func="{:.0%}".format, key="detectors.asked",
        help="Each detector's threshold is set on up to 100 clean images that are kept for this, so that at most so "
        "many of them are flagged. The table shows what it attains on others.",
    )  # fmt: skip
    spec = ComparisonSpec(attack, sigma, asked=asked)
    name = comparison_name(spec)
    with columns[2]:
        asked_now = asked_for(
            PANEL, f"{run.name}.{name}", "Let the detectors look", "Some seconds on digits, longer on larger images."
        )
    if not asked_now:
        return
    show_progressive(
        PANEL,
        cached.comparison(run.path, name, spec),
        lambda comparison: (comparison.share, comparison.doing),
        lambda comparison: _show(comparison, spec, data.classes),
    )


def _show(found: Comparison, spec: ComparisonSpec, classes: Sequence[str]) -> None:
    if found.scored:
        _show_curves(found.scored, spec, classes)
        _show_table(found.scored)
        _show_words(found.scored)
    if found.inverted is not None:
        _show_inverted(found.inverted, classes)
    for name, reason in found.left_out:
        st.caption(f"*{DETECTORS[name].title}* is left out: {reason}")


def _show_curves(scored: Sequence[Scored], spec: ComparisonSpec, classes: Sequence[str]) -> None:
    target = "" if spec.attack.target is None else f", *{classes[spec.attack.target]}*"
    groups = (
        ("other", "Against clean images of **other classes**", {one.detector: one.against_other for one in scored}),
        (
            "target",
            f"Against clean images of the **target class**{target}",
            {one.detector: one.against_target for one in scored if one.against_target is not None},
        ),
    )
    for place, (key, title, curves) in zip(st.columns(2, gap="medium"), groups, strict=True):
        with place:
            if not curves:
                st.caption("This attack has no single target class, so there is no second comparison.")
                continue
            st.caption(title)
            named = {DETECTORS[name].title: roc for name, roc in curves.items()}
            figure = roc_curves(named, spec.asked)
            figure.update_layout(font_color=figure_ink())
            st.plotly_chart(
                figure,
                theme=None,
                key=f"roc.{key}",
                config={"displayModeBar": False},
                alt=f"{title.replace('*', '')}: area under the ROC curve "
                + ", ".join(f"{name} {roc.auc.mean:.2f}" for name, roc in named.items()),
            )


def _show_table(scored: Sequence[Scored]) -> None:
    st.dataframe(
        {
            "detector": [DETECTORS[one.detector].title for one in scored],
            "looks at": [DETECTORS[one.detector].looks_at for one in scored],
            "AUC, other classes": [_auc(one.against_other) for one in scored],
            "AUC, target class": [_auc(one.against_target) for one in scored],
            "flagged: other": [_percent(one.flagged.false_positive_other) for one in scored],
            "flagged: target": [_percent(one.flagged.false_positive_target) for one in scored],
            "flagged: triggered": [_percent(one.flagged.detected) for one in scored],
        },
        hide_index=True,
        column_config={
            "AUC, other classes": st.column_config.TextColumn(help=explain("AUC")),
            "flagged: other": st.column_config.TextColumn(help=explain("false-positive rate")),
        },
    )


def _show_words(scored: Sequence[Scored]) -> None:
    """Show what each detector takes for suspicious, when it fails, and who says so."""
    rows = []
    for one in scored:
        words = DETECTORS[one.detector]
        note = f" ({escape(one.note)})" if one.note else ""
        rows.append(
            f"<li><b>{escape(words.title)}</b>{note}: {escape(words.sentence)} "
            f"<i>Fails with:</i> {escape(words.fails)} <i>Source:</i> {escape(words.source)}</li>"
        )
    st.html(f'<ul class="ts-small" style="margin:0;padding-left:1.2em">{"".join(rows)}</ul>')


def _auc(roc: Roc | None) -> str:
    return "–" if roc is None else f"{roc.auc.mean:.2f} [{roc.auc.low:.2f}, {roc.auc.high:.2f}]"


def _percent(share: Proportion) -> str:
    return "–" if share.value is None else f"{share.value:.0%} of {share.n}"


def _show_inverted(inverted: Inverted, classes: Sequence[str]) -> None:
    words = DETECTORS["neural-cleanse"]
    named = ", ".join(f"*{classes[label]}* ({inverted.scores[label]:.1f})" for label in inverted.suspicious)
    smallest = int(inverted.norms.argmin())
    st.markdown(
        f"**{words.title}** "
        + (f"finds {named} suspicious" if named else "finds no class suspicious")
        + " (an anomaly index above 2). The smallest trigger found takes "
        f"{inverted.norms[smallest]:.1f} pixels, towards *{classes[smallest]}*; the largest "
        f"{inverted.norms.max():.1f}.",
        help=f"{words.sentence} Fails with: {words.fails} {words.source}",
    )
