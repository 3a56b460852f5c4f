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
        assert escape(one.summary) in words
        assert f"attack success {one.run.result.attack_success_rate.value:.1%}" in words
