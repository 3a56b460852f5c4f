"""What the movable trigger tells the browser, what it believes of what comes back, and what is kept of it."""

from __future__ import annotations

import numpy as np
import pytest

from core.attacks.triggers import make_preset
from core.attacks.triggers.placing import Placing, placed
from core.errors import InputError
from dashboard.components import placement as module
from dashboard.components.placement import Hand, placement
from dashboard.parts.placed import changed_placing, changed_trigger, with_placing
from dashboard.state import ExploreState, StartState

SHAPE = (1, 8, 8)
TRIGGER = make_preset("white-corner", SHAPE)
OWN = Placing.of(TRIGGER)
MOVED = {"moves": 3, "top": 1, "left": 2, "side": 3, "opacity": 0.5, "on": True, "resting": False}


class Browser:
    """Stands in for the mounted component: keeps what it was given, and can answer."""

    def mount(self, key, data, **listeners):
        self.data, self.listeners = data, listeners


@pytest.fixture
def browser(monkeypatch):
    monkeypatch.setattr(module, "sent", lambda key, name: None)
    monkeypatch.setattr(module, "_component", Browser())
    return module._component


def mount(placing=OWN, **more) -> list[Hand]:
    hands: list[Hand] = []
    placement(np.zeros((8, 8, 3), np.uint8), TRIGGER, SHAPE, placing, key="k", on_change=hands.append, **more)
    return hands


def test_the_browser_gets_every_size_that_the_trigger_can_have(browser):
    mount(Placing(1, 2, 3, 0.5), on=False)
    assert browser.data["sizes"] == [[side, side, side] for side in range(1, 9)]
    assert browser.data["own"] == {"top": 6, "left": 6, "side": 2, "opacity": 1.0, "on": True}
    assert browser.data["now"] == {"top": 1, "left": 2, "side": 3, "opacity": 0.5, "on": False}
    assert browser.data["hasSwitch"] is True


def test_what_the_hand_did_comes_back(browser):
    hands = mount()
    browser.listeners["moved"](MOVED)
    assert hands == [Hand(Placing(1, 2, 3, 0.5), on=True, resting=False)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"top": 6},  # three pixels high, it would reach beyond the image
        {"left": -1},
        {"side": 9},
        {"side": 2.0},
        {"opacity": 0},
        {"opacity": float("nan")},
        {"opacity": None},
        {"moves": 0},
    ],
)
def test_what_cannot_be_is_not_believed(browser, wrong):
    hands = mount()
    for message in (MOVED | wrong, None, [], {}):
        browser.listeners["moved"](message)
    assert hands == []


def test_a_trigger_beside_the_image_is_refused(browser):
    with pytest.raises(InputError, match="does not lie on the image"):
        mount(Placing(7, 7, 2))


@pytest.mark.parametrize("kind", [StartState, ExploreState])
def test_a_placing_comes_back_from_a_pages_state_and_the_trained_one_leaves_nothing_there(kind):
    changed = Placing(1, 2, 3, 0.5)
    state = with_placing(kind(), changed, TRIGGER)
    assert changed_placing(state, TRIGGER, SHAPE) == changed
    assert changed_trigger(state, TRIGGER, SHAPE) == placed(TRIGGER, SHAPE, changed)
    assert with_placing(state, OWN, TRIGGER) == kind()
    assert changed_trigger(kind(), TRIGGER, SHAPE) == TRIGGER
