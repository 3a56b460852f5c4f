"""Other patterns on one run: searched, shown, measured beside a random one, and opened elsewhere.

A page calls `show_patterns(run, data)` inside a section of its own; nothing is computed before the button is pressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from core.attacks.patterns import PATTERNS, PatternSpec
from core.attacks.triggers import AnyTrigger
from core.datasets import Dataset
from core.figures.layout import INTERVAL_NAMES
from core.figures.pictures import picture_row
from core.glossary import explain
from core.instruments.pattern_effect import Effect
from core.runs.measured.findings import direction
from core.runs.measured.patterns import EffectSpec, PatternFinding
from core.runs.measured.w import sweep_sigmas
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.markdown import plain
from dashboard.parts.html import picture
from dashboard.parts.table import save_table
from dashboard.progressive import asked_for, show_progressive
from dashboard.settings_form import settings_form
from dashboard.state import ExploreState, LabState, to_query

PANEL = "patterns"


def show_patterns(run: DoneRun, data: Dataset, trigger: AnyTrigger | None = None) -> None:
    """Let people search a pattern on a run's model, and show what it does to W.

    Parameters
    ----------
    run
        A done run, a control as well.
    data
        Its data set; only its classes and shape are read.
    trigger
        For the kinds that are about one; by default the run's own.
    """
    trigger = trigger or run.trigger
    st.caption(
        "Other patterns, too, can fool a model or make it smooth. They are made from training images and measured on "
        "test images, next to a random pattern of equal norm."
    )
    spec = _choose(run, data, trigger)
    if not asked_for(PANEL, f"{run.name}.{spec.hash}", "Search and measure", PATTERNS[spec.pattern.kind].sentence):
        return
    results = cached.pattern(run.path, spec.hash, spec)
    show_progressive(PANEL, results, _progress, lambda finding: _show(run, spec, finding, data.classes))


def _choose(run: DoneRun, data: Dataset, trigger: AnyTrigger | None) -> EffectSpec:
    kinds = [name for name, kind in PATTERNS.items() if "trigger" not in kind.needs or trigger is not None]
    name = st.selectbox(
        "Pattern", kinds, format_func=lambda kind: PATTERNS[kind].title, key="patterns.kind",
        help="  \n".join(f"**{PATTERNS[kind].title}**: {PATTERNS[kind].sentence}" for kind in kinds),
    )  # fmt: skip
    kind = PATTERNS[name]
    required = [field for field, setting in kind.model_fields.items() if setting.is_required()]
    own = None if run.spec.attack is None else run.spec.attack.target
    start = {"target": own or 0} if "target" in required else {}
    pattern = settings_form(kind, f"patterns.{name}", start, classes=data.classes)
    left, right = st.columns(2, vertical_alignment="bottom")
    sigmas = sweep_sigmas(data.shape)
    sigma = left.select_slider("Noise σ", sigmas, sigmas[2], key="patterns.sigma", help=explain("sigma"))
    seed = right.number_input("Seed", 0, 9999, 0, key="patterns.seed")
    return EffectSpec(PatternSpec(name, pattern.model_dump(), sigma, trigger, seed), sigma)


def _progress(found: PatternFinding) -> tuple[float, str]:
    return found.share, "Measuring W" if found.share >= 0.9 else f"Searching, loss {found.loss:.3f}"


def _show(run: DoneRun, spec: EffectSpec, found: PatternFinding, classes: Sequence[str]) -> None:
    left, right = st.columns([1, 1.3], gap="medium")
    with left:
        title = PATTERNS[spec.pattern.kind].title
        for number, what in enumerate(("as they are", f"with “{title}”")):
            st.caption(f"Test images {what}")
            picture(left, picture_row(found.examples[:, number], 72), f"test images {what}")
        if found.trigger is not None:
            _show_links(run, spec, found.trigger)
    with right:
        if found.effects:
            st.markdown(_sentence(found.effects[0], found.effects[1], classes))
            _show_effects(run, spec, found.effects, classes)


def _sentence(effect: Effect, random: Effect, classes: Sequence[str]) -> str:
    """Return what the numbers say, and no more: what a random pattern does as well is not this one's doing."""
    change = direction(effect.gap)
    if change == "smoother" and effect.gap.value <= random.gap.value:
        says = "is smoother with it, but **no smoother than with a random pattern**"
    elif change == "undecided":
        says = "shows **no clear difference**"
    else:
        says = f"is **{change}** with it"
    return (
        f"At σ = {effect.sigma:g} this model {says}: W {effect.w_clean.value:.2f} → {effect.w_with.value:.2f} over "
        f"{effect.images} test images; {random.w_with.value:.2f} with a random pattern. With it, "
        f"*{plain(classes[effect.modal_class])}* gets {effect.modal_share:.0%} of all noisy predictions; without it, "
        f"{effect.modal_share_clean:.0%}."
    )


def _show_effects(run: DoneRun, spec: EffectSpec, effects: Sequence[Effect], classes: Sequence[str]) -> None:
    st.dataframe(
        {
            "pattern": [effect.name for effect in effects],
            "W with it": [effect.w_with.value for effect in effects],
            "gap": [f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]" for gap in (e.gap for e in effects)],
            "lower for": [f"{effect.p_lower.value:.0%}" for effect in effects],
            "most noisy predictions": [f"{classes[e.modal_class]} {e.modal_share:.0%}" for e in effects],
            "class changes": [f"{effect.changed.value:.0%}" for effect in effects],
            "L2": [effect.l2 for effect in effects],
            "Linf": [effect.linf for effect in effects],
        },
        hide_index=True,
        column_config={
            "gap": st.column_config.TextColumn(help=explain("gap")),
            "lower for": st.column_config.TextColumn(help=explain("effect size")),
            **{column: st.column_config.NumberColumn(format="%.3f") for column in ("W with it", "L2", "Linf")},
        },
    )
    columns = {
        "pattern": [effect.name for effect in effects],
        "W without it": [effect.w_clean.value for effect in effects],
        "W with it": [effect.w_with.value for effect in effects],
        "gap": [effect.gap.value for effect in effects],
        f"gap, {INTERVAL_NAMES[0]}": [effect.gap.low for effect in effects],
        f"gap, {INTERVAL_NAMES[1]}": [effect.gap.high for effect in effects],
        "share of images with a lower W": [effect.p_lower.value for effect in effects],
        "most frequent noisy prediction": [classes[effect.modal_class] for effect in effects],
        "its share": [effect.modal_share for effect in effects],
        "share of predictions changed": [effect.changed.value for effect in effects],
        "L2": [effect.l2 for effect in effects],
        "Linf": [effect.linf for effect in effects],
    }
    about = {"run": run.name, "sigma": effects[0].sigma, "draws": spec.draws, "seed": spec.seed}
    save_table(columns, key="patterns.table", title="Patterns that make the model smooth", about=about)


def _show_links(run: DoneRun, spec: EffectSpec, trigger: AnyTrigger) -> None:
    """Offer the pattern where triggers are looked at and edited, in a new tab; a run is looked at with its own."""
    link = trigger.to_link()
    lab = LabState(dataset=run.spec.dataset, trigger=link)
    with st.container(horizontal=True):
        if run.spec.attack is None:
            explore = ExploreState(run=run.name, trigger=link, target=spec.pattern.target or 0)
            st.link_button("Open in Explore", f"explore?{urlencode(to_query(explore))}", type="tertiary")
        st.link_button("Open in the Lab", f"lab?{urlencode(to_query(lab))}", type="tertiary")
