"""Whether an attack took: fixed bounds, and never what the control does as well."""

from __future__ import annotations

import pytest

from core.instruments.statistics import binomial_interval
from core.runs.measured.outcome import outcome, share_in_words


@pytest.mark.parametrize(("hits", "floor", "says"), [
    (309, None, "works"),
    (260, None, "works"),
    (121, None, "partly"),
    (40, None, "failed"),
    (309, 3, "works"),
    (121, 3, "partly"),
    # What the control does as often was not learnt from the poison.
    (309, 300, "failed"),
    (121, 110, "failed"),
])  # fmt: skip
def test_an_attack_works_or_took_on_some_images_or_failed(hits, floor, says):
    assert outcome(binomial_interval(hits, 323), None if floor is None else binomial_interval(floor, 323)) == says


def test_a_share_names_its_denominator():
    assert share_in_words(binomial_interval(354, 359)) == "98.6%, 354 of 359"
