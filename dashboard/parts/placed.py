"""A trigger as people have changed it by hand, kept in a page's state, and so in its link."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from core.attacks.triggers import Trigger
from core.attacks.triggers.base import Shape
from core.attacks.triggers.placing import Placing, faded, moved, resized
from core.errors import InputError
from dashboard.state import ExploreState, StartState

State = TypeVar("State", StartState, ExploreState)


def changed_trigger(state: StartState | ExploreState, trigger: Trigger, shape: Shape) -> Trigger:
    """Return the trigger as the state has it changed; what cannot be is left out.

    Without a place of its own it stays about its centre.
    """
    variant = trigger
    if state.side:
        try:
            variant = resized(trigger, shape, state.side)
        except InputError:
            variant = trigger
    if 0 < state.opacity < 1:
        variant = faded(variant, state.opacity)
    place = _place(state.place)
    return variant if place is None else moved(variant, shape, *place)


def changed_placing(state: StartState | ExploreState, trigger: Trigger, shape: Shape) -> Placing:
    """Return where, how large and how opaque the state has the trigger."""
    return replace(
        Placing.of(changed_trigger(state, trigger, shape)), opacity=state.opacity if 0 < state.opacity < 1 else 1.0
    )


def with_placing(state: State, placing: Placing, trigger: Trigger) -> State:
    """Return the state with the trigger placed like this; one that is as it was trained leaves nothing in a link."""
    own = Placing.of(trigger)
    at_home = (placing.top, placing.left, placing.side) == (own.top, own.left, own.side)
    return replace(
        state,
        place="" if at_home else f"{placing.top}.{placing.left}",
        side=0 if placing.side == own.side else placing.side,
        opacity=placing.opacity,
    )


def _place(text: str) -> tuple[int, int] | None:
    parts = text.split(".")
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 5 for part in parts):
        return None
    return int(parts[0]), int(parts[1])
