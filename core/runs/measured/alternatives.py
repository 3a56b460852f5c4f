"""What else a change in W could be, row by row, and the sentence that this comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.runs.measured.findings import direction
from core.runs.measured.w import Measurement


@dataclass(frozen=True)
class Alternative:
    """One alternative explanation: some images or some noise, their mean W clean and with the trigger.

    `w_clean` or `w_triggered` is None where the question does not arise.
    """

    what: str
    images: int
    w_clean: float | None
    w_triggered: float | None
    meaning: str


def alternatives(result: Measurement, off_trigger: Measurement | None = None) -> list[Alternative]:
    """Return what a change in W has to be held against, row by row; every run has the same rows in the same order.

    Parameters
    ----------
    result
        W with noise everywhere.
    off_trigger
        The same with the noise kept off the trigger's pixels, for one more row; None without it.
    """
    own = result.target_class.w
    rows = [
        _row("all images", np.ones(len(result.chosen), bool), result, "the gap itself"),
        _row("flipped by the trigger", result.flipped, result, "images predicted as the target once they carry it"),
        _row("not flipped", ~result.flipped, result, "they carry it, but the prediction is another"),
        Alternative(
            "clean, predicted as the target",
            len(own),
            float(own.mean()) if len(own) else None,
            None,
            "if this is as low as with the trigger, the class itself may be smooth: check the control",
        ),
    ]
    if off_trigger is not None:
        everything = np.ones(len(off_trigger.chosen), bool)
        rows.append(_row("noise off the trigger", everything, off_trigger, "the trigger's own pixels stay clean"))
    return rows


def _row(what: str, mask: np.ndarray, result: Measurement, meaning: str) -> Alternative:
    part = result.part(mask)
    return Alternative(what, int(mask.sum()), *(part or (None, None)), meaning)


def conclusion(
    measurement: Measurement, control: Measurement | None, classes: Sequence[str], failed: bool = False
) -> str:
    """Return in one sentence of Markdown which alternatives are left, by fixed rules.

    Parameters
    ----------
    measurement, control
        The run's, and its control's with the same attack; None where that is not at hand.
    classes
        Names of the classes.
    failed
        Whether the attack did not take, so that there is no backdoor to explain anything.
    """
    change = direction(measurement.gap)
    if change == "undecided":
        return "There is no clear gap at this σ, so there is nothing to explain."
    if failed:
        return (
            f"The attack did not take, so W {'falls' if change == 'smoother' else 'rises'} because of how the trigger "
            "looks, not because of a backdoor."
        )
    if control is None:
        return (
            "Only a control can show whether the trigger does this to any model"
            + _own_class(measurement, None, classes, "; ")
            + "."
        )
    return _against_control(measurement, control, classes)


def _against_control(measurement: Measurement, control: Measurement, classes: Sequence[str]) -> str:
    """Say which alternatives are left of a clear gap, given that of the control."""
    if direction(measurement.gap, control.gap) == "undecided":
        return (
            "The control shows no clearly different gap, so how the trigger looks is explanation enough: this is no "
            "evidence of a backdoor."
        )
    if direction(measurement.gap) == "rougher":
        return "The model is **rougher** with the trigger, and the control is not: the opposite of a smooth backdoor."
    own_class = _own_class(measurement, control, classes, ", but ")
    if own_class:
        return "The drop goes beyond the control's" + own_class + "."
    if measurement.spec.attack.target is None:
        return "The backdoor is the explanation left, at this σ and seed: the control does not show this drop."
    return (
        "The backdoor is the explanation left, at this σ and seed: neither the control nor clean images of the target "
        "class show this drop."
    )


def _own_class(measurement: Measurement, control: Measurement | None, classes: Sequence[str], link: str) -> str:
    """Say that the target class's own images are as smooth as those with the trigger; "" where they are rougher."""
    target, triggered = measurement.spec.attack.target, measurement.triggered.mean
    if target is None or len(measurement.target_chosen) < 2 or direction(measurement.gap) != "smoother":
        return ""
    own = measurement.target_class.mean
    if own.low > triggered.high:
        return ""
    text = f"{link}clean images of *{classes[target]}* are just as smooth here (W = {own.value:.2f})"
    if control is None or len(control.target_chosen) < 2:
        return text
    theirs = control.target_class.mean
    if theirs.low > own.high:
        return text + f" and rougher in the control ({theirs.value:.2f}): the poison may have made that class smooth"
    return text + f", in the control too ({theirs.value:.2f}): the trigger may only move images into a smooth class"
