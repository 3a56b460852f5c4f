"""An engine for studies that needs no other process."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from core.runs.jobs.last_dataset import LastDataset
from core.studies.cells import compute_cell


class Here:
    """Engine cells in this very process, one after another."""

    machine: ClassVar = {}

    def __init__(self, root: Path, data_root: Path, most: int = 1000) -> None:
        self.root, self.load, self.most = root, LastDataset(data_root), most
        self.computed = 0

    def compute(self, cells):
        for cell in cells[: self.most]:
            self.computed += 1
            yield cell, compute_cell(cell, self.root, self.load)
