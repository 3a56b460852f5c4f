"""What a pattern is: words, settings, what it needs, and how it is searched; and what decides one.

A new pattern is one file with a class that derives from `Pattern`, and one line in `core.attacks.patterns.registry`.
The page and the command line know it from there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from core.datasets.dataset import to_unit

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from core.attacks.patterns.descent import Model
    from core.attacks.patterns.step import Step
    from core.attacks.triggers import BaseTrigger
    from core.datasets import Dataset

# Searches learn from so many training images; more make no difference to one small pattern.
_POOL = 4000


@dataclass(frozen=True, eq=False)
class PatternTask:
    """What a pattern is searched on.

    Attributes
    ----------
    model
        From images [N, C, H, W] in [0, 1] to logits [N, K]; never to be changed.
    dataset
        Its data set.
    chosen
        int [N], places in its test split: patterns that change every image in its own way change these.
    sigma, trigger, seed
        The noise and the trigger, for patterns that need them; decides everything random.
    """

    model: Model
    dataset: Dataset
    chosen: np.ndarray
    sigma: float | None
    trigger: BaseTrigger | None
    seed: int

    @cached_property
    def learn(self) -> Tensor:
        """Training images to learn from, float [N, C, H, W] in [0, 1]."""
        import torch

        train = self.dataset.train
        order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(self.seed))
        return to_unit(train.images[order[:_POOL]])

    @cached_property
    def images(self) -> Tensor:
        """The chosen test images, float [N, C, H, W] in [0, 1]."""
        return to_unit(self.dataset.test.images[self.chosen])

    @cached_property
    def labels(self) -> Tensor:
        """Their true classes, int64 [N]."""
        return self.dataset.test.labels[self.chosen]


class Pattern(BaseModel, ABC, frozen=True, extra="forbid"):
    """A pattern. Its fields are its settings: the page draws them as widgets, the command line as options.

    Attributes
    ----------
    title, sentence
        What people call it, and what it is.
    needs
        What it needs of a `PatternTask` beyond the seed: "sigma", "trigger".
    """

    title: ClassVar[str]
    sentence: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield ever better patterns, the best one last; InputError if the model or the data set does not suit."""


def bound_field(default: float, description: str = "The largest change of a pixel, in values from 0 to 1.") -> Any:
    """Return a setting that is at most 1: a pattern's bound, or a corruption's strength."""
    shown = {"usual": [0.01, 1.0], "step": 0.01}
    title = "Bound" if "pixel" in description else "Strength"
    return Field(default, gt=0, le=1, title=title, description=description, json_schema_extra=shown)


def target_field(*, required: bool) -> Any:
    """Return a setting that is the number of a class; unless required, None means any other class."""
    default: Any = ... if required else None
    words = "Number of the class that is wanted."
    return Field(default, ge=0, title="Towards class", description=words, json_schema_extra={"shown": "class"})
