"""What a study is: a TOML file that names a grid of runs and how W is measured on each."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.attacks.attack import ModeName
from core.attacks.triggers import AnyTrigger, Sinusoid, Trigger, Warp, make_preset
from core.attacks.triggers.canvases import blend_noise
from core.errors import InputError
from core.identity import content_hash

_Share = Annotated[float, Field(ge=0, lt=1)]
_Number = Annotated[int, Field(ge=0, lt=2**32)]


class _Settings(BaseModel):
    """Settings that cannot be changed, and among which an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TriggerGrid(_Settings):
    """Triggers of one kind, one for each combination of a size and an opacity.

    Attributes
    ----------
    kind
        "patch": a white square in the lower right corner; "blend": noise over the whole image; "sinusoid": vertical
        stripes over the whole image; "warp": a smooth distortion.
    sizes
        A patch's side in pixels, a sinusoid's number of periods, or a warp's control points per side. The default
        depends on the size of the images. A blend has no size.
    opacities
        Opacity of a patch (default 1) or a blend (0.2), amplitude of a sinusoid (0.2), strength of a warp (0.5).
    """

    kind: Literal["patch", "blend", "sinusoid", "warp"]
    sizes: tuple[Annotated[int, Field(gt=0, le=1024)], ...] = ()
    opacities: tuple[Annotated[float, Field(gt=0, le=64)], ...] = ()

    @model_validator(mode="after")
    def _blends_have_no_size(self) -> TriggerGrid:
        if self.kind == "blend" and self.sizes:
            raise ValueError("a blend covers the whole image and has no sizes: leave them out")
        return self

    def triggers(self, shape: tuple[int, int, int]) -> Iterator[tuple[int | None, float, AnyTrigger]]:
        """Yield (size, opacity, trigger) for images of shape (channels, height, width)."""
        sizes, opacities = self.sizes or (_default_size(self.kind, shape),), self.opacities or (_OPACITY[self.kind],)
        for size, opacity in itertools.product(sizes, opacities):
            yield size, opacity, _make_trigger(self.kind, size, opacity, shape)


_OPACITY = {"patch": 1.0, "blend": 0.2, "sinusoid": 0.2, "warp": 0.5}


def _default_size(kind: str, shape: tuple[int, int, int]) -> int | None:
    if kind == "patch":
        return make_preset("white-corner", shape).height
    return {"blend": None, "sinusoid": round(Sinusoid.suited_to(shape).frequency), "warp": 4}[kind]


def _make_trigger(kind: str, size: int | None, opacity: float, shape: tuple[int, int, int]) -> AnyTrigger:
    if opacity > 1 and kind != "warp":
        raise InputError(f"The opacity of a {kind} must be above 0 and at most 1, and this is {opacity:g}.")
    if kind == "blend" or size is None:
        return Trigger.from_canvas(blend_noise(shape, opacity), kind)
    if kind == "sinusoid":
        return Sinusoid(delta=opacity, frequency=size)
    if kind == "warp":
        return Warp(k=max(2, size), strength=opacity)
    rgba = np.full((size, size, 4), (255, 255, 255, round(255 * opacity)), np.uint8)
    return Trigger.from_rgba(rgba, max(0, shape[1] - size), max(0, shape[2] - size), "white-corner")


class PatternGrid(_Settings):
    """A pattern searched for on every control, to see whether it smooths a clean model (claim C4).

    Attributes
    ----------
    kind
        "crafted-smooth", "universal" or "patch"; see `core.attacks.patterns`.
    bound
        Largest change of a pixel; None for the kind's default. A patch has no bound.
    made_for
        The sigma that a crafted-smooth pattern is optimised for; required for that kind, refused for the others.
    """

    kind: Literal["crafted-smooth", "universal", "patch"]
    bound: float | None = Field(default=None, gt=0, le=1)
    made_for: float | None = Field(default=None, gt=0, le=100)

    @model_validator(mode="after")
    def _crafted_for_a_sigma(self) -> PatternGrid:
        if (self.kind == "crafted-smooth") != (self.made_for is not None):
            raise ValueError("made_for is required for a crafted-smooth pattern and must be left out for others")
        return self


class Measures(_Settings):
    """How W is measured on every run.

    Attributes
    ----------
    images, draws, sigmas
        Number of test images outside the target class, noise draws per image, and the noise's standard deviations.
    noise
        "everywhere", or "off-trigger" (only on pixels that the trigger leaves uncovered), or both.
    """

    sigmas: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(min_length=1)
    images: int = Field(default=150, ge=2, le=100_000)
    draws: int = Field(default=100, ge=2, le=1_000_000)
    noise: tuple[Literal["everywhere", "off-trigger"], ...] = Field(default=("everywhere",), min_length=1)


class StudySpec(_Settings):
    """A grid of runs and what is measured on each; every combination is one run, and each has its control.

    Attributes
    ----------
    name, title
        A short name (lower-case letters, digits, hyphens) and the title that people read.
    datasets, architectures, triggers, modes, targets, rates, epochs, seeds
        The grid. Controls (rate 0) are always part of it, whether or not 0 is among the rates. `seeds` may also be
        a number n, which stands for the seeds 0 to n - 1.
    sources, cover_rate
        Attacked classes and share of cover images, for the mode "source-specific".
    patterns
        Patterns searched for on the controls, and measured on images outside the first target class.
    measure
        How W is measured.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    title: str = ""
    datasets: tuple[str, ...] = Field(min_length=1)
    architectures: tuple[str, ...] = Field(default=("small-cnn",), min_length=1)
    triggers: tuple[TriggerGrid, ...] = ()
    patterns: tuple[PatternGrid, ...] = ()
    modes: tuple[ModeName, ...] = Field(default=("all-to-one",), min_length=1)
    targets: tuple[_Number, ...] = Field(default=(0,), min_length=1)
    rates: tuple[_Share, ...] = Field(min_length=1)
    epochs: tuple[int, ...] = Field(default=(10,), min_length=1)
    seeds: tuple[_Number, ...] = Field(default=(0, 1, 2, 3, 4), min_length=1)
    sources: tuple[int, ...] = ()
    cover_rate: _Share = 0.0
    measure: Measures

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_means_first_seeds(cls, value: Any) -> Any:
        return tuple(range(value)) if isinstance(value, int) and 0 < value <= 1000 else value

    @model_validator(mode="after")
    def _studies_something(self) -> StudySpec:
        if not self.triggers and not self.patterns:
            raise ValueError("a study needs at least one [[triggers]] or [[patterns]]")
        return self

    @property
    def hash(self) -> str:
        """12 hexadecimal digits of everything except name and title."""
        # Without defaults: a new setting with a default leaves the names of existing studies unchanged.
        return content_hash(self.model_dump(mode="json", exclude={"name", "title"}, exclude_defaults=True))

    @property
    def folder_name(self) -> str:
        """Name of the study's folder."""
        return f"{self.name}-{self.hash}"


def read_study(path: Path | str) -> StudySpec:
    """Return the study that a TOML file describes.

    Raises
    ------
    InputError
        The file cannot be read, is not TOML, or holds something that cannot be used.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The study {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The study {path} is not valid TOML: {error}.") from None
    try:
        return StudySpec.model_validate({"name": path.stem.lower()} | content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"]) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "too_short":
            reason = "an empty list leaves nothing to study, so name at least one"
        raise InputError(f"The study {path.name} cannot be used, at {place}: {reason}.") from None
