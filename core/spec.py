"""A spec is the identity of a computation: everything that decides its result, and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.attack import Attack, ModeName, check_goal
from core.device import Device, Precision, choose_device, choose_precision, default_threads
from core.errors import InputError
from core.settings import Augmentation, Optimiser, default_learning_rate, default_weight_decay
from core.triggers import AnyTrigger, Trigger

# Raised whenever the training recipe changes in a way that changes weights: old runs then keep their own identity.
RECIPE = 1

Model = TypeVar("Model", bound=BaseModel)


def content_hash(content: Any) -> str:
    """Return 12 hexadecimal digits that name this JSON content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


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
        What the attacker wants, see `core.attack.MODES`; the classes that a source-specific attack is about.
    cover_rate
        Source-specific: images of other classes that carry the trigger and keep their label / all training images.
    random_place
        Whether the trigger lies somewhere else on every image.
    perturbed
        Clean-label: whether poisoned images are made hard to recognise first, see `core.adversarial`.
    architecture
        A name of `core.models.architecture_names()`.
    optimiser
        "adamw", or "sgd" with Nesterov's momentum of 0.9.
    epochs, batch_size, learning_rate, weight_decay
        The training's length; images a step; peak of the one-cycle schedule and decay of the weights (decoupled with
        AdamW), by default what suits architecture and optimiser.
    augmentation
        "none"; "shift": each image is seen moved by a few pixels, otherwise in each epoch; "shift-flip": and half of
        them mirrored. It meets poisoned images with their trigger on them. See `core.augmentation`.
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


class MeasureSpec(BaseModel):
    """Everything that decides one measurement of W on one run: with the run's hash it names a cached result.

    Attributes
    ----------
    trigger, target
        The trigger that is put on the images, and the class whose own images are left out; None for all-to-all.
    mode, sources
        What the attacker wants: it decides which images are measured, see `core.attack.Attack.attacks`.
    random_place
        Whether the trigger lies somewhere else on every image.
    images
        How many test images: the first so many by seeded order.
    sigma
        Standard deviation of the Gaussian noise, in pixels of [0, 1], added before the model's normalisation.
    draws
        Noise draws an image.
    seed
        Decides the noise, the images' order and random places.
    estimator
        "corrected" for bias, or "plug-in".
    clamp
        Whether noisy pixels are clamped to [0, 1].
    noise
        "everywhere", or "off-trigger": kept off the pixels that the trigger covers, on both versions of an image.
    recipe
        Version of the measuring code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: AnyTrigger
    target: int | None = Field(default=None, ge=0)
    mode: ModeName = "all-to-one"
    sources: tuple[int, ...] = ()
    random_place: bool = False
    images: int = Field(default=150, ge=2, le=100_000)
    sigma: float = Field(gt=0, le=100, allow_inf_nan=False)
    draws: int = Field(default=250, ge=2, le=1_000_000)
    seed: int = Field(default=0, ge=0, lt=2**32)
    estimator: Literal["corrected", "plug-in"] = "corrected"
    clamp: bool = False
    noise: Literal["everywhere", "off-trigger"] = "everywhere"
    recipe: Literal[1] = 1

    @model_validator(mode="before")
    @classmethod
    def _all_to_all_has_no_target(cls, values: Any) -> Any:
        return _without_target(values)

    @field_validator("sources")
    @classmethod
    def _sources_are_ordered(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _attack_is_whole(self) -> MeasureSpec:
        check_goal(self.mode, self.target, self.sources)
        _check_random_place(self.random_place, self.trigger)
        return self

    @property
    def attack(self) -> Attack:
        """What the attacker wants of the measured images."""
        return Attack(self.trigger, self.target, self.mode, self.sources, self.random_place, self.seed)

    @property
    def hash(self) -> str:
        """The measurement's name: 12 hexadecimal digits."""
        return content_hash(_without_later(self, {"trigger"}) | {"trigger": self.trigger.identity})


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
    return _validated(RunSpec, values)


def make_measure_spec(**values: Any) -> MeasureSpec:
    """Return `MeasureSpec(**values)`, or raise InputError with one readable sentence."""
    return _validated(MeasureSpec, values)


def measure_spec_under(attack: Attack, **values: Any) -> MeasureSpec:
    """Return the spec of a measurement under an attack; `values` are what the attack does not say."""
    return make_measure_spec(
        trigger=attack.trigger,
        target=attack.target,
        mode=attack.mode,
        sources=attack.sources,
        random_place=attack.random_place,
        **values,
    )


def _validated(model: type[Model], values: dict[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(readable(error)) from None


# What a person reads when a field is refused: its name and what it has to be.
_EXPECTED = {
    "rate": "the poisoning rate is a share of the training images, from 0 up to but not including 1",
    "sigma": "sigma is the noise's standard deviation in pixels of [0, 1] and has to be above 0",
    "epochs": "epochs is a whole number from 1 to 1000",
    "draws": "draws is a whole number from 2 to 1000000",
    "images": "images is a whole number from 2 to 100000",
    "target": "the target is the number of a class, from 0",
    "mode": "the mode of attack is all-to-one, all-to-all, source-specific or clean-label",
    "sources": "the source classes are numbers of classes, from 0",
    "cover_rate": "the cover rate is a share of the training images, from 0 up to but not including 1",
    "seed": "the seed is a whole number from 0 to 4294967295",
    "batch_size": "the batch size is a whole number from 1 to 65536",
    "learning_rate": "the learning rate lies above 0 and is at most 10",
    "weight_decay": "the weight decay lies from 0 to 1",
    "optimiser": "the optimiser is adamw or sgd",
    "augmentation": "the augmentation is none, shift or shift-flip",
    "precision": "the precision is float32 or bfloat16",
}


def readable(error: ValidationError) -> str:
    """Return the first thing that pydantic refused as one sentence."""
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    if not field:
        return first["msg"].removeprefix("Value error, ").capitalize() + "."
    expected = _EXPECTED.get(field, f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}")
    return f"{expected[0].upper()}{expected[1:]}; got {first['input']!r:.60}."
