"""Every second row brighter, as a trigger."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from core.attacks.triggers import Added, Formula


class Rows(Formula, Added, frozen=True):
    title: ClassVar = "Rows"
    sentence: ClassVar = "Makes every second row brighter."

    kind: Literal["rows"] = "rows"
    name: str = "rows"
    step: float = Field(0.5, gt=0, le=1, title="Step", json_schema_extra={"usual": [0.1, 1.0], "step": 0.1})

    def pattern(self, shape: tuple[int, int, int]) -> np.ndarray:
        pattern = np.zeros(shape, np.float32)
        pattern[:, ::2] = self.step
        return pattern
