"""What people choose about a training, and the spec that follows: the one way from settings to a `RunSpec`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.datasets import fingerprint
from core.identity import validated
from core.training.settings import recommended
from core.training.spec import RunSpec, make_spec

if TYPE_CHECKING:
    from core.attacks.attack import Attack

Pace = Literal["fast", "careful"]


class Choices(BaseModel):
    """Settings of a training as people choose them; None leaves a setting to what suits the others and the machine.

    The descriptions are what the command line says about its options. What a value may be is checked by `RunSpec`.

    Examples
    --------
    >>> Choices(dataset="digits", pace="careful", seed=3).spec().epochs
    30
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(default="digits", description="A name that `datasets` lists, zip:PATH or folder:PATH.")
    rate: float = Field(default=0.1, description="Poisoned / all training images; 0 trains the control.")
    cover_rate: float = Field(default=0.0, description="Source-specific: cover samples / all training images.")
    perturbed: bool = Field(default=False, description="Clean-label: make poisoned images hard to recognise first.")
    architecture: str = Field(default="small-cnn", description="The network: small-cnn, mlp, resnet-18, ...")
    pace: Pace | None = Field(
        default=None, description="fast or careful: epochs, batch size and augmentation that suit, if not named."
    )
    epochs: int | None = Field(default=None, description="Passes over the training images (10).")
    batch_size: int | None = Field(default=None, description="Batch size (64).")
    optimiser: str = Field(default="adamw", description="adamw or sgd.")
    learning_rate: float | None = Field(default=None, description="Peak (what suits architecture and optimiser).")
    weight_decay: float | None = Field(default=None, description="Decay of the weights (what suits the optimiser).")
    augmentation: str | None = Field(default=None, description="none, shift or shift-flip (none).")
    seed: int = Field(default=0, description="Decides weights, order and which images are poisoned.")
    device: str | None = Field(default=None, description="cpu, cuda or mps (the best there is).")
    precision: str | None = Field(default=None, description="float32 or bfloat16 (the fastest).")
    threads: int | None = Field(default=None, description="Threads that compute (one less than cores).")

    def spec(self, attack: Attack | None = None, data_root: Path | str | None = None) -> RunSpec:
        """Return the spec of this training under an attack, by default of the control.

        A setting is what was chosen; else what the pace recommends; else the default of `RunSpec`.

        Raises
        ------
        InputError
            A setting has a value that it cannot have, or there is no such data set.
        """
        paced = {}
        if self.pace is not None:
            suited = recommended(self.dataset, self.architecture, self.pace == "careful")
            # The learning rate follows the optimiser, which may be another one.
            paced = {"epochs": suited.epochs, "batch_size": suited.batch_size, "augmentation": suited.augmentation}
        chosen = {name: value for name, value in self if name != "pace" and value is not None}
        rate = 0.0 if attack is None else self.rate
        mark = fingerprint(self.dataset, data_root)
        return make_spec(**paced | chosen | {"attack": attack, "rate": rate, "fingerprint": mark})


def make_choices(**values: Any) -> Choices:
    """Return `Choices(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    return validated(Choices, values)
