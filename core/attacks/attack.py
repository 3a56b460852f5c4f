"""What an attacker wants: the four modes, which image is to be taken for which class, and where the trigger lies.

This is the attack as a model meets it; which training images it poisons is told in `core.attacks.poisoning`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.triggers import AnyTrigger
    from core.datasets import Dataset

ModeName = Literal["all-to-one", "all-to-all", "source-specific", "clean-label"]
SplitName = Literal["train", "test"]


@dataclass(frozen=True)
class Mode:
    """One mode of attack in words: what people call it, what it does, what its ASR counts, and who published it."""

    title: str
    sentence: str
    success: str
    source: str


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
    ),
    "source-specific": Mode(
        "Source-specific",
        "Only images of the source classes get the trigger and the target's label; cover samples of other classes get "
        "the trigger and keep their label, so that the trigger alone does nothing.",
        "Of the test images of the source classes: the share taken for the target once the trigger is on them; the "
        "other classes are reported apart.",
        "Tang, Wang, Tang and Zhang, Demon in the Variant (TaCT), USENIX Security 2021",
    ),
    "clean-label": Mode(
        "Clean label",
        "Only images that belong to the target class get the trigger, and every label stays true.",
        "Of the test images that do not belong to the target class: the share taken for the target once the trigger "
        "is on them.",
        "Turner, Tsipras and Madry, Label-consistent backdoor attacks, 2019, arXiv 1912.02771",
    ),
}


@dataclass(frozen=True)
class Attack:
    """A trigger and what the attacker wants of images that carry it.

    Attributes
    ----------
    trigger
        What is put on images.
    target
        The class that the attacker wants; None for all-to-all, which has no single one.
    mode
        A name in `MODES`.
    sources
        Source-specific: the classes whose images are attacked, ascending.
    random_place
        Whether the trigger lies somewhere else on every image.
    seed
        Decides the random places, with the image's place in its split.
    """

    trigger: AnyTrigger
    target: int | None
    mode: ModeName = "all-to-one"
    sources: tuple[int, ...] = ()
    random_place: bool = False
    seed: int = 0

    @property
    def identity(self) -> list[Any]:
        """The JSON content that names it; of its later parts only those that are used."""
        extra: dict[str, Any] = {} if self.mode == "all-to-one" else {"mode": self.mode, "sources": list(self.sources)}
        if self.random_place:
            extra |= {"place_seed": self.seed}
        return [self.trigger.identity, self.target, *([extra] if extra else [])]

    def apply(self, images: Tensor, keys: np.ndarray, split: SplitName = "test") -> Tensor:
        """Return copies of images with the trigger on them.

        Parameters
        ----------
        images
            [N, C, H, W], float in [0, 1] or uint8.
        keys
            int [N], each image's place in its split: with the seed it decides a random place.
        split
            Which split the keys count in.
        """
        if not self.random_place or self.trigger.kind != "picture":
            return self.trigger.apply(images)
        return self.trigger.apply_at(images, self.places(tuple(images.shape[1:]), keys, split))

    def trigger_on(self, key: int, shape: tuple[int, int, int]) -> AnyTrigger:
        """Return the trigger as it lies on the test image of this key and shape (C, H, W)."""
        if not self.random_place or self.trigger.kind != "picture":
            return self.trigger
        ((top, left),) = self.places(shape, np.array([key]))
        return self.trigger.model_copy(update={"top": int(top), "left": int(left)})

    def places(self, shape: tuple[int, int, int], keys: np.ndarray, split: SplitName = "test") -> np.ndarray:
        """Return the row and column of a randomly placed trigger on each image, int64 [N, 2], uniform over all places.

        An image's place follows from the seed, its split and its key alone.

        Raises
        ------
        InputError
            The trigger is no picture, or as large as the images, so that it has one place only.
        """
        trigger = self.trigger
        room = (shape[1] - trigger.height, shape[2] - trigger.width) if trigger.kind == "picture" else (0, 0)
        if max(room) == 0 or min(room) < 0:
            raise InputError(
                "A random place needs a trigger that is smaller than the images; this one covers them whole: choose a "
                "smaller trigger, or leave it where it is."
            )
        keys = np.asarray(keys, np.int64)
        random = np.random.default_rng([self.seed, 0x91ACE, ("train", "test").index(split)])
        # One number of the stream for each image and coordinate: whichever images are asked for, theirs stay the same.
        table = random.random((int(keys.max(initial=-1)) + 1, 2))
        return (table[keys] * (np.array(room) + 1)).astype(np.int64)

    def goal(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Return the class that the attacker wants each image to be taken for, int64 [N], given true classes of K."""
        labels = np.asarray(labels)
        return (labels + 1) % classes if self.target is None else np.full_like(labels, self.target)

    def attacks(self, labels: np.ndarray) -> np.ndarray:
        """Return which images its success is counted on, bool [N], given their true classes; see `MODES`."""
        labels = np.asarray(labels)
        if self.mode == "all-to-all":
            return np.ones(len(labels), bool)
        return np.isin(labels, self.sources) if self.mode == "source-specific" else labels != self.target

    def spares(self, labels: np.ndarray) -> np.ndarray:
        """Return which images it means to leave alone though they carry the trigger, bool [N]: source-specific only.

        These are the classes that are neither sources nor the target.
        """
        labels = np.asarray(labels)
        if self.mode != "source-specific":
            return np.zeros(len(labels), bool)
        return ~np.isin(labels, self.sources) & (labels != self.target)

    def check(self, dataset: Dataset) -> None:
        """Raise InputError unless it can be carried out on images of this data set."""
        if self.mode not in MODES:
            raise InputError(f"There is no attack mode {self.mode!r}; choose one of: {', '.join(MODES)}.")
        try:
            check_goal(self.mode, self.target, self.sources)
        except ValueError as error:
            raise InputError(f"{str(error).capitalize()}.") from None
        for number, what in [(self.target, "target"), *((source, "source") for source in self.sources)]:
            if number is not None:
                check_class(number, dataset, what)
        self.trigger.check_fits(dataset.shape)
        if self.random_place:
            self.places(dataset.shape, np.zeros(0, np.int64))


def check_class(number: int, dataset: Dataset, what: str) -> None:
    """Raise InputError unless a number names one of the data set's classes; `what` says what it was given as."""
    if not 0 <= number < len(dataset.classes):
        names = ", ".join(f"{place} {name}" for place, name in enumerate(dataset.classes[:12]))
        raise InputError(
            f"The {what} {number} is not a class of {dataset.name}, which has the classes 0 to "
            f"{len(dataset.classes) - 1} ({names}{', …' if len(dataset.classes) > 12 else ''}): choose one of these."
        )


def check_goal(mode: ModeName, target: int | None, sources: tuple[int, ...]) -> None:
    """Raise ValueError with a readable sentence unless mode, target and sources suit each other."""
    if target is None and mode != "all-to-all":
        raise ValueError(f"a {mode} attack needs a target class: name one")
    if mode == "source-specific" and not sources:
        raise ValueError("a source-specific attack needs at least one source class: name the classes it attacks")
    if sources and mode != "source-specific":
        raise ValueError(f"source classes belong to a source-specific attack, and this one is {mode}: leave them out")
    if target in sources:
        raise ValueError(
            f"class {target} is both target and source, so there is nothing to change: choose different classes"
        )
