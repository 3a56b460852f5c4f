"""A spec is the identity of a computation: everything that decides its result, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.attacks.attack import Attack, ModeName, check_goal
from core.attacks.poisoning import choose_covers, choose_poisoned
from core.attacks.triggers import AnyTrigger, Trigger
from core.device import Device, Precision, choose_device, choose_precision, default_threads
from core.errors import InputError
from core.identity import content_hash, validated
from core.models import architecture_names
from core.training.settings import Augmentation, Optimiser, default_learning_rate, default_weight_decay

if TYPE_CHECKING:
    from core.datasets import Dataset

# Raised whenever the training recipe changes in a way that changes weights: old runs then keep their own identity.
RECIPE = 1


class RunSpec(BaseModel):
    """Everything that decides a trained model's weights. Equal specs are the same run and are trained once.

    Device, precision and thread count are part of it, because they change the bits; they are resolved when the spec is
    made. At rate 0 there is no trigger and no target: one control serves every trigger of equal other settings.

    Attributes
    ----------
    dataset
        Name in the registry, "zip:PATH" or "folder:PATH".
    fingerprint
        What the data set's content was when the spec was made ("" if unknown).
    trigger, target
        What is put on poisoned images and the class they are labelled as; None at rate 0. An all-to-all attack has no
        single target: None.
    rate
        Poisoned training images / all training images, in [0, 1).
    mode, sources
        What the attacker wants, see `core.attacks.attack.MODES`; the classes that a source-specific attack is about.
    cover_rate
        Source-specific: images of other classes that carry the trigger and keep their label / all training images.
    random_place
        Whether the trigger lies somewhere else on every image.
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(min_length=1)
    fingerprint: str = ""
    trigger: AnyTrigger | None = None
    target: int | None = Field(default=None, ge=0)
    rate: float = Field(default=0.0, ge=0, lt=1)
    mode: ModeName = "all-to-one"
    sources: tuple[int, ...] = ()
    cover_rate: float = Field(default=0.0, ge=0, lt=1)
    random_place: bool = False
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

    @model_validator(mode="before")
    @classmethod
    def _control_has_no_trigger(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("rate"):
            attack = {"trigger", "target", "mode", "sources", "cover_rate", "random_place", "perturbed"}
            return {name: value for name, value in values.items() if name not in attack}
        return _without_target(values)

    @field_validator("dataset")
    @classmethod
    def _zip_path_is_whole(cls, value: str) -> str:
        # A worker runs in another folder: a relative path would mean another file there.
        kind, _, path = value.partition(":")
        return f"{kind}:{Path(path).expanduser().resolve()}" if kind in ("zip", "folder") and path else value

    @field_validator("sources")
    @classmethod
    def _sources_are_ordered(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _attack_is_whole(self) -> RunSpec:
        if self.rate == 0:
            return self
        if self.trigger is None or (self.target is None and self.mode != "all-to-all"):
            raise ValueError("a poisoning rate above 0 needs a trigger and a target class")
        check_goal(self.mode, self.target, self.sources)
        if self.cover_rate > 0 and self.mode != "source-specific":
            raise ValueError(f"cover samples belong to a source-specific attack, and this one is {self.mode}")
        if self.perturbed and self.mode != "clean-label":
            raise ValueError(f"only a clean-label attack perturbs its images first, and this one is {self.mode}")
        _check_random_place(self.random_place, self.trigger)
        return self

    @property
    def attack(self) -> Attack | None:
        """What the trained model is to do with the trigger; None for a control. Random places follow its seed."""
        if self.trigger is None:
            return None
        return Attack(self.trigger, self.target, self.mode, self.sources, self.random_place, self.seed)

    @property
    def is_control(self) -> bool:
        """Whether it is trained without any poisoned image."""
        return self.rate == 0

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that the hash is taken of: names people give are left out."""
        content = _without_later(self, {"trigger"})
        kind = self.fingerprint.partition("-")[0]
        if kind in ("zip", "folder"):
            content["dataset"] = kind  # its content names it, wherever it lies
        return content | {"trigger": self.trigger.identity if self.trigger else None}

    @property
    def hash(self) -> str:
        """The run's name: 12 hexadecimal digits."""
        return content_hash(self.identity)

    def control(self) -> RunSpec:
        """Return the same training without poison."""
        return make_spec(**(self.model_dump() | {"rate": 0.0}))


# Fields that came after the first runs and measurements were named: at their default they are no part of an identity.
_LATER = {"mode", "sources", "cover_rate", "random_place", "perturbed", "optimiser", "augmentation"}


def _without_later(spec: BaseModel, left_out: set[str]) -> dict[str, Any]:
    """Return a spec's JSON content without some fields, and without later ones that have their default."""
    fields = type(spec).model_fields
    unused = {name for name in _LATER & fields.keys() if getattr(spec, name) == fields[name].default}
    return spec.model_dump(mode="json", exclude=left_out | unused)


def _without_target(values: Any) -> Any:
    """Leave out an all-to-all attack's target: every class has its own."""
    if isinstance(values, dict) and values.get("mode") == "all-to-all":
        return {name: value for name, value in values.items() if name != "target"}
    return values


def _check_random_place(random_place: bool, trigger: AnyTrigger) -> None:
    if random_place and not isinstance(trigger, Trigger):
        raise ValueError(
            f"a trigger of kind {trigger.kind} covers the whole image and has no other place: turn random places off"
        )


def make_spec(**values: Any) -> RunSpec:
    """Return `RunSpec(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    return validated(RunSpec, values)


def check_attack(spec: RunSpec, dataset: Dataset) -> None:
    """Raise InputError if this spec's attack cannot be carried out on this data set."""
    if spec.architecture not in architecture_names():
        raise InputError(
            f"There is no architecture called {spec.architecture!r}; choose one of: {', '.join(architecture_names())}."
        )
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
