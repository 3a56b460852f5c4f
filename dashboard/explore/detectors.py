"""W and other detectors on one run: ROC curves, what a threshold attains, and when each fails.

A page calls `show_detectors(run, data)` inside a section of its own; nothing is computed before the button is pressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from core.attacks.attack import Attack
from core.datasets import Dataset
from core.errors import InputError
from core.figures.layout import INTERVAL_NAMES
from core.figures.roc import roc_curves
from core.glossary import explain
from core.instruments.detectors import DETECTORS
from core.instruments.detectors.comparison import Comparison, ComparisonSpec
from core.instruments.detectors.detector import ClassScores, Detector
from core.instruments.detectors.roc import Roc, Scored
from core.instruments.statistics import Estimate
from core.runs.measured.comparisons import detectors_in_words
from core.runs.measured.detectors import comparison_name
from core.runs.measured.w import sweep_sigmas
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.markdown import plain, show_error
from dashboard.parts.chart import chart
from dashboard.parts.table import save_table
from dashboard.progressive import asked_for, show_progressive
from dashboard.settings_form import settings_form

PANEL = "detectors"
_RATES = (0.01, 0.05, 0.1)


def show_detectors(run: DoneRun, data: Dataset, attack: Attack | None = None) -> None:
    """Run detectors on a run when asked to, and show how well each separates triggered from clean images.

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
        "All detectors get the same test images, none of them both with and without the trigger. Images with the "
        "trigger are compared with clean images of other classes and, separately, of the target class, which are the "
        "easiest to confuse with them."
    )
    columns = st.columns([1.2, 1.2, 2], vertical_alignment="bottom")
    sigmas = sweep_sigmas(data.shape)
    sigma = columns[0].select_slider("Noise σ of W", sigmas, sigmas[2], key="detectors.sigma", help=explain("sigma"))
    asked = columns[1].selectbox(
        "Allowed false-positive rate", _RATES, 1, format_func="{:.0%}".format, key="detectors.asked",
        help="Each detector's threshold is set on up to 100 held-out clean images, so that at most this share of them "
        "is flagged. The table shows the rate on other images.",
    )  # fmt: skip
    try:
        spec = ComparisonSpec(attack, sigma, asked=asked, detectors=_configure())
    except InputError as error:
        show_error(error)
        return
    name = comparison_name(spec)
    with columns[2]:
        asked_now = asked_for(
            PANEL, f"{run.name}.{name}", "Run the detectors", "A few seconds on digits, longer on larger images."
        )
    if not asked_now:
        return
    show_progressive(
        PANEL,
        cached.comparison(run.path, name, spec),
        lambda comparison: (comparison.share, comparison.doing),
        lambda comparison: _show(comparison, spec, data.classes, run.name),
    )


def _configure() -> dict[str, Detector]:
    """Show the settings of those detectors that have some, and return all of them as they are set."""
    configured: dict[str, Detector] = {}
    with st.popover("Settings of the detectors", type="tertiary"):
        for name, kind in DETECTORS.items():
            if kind.model_fields:
                st.caption(kind.title)
            configured[name] = settings_form(kind, f"detectors.{name}")
    return configured


def _show(comparison: Comparison, spec: ComparisonSpec, classes: Sequence[str], run: str) -> None:
    about = {
        "run": run,
        "sigma": spec.sigma,
        "draws": spec.draws,
        "seed": spec.seed,
        "allowed false-positive rate": spec.asked,
    }
    if comparison.by_image:
        if comparison.share == 1:
            st.markdown(detectors_in_words({DETECTORS[name].title: row for name, row in comparison.by_image.items()}))
        _show_curves(comparison.by_image, spec, classes, about)
        _show_table(comparison.by_image, about)
        _show_words(comparison.by_image)
    for name, scores in comparison.by_class.items():
        _show_class_scores(name, scores, classes)
    for name, reason in comparison.left_out.items():
        st.caption(f"*{DETECTORS[name].title}* is left out: {plain(reason)}")


