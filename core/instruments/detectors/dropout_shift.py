"""PSBD: clean predictions shift when hidden units are dropped, a trigger's prediction shifts less."""

from __future__ import annotations

from typing import ClassVar

from core.instruments.detectors.detector import ImageDetector, Prepared, Suspect


class DropoutShift(ImageDetector, frozen=True):
    """See `core.instruments.detectors.hidden_dropout`."""

    title: ClassVar = "PSBD"
    sentence: ClassVar = "Predictions that shift little when hidden units are dropped."
    fails: ClassVar = "Networks so small that dropout shifts everything alike; models whose layers cannot be seen."
    source: ClassVar = "Li et al. 2025, arXiv 2406.05826; for its use on small networks: measured here."

    def suits(self, suspect: Suspect) -> str | None:
        """Return None if the model's layers can be seen, else a sentence."""
        from core.instruments.detectors.features import closed

        return closed(suspect.model)

    def prepare(self, suspect: Suspect) -> Prepared:
        """Return how it scores images, at the dropout rate that the held-out images ask for."""
        from core.instruments.detectors.hidden_dropout import HiddenDropout

        prepared = HiddenDropout.prepare(suspect.model, suspect.inputs.held_out, suspect.spec.seed)
        note = f"dropout rate {prepared.rate:g}, which shifts {prepared.shifted:.0%} of clean predictions"
        return Prepared(prepared.scores, note)
