"""Which test image is looked at: a grid to choose from, with filters; a second one can be pinned next to it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.figures.palette import class_colour
from core.figures.pictures import to_pixels
from core.runs.measured.w import Measurement
from dashboard.components.sample_grid import Tile, sample_grid
from dashboard.explore.scene import Scene, remember, selected_images
from dashboard.state import ExploreState, get_state, save_state, seed_index, seed_word_index, set_state

SHOWN = 24
ORDERS = {"number": "As they come", "largest": "Largest fall of W", "smallest": "Largest rise of W"}
FOOLED = {"all": "All", "yes": "Fooled", "no": "Not fooled"}


def keep_selected_images(mine: Measurement) -> tuple[int, int]:
    """Keep which test image is selected and which is pinned, -1 if none is, and return them."""
    image, pin = selected_images(mine)
    save_state(replace(get_state(ExploreState), image=image, pin=pin))
    return image, pin


def show_grid(scene: Scene, data: Dataset, mine: Measurement) -> None:
    """Show the filters and the images that pass them."""
    state = get_state(ExploreState)
    left, middle, right, words = st.columns([1, 1, 1, 2.2], vertical_alignment="bottom")
    first = left.selectbox(
        "Order",
        **seed_word_index(state, "first", ORDERS),
        on_change=remember,
        args=("first",),
    )
    labels = sorted(set(mine.true.tolist()))
    of = middle.selectbox(
        "True class",
        [-1, *labels],
        format_func=lambda label: "all classes" if label < 0 else scene.classes[int(label)],
        **seed_index(state, "of", [-1, *labels], -1),
        on_change=remember,
        args=("of",),
    )
    fooled = right.selectbox(
        "Fooled by the trigger?",
        **seed_word_index(state, "fooled", FOOLED),
        on_change=remember,
        args=("fooled",),
        help="Fooled: taken for the class that the attacker wants once it carries the trigger, without noise.",
    )
    numbers = [number for number in _ordered(first, mine) if _passes(number, mine, of, fooled)]
    tiles = [_tile(number, scene, data, mine) for number in numbers[:SHOWN]]
    words.caption(
        f"{min(len(numbers), SHOWN)} of {len(numbers)} images, framed in the class predicted with the "
        "trigger; below it W clean → with trigger."
        + (
            ""
            if first == "number"
            else " Sorted by the measured W, so the first values are biased to the extreme; fresh noise would bring "
            "them back."
        )
    )
    sample_grid(tiles, selected=state.image, pinned=state.pin, key="samples", on_choose=_choose, on_pin=_pin)


def _ordered(first: str, mine: Measurement) -> list[int]:
    """Return the measured images' numbers in this order."""
    gap = mine.clean.w - mine.triggered.w
    key = {"largest": -gap, "smallest": gap}.get(first, np.arange(len(gap)))
    return [int(number) for number in np.argsort(key, kind="stable")]


def _passes(number: int, mine: Measurement, of: int, fooled: str) -> bool:
    right_class = of < 0 or mine.true[number] == of
    return bool(right_class and (fooled == "all" or mine.flipped[number] == (fooled == "yes")))


def _tile(number: int, scene: Scene, data: Dataset, mine: Measurement) -> Tile:
    place = int(mine.chosen[number])
    clean, triggered = mine.clean.w[number], mine.triggered.w[number]
    true, now = scene.classes[mine.true[number]], int(mine.triggered.predicted[number])
    return Tile(
        place=place,
        picture=to_pixels(data.test.images[[place]])[0],
        colour=class_colour(now),
        note=f"{clean:.2f} → {triggered:.2f}",
        title=f"{true}, no. {place}, taken for {scene.classes[now]} with the trigger; W {clean:.2f} clean, "
        f"{triggered:.2f} with trigger",
    )


def _choose(place: int) -> None:
    set_state(replace(get_state(ExploreState), image=place))


def _pin(place: int) -> None:
    set_state(replace(get_state(ExploreState), pin=place))
