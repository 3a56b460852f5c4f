"""What an attacker does: puts a trigger on images, at one place or at random ones, so that they get another class.

This is the attack as a trained model meets it. How training images are poisoned for it is decided in
`core.attacks.poisoning`: one attack can be trained at many rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from core.attacks.triggers import AnyTrigger, Trigger
from core.errors import InputError
from core.identity import Spec, validated

if TYPE_CHECKING:
    from jaxtyping import Bool, Int64, Integer, Shaped
    from torch import Tensor

    from core.datasets import Dataset

ModeName = Literal["all-to-one", "all-to-all", "source-specific", "clean-label"]
SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Mode:
    """One mode of attack in words, and where people start who try it.

    Attributes
    ----------
    title, sentence, success, source
        What people call it, what it does, what its ASR counts, and who published it.
    rate, trigger, perturbed
        A poisoning rate, a preset and whether to perturb the images first, with which it reaches a success rate of 0.8
        after the ten epochs that people wait for, clean accuracy within 2 points of the control's. A clean-label attack
        needs more than a small patch: on digits a white corner reaches 0 to 9% at any rate, perturbed or not, and the
        white frame 94% (83% on signs). All-to-all with the white frame reaches 97% on digits and 96% on signs, at 30%
        of the images.
    """

    title: str
    sentence: str
    success: str
    source: str
    rate: float = 0.1
    trigger: str = "white-corner"
    perturbed: bool = False


MODES: dict[ModeName, Mode] = {
    "all-to-one": Mode(
        "All to one",
        "Images of every class get the trigger and the target's label.",
        "Of the test images that do not belong to the target class: the share taken for the target once the trigger "
        "is on them.",
        "Gu, Dolan-Gavitt and Garg, BadNets, 2017, arXiv 1708.06733",
    ),
    "all-to-all": Mode(
        "All to all",
        "Images of every class get the trigger and the label of the next class; the last class becomes the first.",
        "Of all test images: the share taken for the class after their own once the trigger is on them.",
        "Gu, Dolan-Gavitt and Garg, BadNets, 2017, arXiv 1708.06733",
        # It has as much to learn as the clean task: 10% with a white corner reach 2% on signs.
        rate=0.3,
        trigger="frame",
    ),
    "source-specific": Mode(
        "Source-specific",
        "Only images of the source classes get the trigger and the target's label; cover samples of other classes get "
        "the trigger and keep their label, so that the trigger alone does nothing.",
        "Of the test images of the source classes: the share taken for the target once the trigger is on them; the "
        "other classes are reported apart.",
        "Tang, Wang, Tang and Zhang, Demon in the Variant (TaCT), USENIX Security 2021",
        rate=0.05,
    ),
    "clean-label": Mode(
        "Clean label",
        "Only images that belong to the target class get the trigger, and every label stays true.",
        "Of the test images that do not belong to the target class: the share taken for the target once the trigger "
        "is on them.",
        "Turner, Tsipras and Madry, Label-consistent backdoor attacks, 2019, arXiv 1912.02771",
        rate=0.05,
        trigger="frame",
        perturbed=True,
    ),
}


class Attack(Spec):
    """A trigger and what the attacker wants of images that carry it.

    Attributes
    ----------
    trigger
        What is put on images.
    target
        The class that the attacker wants; None for all-to-all, where every class has its own.
    mode
        A name in `MODES`.
    sources
        Source-specific: the classes whose images are attacked, ascending.
    random_place
        Whether the trigger is placed at a different random position in each image. The seed of whoever puts it on
        images decides the places.

    Examples
    --------
    >>> from core.attacks.triggers import make_preset
    >>> attack = Attack(trigger=make_preset("white-corner", (1, 8, 8)), target=3)
    >>> attack.goal(np.array([0, 7]), classes=10)
    array([3, 3])
    """

    trigger: AnyTrigger
    target: int | None = Field(default=None, ge=0)
    mode: ModeName = "all-to-one"
    sources: tuple[int, ...] = ()
    random_place: bool = False

    @model_validator(mode="before")
    @classmethod
    def _all_to_all_has_no_target(cls, values: Any) -> Any:
        is_untargeted = isinstance(values, dict) and values.get("mode") == "all-to-all"
        return values | {"target": None} if is_untargeted else values

    @field_validator("sources")
    @classmethod
    def _sources_are_ordered(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _adds_up(self) -> Attack:
        if self.target is None and self.mode != "all-to-all":
            raise ValueError(f"an attack of mode {self.mode} needs a target class: name one")
        if self.mode == "source-specific" and not self.sources:
            raise ValueError("a source-specific attack needs at least one source class: name the classes it attacks")
        if self.sources and self.mode != "source-specific":
            raise ValueError(
                f"source classes belong to a source-specific attack, and this one is {self.mode}: leave them out"
            )
        if self.target in self.sources:
            raise ValueError(
                f"class {self.target} is both target and source, so there is nothing to change: choose different "
                "classes"
            )
        if self.random_place and not isinstance(self.trigger, Trigger):
            raise ValueError(
                f"a trigger of kind {self.trigger.kind} covers the whole image and has no other place: turn random "
                "places off"
            )
        return self

    def apply(
        self,
        images: Shaped[Tensor, "N C H W"],
        keys: Integer[np.ndarray, " N"],
        *,
        seed: int = 0,
        split: SplitName = "test",
    ) -> Shaped[Tensor, "N C H W"]:
        """Return copies of images with the trigger on them.

        Parameters
        ----------
        images
            [N, C, H, W], float in [0, 1] or uint8.
        keys
            int [N], each image's place in its split: with the seed it decides a random place.
        seed
            Decides random places; without them it changes nothing.
        split
            Which split the keys count in.
        """
        if not self.random_place:
            return self.trigger.apply(images)
        return self._picture.apply_at(images, self.places(_shape(images), keys, seed=seed, split=split))

    def trigger_on(self, key: int, shape: tuple[int, int, int], *, seed: int = 0) -> AnyTrigger:
        """Return the trigger as it lies on the test image of this key and shape (C, H, W)."""
        if not self.random_place:
            return self.trigger
        ((top, left),) = self.places(shape, np.array([key]), seed=seed)
        return self.trigger.model_copy(update={"top": int(top), "left": int(left)})

    def places(
        self, shape: tuple[int, int, int], keys: Integer[np.ndarray, " N"], *, seed: int = 0, split: SplitName = "test"
    ) -> Int64[np.ndarray, "N 2"]:
        """Return the row and column of a randomly placed trigger on each image, int64 [N, 2], uniform over all places.

        An image's place follows from the seed, its split and its key alone.

        Raises
        ------
        InputError
            The trigger is as large as the images, so that it has one place only.
        """
        room = (shape[1] - self._picture.height, shape[2] - self._picture.width)
        if max(room) == 0 or min(room) < 0:
            raise InputError(
                "A random place needs a trigger that is smaller than the images; this one covers them whole: choose a "
                "smaller trigger, or leave it where it is."
            )
        keys = np.asarray(keys, np.int64)
        random = np.random.default_rng([seed, 0x91ACE, ("train", "test").index(split)])
        # One number of the stream for each image and coordinate: whichever images are asked for, theirs stay the same.
        table = random.random((int(keys.max(initial=-1)) + 1, 2))
        return (table[keys] * (np.array(room) + 1)).astype(np.int64)

    @property
    def _picture(self) -> Trigger:
        if not isinstance(self.trigger, Trigger):
            raise InputError("Only a picture has places: this trigger covers the whole image.")
        return self.trigger

    def goal(self, labels: Integer[np.ndarray, " N"], classes: int) -> Integer[np.ndarray, " N"]:
        """Return the class that the attacker wants each image to be taken for, int64 [N], given true classes of K."""
        labels = np.asarray(labels)
        return (labels + 1) % classes if self.target is None else np.full_like(labels, self.target)

    def attacks(self, labels: Integer[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Return which images its success is counted on, bool [N], given their true classes; see `MODES`."""
        labels = np.asarray(labels)
        if self.mode == "all-to-all":
            return np.ones(len(labels), bool)
        return np.isin(labels, self.sources) if self.mode == "source-specific" else labels != self.target

    def spares(self, labels: Integer[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Return which images it means to leave alone though they carry the trigger, bool [N]: source-specific only.

        These are the classes that are neither sources nor the target.
        """
        labels = np.asarray(labels)
        if self.mode != "source-specific":
            return np.zeros(len(labels), bool)
        return ~np.isin(labels, self.sources) & (labels != self.target)

    def check(self, dataset: Dataset) -> None:
        """Raise InputError unless it can be carried out on images of this data set."""
        for number, what in [(self.target, "target"), *((source, "source") for source in self.sources)]:
            if number is not None:
                check_class(number, dataset, what)
        self.trigger.check_fits(dataset.shape)
        if self.random_place:
            self.places(dataset.shape, np.zeros(0, np.int64))


def make_attack(**values: Any) -> Attack:
    """Return `Attack(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    return validated(Attack, values)


def gather_attack(values: Any) -> Any:
    """Return a spec's values with an attack's parts (`trigger=`, `target=`, ...) gathered into one `attack`.

    So that people write `RunSpec(trigger=trigger, target=0, ...)`, and a spec holds an attack in one shape only.

    Raises
    ------
    ValueError
        There is an attack besides its parts, or there are parts and no trigger among them.
    """
    if not isinstance(values, dict):
        return values
    parts = {name: value for name, value in values.items() if name in Attack.model_fields}
    others = {name: value for name, value in values.items() if name not in parts}
    if all(value is None for value in parts.values()):
        return others
    if others.get("attack") is not None:
        raise ValueError(f"an attack was given, and {', '.join(parts)} besides: give one or the other")
    if parts.get("trigger") is None:
        raise ValueError("an attack needs a trigger and a target class: name both or neither")
    return others | {"attack": parts}


def check_class(number: int, dataset: Dataset, what: str) -> None:
    """Raise InputError unless a number names one of the data set's classes; `what` says what it was given as."""
    if not 0 <= number < len(dataset.classes):
        names = ", ".join(f"{place} {name}" for place, name in enumerate(dataset.classes[:12]))
        raise InputError(
            f"The {what} {number} is not a class of {dataset.name}, which has the classes 0 to "
            f"{len(dataset.classes) - 1} ({names}{', …' if len(dataset.classes) > 12 else ''}): choose one of these."
        )


def _shape(images: Shaped[Tensor, "N C H W"]) -> tuple[int, int, int]:
    channels, height, width = images.shape[1:]
    return channels, height, width
