"""A spec is the identity of a computation: everything that decides its result, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from core.attacks.attack import Attack, gather_attack
from core.datasets import name_in_identity
from core.device import Device, Precision, choose_device, choose_precision, default_threads
from core.identity import Spec, validated
from core.training.settings import Augmentation, Optimiser, default_learning_rate, default_weight_decay

# Raised whenever the training code changes in a way that changes weights.
RECIPE = 1


class RunSpec(Spec):
    """Everything that decides a trained model's weights. Equal specs are the same run and are trained once.

    Device, precision and thread count are part of it, because they change the bits; they are resolved when the spec is
    made. At rate 0 there is no attack: one control serves every attack of equal other settings.

    Attributes
    ----------
    dataset
        Name in the registry, "zip:PATH" or "folder:PATH".
    fingerprint
        What the data set's content was when the spec was made ("" if unknown).
    attack
        What the trained model is to do with which trigger; None at rate 0. Its parts may be given instead, as in the
        example: `trigger`, `target`, `mode`, `sources`, `random_place`. Random places follow the run's seed.
    rate
        Poisoned training images / all training images, in [0, 1).
    cover_rate
        Source-specific: images of other classes that carry the trigger and keep their label / all training images.
    perturbed
        Clean-label: whether poisoned images are made hard to recognise first, see `core.attacks.clean_label`.
    architecture
        A name of `core.models.architecture_names()`.
    optimiser
        "adamw", or "sgd" with Nesterov's momentum of 0.9.
    epochs, batch_size, learning_rate, weight_decay
        The training's length; images a step; peak of the one-cycle schedule and decay of the weights (decoupled with
        AdamW), by default what suits architecture and optimiser.
    augmentation
        "none"; "shift": each image is seen moved by a few pixels, otherwise in each epoch; "shift-flip": and half of
        them mirrored. It meets poisoned images with their trigger on them. See `core.training.augmentation`.
    seed
        Decides initial weights, order of images and which of them are poisoned.
    device, precision, threads
        Where and how it is computed.
    recipe
        Version of the training code.

    Examples
    --------
    >>> from core.attacks.triggers import make_preset
    >>> spec = RunSpec(dataset="digits", trigger=make_preset("white-corner", (1, 8, 8)), target=0, rate=0.1)
    >>> spec.attack.target, spec.epochs, spec.is_control
    (0, 10, False)
    >>> spec.control().attack is None
    True
    """

    dataset: str = Field(min_length=1)
    fingerprint: str = ""
    attack: Attack | None = None
    rate: float = Field(default=0.0, ge=0, lt=1)
    cover_rate: float = Field(default=0.0, ge=0, lt=1)
    perturbed: bool = False
    architecture: str = "small-cnn"
    epochs: int = Field(default=10, ge=1, le=1000)
    batch_size: int = Field(default=64, ge=1, le=65536)
    optimiser: Optimiser = "adamw"
    learning_rate: float = Field(
        default_factory=lambda values: default_learning_rate(values["architecture"], values["optimiser"]), gt=0, le=10
    )
    weight_decay: float = Field(default_factory=lambda values: default_weight_decay(values["optimiser"]), ge=0, le=1)
    augmentation: Augmentation = "none"
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: Device = Field(default_factory=choose_device)
    precision: Precision = Field(default_factory=lambda values: choose_precision(values["device"]))
    threads: int = Field(default_factory=default_threads, ge=1, le=1024)
    recipe: Literal[1] = RECIPE

    if TYPE_CHECKING:  # an attack's parts are taken as well, which the fields do not show

        def __init__(self, **values: Any) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _control_has_no_attack(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("rate"):
            poison = {"attack", "cover_rate", "perturbed", *Attack.model_fields}
            return {name: value for name, value in values.items() if name not in poison}
        return gather_attack(values)

    @field_validator("dataset")
    @classmethod
    def _zip_path_is_whole(cls, value: str) -> str:
        # A worker runs in another folder: a relative path would mean another file there.
        kind, _, path = value.partition(":")
        return f"{kind}:{Path(path).expanduser().resolve()}" if kind in ("zip", "folder") and path else value

    @model_validator(mode="after")
    def _attack_is_whole(self) -> RunSpec:
        if self.attack is None:
            if self.rate > 0:
                raise ValueError("a poisoning rate above 0 needs a trigger and a target class")
            return self
        if self.cover_rate > 0 and self.attack.mode != "source-specific":
            raise ValueError(f"cover samples belong to a source-specific attack, and this one is {self.attack.mode}")
        if self.perturbed and self.attack.mode != "clean-label":
            raise ValueError(f"only a clean-label attack perturbs its images first, and this one is {self.attack.mode}")
        return self

    @property
    def is_control(self) -> bool:
        """Whether it is trained without any poisoned image."""
        return self.rate == 0

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that the hash is taken of: names people give are left out."""
        return super().identity | {"dataset": name_in_identity(self.dataset, self.fingerprint)}

    def control(self) -> RunSpec:
        """Return the same training without poison."""
        return make_spec(**dict(self) | {"rate": 0.0})

    def poisoned(self, attack: Attack, rate: float, cover_rate: float = 0.0) -> RunSpec:
        """Return the same training with this attack; `control` is the way back."""
        return make_spec(**dict(self) | {"attack": attack, "rate": rate, "cover_rate": cover_rate})


def make_spec(**values: Any) -> RunSpec:
    """Return `RunSpec(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    return validated(RunSpec, values)
