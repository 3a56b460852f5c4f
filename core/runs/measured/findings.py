"""What one measurement says, in words that name run, seed and sigma, and claim no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from core.instruments.certificate import ABSTAIN, Certificate
from core.instruments.estimators import entropy
from core.instruments.intervals import entropy_interval
from core.instruments.statistics import Estimate, bounded_mean_interval
from core.runs.measured.w import Measurement

Direction = Literal["smoother", "rougher", "undecided"]
_CHANGES: dict[Direction, str] = {"smoother": "falls", "rougher": "rises", "undecided": "shows no clear change"}
_LEVELS: dict[Direction, str] = {
    "smoother": "lower with the trigger",
    "rougher": "**higher** with the trigger",
    "undecided": "not clearly different",
}


def direction(gap: Estimate, control: Estimate | None = None) -> Direction:
    """Return what a gap of W says of a trigger or pattern: every sentence about smoother and rougher rests on it.

    Parameters
    ----------
    gap
        Mean of W clean minus W with it, with its 95% interval: clear if that does not reach 0.
    control
        The same in the control: then it is clear only if the two intervals do not overlap either.
    """
    low, high = (0.0, 0.0) if control is None else (min(0.0, control.low), max(0.0, control.high))
    if gap.low > high:
        return "smoother"
    return "rougher" if gap.high < low else "undecided"


def change(before: Estimate, after: Estimate) -> Direction:
    """Return what became of one image's W, with a trigger on it or in another model: clear if no interval overlaps."""
    if after.value < before.value and after.high < before.low:
        return "smoother"
    return "rougher" if after.value > before.value and after.low > before.high else "undecided"


def finding(
    measurement: Measurement,
    other: Measurement | None,
    classes: Sequence[str],
    seed: int | None,
    run: str = "",
    other_name: str = "the control",
) -> str:
    """Return one to three sentences of Markdown about W with the trigger, and in another run where there is one.

    It is a finding about one run at one sigma, not a verdict; `other_name` is what the other run is called.
    """
    name = f"run {run}, " if run else ""
    trained = "" if seed is None else f"seed {seed}, "  # a model loaded from a file does not say
    spec = measurement.spec
    where = f"At σ = {spec.sigma:g} ({name}{trained}{len(measurement.chosen)} images, {spec.draws} draws)"
    clean, triggered = measurement.clean.mean.value, measurement.triggered.mean.value
    sentences = [
        f"{where} W {_CHANGES[direction(measurement.gap)]} with the trigger: **{clean:.2f} → {triggered:.2f}**, gap "
        f"{_signed(measurement.gap)} (95%, for more images), {lower_in_words(measurement)}."
        + (" That is no clear gap at this σ." if direction(measurement.gap) == "undecided" else "")
    ]
    if other is not None:
        sentences.append(f"In {other_name} the gap is {_signed(other.gap)}.")
    target = spec.attack.target
    if target is not None and len(measurement.target_chosen) > 1:
        sentences.append(_about_target(measurement, other, classes[target], other_name))
    return " ".join(sentences)


def lower_in_words(measured: Measurement) -> str:
    """Return for how many images W is lower with the trigger, and for how many it is the same."""
    clean, triggered = measured.clean.w, measured.triggered.w
    equal = float(np.mean(triggered == clean))
    text = f"lower for {np.mean(triggered < clean):.0%} of the images"
    return text + (f" and equal for {equal:.0%}" if equal else "")


def _about_target(measurement: Measurement, other: Measurement | None, target: str, other_name: str) -> str:
    """Compare with clean images of the target class, which a trigger may only have moved images to."""
    own, triggered = measurement.target_class.mean, measurement.triggered.mean
    text = f"Clean images that this model takes for *{target}* have W {own.value:.2f}"
    alike = own.low <= triggered.high and triggered.low <= own.high
    if not alike or measurement.gap.low <= 0:
        return text + "."
    text = f"But c{text[1:]}: that class is as smooth in this model"
    if other is None or len(other.target_chosen) < 2:
        return text + "."
    return text + f" (in {other_name} it has {other.target_class.mean.value:.2f})."


def _signed(value: Estimate) -> str:
    return f"{value.value:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"


def clearest_sigma(measurements: Sequence[Measurement], control: Sequence[Measurement] | None) -> float | None:
    """Return the sigma at which the paired gap stands out most from the control's, or None where it does at none.

    At each sigma the control's gap is subtracted image by image (nothing, where there is no control); what counts is
    how far the 95% interval of the mean lies from 0, on whichever side. The largest of several is chosen, so it
    flatters: a place to look first, never a verdict.

    Parameters
    ----------
    measurements, control
        Measurements of the same images at the same sigmas, in the same order.
    """
    best, distance = None, 0.0
    for number, measured in enumerate(measurements):
        gap = measured.clean.w - measured.triggered.w
        if control is not None:
            gap = gap - (control[number].clean.w - control[number].triggered.w)
        interval = bounded_mean_interval(gap, -2, 2)
        clear = max(interval.low, -interval.high)
        if clear > distance:
            best, distance = measured.spec.sigma, clear
    return best


