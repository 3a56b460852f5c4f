"""What all triggers share: a value with a name, an identity and a link, that can be put on images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import BaseModel

from core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

# Channels, height and width of images; as an array's own `shape` has it, of any length to the types.
Shape = tuple[int, ...]

MAX_SIDE = 1024


class BaseTrigger(BaseModel, ABC, frozen=True, extra="forbid"):
    """A trigger of any kind. Two are equal if they do the same to images; their names do not count.

    A new kind derives from this class or from one of those that do (`Formula`, `Added`), says what it does to images in
    `stamp`, and is named in `core.attacks.triggers.registry`.

    Attributes
    ----------
    kind
        Tells the kinds apart in files and links.
    name
        What people call it.
    """

    kind: str
    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BaseTrigger) and (self.kind, self.identity) == (other.kind, other.identity)

    def __hash__(self) -> int:
        return hash((self.kind, *sorted(self.identity.items())))

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what it does to an image, as JSON content; the name does not."""
        return self.model_dump(mode="json", exclude={"name"})

    @abstractmethod
    def suits(self, shape: Shape) -> str | None:
        """Return None if it can be put on images of this (C, H, W), else a sentence that says why not."""

    @abstractmethod
    def covers(self, shape: Shape) -> np.ndarray:
        """Return which pixels of images of this (C, H, W) it can change, bool [H, W]."""

    @abstractmethod
    def stamp(self, images: np.ndarray) -> np.ndarray:
        """Return copies of the images with the trigger on them; the images themselves stay as they are.

        Parameters
        ----------
        images
            float [N, C, H, W] in [0, 1], or uint8 [N, C, H, W]; C is 1 or 3. uint8 results are rounded to the nearest
            level.

        Raises
        ------
        InputError
            The trigger does not suit the images.
        """

    def stronger(self) -> Self | None:
        """Return the same trigger about twice as strong; by default None: it has no strength that could grow."""
        return None

    def apply(self, images: Tensor) -> Tensor:
        """Do what `stamp` does to images held by torch, on any device; shape, type and device stay."""
        return on_tensor(images, self.stamp)

    def check_fits(self, shape: Shape) -> None:
        """Raise InputError unless it can be put on images of this (C, H, W)."""
        if reason := self.suits(tuple(shape)):
            raise InputError(reason)

    def to_link(self) -> str:
        """Return it as a short text for a URL: its kind and its settings in the order of the class, ~ between them."""
        values = (getattr(self, name) for name in self.settings())
        return "~".join([self.kind, *(repr(value) if isinstance(value, float) else str(value) for value in values)])

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        """Return the trigger whose settings stand in a link; ValueError if they are too many, too few or wrong."""
        return cls.model_validate(dict(zip(cls.settings(), parts, strict=True)))

    @classmethod
    def settings(cls) -> list[str]:
        """Return the names of the fields that decide what it does, in their order."""
        return [name for name in cls.model_fields if name not in ("kind", "name")]


def on_tensor(images: Tensor, change: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Return what a change of arrays makes of a tensor, on its device and of its type."""
    import torch

    return torch.from_numpy(change(images.detach().cpu().numpy())).to(images.device)


def change_pixels(pixels: np.ndarray, change: Callable[[np.ndarray, float], np.ndarray]) -> np.ndarray:
    """Return changed pixels of the type that came, levels rounded: every trigger changes pixels through this.

    Parameters
    ----------
    pixels
        float in [0, 1], or uint8, of any shape.
    change
        From pixels as floats and the value of white among them (1, or 255 for levels) to changed pixels.
    """
    if pixels.dtype == np.uint8:
        return np.rint(change(pixels.astype(np.float32), 255.0)).clip(0, 255).astype(np.uint8)
    return change(pixels, 1.0).astype(pixels.dtype)
