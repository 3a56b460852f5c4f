"""The data set of the last run, kept for the next one: workers take one run after another."""

from __future__ import annotations

import contextlib
from pathlib import Path

from core.datasets import Dataset, load_dataset
from core.training.spec import RunSpec


class LastDataset:
    """Loads the data sets of specs and keeps the last one.

    Of several processes one fetches or makes it, the others then read it.
    """

    def __init__(self, data_root: Path) -> None:
        self.data_root = data_root
        self.last: Dataset | None = None

    def __call__(self, spec: RunSpec) -> Dataset:
        """Return the data set of this spec; it is loaded again if it has changed since."""
        if self.last is None or (self.last.name, self.last.fingerprint) != (spec.dataset, spec.fingerprint):
            with contextlib.ExitStack() as held:
                # Where nothing can be written, nobody else writes either.
                with contextlib.suppress(OSError):
                    self._lock(held)
                self.last = load_dataset(spec.dataset, self.data_root)
        return self.last

    def _lock(self, held: contextlib.ExitStack) -> None:
        from filelock import FileLock

        self.data_root.mkdir(parents=True, exist_ok=True)
        held.enter_context(FileLock(self.data_root / ".loading"))
