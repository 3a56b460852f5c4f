"""One cell of a study as values: what to train, what to measure on it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, TypeAdapter

from core.identity import content_hash
from core.runs.measured.spec import MeasureSpec
from core.studies.columns import EpochRow, Row
from core.training.spec import RunSpec


class TestCondition(BaseModel):
    """A trigger under the name that a study gives it, and the measurements of W with it.

    Attributes
    ----------
    kind, size, opacity
        The trigger in the words of the study's grid, see `core.studies.grid.TriggerGrid`.
    measures
        One for each way of adding noise and each sigma; all of the same attack.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    size: int | None
    opacity: float
    measures: tuple[MeasureSpec, ...]


class PatternSearch(BaseModel):
    """A pattern that is searched for on a clean model, and how W is measured with it and with random patterns.

    Attributes
    ----------
    kind
        A name in `core.attacks.patterns.PATTERNS` whose search ends in a trigger.
    bound, made_for
        Largest change of a pixel, None for the kind's default; the sigma that a crafted-smooth pattern is optimised
        for.
    target
        The class that a patch aims at; its own images are left out for all kinds.
    images, draws, sigmas
        How W is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    bound: float | None = None
    made_for: float | None = None
    target: int
    images: int
    draws: int
    sigmas: tuple[float, ...]

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that name it."""
        return content_hash(self.model_dump(mode="json"))


class Cell(BaseModel):
    """One run of a study: what to train, and what to measure on it.

    A poisoned run is measured with its own trigger; a control with every trigger of the study, and with the patterns
    that are searched for on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spec: RunSpec
    conditions: tuple[TestCondition, ...]
    patterns: tuple[PatternSearch, ...] = ()

    @property
    def title(self) -> str:
        """What it is called while it is computed."""
        what = "control" if self.spec.is_control else f"{self.conditions[0].kind}, rate {self.spec.rate:g}"
        return f"{self.spec.dataset}, {self.spec.architecture}: {what}, seed {self.spec.seed}"


@dataclass(frozen=True)
class CellResult:
    """The rows of a cell and of its epochs, or in `failure` why it could not be computed."""

    rows: list[Row]
    epochs: list[EpochRow]
    failure: str = ""

    def to_json(self) -> str:
        """Return it as one line."""
        return _AS_JSON.dump_json(self).decode()

    @classmethod
    def from_json(cls, line: str) -> CellResult:
        """Return what `to_json` wrote; ValueError if it was anything else."""
        return _AS_JSON.validate_json(line)


_AS_JSON = TypeAdapter(CellResult)
