"""What the page's controls say, as a run's spec; and the controls as another spec has them."""

from __future__ import annotations

from dataclasses import fields

import streamlit as st

from core.attacks.triggers import AnyTrigger, preset_names
from core.errors import InputError
from core.training.choices import make_choices
from core.training.spec import RunSpec
from dashboard.lab.options import suited, usual_architecture
from dashboard.lab.samples import attack_of
from dashboard.state import LabState, set_state, widget_key


def spec_of(state: LabState, trigger: AnyTrigger | None) -> RunSpec:
    """Return what the page's controls say as a run's spec; InputError where its parts do not suit each other."""
    suitable = suited(state)
    choices = make_choices(
        dataset=state.dataset,
        rate=state.rate / 100,
        cover_rate=state.cover / 100 if state.mode == "source-specific" else 0.0,
        perturbed=state.perturbed and state.mode == "clean-label",
        architecture=state.architecture or usual_architecture(state.preset),
        epochs=state.epochs or suitable.epochs,
        batch_size=state.batch or suitable.batch_size,
        augmentation=state.augmentation or suitable.augmentation,
        optimiser=state.optimiser,
        learning_rate=state.learning_rate if state.learning_rate > 0 else None,
        weight_decay=state.weight_decay if state.weight_decay >= 0 else None,
        seed=state.seed,
        precision=state.precision or None,
    )
    if state.rate == 0 or trigger is None:
        return choices.spec()
    named = trigger.model_copy(update={"name": short_name(state.trigger, trigger)})
    return choices.spec(attack_of(state, named))


def short_name(link: str, trigger: AnyTrigger) -> str:
    """Return what to call a trigger in lists."""
    return link if link in preset_names() else trigger.name


def are_settings_of(spec: RunSpec, state: LabState, trigger: AnyTrigger | None) -> bool:
    """Say whether the page's controls are the settings of a run; where it was computed does not count."""
    if trigger is None and state.rate > 0:
        return False
    try:
        wanted = spec_of(state, trigger)
    except InputError:
        return False
    machine = {"device": spec.device, "threads": spec.threads}
    if not state.precision:
        machine["precision"] = spec.precision
    return wanted.model_copy(update=machine).hash == spec.hash


def adopt(state: LabState) -> None:
    """Let all controls follow another state, from a callback."""
    set_state(state)
    for field in fields(LabState):
        st.session_state.pop(widget_key(LabState, field.name), None)
