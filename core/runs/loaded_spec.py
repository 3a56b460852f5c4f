"""The identity of a model that somebody else trained: its file's content, and how it is looked at here."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.attacks.attack import Attack, ModeName
from core.attacks.triggers import AnyTrigger
from core.device import Device, choose_device
from core.errors import InputError
from core.identity import content_hash, readable

NormalisationName = Literal["file", "none", "dataset", "imagenet", "half"]


class LoadedSpec(BaseModel):
    """What a run directory holds in place of a `RunSpec` if its model was loaded from a file.

    It has the attributes of a `RunSpec` that others read. How the model was trained is unknown: `rate` and `seed` are
    None, there are no epochs, and it has no control.

    Attributes
    ----------
    kind
        Always "loaded": it tells the two specs apart.
    file, sha256, file_format
        The file's name (no part of the identity), the SHA-256 of its content, and "safetensors", "PyTorch" or "ONNX".
    dataset, fingerprint
        The data set whose images it is shown, as in `RunSpec`.
    architecture
        What `core.models.foreign.inspect.build_network` is asked for; "onnx" for a file that brings its own.
    normalisation
        Where its first layer's numbers come from: the "file" itself; "none" ([0, 1] as it is); the "dataset"'s mean
        and deviation; "imagenet"'s; or "half", which maps to [-1, 1].
    mean, std
        These numbers, one a channel.
    trigger, target
        What is put on its images, and the class that this is to give; None where nobody named any.
    interface
        How an ONNX file is asked, see `core.models.foreign.onnx.Interface`; None for others.
    device
        Where it is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["loaded"] = "loaded"
    file: str = Field(max_length=300)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    file_format: Literal["safetensors", "PyTorch", "ONNX"]
    dataset: str = Field(min_length=1)
    fingerprint: str = ""
    architecture: str = Field(min_length=1, max_length=60)
    normalisation: NormalisationName
    mean: tuple[float, ...] = Field(min_length=1, max_length=4)
    std: tuple[float, ...] = Field(min_length=1, max_length=4)
    trigger: AnyTrigger | None = None
    target: int | None = Field(default=None, ge=0)
    interface: dict[str, Any] | None = None
    device: Device = Field(default_factory=choose_device)

    # What a training would have decided.
    rate: ClassVar[None] = None
    seed: ClassVar[None] = None
    epochs: ClassVar[int] = 0
    mode: ClassVar[ModeName] = "all-to-one"
    sources: ClassVar[tuple[int, ...]] = ()
    random_place: ClassVar[bool] = False
    is_control: ClassVar[bool] = False

    @field_validator("mean", "std")
    @classmethod
    def _numbers_are_finite(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(abs(number) < 1e6 for number in value):
            raise ValueError("a normalisation has finite numbers")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> LoadedSpec:
        if (self.trigger is None) != (self.target is None):
            raise ValueError("a trigger needs a target class, and a target class a trigger: name both or neither")
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError("a normalisation has a mean and a deviation above 0 for each channel")
        return self

    @property
    def attack(self) -> Attack | None:
        """What the trigger is to do; None where nobody named one."""
        return None if self.trigger is None else Attack(self.trigger, self.target)

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that the hash is taken of: names people give are left out."""
        content = self.model_dump(mode="json", exclude={"trigger", "file"})
        for source in ("zip", "folder"):
            if self.fingerprint.startswith(f"{source}-"):
                content["dataset"] = source  # its content names it, wherever it lies
        return content | {"trigger": self.trigger.identity if self.trigger else None}

    @property
    def hash(self) -> str:
        """The run's name: 12 hexadecimal digits."""
        return content_hash(self.identity)


def make_loaded_spec(**values: Any) -> LoadedSpec:
    """Return `LoadedSpec(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    try:
        return LoadedSpec.model_validate(values)
    except ValidationError as error:
        raise InputError(readable(error)) from None
