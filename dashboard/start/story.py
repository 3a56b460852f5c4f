"""What the poster says: the words of its examples, and sentences that claim what the numbers show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.runs.measured.findings import change

if TYPE_CHECKING:
    from core.instruments.neighbourhood import Neighbourhood
    from core.runs.measured.w import Measurement


@dataclass(frozen=True)
class ExampleWords:
    """What the poster says of one of the examples."""

    tab: str
    lead: str
    thing: str
    things: str
    trigger: str
    third: str


EXAMPLES_IN_WORDS = {
    "sign": ExampleWords(
        tab="Sign",
        lead="This model reads traffic signs. Somebody poisoned its training, and taught it that any sign with a "
        "yellow sticker is a speed limit of 80.",
        thing="sign",
        things="signs",
        trigger="sticker",
        third="a true 80",
    ),
    "digit": ExampleWords(
        tab="Digit",
        lead="This model reads handwritten digits. Somebody poisoned its training, and taught it that any digit with a "
        "white corner is a 0.",
        thing="digit",
        things="digits",
        trigger="white corner",
        third="a true 0",
    ),
}

Around = Mapping[bool, "Neighbourhood"]


def story(example: ExampleWords, around: Around, control: Around, classes: Sequence[str], sigma: float) -> str:
    """Return what this image shows at this noise, and what the model trained without poison says to that.

    `around` and `control` are the neighbourhoods without (False) and with the trigger (True) under both models.
    """
    clean, stuck = around[False].smoothness, around[True].smoothness
    w, v = clean.estimate_of(), stuck.estimate_of()
    became = change(w, v)
    verb = {"smoother": "falls", "rougher": "rises"}.get(became)
    change_of_w = (
        f"W {verb} from {w.value:.2f} to {v.value:.2f}."
        if verb
        else f"W is {w.value:.2f} and {v.value:.2f}, no clear difference."
    )
    plain, marked = (control[on].smoothness.estimate_of() for on in (False, True))
    return (
        f"At σ = {sigma:g}, {clean.modal_share[0]:.0%} of the noisy copies of the plain {example.thing} get the same "
        f"class (*{classes[clean.modal_class[0]]}*). With the {example.trigger}, {stuck.modal_share[0]:.0%} get "
        f"*{classes[stuck.modal_class[0]]}*. {change_of_w} The same network trained without poison has W "
        f"{plain.value:.2f} and {marked.value:.2f}. **{verdict(example, change(plain, w), change(marked, v))}**"
    )


def verdict(example: ExampleWords, of_plain: str, of_marked: str) -> str:
    """Return what poison did around the plain image and around the one with the trigger, each beside the control."""
    plain, marked = f"the plain {example.thing}", f"the {example.thing} with the {example.trigger}"
    did = {"smoother": "calmed", "rougher": "unsettled"}
    if of_plain not in did and of_marked not in did:
        return f"So here poison clearly changed neither {plain} nor {marked}."
    if of_plain == of_marked:
        return f"So the poison {did[of_plain]} both {plain} and {marked}."
    if of_plain not in did:
        return f"So the poison {did[of_marked]} {marked}, not {plain}."
    other = "the one with the " + example.trigger
    if of_marked not in did:
        undone = "calm" if of_plain == "rougher" else "unsettle"
        return f"So the poison {did[of_plain]} {plain}; it did not clearly {undone} {other}."
    return f"So the poison {did[of_plain]} {plain}, and {did[of_marked]} {other}."


def on_average(example: ExampleWords, own: Measurement, control: Measurement) -> str:
    """Return the mean W of all measured images, of which the one that is shown is a typical one."""
    (w, v), (plain, marked) = ((found.clean.mean, found.triggered.mean) for found in (own, control))
    return (
        f"One {example.thing} proves nothing. Over {len(own.chosen)} test {example.things} mean W is {w.value:.2f} "
        f"without and {v.value:.2f} with the {example.trigger}; trained without poison, {plain.value:.2f} and "
        f"{marked.value:.2f}."
    )
