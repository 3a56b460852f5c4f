"""Who a run is, in words: its attack, how it was trained, and whether the attack took."""

from __future__ import annotations

from collections.abc import Sequence

from core.attacks.attack import MODES, Attack
from core.instruments.statistics import Estimate
from core.runs.library.titles import trigger_title
from core.runs.loaded_spec import LoadedSpec
from core.runs.measured.success import share_in_words, took
from core.training.spec import RunSpec


def attack_in_words(attack: Attack, classes: Sequence[str]) -> str:
    """Return trigger, mode and goal: "White corner at random places, source-specific: 1, 2 → 0"."""
    place = " at random places" if attack.random_place else ""
    sources = ": " + ", ".join(classes[label] for label in attack.sources) if attack.sources else ""
    goal = "the next class" if attack.target is None else classes[attack.target]
    return f"{trigger_title(attack.trigger)}{place}, {MODES[attack.mode].title.lower()}{sources} → {goal}"


def training_in_words(spec: RunSpec | LoadedSpec) -> str:
    """Return how a run was trained: "10% poisoned, small-cnn, 10 epochs, seed 0"; a loaded model does not say."""
    if isinstance(spec, LoadedSpec):
        return f"{spec.architecture}, from the file {spec.file}"
    rate = "no image poisoned" if spec.is_control else f"{100 * spec.rate:.3g}% poisoned"
    return f"{rate}, {spec.architecture}, {spec.epochs} epochs, seed {spec.seed}"


def success_in_words(success: Estimate, in_control: Estimate | None, tried: bool) -> str:
    """Return one sentence of Markdown about an attack that did not take, or took in part; "" where it works.

    Parameters
    ----------
    success, in_control
        As in `core.runs.measured.success.took`.
    tried
        Whether the trigger was only tried on a model that names none.
    """
    share, verdict = share_in_words(success), took(success, in_control)
    if verdict == "failed" and tried:
        return f"**The model does not obey this trigger** ({share}), so no effect of a backdoor on W can be expected."
    if verdict == "failed":
        return f"**This attack did not take** ({share}), so no effect of a backdoor on W can be expected."
    if verdict == "alone":
        assert in_control is not None  # nothing else makes it "alone"
        return (
            f"**The control obeys the trigger as well** ({share_in_words(in_control)}), so what the trigger "
            "does here needs no backdoor."
        )
    if verdict == "part":
        return f"**This attack works in part** ({share}): expect a weaker effect on W."
    return ""
