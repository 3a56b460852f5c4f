"""The gallery shows a card for each shipped run, and says of each what its numbers say."""

from __future__ import annotations

from html import escape

import pytest

from core.runs.shipped.gallery import exhibits

pytestmark = pytest.mark.usefixtures("home")


def test_every_run_has_a_card(visit):
    page, shown = visit("gallery"), exhibits()
    words = " ".join(element.proto.body for element in page.get("html"))
    assert [heading.value for heading in page.subheader] == [
        f"{one.title}, {100 * one.run.spec.rate:g}%" for one in shown
    ]
    for one in shown:
        assert escape(one.verdict) in words
        assert escape(one.summary) in words
        last = one.points[-1]
        drawn = f"at σ = {last.sigma:g} (control {last.control_clean:.2f} and {last.control_triggered:.2f})"
        assert drawn in words
        assert f"attack success {one.run.result.attack_success_rate.value:.1%}" in words
    assert words.count("data:image/webp") == 2 * len(shown)  # the sea of each run and of its control
