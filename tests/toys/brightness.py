"""Brightness as a detector: bright images are suspicious."""

from typing import ClassVar

from pydantic import Field

from core.instruments.detectors.detector import ImageDetector, Prepared, Suspect


class Brightness(ImageDetector, frozen=True):
    title: ClassVar = "Brightness"
    sentence: ClassVar = "Images that are brighter than others."
    fails: ClassVar = "Dark triggers."
    source: ClassVar = "A toy."

    power: int = Field(1, ge=1, le=4, title="Power of the pixels")

    def suits(self, suspect: Suspect) -> str | None:
        return None if suspect.dataset.shape[0] == 1 else "Brightness is compared on grey images only."

    def prepare(self, suspect: Suspect) -> Prepared:
        return Prepared(lambda images: (images.double() ** self.power).mean((1, 2, 3)).numpy())