@dataclass(frozen=True)
class Crossing:
    """Where the curves of mean W clean and with the trigger cross: at about `sigma`, between two measured ones.

    `smoother_below` says whether W with the trigger is the lower one at smaller sigma. `below` and `above` are the
    nearest measured sigmas on both sides at which the gap is clear.
    """

    sigma: float
    smoother_below: bool
    below: float
    above: float


def crossings(measurements: Sequence[Measurement]) -> list[Crossing]:
    """Return where the gap changes its sign over ascending sigmas, between sigmas at which its 95% interval is clear.

    The place is interpolated on a logarithmic axis, and no more exact than the sigmas lie close.
    """
    clear = [number for number, measured in enumerate(measurements) if direction(measured.gap) != "undecided"]
    crossed = []
    for first, second in pairwise(clear):
        if direction(measurements[first].gap) == direction(measurements[second].gap):
            continue
        near = next(n for n in range(first, second) if measurements[n].gap.value * measurements[n + 1].gap.value <= 0)
        low, high = measurements[near], measurements[near + 1]
        share = low.gap.value / (low.gap.value - high.gap.value) if low.gap.value != high.gap.value else 0.5
        sigma = low.spec.sigma ** (1 - share) * high.spec.sigma**share
        ends = measurements[first].spec.sigma, measurements[second].spec.sigma
        crossed.append(Crossing(float(sigma), measurements[first].gap.low > 0, *ends))
    return crossed


def sweep_in_words(measurements: Sequence[Measurement], classes: Sequence[str]) -> str:
    """Return one to three sentences of Markdown about the gap over sigma, and about crossings if there are any."""
    parts = []
    for change, words in _LEVELS.items():
        sigmas = [f"{measured.spec.sigma:g}" for measured in measurements if direction(measured.gap) == change]
        if sigmas:
            parts.append(f"{words} at σ = {', '.join(sigmas)}")
    text = f"W is {'; '.join(parts)}."
    for crossing in crossings(measurements):
        above = next(measured for measured in measurements if measured.spec.sigma == crossing.above)
        order = "lower below it and higher above it" if crossing.smoother_below else "higher below it, lower above it"
        text += f" The curves cross near **σ ≈ {crossing.sigma:.2g}**: with the trigger W is {order}. "
        text += _why(above, classes)
    return text


def _why(above: Measurement, classes: Sequence[str]) -> str:
    """Say where the noisy votes go beyond a crossing: that is what moves the curves there."""
    clean, triggered = above.clean, above.triggered
    text = (
        f"At σ = {above.spec.sigma:g} noisy copies are most often *{classes[clean.pooled_class]}* without the trigger "
        f"({clean.pooled_share():.0%}) and *{classes[triggered.pooled_class]}* with it ({triggered.pooled_share():.0%})"
    )
    if min(clean.pooled_share(), triggered.pooled_share()) <= 0.5:
        return text + "."
    return text + ": where one class gets most copies of all images, W tells more about noise than about the images."


def formula_in_words(votes: np.ndarray) -> str:
    """Return W's formula with the votes of one image, int64 [K], plugged in, and the estimate that the pages show.

    The formula gives the plug-in estimate, which few draws make too low; what is shown is corrected for that.
    """
    shares = np.sort(votes[votes > 0])[::-1] / votes.sum()
    terms = " + ".join(f"{share:.3g} ln {share:.3g}" for share in shares)
    plug_in, shown = (float(entropy(votes[None], estimator=name)[0]) for name in ("plug-in", "corrected"))
    low, high = (float(end[0]) for end in entropy_interval(votes[None]))
    return (
        f"W = −({terms}) / ln {len(votes)} = {plug_in:.3f}; corrected for what {votes.sum()} draws may have missed "
        f"**{shown:.3f}** [{low:.2f}, {high:.2f}]"
    )


def certificate_in_words(certificate: Certificate, classes: Sequence[str]) -> str:
    """Return what one image's certificate says, in one sentence."""
    label, radius, alpha = int(certificate.label[0]), float(certificate.radius[0]), certificate.alpha
    if label == ABSTAIN:
        return "Nothing is certified: no class surely gets more than half of the noisy copies."
    return (
        f"As long as the pixels change by less than {radius:.2f} in all (L2 length; one pixel by {radius:.2f}, say), "
        f"most noisy copies are taken for {classes[label]}. The chance that this is wrong is at most {alpha:g}."
    )


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
    target = "the class after their own" if result.spec.attack.target is None else classes[result.spec.attack.target]
    rows = [
        _row("all images", np.ones(len(result.chosen), bool), result, "the gap itself"),
        _row("flipped by the trigger", result.flipped, result, f"images taken for {target} once they carry it"),
        _row("not flipped", ~result.flipped, result, "the trigger is on them, but the class stays another"),
        Alternative(
            f"clean, taken for {target}",
            len(result.target_chosen),
            float(result.target_class.w.mean()) if len(result.target_chosen) else None,
            None,
            "if as low as with the trigger, compare the control: is the class smooth in any model?",
        ),
    ]
    if off_trigger is not None:
        everything = np.ones(len(off_trigger.chosen), bool)
        rows.append(_row("noise off the trigger", everything, off_trigger, "the trigger's own pixels stay clean"))
    return rows


def _row(what: str, mask: np.ndarray, result: Measurement, meaning: str) -> Alternative:
    part = result.part(mask)
    return Alternative(what, int(mask.sum()), *(part or (None, None)), meaning)
