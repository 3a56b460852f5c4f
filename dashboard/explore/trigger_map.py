"""Where the trigger works: drag it over the picture, and see ASR and W over its place, its size and its opacity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from core.attacks.triggers import Trigger
from core.attacks.triggers.placing import can_be_moved
from core.datasets import Dataset
from core.datasets.dataset import to_unit
from core.figures.palette import CLEAN, TRIGGERED
from core.figures.pictures import to_pixels
from core.figures.trigger_map import trigger_map
from core.glossary import explain
from core.instruments.noise import Noise
from core.instruments.smoothness import Smoothness, measure
from core.instruments.trigger_map import MAP_IMAGES, Probe, TriggerMap, place_map, strength_map
from core.runs.measured.w import Measurement
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.components.placement import Hand, placement
from dashboard.explore.scene import Scene
from dashboard.markdown import plain
from dashboard.parts.chart import chart
from dashboard.parts.html import class_chip, w_bar
from dashboard.parts.placed import changed_placing, changed_trigger, with_placing
from dashboard.progressive import progressive, show_progressive
from dashboard.state import ExploreState, get_state, save_state, set_state


def show_trigger_map(scene: Scene, data: Dataset, found: dict[str, Measurement], image: int) -> None:
    """Show the movable trigger and the maps; a sentence for triggers that are everywhere."""
    trigger = scene.trigger
    if not isinstance(trigger, Trigger):
        st.info(
            f"The trigger *{plain(trigger.name)}* is a formula over the whole image. It has no place, size or opacity."
        )
        return
    if len(scene.alike) < len(scene.sides):
        st.caption(f"The trigger of {plain(scene.name)}, on its own model.")
    _try_out(scene, data, trigger, image, found[scene.name].spec.draws)
    chosen = found[scene.name].chosen[:MAP_IMAGES]
    _maps(scene, data, trigger, chosen)


@st.fragment
def _try_out(scene: Scene, data: Dataset, trigger: Trigger, image: int, draws: int) -> None:
    """Let people move, fade and resize the trigger on one image; label and W follow."""
    state = get_state(ExploreState)
    save_state(state)
    st.markdown("**Try it on this image**", help=explain("trigger"))
    left, right = st.columns([1, 1.9], gap="medium")
    with left:
        placement(
            to_pixels(data.test.images[[image]])[0],
            trigger,
            data.shape,
            changed_placing(state, trigger, data.shape),
            key="placement",
            on_change=partial(_change, trigger),
        )
    with right:
        _tell(scene, data, changed_trigger(state, trigger, data.shape), image, draws)


def _change(trigger: Trigger, hand: Hand) -> None:
    set_state(with_placing(get_state(ExploreState), hand.placing, trigger))


def _tell(scene: Scene, data: Dataset, variant: Trigger, image: int, draws: int) -> None:
    """Tell label and W of the image without the trigger and with this variant of it, in each run with this attack."""
    st.html(
        f'<div class="ts-small">row {variant.top}, column {variant.left}, {variant.width}×{variant.height} pixels'
        f"{' (where it was trained)' if _is_trained_place(scene, variant) else ''}</div>"
    )
    for side in scene.alike:
        predictor = cached.predictor(side.run.path)
        one = to_unit(data.test.images[[image]])
        noise = Noise(scene.sigma, draws, keys=[image])
        measured = {}
        for version, shown in (("clean", one), ("with this trigger", variant.apply(one))):
            measured[version] = int(predictor.labels(shown)[0]), measure(predictor, shown, noise)
        _row(scene, side.name, measured)


def _is_trained_place(scene: Scene, variant: Trigger) -> bool:
    """Say whether training put the trigger where this one lies: never on a control, nor with random places."""
    if scene.run.spec.attack is None or scene.attack.random_place or not isinstance(scene.trigger, Trigger):
        return False
    return _box(variant) == _box(scene.trigger)


def _box(trigger: Trigger) -> tuple[int, int, int, int]:
    return trigger.top, trigger.left, trigger.height, trigger.width


def _row(scene: Scene, name: str, measured: dict[str, tuple[int, Smoothness]]) -> None:
    parts = []
    for (version, (label, smoothness)), colour in zip(measured.items(), (CLEAN, TRIGGERED), strict=True):
        w, low, high = (float(value[0]) for value in (smoothness.w, smoothness.low, smoothness.high))
        bar = w_bar(f"W {version}", w, low, high, colour)
        parts.append(f"<div>{class_chip(scene.classes[label], label)}{bar}</div>")
    st.html(f'<div class="ts-small"><b>{escape(name)}</b></div><div class="ts-two">{"".join(parts)}</div>')


def _maps(scene: Scene, data: Dataset, trigger: Trigger, chosen: np.ndarray) -> None:
    """Show the maps over place and over strength of one run, as they are made."""
    runs = {side.name: side.run for side in scene.alike}
    names = list(runs)
    name = names[0]
    if len(names) > 1:
        name = (
            st.segmented_control("Maps of", names, default=names[0], key=f"maps of {names}", required=True) or names[0]
        )
    run = runs[name]
    images = to_unit(data.test.images[chosen])
    goals = scene.goal(data.test.labels.numpy()[chosen])
    what = f"{run.path} {scene.spec().hash} {chosen.tolist()}"

    def probe() -> Probe:
        return Probe(cached.predictor(run.path), images, chosen.tolist(), goals, scene.sigma)

    place, strength = st.columns(2, gap="medium")
    with place:
        st.markdown("**Over its place**")
        if can_be_moved(trigger, data.shape):
            here = (float(trigger.top), float(trigger.left))
            _map("place", run, what, lambda: place_map(probe(), trigger), ("row", "column"), here)
        else:
            st.caption("This trigger covers the whole image: there is no other place for it.")
    with strength:
        st.markdown("**Over its size and opacity**")
        here = (float(max(trigger.height, trigger.width)), 1.0)
        _map("strength", run, what, lambda: strength_map(probe(), trigger), ("size, pixels", "opacity"), here)


def _map(
    name: str,
    run: DoneRun,
    what: str,
    start: Callable[[], Iterator[TriggerMap]],
    axes: tuple[str, str],
    here: tuple[float, float],
) -> None:
    def show(measured: TriggerMap) -> None:
        about = {"run": run.name, "sigma": measured.sigma, "draws": measured.draws}
        for value in ("ASR", "W"):
            alt = f"{value} over {axes[0]} and {axes[1]} of the trigger"
            chart(
                trigger_map(measured, value, *axes, here),
                alt,
                key=f"map.{name}.{value}",
                title=f"{value} over {axes[0]} and {axes[1]} of the trigger",
                about=about | {"images": measured.w_images if value == "W" else measured.images},
            )

    show_progressive(
        f"map.{name}",
        progressive(f"map of {name} {what}", start),
        lambda measured: (measured.share_done, "Trying the trigger"),
        show,
        _summary,
    )


def _summary(measured: TriggerMap) -> None:
    st.caption(
        f"ASR of {measured.images} images; mean W of {measured.w_images}, {measured.draws} draws, "
        f"σ = {measured.sigma:g}. The diamond marks the trigger as trained."
    )
