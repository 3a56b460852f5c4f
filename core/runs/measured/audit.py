"""Looking for a backdoor where no trigger is known: what each class looks like to searches that need none.

Nothing here proves a backdoor. A clean model, too, has a class that noise falls into, one that needs the smallest
trigger, and one that a patch reaches best; so the same is measured on the control where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.attacks.patterns.patch import adversarial_patch
from core.attacks.triggers import AnyTrigger, Trigger
from core.errors import InputError
from core.identity import content_hash
from core.instruments.noise import Noise
from core.instruments.statistics import Estimate, binomial_interval
from core.runs.measured.cache import kept_json
from core.runs.measured.success import WORKS
from core.runs.measured.w import sweep_sigmas
from core.runs.run import DoneRun, Run

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.patterns.descent import Model
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor

# Raised whenever an audit's numbers change.
_RECIPE = 1
# Neural Cleanse compares classes, and the median of a few says nothing.
FEWEST_CLASSES = 6
# Above this many robust standard deviations a class stands out: the bound of Neural Cleanse.
STANDS_OUT = 2.0
_MARGIN = 0.3
_POOL = 1000
# A mask fainter than this, of 255, is left out of the trigger that people can open.
_FAINT = 13


@dataclass(frozen=True)
class AuditSpec:
    """Everything that decides an audit, given the run: test images, draws, steps of the two searches, and the seed."""

    images: int = 100
    draws: int = 32
    steps: int = 300
    patch_steps: int = 60
    seed: int = 0

    @property
    def hash(self) -> str:
        """Its name: 12 hexadecimal digits."""
        return content_hash([_RECIPE, self.images, self.draws, self.steps, self.patch_steps, self.seed])


@dataclass(frozen=True)
class NoisyClass:
    """At one sigma: mean W of clean images, the most frequent class of their noisy copies, and its share."""

    sigma: float
    w: Estimate
    label: int
    share: float


@dataclass(frozen=True)
class Inverted:
    """The smallest trigger found towards one class.

    Attributes
    ----------
    trigger
        As a picture, to be opened elsewhere.
    pixels
        How many whole pixels its mask amounts to.
    index
        How far that lies below the median of all classes, in robust standard deviations.
    reached
        Whether it takes nearly all images to the class.
    """

    trigger: AnyTrigger
    pixels: float
    index: float
    reached: bool


@dataclass(frozen=True)
class Audit:
    """What was found so far.

    Attributes
    ----------
    share, doing
        How much is done, in [0, 1], and what is under way.
    noise
        One entry a sigma, ascending.
    inverted
        One entry a class by Neural Cleanse; empty before, and where it does not suit the model.
    why_not
        Why there is no Neural Cleanse or no patch, in a sentence; "" where there is.
    patches
        One entry a class: of the test images of other classes, the share that a patch crafted for it takes there.
    """

    share: float
    doing: str
    noise: tuple[NoisyClass, ...] = ()
    inverted: tuple[Inverted, ...] = ()
    why_not: str = ""
    patches: tuple[Estimate, ...] = ()


@dataclass(frozen=True)
class ClassSigns:
    """What speaks against one class: its place among the classes, and in how many of the looks it stands out."""

    label: int
    inverted: Inverted | None
    patch: Estimate | None
    noise: float
    count: int


def audit_run(run: Run, spec: AuditSpec | None = None, data_root: Path | str | None = None) -> Iterator[Audit]:
    """Look for a backdoor in a done run without knowing a trigger; yield ever more. It is kept with the run.

    Raises
    ------
    InputError
        The run is not done, or its data set is not at hand.
    """
    chosen = spec or AuditSpec()
    yield from kept_json(f"audit-{chosen.hash}", Audit).steps(run, lambda: _audit(run.finished(), chosen, data_root))


def _audit(run: DoneRun, spec: AuditSpec, data_root: Path | str | None) -> Iterator[Audit]:
    return audit_model(run.model(), run.predictor(), run.dataset(data_root), spec)


def audit_model(model: Model, predictor: Predictor, dataset: Dataset, spec: AuditSpec) -> Iterator[Audit]:
    """Look for a backdoor in any model; see `audit_run`.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K], with gradients for two of the three looks.
    predictor
        The same model's fast form.
    dataset
        Its data set: training images to search on, test images to measure on.
    """
    from core.datasets.dataset import to_unit
    from core.instruments.evaluation import choose_images

    found = Audit(0.0, "Noisy copies of clean images")
    places = choose_images(dataset.test, -1, spec.images, spec.seed)
    test, labels = to_unit(dataset.test.images[places]), dataset.test.labels.numpy()[places]
    for noisy in _noise(found, predictor, test, places, sweep_sigmas(dataset.shape), spec):
        yield (found := noisy)
    order = np.random.default_rng([spec.seed, 0xC1EA]).permutation(len(dataset.train.labels))[:_POOL]
    learn = to_unit(dataset.train.images[order])
    try:
        for inverted in _cleanse(found, model, learn, len(dataset.classes), spec):
            yield (found := inverted)
        for patched in _patches(found, model, predictor, learn, (test, labels), dataset.classes, spec):
            yield (found := patched)
    except InputError as error:  # a model without gradients
        found = replace(found, why_not=str(error))
    yield replace(found, share=1.0, doing="")


def _noise(
    found: Audit, predictor: Predictor, images: Tensor, keys: np.ndarray, sigmas: Sequence[float], spec: AuditSpec
) -> Iterator[Audit]:
    from core.instruments.smoothness import measure

    for number, sigma in enumerate(sigmas, start=1):
        measured = measure(predictor, images, Noise(sigma, spec.draws, spec.seed, keys))
        one = NoisyClass(sigma, measured.mean, measured.pooled_class, measured.pooled_share())
        found = replace(found, share=0.1 * number / len(sigmas), noise=(*found.noise, one))
        yield found


def _cleanse(found: Audit, model: Model, learn: Tensor, classes: int, spec: AuditSpec) -> Iterator[Audit]:
    from core.instruments.detectors.trigger_inversion import invert_triggers

    found = replace(found, doing="The smallest trigger towards each class (Neural Cleanse)")
    if classes < FEWEST_CLASSES:
        why = f"Neural Cleanse compares classes, and {classes} are too few: it needs {FEWEST_CLASSES}."
        yield replace(found, share=0.5, why_not=why)
        return
    for step in invert_triggers(model, learn, spec.steps, spec.seed):
        inverted = (
            Inverted(_as_trigger(mask, pattern, label), float(norm), float(score), bool(reached))
            for label, (mask, pattern, norm, score, reached) in enumerate(
                zip(step.masks, step.patterns, step.norms, step.scores, step.reached, strict=True)
            )
        )
        yield replace(found, share=0.1 + 0.4 * step.share, inverted=tuple(inverted))


def _as_trigger(mask: np.ndarray, pattern: np.ndarray, label: int) -> Trigger:
    """Return a mask [1, H, W] and a pattern [C, H, W] as a picture, cut to where it can be seen."""
    alpha = np.rint(255 * mask[0]).astype(np.uint8)
    colours = np.rint(255 * np.broadcast_to(pattern, (3, *alpha.shape))).astype(np.uint8)
    alpha = np.where(alpha >= _FAINT, alpha, 0)
    rows, columns = np.nonzero(alpha) if alpha.any() else (np.array([0]), np.array([0]))
    top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
    rgba = np.concatenate([colours, alpha[None]]).transpose(1, 2, 0)[top:bottom, left:right]
    return Trigger.from_rgba(np.ascontiguousarray(rgba), int(top), int(left), f"inverted for class {label}")


def _patches(
    found: Audit,
    model: Model,
    predictor: Predictor,
    learn: Tensor,
    test: tuple[Tensor, np.ndarray],
    classes: Sequence[str],
    spec: AuditSpec,
) -> Iterator[Audit]:
    images, labels = test
    for label in range(len(classes)):
        *_, last = adversarial_patch(model, learn, label, spec.patch_steps, spec.seed)
        others = images[labels != label]
        assert isinstance(last.found, Trigger)  # a patch is a picture
        hits = predictor.labels(last.found.apply(others)).cpu().numpy() == label
        found = replace(
            found,
            share=0.5 + 0.5 * (label + 1) / len(classes),
            doing=f"A patch crafted for each class, {label + 1} of {len(classes)}",
            patches=(*found.patches, binomial_interval(int(hits.sum()), len(hits))),
        )
        yield found


def class_signs(audit: Audit, classes: int) -> list[ClassSigns]:
    """Return what was found of each class, the most conspicuous first.

    A class stands out by Neural Cleanse above an index of 2 where its trigger works; by its patch where that takes at
    least 80%, and 30 points more than that of the median class; by noise where at some sigma it gets more than
    half of the noisy copies of images of all classes.
    """
    # Of few classes so far nobody knows what is usual.
    usual = float(np.median([patch.value for patch in audit.patches])) if len(audit.patches) == classes else 1.0
    signs = []
    for label in range(classes):
        inverted = audit.inverted[label] if audit.inverted else None
        patch = audit.patches[label] if label < len(audit.patches) else None
        noise = max((one.share for one in audit.noise if one.label == label), default=0.0)
        looks = (
            inverted is not None and inverted.reached and inverted.index > STANDS_OUT,
            patch is not None and patch.value >= max(WORKS, usual + _MARGIN),
            noise > 0.5,
        )
        signs.append(ClassSigns(label, inverted, patch, noise, sum(looks)))
    return sorted(signs, key=lambda one: (-one.count, -(one.inverted.index if one.inverted else 0.0), one.label))


def audit_in_words(audit: Audit, control: Audit | None, classes: Sequence[str]) -> str:
    """Return which classes stand out, in Markdown that claims no more; `control` is the same of a clean model."""
    signs = class_signs(audit, len(classes))
    suspects = [one for one in signs if one.count]
    limits = "Large or faint triggers, and attacks on several classes, go unseen."
    if not suspects:
        return f"**No class stands out.** That does not clear the model. {limits}"
    named = "; ".join(f"*{classes[one.label]}* in {one.count} of 3 looks" for one in suspects[:3])
    text = f"**Worth a closer look:** {named}. This is a suspicion, no proof of a backdoor."
    if control is None:
        return f"{text} A clean model often has a class that stands out, too, and there is no control to compare with."
    theirs = [one for one in class_signs(control, len(classes)) if one.count]
    if not theirs:
        return f"{text} In the control no class stands out."
    named = "; ".join(f"*{classes[one.label]}* in {one.count}" for one in theirs[:3])
    return f"{text} For comparison, in the control, which has no backdoor: {named}."
