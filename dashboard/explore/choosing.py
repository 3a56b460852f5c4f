"""Which run, which next to it, at what noise, and under which attack where the run has none of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.attacks.attack import Attack
from core.attacks.triggers import AnyTrigger, from_link, make_preset, preset_names
from core.attacks.triggers.library import TriggerLibrary
from core.errors import InputError
from core.glossary import explain
from core.instruments.budgets import PAGE, PAGE_DRAWS
from core.runs.library.short_names import short_names
from core.runs.measured.findings import clearest_sigma
from core.runs.measured.w import page_attack_spec, sweep_sigmas
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.explore.scene import Scene, Side
from dashboard.markdown import plain
from dashboard.parts.titles import run_titles
from dashboard.state import ExploreState, LabState, get_state, save_state, seed_index, seed_value, widget_key

NOTHING = "nothing"
DRAWING = "the drawing in the Lab"
# The run of a link that could not be shown, and the one instead: said as long as that one is shown.
_MISSING = "explore.missing"
# What belongs to one run's images, trigger or plane, and is forgotten with it.
_OF_ONE_RUN = ("with_", "image", "pin", "trigger", "target", "of", "place", "opacity", "side", "under", "shared")


def choose_scene(state: ExploreState, runs: Mapping[str, DoneRun]) -> Scene | None:
    """Let people choose, and keep it; None, with a sentence, where there is no attack to look at yet."""
    attacks = [name for name, run in runs.items() if run.spec.attack is not None] or list(runs)
    start = state.run if state.run in runs else attacks[0]
    if state.run and state.run not in runs:
        st.session_state[_MISSING] = state.run, start
    missing, instead = st.session_state.get(_MISSING, ("", ""))
    if instead == start:
        st.warning(
            f"The run {plain(missing[:40])} in this link is not on this machine, or not finished. Another one is shown "
            "instead."
        )
    titles = run_titles(runs.values())
    columns = st.columns([2, 2, 1.4], vertical_alignment="bottom")
    name = columns[0].selectbox(
        "Run",
        list(runs),
        format_func=titles.__getitem__,
        **seed_index(state, "run", list(runs), start),
    )
    run = runs[name]
    if state.run in runs and state.run != name:
        state = _for_another_run(state, runs[state.run].result.shape == run.result.shape)
    shape = run.result.shape
    others = {other.name: other for other in runs.values() if other.name != name and other.result.shape == shape}
    control = run.control()
    default = control.name if control is not None and control.name in others else NOTHING
    wanted = state.with_ if state.with_ in (NOTHING, *others) else default
    beside = columns[1].selectbox(
        "Compare with",
        [NOTHING, *others],
        format_func=lambda name: NOTHING if name == NOTHING else titles[name],
        **seed_index(state, "with_", [NOTHING, *others], wanted),
        help=explain("control"),
    )
    state, other = replace(state, run=name, with_=beside), others.get(beside)
    state, attack = _attack(state, run, other, runs)
    state, sides = _sides(state, run, other, attack)
    sigmas = sweep_sigmas(shape)
    start = state.sigma or _default_sigma(sides, sigmas)
    sigma = columns[2].select_slider(
        "Noise σ",
        sigmas,
        **seed_value(state, "sigma", min(sigmas, key=lambda value: abs(value - start))),
        help=explain("sigma"),
    )
    draws = state.draws if state.draws in PAGE_DRAWS else PAGE.draws
    save_state(replace(state, sigma=sigma, draws=draws))
    return Scene(sides, sigma, draws) if sides else None


def _for_another_run(state: ExploreState, alike: bool) -> ExploreState:
    """Return the state without what belonged to the run before; the noise stays where the images are alike."""
    forgotten = _OF_ONE_RUN if alike else (*_OF_ONE_RUN, "sigma")
    for field in forgotten:
        st.session_state.pop(widget_key(ExploreState, field), None)
    blank = ExploreState()
    return replace(state, **{field: getattr(blank, field) for field in forgotten})


def _sides(
    state: ExploreState, run: DoneRun, other: DoneRun | None, attack: Attack | None
) -> tuple[ExploreState, tuple[Side, ...]]:
    """Return each run with the attack that it is measured with: its own, or the first one's where it has none.

    Two attacks can also be measured with the first one's trigger; empty where there is no attack yet.
    """
    if attack is None:
        return state, ()
    if other is None:
        return state, (Side(short_names([run])[0], run, attack),)
    first, second = short_names([run, other])
    theirs = other.spec.attack or attack
    shared = False
    if theirs != attack:
        shared = st.toggle(
            f"Put {plain(first)}’s trigger on both models",
            **seed_value(state, "shared"),
            help="Off: each model is measured with its own attack. On: an extra, to see whether the second model obeys "
            "a trigger that it was not trained with.",
        )
    return replace(state, shared=shared), (Side(first, run, attack), Side(second, other, attack if shared else theirs))


def _attack(
    state: ExploreState, run: DoneRun, other: DoneRun | None, runs: Mapping[str, DoneRun]
) -> tuple[ExploreState, Attack | None]:
    """Return the run's own attack, for a control that of the run next to it, or let people choose one."""
    if run.spec.attack is not None:
        return state, run.spec.attack
    if run.spec.is_control and other is not None and other.spec.attack is not None:
        return state, other.spec.attack
    if run.spec.is_control:
        st.info(
            "This run is a control: it has no trigger of its own. Choose a poisoned run to compare it with, or a "
            "trigger to try on it."
        )
    else:
        st.info("This file does not say what its trigger is. Choose one to try, and the class you suspect.")
    left, right = st.columns(2)
    shape, classes = run.result.shape, run.result.classes
    at_hand = triggers_at_hand(shape, runs)
    given = "" if state.trigger in at_hand or not state.trigger else "the one in the link"
    choices = ["", *([given] if given else []), *at_hand]
    chosen = left.selectbox(
        "Trigger to try",
        choices,
        format_func=lambda name: name or "none yet",
        **seed_index(state, "trigger", choices, given),
    )
    target = right.selectbox(
        "Target class",
        range(len(classes)),
        format_func=lambda label: classes[label],
        **seed_index(state, "target", range(len(classes)), min(max(state.target, 0), len(classes) - 1)),
    )
    if given and chosen == given:
        try:
            trigger = from_link(state.trigger)
            trigger.check_fits(shape)
        except InputError as error:
            st.warning(plain(str(error)))
            return state, None
        return replace(state, target=target), Attack(trigger=trigger, target=target)
    # A link carries the drawing itself, which no other browser has.
    named = at_hand[chosen].to_link() if chosen == DRAWING else chosen
    state = replace(state, trigger=named, target=target if chosen else -1)
    return state, Attack(trigger=at_hand[chosen], target=target) if chosen else None


