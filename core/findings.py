"""What one measurement says, in words that name run, seed and sigma, and claim no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class Alternative:
    """One row of "what else could it be?": some images or some noise, their mean W clean and with the trigger.

    `w_clean` or `w_triggered` is None where the question does not arise.
    """

    what: str
    images: int
    w_clean: float | None
    w_triggered: float | None
    meaning: str


def alternatives(result: Measurement, off_trigger: Measurement | None, classes: Sequence[str]) -> list[Alternative]:
    """Return what a fall of W has to be held against, row by row.

    Parameters
    ----------
    result
        W with noise everywhere.
    off_trigger
        The same with the noise kept off the trigger's pixels; None where the trigger covers the whole image.
    classes
        Names of the classes.
    """
    target = classes[result.spec.target]
    rows = [
        _row("all images", np.ones(len(result.chosen), bool), result, "the gap itself"),
        _row("flipped by the trigger", result.flipped, result, f"images taken for {target} once they carry it"),
        _row("not flipped", ~result.flipped, result, "the trigger is on them, but the class stays another"),
        Alternative(
            f"clean, taken for {target}",
            len(result.target_chosen),
            float(result.target_class.w.mean()) if len(result.target_chosen) else None,
            None,
            "as low as with the trigger: the class is smooth, not the backdoor",
        ),
    ]
    if off_trigger is not None:
        everything = np.ones(len(off_trigger.chosen), bool)
        rows.append(_row("noise off the trigger", everything, off_trigger, "the trigger's own pixels stay clean"))
    return rows


def _row(what: str, mask: np.ndarray, result: Measurement, meaning: str) -> Alternative:
    part = result.part(mask)
    return Alternative(what, int(mask.sum()), *(part or (None, None)), meaning)
