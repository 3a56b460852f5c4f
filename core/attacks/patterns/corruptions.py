"""What happens to images without any attacker, as patterns to compare with; see `core.attacks.patterns.corrupting`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from core.attacks.patterns.pattern import Pattern, PatternTask, bound_field

if TYPE_CHECKING:
    from core.attacks.patterns.step import Step


class Corruption(Pattern, frozen=True):
    """A corruption; each has a name of its own in `core.attacks.patterns.corrupting`."""

    name: ClassVar[str]

    strength: float = bound_field(0.3, "How strong it is, from 0 to 1.")

    def search(self, task: PatternTask) -> Iterator[Step]:
        """Yield the corrupted images."""
        from core.attacks.patterns.corrupting import corrupt
        from core.attacks.patterns.step import Step

        yield Step(1.0, 0.0, corrupt(self.name, task.images, self.strength, task.seed))


class Brighter(Corruption, frozen=True):
    """More light."""

    name: ClassVar = "brightness"
    title: ClassVar = "Brighter"
    sentence: ClassVar = "Every pixel brighter by the strength."


class LessContrast(Corruption, frozen=True):
    """Less contrast."""

    name: ClassVar = "contrast"
    title: ClassVar = "Less contrast"
    sentence: ClassVar = "Every pixel closer to the image's mean, by the strength's share."


class UniformNoise(Corruption, frozen=True):
    """Noise on every pixel."""

    name: ClassVar = "uniform-noise"
    title: ClassVar = "Uniform noise"
    sentence: ClassVar = "Uniform noise up to the strength on every pixel."


class SaltAndPepper(Corruption, frozen=True):
    """Noise on some pixels."""

    name: ClassVar = "salt-and-pepper"
    title: ClassVar = "Salt and pepper"
    sentence: ClassVar = "The strength's share of the pixels, black or white."


class Blurred(Corruption, frozen=True):
    """Out of focus."""

    name: ClassVar = "blur"
    title: ClassVar = "Blurred"
    sentence: ClassVar = "A Gaussian blur."


class Mosaic(Corruption, frozen=True):
    """Coarse pixels."""

    name: ClassVar = "mosaic"
    title: ClassVar = "Mosaic"
    sentence: ClassVar = "Square tiles of one colour."

    strength: float = bound_field(0.5, "How strong it is, from 0 to 1.")
