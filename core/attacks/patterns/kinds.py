"""The kinds of patterns by name, and one way to search any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.attacks.triggers import AnyTrigger
from core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from core.attacks.patterns.descent import Model
    from core.attacks.patterns.step import Step
    from core.datasets import Dataset

# Searches learn from so many training images; more make no difference to one small pattern.
_POOL = 4000


@dataclass(frozen=True)
class Kind:
    """A kind of pattern in words.

    Attributes
    ----------
    title, sentence
        What people call it, and what it is.
    bound
        Its usual bound: the largest change of a pixel, or a corruption's strength; None where there is none.
    wants
        Which parts of a `PatternSpec` it needs beyond the seed: "sigma", "target", "trigger".
    per_image
        Whether every image is changed in its own way, so that there is no one trigger.
    """

    title: str
    sentence: str
    bound: float | None
    wants: tuple[str, ...] = ()
    per_image: bool = False


KINDS: dict[str, Kind] = {
    "crafted-smooth": Kind(
        "Crafted smooth",
        "One additive pattern, optimised on training images to make this model smooth; nothing was poisoned for it.",
        0.3,
        ("sigma",),
    ),
    "trigger": Kind("The trigger itself", "The trigger as it is, on whatever model.", None, ("trigger",)),
    "random": Kind("Random", "A random additive pattern as large as the trigger.", None, ("trigger",)),
    "universal": Kind(
        "Universal adversarial",
        "One additive pattern, optimised on training images to change the class of most images.",
        0.1,
    ),
    "patch": Kind(
        "Adversarial patch",
        "A small opaque square, its colours optimised on training images to take every image to the target class.",
        None,
        ("target",),
    ),
    "pgd": Kind(
        "PGD examples", "Each image changed on its own, by as little as the bound, to lose its class.", 0.1, (), True
    ),
    "brightness": Kind("Brighter", "Every pixel brighter by the bound.", 0.3, (), True),
    "contrast": Kind("Less contrast", "Every pixel closer to the image's mean, by the bound's share.", 0.3, (), True),
    "uniform-noise": Kind("Uniform noise", "Uniform noise up to the bound on every pixel.", 0.3, (), True),
    "salt-and-pepper": Kind("Salt and pepper", "The bound's share of the pixels, black or white.", 0.3, (), True),
    "blur": Kind("Blurred", "A Gaussian blur.", 0.3, (), True),
    "mosaic": Kind("Mosaic", "Square tiles of one colour.", 0.5, (), True),
}


@dataclass(frozen=True)
class PatternSpec:
    """Everything that decides a pattern, given the model and its data set.

    Attributes
    ----------
    kind
        A name in `KINDS`.
    bound
        Largest change of a pixel, or a corruption's strength; by default what is usual for the kind. No part of kinds
        without one.
    sigma
        The noise that a crafted-smooth pattern is made for.
    target
        The class wanted: an adversarial patch needs one; for universal and PGD patterns None means any other class.
    trigger
        For the kinds that are about one.
    seed
        Decides everything random.
    """

    kind: str
    bound: float | None = None
    sigma: float | None = None
    target: int | None = None
    trigger: AnyTrigger | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        kind = find_kind(self.kind)
        for name in kind.wants:
            if getattr(self, name) is None:
                raise InputError(f"A pattern of the kind {self.kind} needs a {name}: name one.")
        bound = kind.bound if self.bound is None else self.bound
        object.__setattr__(self, "bound", None if kind.bound is None else bound)

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that names the pattern."""
        trigger = self.trigger.identity if self.trigger and "trigger" in KINDS[self.kind].wants else None
        sigma = self.sigma if "sigma" in KINDS[self.kind].wants else None
        return {"kind": self.kind, "bound": self.bound, "sigma": sigma, "target": self.target, "trigger": trigger,
                "seed": self.seed, "recipe": 1}  # fmt: skip


def find_kind(name: str) -> Kind:
    """Return what is known of a kind; InputError if there is none of that name."""
    if name not in KINDS:
        raise InputError(f"There is no pattern called {name!r}; choose one of: {', '.join(KINDS)}.")
    return KINDS[name]


def search_pattern(spec: PatternSpec, model: Model, dataset: Dataset, chosen: np.ndarray) -> Iterator[Step]:
    """Search a pattern; the last `Step` holds the result.

    Parameters
    ----------
    spec
        What is looked for.
    model
        From images [N, C, H, W] in [0, 1] to logits [N, K]; never changed.
    dataset
        Patterns learn from its training images.
    chosen
        int [N], places in its test split: kinds that change every image in its own way change these.

    Raises
    ------
    InputError
        The trigger or the target does not suit the data set; or a model without gradients is to be optimised on.
    """
    import torch

    from core.attacks.patterns.step import Step
    from core.datasets.dataset import to_unit

    if spec.trigger is not None:
        spec.trigger.check_fits(dataset.shape)
    learn = to_unit(dataset.train.images[_pool(len(dataset.train.labels), spec.seed)])
    if KINDS[spec.kind].per_image:
        images = to_unit(dataset.test.images[torch.from_numpy(chosen)])
        yield from _per_image(spec, model, images, dataset.test.labels[torch.from_numpy(chosen)])
    elif spec.kind == "trigger":
        yield Step(1.0, 0.0, spec.trigger)
    elif spec.kind == "random":
        from core.attacks.patterns.random_pattern import random_like

        yield Step(1.0, 0.0, random_like(spec.trigger, learn, spec.seed))
    else:
        yield from _optimised(spec, model, learn)


def _per_image(spec: PatternSpec, model: Model, images: Tensor, labels: Tensor) -> Iterator[Step]:
    from core.attacks.patterns.step import Step

    if spec.kind == "pgd":
        from core.attacks.patterns.pgd import pgd_examples

        yield from pgd_examples(model, images, labels, spec.bound, seed=spec.seed, target=spec.target)
    else:
        from core.attacks.patterns.corruptions import corrupt

        yield Step(1.0, 0.0, corrupt(spec.kind, images, spec.bound, spec.seed))


def _optimised(spec: PatternSpec, model: Model, learn: Tensor) -> Iterator[Step]:
    if spec.kind == "crafted-smooth":
        from core.attacks.patterns.crafted_smooth import craft_smooth

        return craft_smooth(model, learn, spec.sigma, spec.bound, seed=spec.seed)
    if spec.kind == "universal":
        from core.attacks.patterns.universal import universal_perturbation

        return universal_perturbation(model, learn, spec.bound, seed=spec.seed, target=spec.target)
    from core.attacks.patterns.patch import adversarial_patch

    return adversarial_patch(model, learn, spec.target, seed=spec.seed)


def _pool(count: int, seed: int) -> Tensor:
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:_POOL]