def _show_curves(
    by_image: Mapping[str, Scored], spec: ComparisonSpec, classes: Sequence[str], about: Mapping[str, object]
) -> None:
    target = "" if spec.attack.target is None else f", *{plain(classes[spec.attack.target])}*"
    groups = (
        (
            "other",
            "Against clean images of **other classes**",
            {name: scored.against_other for name, scored in by_image.items()},
        ),
        (
            "target",
            f"Against clean images of the **target class**{target}",
            {name: scored.against_target for name, scored in by_image.items() if scored.against_target is not None},
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
            heading = title.replace("*", "")
            areas = ", ".join(f"{name} {roc.auc.value:.2f}" for name, roc in named.items())
            chart(
                figure,
                f"{heading}: area under the ROC curve {areas}",
                key=f"roc.{key}",
                title=f"ROC curves. {heading}",
                about=about,
            )


def _show_table(by_image: Mapping[str, Scored], about: Mapping[str, object]) -> None:
    rows = by_image.values()
    st.dataframe(
        {
            "detector": [DETECTORS[name].title for name in by_image],
            "looks at": [DETECTORS[name].looks_at for name in by_image],
            "AUC, other classes": [_auc(row.against_other) for row in rows],
            "AUC, target class": [_auc(row.against_target) for row in rows],
            "flagged: other": [_percent(row.flagged.false_positive_other) for row in rows],
            "flagged: target": [_percent(row.flagged.false_positive_target) for row in rows],
            "flagged: triggered": [_percent(row.flagged.detected) for row in rows],
        },
        hide_index=True,
        column_config={
            "AUC, other classes": st.column_config.TextColumn(help=explain("AUC")),
            "flagged: other": st.column_config.TextColumn(help=explain("false-positive rate")),
        },
    )
    columns: dict[str, list[str | float | None]] = {"detector": [DETECTORS[name].title for name in by_image]}
    columns |= _auc_columns("AUC, other classes", [row.against_other for row in rows])
    columns |= _auc_columns("AUC, target class", [row.against_target for row in rows])
    columns |= {
        "share flagged, other classes": [_value(row.flagged.false_positive_other) for row in rows],
        "share flagged, target class": [_value(row.flagged.false_positive_target) for row in rows],
        "share flagged, triggered": [_value(row.flagged.detected) for row in rows],
    }
    save_table(columns, key="detectors.table", title="W next to other detectors", about=about)


def _auc_columns(name: str, curves: Sequence[Roc | None]) -> dict[str, list[str | float | None]]:
    """Return areas under ROC curves with the ends of their intervals, as columns of a table."""
    areas = [None if curve is None else curve.auc for curve in curves]
    return {
        name: [area and area.value for area in areas],
        f"{name}, {INTERVAL_NAMES[0]}": [area and area.low for area in areas],
        f"{name}, {INTERVAL_NAMES[1]}": [area and area.high for area in areas],
    }


def _value(share: Estimate | None) -> float | None:
    return None if share is None else share.value


def _show_words(by_image: Mapping[str, Scored]) -> None:
    """Show what each detector takes for suspicious, when it fails, and who says so."""
    items = []
    for name, scored in by_image.items():
        detector = DETECTORS[name]
        note = f" ({escape(scored.note)})" if scored.note else ""
        items.append(
            f"<li><b>{escape(detector.title)}</b>{note}: {escape(detector.sentence)} "
            f"<i>Fails with:</i> {escape(detector.fails)} <i>Source:</i> {escape(detector.source)}</li>"
        )
    st.html(f'<ul class="ts-small" style="margin:0;padding-left:1.2em">{"".join(items)}</ul>')


def _auc(roc: Roc | None) -> str:
    return "–" if roc is None else f"{roc.auc.value:.2f} [{roc.auc.low:.2f}, {roc.auc.high:.2f}]"


def _percent(share: Estimate | None) -> str:
    return "–" if share is None else f"{share.value:.0%} of {share.n}"


def _show_class_scores(name: str, scores: ClassScores, classes: Sequence[str]) -> None:
    detector = DETECTORS[name]
    named = ", ".join(f"“{plain(classes[label])}” ({scores.scores[label]:.1f})" for label in scores.suspicious)
    what = f"suspects class {named}" if named else "suspects no class"
    st.markdown(
        f"**{detector.title}** {what}. {plain(scores.note)}",
        help=f"{detector.sentence} Fails with: {detector.fails} {detector.source}",
    )
