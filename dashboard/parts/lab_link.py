"""The Lab as it would train a run again: what a run's spec says, as the page's state."""

from __future__ import annotations

from core.training.settings import default_learning_rate, default_weight_decay, recommended
from core.training.spec import RunSpec
from dashboard.state import LabState


def lab_state(spec: RunSpec, run: str = "") -> LabState:
    """Return the Lab's state with a run's settings; `run` is the name of the run that it watches."""
    usual = recommended(spec.dataset, "small-cnn", careful=False)
    rate, decay = default_learning_rate(spec.architecture, spec.optimiser), default_weight_decay(spec.optimiser)
    values = {
        "dataset": spec.dataset,
        "rate": round(100 * spec.rate, 6),
        "architecture": "" if spec.architecture == "small-cnn" else spec.architecture,
        "epochs": 0 if spec.epochs == usual.epochs else spec.epochs,
        "batch": 0 if spec.batch_size == usual.batch_size else spec.batch_size,
        "optimiser": spec.optimiser,
        "learning_rate": 0.0 if spec.learning_rate == rate else spec.learning_rate,
        "weight_decay": -1.0 if spec.weight_decay == decay else spec.weight_decay,
        "augmentation": "" if spec.augmentation == usual.augmentation else spec.augmentation,
        "seed": spec.seed,
        "run": run,
    }
    attack = spec.attack
    if attack is None:
        return LabState(**values)
    return LabState(
        **values,
        trigger=attack.trigger.to_link(),
        mode=attack.mode,
        target=attack.target or 0,
        sources="-".join(map(str, attack.sources)),
        cover=round(100 * spec.cover_rate, 6) if attack.mode == "source-specific" else LabState.cover,
        anywhere=attack.random_place,
        perturbed=spec.perturbed,
    )
