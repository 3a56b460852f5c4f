"""The identity of a model that somebody else trained: its file's content, and how it is looked at here."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from core.attacks.attack import Attack, gather_attack
from core.datasets import name_in_identity
from core.device import Device, choose_device
from core.identity import Spec, validated

NormalisationName = Literal["file", "none", "bytes", "dataset", "imagenet", "half", "inverted", "given"]


class LoadedSpec(Spec):
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
        Where its first layer's numbers come from: the "file" itself; "none" ([0, 1] as it is); "bytes" (0 to 255); the
        "dataset"'s mean and deviation; "imagenet"'s; "half", which maps to [-1, 1]; "inverted" (1 minus the pixel); or
        "given" by a person.
    mean, std
        These numbers, one a channel: red, green, blue.
    channel_order
        The order in which the file's own first layer takes colours.
    class_order
        For each class of the data set the place of its number in the file's answer; None where the orders are one.
    attack
        What is put on its images, and what that is to do; None where nobody named any. Its parts may be given instead:
        `trigger`, `target`.
    interface
        How an ONNX file is asked, see `core.models.foreign.onnx_model.Interface`; None for others.
    device
        Where it is measured.
    """

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
    channel_order: Literal["RGB", "BGR"] = "RGB"
    class_order: tuple[int, ...] | None = None
    attack: Attack | None = None
    interface: dict[str, Any] | None = None
    device: Device = Field(default_factory=choose_device)

    # What a training would have decided.
    rate: ClassVar[None] = None
    seed: ClassVar[None] = None
    epochs: ClassVar[int] = 0
    is_control: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _attack_is_gathered(cls, values: Any) -> Any:
        return gather_attack(values)

    @field_validator("mean", "std")
    @classmethod
    def _numbers_are_finite(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(abs(number) < 1e6 for number in value):
            raise ValueError("a normalisation has finite numbers")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> LoadedSpec:
        if len(self.mean) != len(self.std) or not all(self.std):
            raise ValueError("a normalisation has a mean and a deviation other than 0 for each channel")
        if self.class_order is not None and sorted(self.class_order) != list(range(len(self.class_order))):
            raise ValueError("an order of classes names each of them once")
        return self

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that the hash is taken of: names people give are left out."""
        content = super().identity | {"dataset": name_in_identity(self.dataset, self.fingerprint)}
        del content["file"]
        return content


def make_loaded_spec(**values: Any) -> LoadedSpec:
    """Return `LoadedSpec(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    return validated(LoadedSpec, values)
