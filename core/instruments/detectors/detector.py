"""What a detector is: words, settings, what it needs, and how it finds what is suspicious.

A new detector is one file with a class that derives from `ImageDetector`, `TrainingSetDetector` or `ModelDetector`, and
one line in `core.instruments.detectors.registry`. The page and the command line know it from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel

from core.datasets.dataset import to_unit
from core.instruments.detectors.inputs import Inputs, choose_inputs
from core.instruments.detectors.roc import Scored, scored_groups

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.poisoning import Poisoned
    from core.datasets import Dataset
    from core.instruments.detectors.comparison import ComparisonSpec
    from core.instruments.predictor import Predictor

LooksAt = Literal["image", "training set", "model"]


@dataclass(frozen=True, eq=False)
class Suspect:
    """A model and everything that a detector may use to examine it.

    Attributes
    ----------
    model, predictor
        The model, and its fast form.
    dataset
        Its data set.
    spec
        What is asked of the detectors: the attack whose trigger is to be detected, and all numbers.
    poisoned
        The training set as the model was trained on it; None if it is unknown.
    """

    model: Callable[[Tensor], Tensor]
    predictor: Predictor
    dataset: Dataset
    spec: ComparisonSpec
    poisoned: Poisoned | None = None

    @cached_property
    def inputs(self) -> Inputs:
        """The test images that all detectors of images are compared on."""
        return choose_inputs(self.dataset, self.spec.attack, self.spec.images, self.spec.seed)

    @cached_property
    def features(self) -> np.ndarray:
        """What the model's last layer reads of the poisoned training set, float64 [N, D]; InputError if unreadable."""
        from core.instruments.detectors.features import last_features

        assert self.poisoned is not None  # `TrainingSetDetector.suits` has seen to it
        return last_features(self.model, to_unit(self.poisoned.split.images))

    def score(self, scores: Callable[[Tensor], np.ndarray], note: str) -> Scored:
        """Return how well scores of images, higher for more suspicious, tell triggered from clean ones."""
        inputs = self.inputs
        triggered, other = scores(inputs.triggered), scores(inputs.other)
        target = scores(inputs.target) if len(inputs.target) else np.zeros(0)
        held_out = scores(inputs.held_out)
        return scored_groups(triggered, other, target, held_out, self.spec.asked, note)


@dataclass(frozen=True, eq=False)
class ClassScores:
    """How suspicious each of K classes is.

    Attributes
    ----------
    scores
        float64 [K]: higher is more suspicious.
    suspicious
        Classes above the detector's limit, most suspicious first.
    note
        What was found, in words that follow the detector's name.
    details
        Further numbers of each class by name, float64 [K].
    """

    scores: np.ndarray
    suspicious: tuple[int, ...]
    note: str
    details: dict[str, np.ndarray]


class Finding(NamedTuple):
    """What a detector has found so far, and how much of its work is done, in (0, 1]."""

    share: float
    result: Scored | ClassScores


class Prepared(NamedTuple):
    """How a detector of images scores them: float [N, C, H, W] to float64 [N]; and what it had to choose, in words."""

    scores: Callable[[Tensor], np.ndarray]
    note: str = ""


class Detector(BaseModel, ABC, frozen=True, extra="forbid"):
    """A detector. Its fields are its settings: the page draws them as widgets, the command line as options.

    Attributes
    ----------
    title
        What people call it.
    looks_at
        "image": one score an image, at run time; "training set": one score a training image; "model": one a class.
    sentence
        What it takes for suspicious.
    fails
        When it fails.
    source
        Who published it; of `fails` too where another source says so.
    weight
        How long it takes, measured against others: what a bar of progress goes by.
    """

    title: ClassVar[str]
    looks_at: ClassVar[LooksAt]
    sentence: ClassVar[str]
    fails: ClassVar[str]
    source: ClassVar[str]
    weight: ClassVar[int] = 1

    def suits(self, suspect: Suspect) -> str | None:
        """Return None if this model can be examined by it, else a sentence that says why not."""
        del suspect
        return None

    @abstractmethod
    def detect(self, suspect: Suspect) -> Iterator[Finding]:
        """Yield ever better findings; InputError where the model turns out not to suit."""


class ImageDetector(Detector, frozen=True):
    """A detector that scores single images at run time."""

    looks_at: ClassVar[LooksAt] = "image"

    @abstractmethod
    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images; what needs clean images of the defender takes `suspect.inputs.held_out`."""

    def detect(self, suspect: Suspect) -> Iterator[Finding]:
        """Yield the one result."""
        yield Finding(1.0, suspect.score(*self.prepare(suspect)))


class TrainingSetDetector(Detector, frozen=True):
    """A detector that scores the images of a training set, given what the model's last layer reads of them."""

    looks_at: ClassVar[LooksAt] = "training set"

    @abstractmethod
    def scores(self, features: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
        """Return float64 [N], given features float64 [N, D] and the labels int [N] that were trained with."""

    def suits(self, suspect: Suspect) -> str | None:
        """Return None if the poisoned training set is known, else a sentence."""
        if suspect.poisoned is not None and len(suspect.poisoned.poisoned):
            return None
        return "No image of the training set is known to be poisoned, so there is nothing to find."

    def detect(self, suspect: Suspect) -> Iterator[Finding]:
        """Yield the one result: poisoned against clean training images. Cover samples are neither, and left out."""
        poisoned = suspect.poisoned
        assert poisoned is not None  # `suits` has seen to it
        labels = poisoned.split.labels.numpy()
        scores = self.scores(suspect.features, labels, suspect.spec.seed)
        clean = np.ones(len(labels), bool)
        clean[poisoned.poisoned] = clean[poisoned.covers] = False
        # The target's label is what poisoned images carry; all-to-all has as many targets as classes, and so no group.
        target = suspect.spec.attack.target
        is_target = labels == (-1 if target is None else target)
        yield Finding(
            1.0,
            scored_groups(
                scores[poisoned.poisoned],
                scores[clean & ~is_target],
                scores[clean & is_target],
                scores[clean],
                suspect.spec.asked,
                "the threshold is set on all clean training images, as if they were known",
            ),
        )


class ModelDetector(Detector, frozen=True):
    """A detector that scores the classes of a model."""

    looks_at: ClassVar[LooksAt] = "model"
