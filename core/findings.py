"""What one measurement says, in words that name run, seed and sigma, and claim no more than that."""

from __future__ import annotations

from collections.abc import Sequence

from core.estimators import Interval
from core.measurement import Measurement


def finding(mine: Measurement, control: Measurement | None, classes: Sequence[str], seed: int) -> str:
    """Return one or two sentences of Markdown about W with the trigger, beside the control where there is one.

    It is a finding about one run at one sigma, not a verdict.
    """
    where = f"At σ = {mine.spec.sigma:g} (seed {seed}, {len(mine.chosen)} images, {mine.spec.draws} draws)"
    clean, triggered = mine.clean.mean.mean, mine.triggered.mean.mean
    sentences = [
        f"{where} W {_direction(mine.gap)} with the trigger: **{clean:.2f} → {triggered:.2f}**, gap "
        f"{_signed(mine.gap)}, lower for {mine.p_triggered_lower:.0%} of the images."
    ]
    if control is not None:
        sentences.append(f"Beside it the gap is {_signed(control.gap)}.")
    if len(mine.target_chosen) > 1:
        sentences.append(_about_target(mine.target_class.mean.mean, triggered, classes[mine.spec.target]))
    return " ".join(sentences)


def _about_target(own: float, triggered: float, target: str) -> str:
    if own <= triggered + 0.02:
        return f"But clean images taken for *{target}* are just as smooth (W {own:.2f}): that class is smooth anyway."
    return f"Clean images taken for *{target}* have W {own:.2f}."


def _direction(gap: Interval) -> str:
    if gap.low > 0:
        return "falls"
    return "rises" if gap.high < 0 else "shows no clear change"


def _signed(value: Interval) -> str:
    return f"{value.mean:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"
