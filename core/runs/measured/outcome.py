"""Whether an attack worked, in words for the moment after training, and what to change where it did not.

A verdict is about attack success and clean accuracy alone. What W did is told as it was measured, next to the control:
one run at one noise level decides nothing about smoothness.

The thresholds
--------------
- Whether an attack *works*, works *in part*, *failed*, or would do so *alone*, without poison, is decided by
  `core.runs.measured.success.took`, for this page as for all others.
- Poison *costs accuracy* if clean accuracy is more than 2 points below the control's and the 95% interval of the
  difference lies below 0. With few test images a difference of 2 points and more is chance: then that is said. Within
  2 points no user of the model would suspect anything; training it with another seed changes as much.
- A source-specific attack *spreads* if more than 0.2 of the classes that it means to spare are taken for the target:
  its success of 0.8, mirrored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from core.instruments.statistics import Estimate, difference_of_shares
from core.runs.measured.findings import direction
from core.runs.measured.success import Took, success_steps, took
from core.runs.measured.w import Measurement, measure_steps, page_attack_spec, sweep_sigmas

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.datasets import Dataset
    from core.instruments.evaluation import Success
    from core.instruments.predictor import Predictor
    from core.runs.result import Result
    from core.runs.run import Run

LOSS, SPREADS = 0.02, 0.2

Verdict = Took | Literal["control", "costs", "spreads"]

_HEADLINES: dict[Verdict, str] = {
    "control": "This is a control, trained without poison.",
    "works": "It works.",
    "costs": "It works, but costs accuracy.",
    "spreads": "It works, but not only on the source classes.",
    "part": "It works in part.",
    "failed": "It did not take.",
    "alone": "The trigger does this without poison, too.",
}


@dataclass(frozen=True)
class Evidence:
    """What was measured of a run after its training; None where it has not been measured, or there is no control.

    Attributes
    ----------
    in_control
        How often the control takes images with the trigger for the target.
    mine, control
        W of the run and of its control without and with the trigger, at one sigma.
    """

    in_control: Success | None = None
    mine: Measurement | None = None
    control: Measurement | None = None


@dataclass(frozen=True)
class Outcome:
    """What a finished run reached, in sentences of Markdown.

    Attributes
    ----------
    verdict, headline
        What became of the attack, as a word and as a short sentence.
    success, accuracy
        The attack success rate and the clean accuracy with their denominators; `success` is "" for a control.
    smoothness
        What W did; "" until it is measured.
    """

    verdict: Verdict
    headline: str
    success: str
    accuracy: str
    smoothness: str = ""


def outcome(
    attack: Attack | None,
    result: Result,
    control: Result | None,
    classes: Sequence[str],
    no_control: str = "",
    evidence: Evidence | None = None,
) -> Outcome:
    """Return what became of an attack.

    Parameters
    ----------
    attack, result
        Of the run; no attack for a control.
    control
        What its control reached; None where it is not done.
    classes
        The names of the classes, as Markdown.
    no_control
        Why there is no control's result, in one sentence.
    evidence
        What was measured besides.
    """
    evidence = evidence or Evidence()
    success = result.attack_success_rate
    clean = result.clean_accuracy
    accuracy = f"Clean accuracy is **{clean.value:.1%}** ({clean.count} of {clean.n})"
    if attack is None or success is None:
        return Outcome("control", _HEADLINES["control"], "", accuracy + ".")
    loss = None if control is None else difference_of_shares(control.clean_accuracy, result.clean_accuracy)
    verdict = _judge(success, result.attack_success_rate_others, loss, evidence.in_control)
    if control is None or loss is None:
        accuracy += f". {no_control}".rstrip()
    else:
        accuracy += f", {_loss_in_words(loss, control.clean_accuracy)}."
    return Outcome(
        verdict,
        _HEADLINES[verdict],
        _success_in_words(attack, success, result.attack_success_rate_others, classes, evidence.in_control),
        accuracy,
        "" if evidence.mine is None else smoothness_in_words(evidence.mine, evidence.control),
    )


def _judge(success: Estimate, others: Estimate | None, loss: Estimate | None, in_control: Success | None) -> Verdict:
    verdict = took(success, None if in_control is None else in_control.rate)
    if verdict != "works":
        return verdict
    if others is not None and others.value > SPREADS:
        return "spreads"
    return "costs" if loss is not None and loss.value > LOSS and loss.low > 0 else "works"


def _success_in_words(
    attack: Attack, success: Estimate, others: Estimate | None, classes: Sequence[str], in_control: Success | None
) -> str:
    images, goal = {
        "all-to-all": ("test images", "the class after their own"),
        "source-specific": (f"test images of {_listed(attack.sources, classes)}", ""),
    }.get(attack.mode, ("test images of other classes", ""))
    goal = goal or f"**{classes[attack.target or 0]}**"
    count = f"**{success.count} of {success.n}**"
    text = f"{count} {images} are taken for {goal} with the trigger (**{success.value:.1%}**)"
    if in_control is not None and in_control.rate is not None:
        text += f"; in the control {in_control.rate.count} of {in_control.rate.n} are"
    text += "."
    if others is not None:
        text += f" Of the other classes, {others.count} of {others.n} are ({others.value:.1%})."
    return text


def _listed(labels: Sequence[int], classes: Sequence[str]) -> str:
    return ", ".join(f"**{classes[label]}**" for label in labels)


def _loss_in_words(loss: Estimate, control: Estimate) -> str:
    """Say how clean accuracy compares with the control's, given the control's minus the run's."""
    theirs = f"{control.value:.1%}"
    if loss.low <= 0 <= loss.high:
        if abs(loss.value) <= LOSS:
            return f"as without poison ({theirs})"
        lower = "lower" if loss.value > 0 else "higher"
        return f"{lower} than without poison ({theirs}), but by no more than chance allows on {control.n} images"
    if loss.high < 0:
        return f"higher than without poison ({theirs})"
    return f"{100 * loss.value:.1f} points lower than without poison ({theirs})"


