"""Neural Cleanse: a class that a far smaller trigger reaches than any other is suspicious."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from core.datasets.dataset import to_unit
from core.instruments.detectors.detector import ClassScores, Finding, ModelDetector, Suspect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.instruments.detectors.trigger_inversion import Inversion

# Clean training images that triggers are searched on.
_POOL = 1000


class NeuralCleanse(ModelDetector, frozen=True):
    """See `core.instruments.detectors.trigger_inversion`."""

    title: ClassVar = "Neural Cleanse"
    sentence: ClassVar = "A class that a much smaller trigger reaches than any other."
    fails: ClassVar = "Large or blended triggers, several target classes, and fewer than about five classes to compare."
    source: ClassVar = "Wang et al. 2019, IEEE S&P; they name large triggers and many infected labels as limits."
    weight: ClassVar = 5

    steps: int = Field(300, ge=1, le=10_000, title="Steps", description="Adam steps of the search.")

    def detect(self, suspect: Suspect) -> Iterator[Finding]:
        """Yield the anomaly index of every class as ever smaller triggers are found; InputError without gradients."""
        from core.instruments.detectors.trigger_inversion import invert_triggers

        train = suspect.dataset.train
        chosen = np.random.default_rng([suspect.spec.seed, 0xC1EA]).permutation(len(train.labels))[:_POOL]
        for step in invert_triggers(suspect.model, to_unit(train.images[chosen]), self.steps, suspect.spec.seed):
            yield Finding(step.share, _in_words(step, suspect.dataset.classes))


def _in_words(found: Inversion, classes: Sequence[str]) -> ClassScores:
    smallest = int(found.norms.argmin())
    return ClassScores(
        scores=found.scores,
        suspicious=tuple(found.suspicious.tolist()),
        note=f"The score is the anomaly index; above 2 is suspicious. The smallest trigger takes "
        f"{found.norms[smallest]:.1f} pixels, towards {classes[smallest]}; the largest {found.norms.max():.1f}.",
        details={"norms": found.norms, "reached": found.reached},
    )
