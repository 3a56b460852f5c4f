"""What one measurement says, in words that name run, seed and sigma, and claim no more than that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
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
    classes: Sequence[str],
    others: Mapping[str, Measurement] = MappingProxyType({}),
    control: str = "",
) -> str:
    """Return one or two sentences of Markdown: W with the trigger at one sigma, and in other runs.

    It is a finding about one run at one sigma, not a verdict; `basis_in_words` says what it rests on.

    Parameters
    ----------
    measurement
        Of the run that this is about.
    classes
        Names of the classes.
    others
        What is put next to it, by the runs' names.
    control
        Which of the others is the run's control, if one is.
    """
    spec, change = measurement.spec, direction(measurement.gap)
    clean, triggered = measurement.clean.mean.value, measurement.triggered.mean.value
    sentences = [
        f"At σ = {spec.sigma:g} W {_CHANGES[change]} with the trigger: **{clean:.2f} → {triggered:.2f}**, gap "
        f"{in_words(measurement.gap)}." + (" That is no clear gap at this σ." if change == "undecided" else "")
    ]
    for name, other in others.items():
        if name == control:
            more = change == "undecided" or direction(measurement.gap, other.gap) != "undecided"
            sentences.append(
                f"In the control it is {in_words(other.gap, brief=True)}"
                + ("." if more else ": **no clear difference between the two**.")
            )
        elif other.spec.attack == measurement.spec.attack:
            sentences.append(f"With the same trigger on {name} the gap is {in_words(other.gap, brief=True)}.")
        else:
            sentences.append(
                f"{name} with its own trigger: {other.clean.mean.value:.2f} → {other.triggered.mean.value:.2f}, gap "
                f"{in_words(other.gap, brief=True)}."
            )
    return " ".join(sentences)


def basis_in_words(measurement: Measurement, seed: int | None) -> str:
    """Return what a finding rests on: one run at one sigma, so many images and draws; and how many images agree."""
    trained = "one model" if seed is None else f"one training (seed {seed})"  # a file does not say how it was trained
    return (
        f"{len(measurement.chosen)} test images, {measurement.spec.draws} noisy copies each, {trained}, one σ. "
        f"With the trigger, W is {lower_in_words(measurement)}."
    )


def lower_in_words(measured: Measurement) -> str:
    """Return for how many images W is lower with the trigger, and for how many it is the same."""
    clean, triggered = measured.clean.w, measured.triggered.w
    equal = float(np.mean(triggered == clean))
    text = f"lower for {np.mean(triggered < clean):.0%} of the images"
    return text + (f" and equal for {equal:.0%}" if equal else "")


def in_words(gap: Estimate, brief: bool = False) -> str:
    """Return a gap of W with its interval; briefly, where the interval was named before."""
    name = "" if brief else "95% interval over images: "
    return f"{signed(gap.value)} ({name}{signed(gap.low)} to {signed(gap.high)})"


def signed(value: float) -> str:
    """Return a number with its sign and two digits, "−0.03"."""
    return f"{value:+.2f}".replace("-", "−")


def clearest_sigma(measurements: Sequence[Measurement], control: Sequence[Measurement] | None = None) -> float | None:
    """Return the sigma at which the paired gap stands out most from the control's, or None where it does at none.

    At each sigma the control's gap is subtracted image by image (nothing, where there is no control); what counts is
    how far the 95% interval of the mean lies from 0, on whichever side. The largest of several is chosen, so it
    overstates the effect: a place to look first, never a verdict.

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
        order = "lower below that and higher above" if crossing.smoother_below else "higher below that and lower above"
        text += f" The curves cross near **σ ≈ {crossing.sigma:.2g}**: with the trigger, W is {order}. "
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
    return text + (
        ": when one class attracts most noisy copies of every image, W reflects the noise rather than the images."
    )


def formula_in_words(votes: np.ndarray) -> str:
    """Return W's formula with the votes of one image, int64 [K], plugged in, and the estimate that the pages show.

    The formula gives the plug-in estimate, which few draws make too low; what is shown is corrected for that.
    """
    shares = np.sort(votes[votes > 0])[::-1] / votes.sum()
    terms = " + ".join(f"{share:.3g} ln {share:.3g}" for share in shares)
    plug_in, shown = (float(entropy(votes[None], estimator=name)[0]) for name in ("plug-in", "corrected"))
    low, high = (float(end[0]) for end in entropy_interval(votes[None]))
    return (
        f"W = −({terms}) / ln {len(votes)} = {plug_in:.3f}; corrected for having only {votes.sum()} draws "
        f"**{shown:.3f}** (95% interval over draws: {low:.2f} to {high:.2f})"
    )


def certificate_in_words(certificate: Certificate, classes: Sequence[str]) -> str:
    """Return what one image's certificate says, in one sentence."""
    label, radius, alpha = int(certificate.label[0]), float(certificate.radius[0]), certificate.alpha
    if label == ABSTAIN:
        return "No guarantee: no class reliably wins more than half of the noisy copies."
    return (
        f"Certified: no change smaller than {radius:.2f} (L2; for example one pixel by {radius:.2f}) can stop "
        f"{classes[label]} from winning under noise (confidence {1 - alpha:.1%})."
    )