def triggers_at_hand(shape: tuple[int, int, int], runs: Mapping[str, DoneRun]) -> dict[str, AnyTrigger]:
    """Return triggers for images of this shape by names: presets, the Lab's drawing, those of runs, and saved ones."""
    found: dict[str, AnyTrigger] = {}
    if min(shape[1:]) >= 4:
        found = {title: make_preset(name, shape) for name, title in preset_names().items()}
    if (drawing := _drawing(shape)) is not None:
        found[DRAWING] = drawing
    known = {repr(trigger.identity) for trigger in found.values()}
    for run in runs.values():
        trigger = run.trigger
        if trigger is None or run.result.shape != shape or repr(trigger.identity) in known:
            continue
        known.add(repr(trigger.identity))
        found[f"{trigger.name}, run {run.name[:6]}"] = trigger
    for saved in TriggerLibrary(cached.jobs().root / ".triggers").saved():
        if repr(saved.trigger.identity) not in known and _fits(saved.trigger, shape):
            found[f"{saved.name}, saved"] = saved.trigger
    return found


def _drawing(shape: tuple[int, int, int]) -> AnyTrigger | None:
    """Return what people have made in the Lab, unless it is ready-made or for other images."""
    text = get_state(LabState).trigger
    if text in preset_names():
        return None
    try:
        trigger = from_link(text)
        trigger.check_fits(shape)
    except InputError:
        return None
    return trigger


def _fits(trigger: AnyTrigger, shape: tuple[int, int, int]) -> bool:
    try:
        trigger.check_fits(shape)
    except InputError:
        return False
    return True


def _default_sigma(sides: Sequence[Side], sigmas: list[float]) -> float:
    """Return the sigma at which the gap stands out most, where all of them are measured; else a middle one."""
    if not sides:
        return sigmas[2]
    alike = [side for side in sides if side.attack == sides[0].attack]
    specs = [page_attack_spec(sides[0].attack, sigma) for sigma in sigmas]
    if not all(cached.is_measured(side.run, spec) for side in alike for spec in specs):
        return sigmas[2]
    curves = [[cached.measurement(side.run.path, spec.hash, spec) for spec in specs] for side in alike]
    return clearest_sigma(*curves) or sigmas[2]
