"""Looking for a backdoor where no trigger is known: suspects by class, and the triggers found, opened elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

import streamlit as st

from core.figures.trigger_picture import trigger_picture
from core.runs.measured.audit import Audit, ClassSigns, audit_in_words, class_signs
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.markdown import plain
from dashboard.parts.table import save_table
from dashboard.progressive import asked_for, show_progressive
from dashboard.state import ExploreState, LabState, to_query

PANEL, FLOOR = "audit", "audit.control"
_OFFERED = 3


def show_audit(run: DoneRun) -> None:
    """Look for a backdoor in a run when asked to, and in its control, which shows what a clean model gives."""
    st.caption(
        "Three looks that need no trigger: which class noisy images fall into, the smallest trigger towards each class "
        "(Neural Cleanse), and how well a patch crafted for each class works."
    )
    if not asked_for(PANEL, run.name, "Look for a backdoor", "Half a minute on digits, minutes on larger images."):
        return
    control = run.control()
    clean = (
        None if control is None or control.name == run.name or control.result is None else cached.audit(control.path)
    )
    results = cached.audit(run.path)
    show_progressive(
        PANEL,
        results,
        lambda found: (found.share, found.doing),
        lambda found: _show(run, found, None if clean is None else clean.newest),
    )
    if clean is not None and results.done:
        show_progressive(
            FLOOR,
            clean,
            lambda found: (found.share, f"The same on the control: {found.doing}"),
            lambda found: None,
        )


def _show(run: DoneRun, found: Audit, clean: Audit | None) -> None:
    classes = run.result.classes
    signs = class_signs(found, len(classes))
    floor = clean if clean is not None and clean.share == 1 else None
    if found.share == 1:
        st.markdown(audit_in_words(found, floor, [plain(name) for name in classes]))
    theirs = {} if floor is None else {one.label: one for one in class_signs(floor, len(classes))}
    st.dataframe(
        {
            "class": [classes[one.label] for one in signs],
            "stands out": [f"{one.count} of 3" for one in signs],
            "anomaly index": [_index(one) for one in signs],
            "smallest trigger": [_pixels(one) for one in signs],
            "patch takes": [_patch(one) for one in signs],
            "noisy copies": [f"{one.noise:.0%}" for one in signs],
            **({"the control": [_floor(theirs[one.label]) for one in signs]} if theirs else {}),
        },
        hide_index=True,
        column_config={
            "anomaly index": st.column_config.TextColumn(
                help="How far the smallest trigger lies below the median of all classes, in robust standard "
                "deviations. Neural Cleanse suspects a class above 2."
            ),
            "patch takes": st.column_config.TextColumn(
                help="Of the test images of other classes, the share that a patch crafted for this class takes there. "
                "It stands out from 80% on, and 30 points above the median class."
            ),
            "noisy copies": st.column_config.TextColumn(
                help="The largest share of the noisy copies of all images that this class gets, over the noise levels "
                "at which it is the most frequent. It stands out above half."
            ),
            "the control": st.column_config.TextColumn(help="Anomaly index, patch and noisy copies in the control."),
        },
    )
    save_table(
        {
            "class": [classes[one.label] for one in signs],
            "stands out in": [one.count for one in signs],
            "anomaly index": [one.inverted.index if one.inverted else None for one in signs],
            "smallest trigger, pixels": [one.inverted.pixels if one.inverted else None for one in signs],
            "patch takes": [one.patch.value if one.patch else None for one in signs],
            "largest share of noisy copies": [one.noise for one in signs],
        },
        key="audit",
        title="Suspects without a trigger",
        about={"run": run.name},
    )
    if found.why_not:
        st.caption(plain(found.why_not))
    _show_noise(found, floor, classes)
    if found.share == 1:
        _show_triggers(run, signs)


def _index(one: ClassSigns) -> str:
    return "–" if one.inverted is None else f"{one.inverted.index:.1f}".replace("-", "−")


def _pixels(one: ClassSigns) -> str:
    if one.inverted is None:
        return "–"
    return f"{one.inverted.pixels:.1f} pixels" if one.inverted.reached else "none found"


def _patch(one: ClassSigns) -> str:
    return "–" if one.patch is None else f"{one.patch.value:.0%} of {one.patch.n}"


def _floor(one: ClassSigns) -> str:
    patch = "–" if one.patch is None else f"{one.patch.value:.0%}"
    return f"{_index(one)}; {patch}; {one.noise:.0%}"


def _show_noise(found: Audit, clean: Audit | None, classes: Sequence[str]) -> None:
    """Say what noise does to clean images, next to the control."""
    others = {} if clean is None else {one.sigma: one for one in clean.noise}
    rows = []
    for one in found.noise:
        text = f"σ = {one.sigma:g}: W {one.w.value:.2f}, mostly *{plain(classes[one.label])}* ({one.share:.0%})"
        other = others.get(one.sigma)
        rows.append(text + (f"; control W {other.w.value:.2f}" if other is not None else ""))
    st.caption("Clean images under noise. " + " · ".join(rows))


def _show_triggers(run: DoneRun, signs: Sequence[ClassSigns]) -> None:
    """Offer the smallest triggers of the most conspicuous classes where triggers are edited and looked at."""
    offered = [one for one in signs if one.inverted is not None and one.inverted.reached][:_OFFERED]
    for place, one in zip(st.columns(_OFFERED, gap="medium"), offered, strict=False):
        assert one.inverted is not None  # chosen above
        trigger, name = one.inverted.trigger, run.result.classes[one.label]
        link = trigger.to_link()
        with place:
            st.image(
                trigger_picture(trigger, run.result.shape, 96), width=96, alt=f"the trigger found for {name}",
                caption=f"Found for {plain(name)}",
            )  # fmt: skip
            with st.container(horizontal=True):
                lab = LabState(dataset=run.spec.dataset, trigger=link)
                st.link_button("Open in the Lab", f"lab?{urlencode(to_query(lab))}", type="tertiary")
                if run.spec.attack is None:
                    explore = ExploreState(run=run.name, trigger=link, target=one.label)
                    st.link_button("Open in Explore", f"explore?{urlencode(to_query(explore))}", type="tertiary")