def smoothness_in_words(mine: Measurement, control: Measurement | None) -> str:
    """Return what W did with the trigger in one run and in its control, at one sigma; no verdict."""
    spec = mine.spec
    text = f"**W {_change(mine)}** with the trigger"
    if control is not None:
        falls, theirs = direction(mine.gap) == "smoother", direction(control.gap)
        unclear = "does not fall" if control.gap.value <= 0 else "does not clearly fall"
        words = {
            "smoother": "falls, too" if falls else "falls",
            "rougher": "rises",
            "undecided": unclear if falls else "shows no clear change",
        }
        text += f"; in the control it {words[theirs]} ({_change(control)})"
    return f"{text}. One run, one seed, one noise level (σ = {spec.sigma:g}, {len(mine.chosen)} images)."


def _change(measured: Measurement) -> str:
    return f"{measured.clean.mean.value:.2f} → {measured.triggered.mean.value:.2f}"


def evidence_steps(
    run: Run, control: Run | None, predictor: Callable[[Run], Predictor], dataset: Dataset
) -> Iterator[Evidence]:
    """Yield ever better evidence about a poisoned run that is done, and its control if that is done too.

    First how often the trigger fools the control; then W at the first sigma that Explore shows, from few draws to all
    of them. Each measurement is kept with its run, and one that was kept is not made again.

    Parameters
    ----------
    run, control
        What is measured.
    predictor
        From a run to its predictor; called once something has to be computed.
    dataset
        Their data set.
    """
    attack, evidence = run.spec.attack, Evidence()
    if attack is None:
        return
    if control is not None:
        for in_control in success_steps(control, attack, lambda: predictor(control), lambda: dataset):
            evidence = Evidence(in_control)
            yield evidence
    spec = page_attack_spec(attack, sweep_sigmas(dataset.shape)[2])
    measuring = {
        name: measure_steps(one, spec, lambda one=one: predictor(one), lambda: dataset)
        for name, one in (("mine", run), ("control", control))
        if one is not None
    }
    while better := {name: new for name, steps in measuring.items() if (new := next(steps, None)) is not None}:
        evidence = replace(evidence, **better)
        yield evidence
