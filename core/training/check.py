"""Whether a spec can be trained on a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.attacks.poisoning import choose_covers, choose_poisoned
from core.errors import InputError
from core.models.registry import describe

if TYPE_CHECKING:
    from core.datasets import Dataset
    from core.training.spec import RunSpec


def check_spec(spec: RunSpec, dataset: Dataset) -> None:
    """Raise InputError unless this spec can be trained on this data set."""
    if reason := describe(spec.architecture).suits(dataset.shape, len(dataset.classes)):
        raise InputError(reason)
    if spec.fingerprint and spec.fingerprint != dataset.fingerprint:
        raise InputError(
            f"The data set {spec.dataset} has changed since this run was named (then {spec.fingerprint}, now "
            f"{dataset.fingerprint}): start a new run."
        )
    if spec.attack is not None:
        spec.attack.check(dataset)
        labels = dataset.train.labels.numpy()
        choose_poisoned(labels, spec.attack, spec.rate, spec.seed)
        choose_covers(labels, spec.attack, spec.cover_rate, spec.seed)
