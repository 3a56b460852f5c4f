"""What comparisons come to: by fixed rules, on made-up results."""

from __future__ import annotations

import numpy as np

from core.instruments.detectors.roc import Flagged, Roc, Scored
from core.instruments.statistics import Estimate
from core.runs.measured.comparisons import detectors_in_words, other_triggers_in_words


def scored(*areas: tuple[float, float, float]) -> Scored:
    ends = np.array([0.0, 1.0])
    rocs = [Roc(ends, ends, Estimate(*area), 100, 100) for area in areas]
    return Scored(rocs[0], rocs[1] if len(rocs) > 1 else None, Flagged(0.05, 0.0, None, None, None), "")


GOOD, FAIR, CHANCE = (0.98, 0.95, 1.0), (0.7, 0.6, 0.8), (0.52, 0.44, 0.6)


def test_detectors_that_find_the_trigger_are_named_with_their_intervals():
    text = detectors_in_words({"W": scored(GOOD), "STRIP": scored(GOOD, GOOD), "Confidence": scored(CHANCE)})
    assert text.startswith("**W** (AUC 0.98, 0.95 to 1.00) and **STRIP** (AUC 0.98, 0.95 to 1.00) find the trigger; ")
    assert "**Confidence** (AUC 0.52, 0.44 to 0.60) does not." in text
    assert "**W** (AUC 0.70, 0.60 to 0.80) does so only in part" in detectors_in_words({"W": scored(FAIR)})


def test_the_harder_comparison_counts():
    assert "does so only in part" in detectors_in_words({"W": scored(GOOD, FAIR)})
    assert detectors_in_words({"W": scored(GOOD, CHANCE)}).startswith("None of them finds the trigger: **W** (AUC 0.52")


def test_other_triggers_that_a_model_obeys_are_named():
    text = other_triggers_in_words({"White corner": 44 / 60, "Stripes": 2 / 60}, 60)
    assert text == "This model also obeys **White corner** (73.3%, 44 of 60), though it was not trained with it."
    none = other_triggers_in_words({"White corner": 5 / 60, "Stripes": 2 / 60}, 60)
    assert none == "This model obeys none of the other triggers; most often White corner (8.3%, 5 of 60)."
    assert other_triggers_in_words({}, 60) == ""
