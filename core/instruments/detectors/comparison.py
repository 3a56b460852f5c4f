"""All detectors on one model and the same inputs, as a generator of ever more of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.attacks.attack import Attack
from core.drawing import Drawn
from core.errors import InputError
from core.instruments.budgets import DETECTION
from core.instruments.detectors.detector import ClassScores, Detector, Suspect
from core.instruments.detectors.registry import DETECTORS
from core.instruments.detectors.roc import Scored

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.poisoning import Poisoned
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Comparison(Drawn):
    """What the detectors reached so far. Names are those of `DETECTORS`, in their order.

    Attributes
    ----------
    share, doing
        How much is done, in [0, 1], and what is under way.
    by_image
        Name -> what a detector that scores images (or training images) reached.
    by_class
        Name -> what a detector that scores classes says, the best so far.
    left_out
        Name -> why this model or training set does not suit a detector.
    """

    share: float
    doing: str
    by_image: dict[str, Scored] = field(default_factory=dict)
    by_class: dict[str, ClassScores] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparisonSpec:
    """Everything that decides a comparison, given the model and its data set.

    Attributes
    ----------
    attack
        Whose trigger is to be detected.
    sigma, draws
        The noise of W.
    images
        Images a group, at most.
    asked
        The false-positive rate that thresholds are set for.
    seed
        Decides images, noise, overlays and batches.
    detectors
        Name -> detector with its settings; by default all of `DETECTORS` with theirs.
    """

    attack: Attack
    sigma: float
    draws: int = DETECTION.draws
    images: int = DETECTION.images
    asked: float = 0.05
    seed: int = 0
    detectors: Mapping[str, Detector] = field(default_factory=lambda: configured({}))

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise InputError(f"Sigma is {self.sigma}; it must be above 0, in units of pixels in [0, 1].")
        if self.draws < 2 or self.images < 2:
            raise InputError(f"{self.draws} draws and {self.images} images are too few; ask for at least 2 of each.")
        if not 0 < self.asked < 1:
            raise InputError(f"A false-positive rate lies between 0 and 1; got {self.asked:g}.")

    @property
    def identity(self) -> list[Any]:
        """The JSON content that names it."""
        settings = {name: detector.model_dump(mode="json") for name, detector in self.detectors.items()}
        numbers = [self.sigma, self.draws, self.images, self.asked, self.seed]
        return [self.attack.identity, *numbers, settings]


def configured(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Detector]:
    """Return all detectors by name, with settings by name and field where they are given, else with their defaults.

    Raises
    ------
    InputError
        A value is not one that the detector takes.
    """
    from core.identity import validated

    return {name: validated(kind, dict(settings.get(name, {}))) for name, kind in DETECTORS.items()}


def compare_detectors(
    model: Callable[[Tensor], Tensor],
    predictor: Predictor,
    dataset: Dataset,
    spec: ComparisonSpec,
    poisoned: Poisoned | None = None,
) -> Iterator[Comparison]:
    """Examine one model with all detectors; yield after each, and while one gets better.

    Parameters
    ----------
    model, predictor
        The model, and its fast form.
    dataset
        Its data set.
    spec
        What is compared.
    poisoned
        The training set as it was trained on; None if it is unknown, and then detectors that look at it are left out.
    """
    spec.attack.check(dataset)
    suspect = Suspect(
        model, predictor, dataset, spec.attack, spec.sigma, spec.draws, spec.images, spec.asked, spec.seed, poisoned
    )
    so_far = Comparison(0.0, next((detector.title for detector in spec.detectors.values()), ""))
    yield so_far
    _ = suspect.inputs  # too few images are an error of the whole comparison
    done, total = 0, sum(detector.weight for detector in spec.detectors.values())
    for name, detector in spec.detectors.items():
        newest = so_far
        for share, newest in _examined(so_far, name, detector, suspect):
            yield replace(newest, share=(done + share * detector.weight) / total, doing=detector.title)
        so_far, done = newest, done + detector.weight
    yield replace(so_far, share=1.0, doing="")


def _examined(
    so_far: Comparison, name: str, detector: Detector, suspect: Suspect
) -> Iterator[tuple[float, Comparison]]:
    """Yield the share that one detector has done and the comparison with what it found, or why it is left out."""
    reason = detector.suits(suspect)
    if reason is None:
        try:
            for share, result in detector.detect(suspect):
                if isinstance(result, ClassScores):
                    yield share, replace(so_far, by_class=so_far.by_class | {name: result})
                else:
                    yield share, replace(so_far, by_image=so_far.by_image | {name: result})
            return
        except InputError as error:
            reason = str(error)
    yield 1.0, replace(so_far, left_out=so_far.left_out | {name: reason})
