"""What the attack does to training images, and how visible it is."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from core.attacks.attack import Attack, make_attack
from core.attacks.poisoning import can_be_poisoned, poisoned_count
from core.attacks.triggers import AnyTrigger
from core.attacks.triggers.visibility import visible_change
from core.datasets import Dataset
from core.errors import InputError
from core.figures.pictures import picture_row, to_pixels
from core.glossary import explain
from core.instruments.evaluation import choose_images
from dashboard.lab.attack import read_sources
from dashboard.markdown import plain
from dashboard.state import LabState

if TYPE_CHECKING:
    from torch import Tensor

SAMPLES = 8


def attack_of(state: LabState, trigger: AnyTrigger) -> Attack:
    """Return the attack that the page's controls say; InputError where its parts do not suit each other."""
    return make_attack(
        trigger=trigger,
        target=state.target,
        mode=state.mode,
        sources=read_sources(state.sources) if state.mode == "source-specific" else (),
        random_place=state.anywhere,
    )


def with_trigger(images: Tensor, places: np.ndarray, state: LabState, trigger: AnyTrigger) -> Tensor:
    """Return training images as the attack poisons them, places being theirs in the training split."""
    return attack_of(state, trigger).apply(images, places, seed=state.seed, split="train")


def sample_places(data: Dataset, state: LabState, trigger: AnyTrigger | None) -> np.ndarray:
    """Return the places of the training images shown as samples: some that may be poisoned, always the same ones."""
    if trigger is None or state.mode == "all-to-one":
        return choose_images(data.train, state.target, SAMPLES, seed=0)
    order = choose_images(data.train, -1, len(data.train), seed=0)
    try:
        eligible = can_be_poisoned(attack_of(state, trigger), data.train.labels.numpy())
    except InputError:  # Train says what is wrong
        return order[:0]
    return order[eligible[order]][:SAMPLES]


def show_samples(data: Dataset, trigger: AnyTrigger | None, state: LabState) -> None:
    """Show eight images with the trigger on them, and what an attack at this rate does."""
    places = sample_places(data, state, trigger)
    images = data.train.images[places]
    if trigger is not None and len(places):
        try:
            images = with_trigger(images, places, state, trigger)
        except InputError as error:
            st.warning(plain(str(error)))
    if len(places):
        st.image(
            picture_row(images, 96), width="stretch", alt=f"{len(places)} training images with the trigger on them"
        )
    st.caption(in_words(data, state) if trigger is not None or state.rate == 0 else "There is no trigger yet.")


def in_words(data: Dataset, state: LabState) -> str:
    """Return how many training images are poisoned, and what becomes of their labels."""
    labels = data.train.labels.numpy()
    total = len(labels)
    if state.rate == 0:
        return f"At rate 0 none of the {total} training images is poisoned: this trains the control."
    count, target = poisoned_count(state.rate / 100, total), plain(data.classes[state.target])
    match state.mode:
        case "all-to-all":
            return f"{count} of {total} training images get the trigger and the label of the next class."
        case "clean-label":
            first = "are perturbed, then " if state.perturbed else ""
            of_target = int((labels == state.target).sum())
            return (
                f"{count} of the {of_target} training images of **{target}** {first}get the trigger and keep their "
                "label."
            )
        case "source-specific":
            chosen = read_sources(state.sources)
            of_sources = int(np.isin(labels, chosen).sum())
            sources = ", ".join(f"**{plain(data.classes[label])}**" for label in chosen) or "no class yet"
            cover = poisoned_count(state.cover / 100, total)
            return (
                f"{count} of the {of_sources} training images of {sources} get the trigger and the label **{target}**; "
                f"{cover} of other classes get the trigger and keep their label."
            )
    return f"{count} of {total} training images get the trigger and the label **{target}**."


def show_visibility(data: Dataset, state: LabState, trigger: AnyTrigger | None, places: np.ndarray, shown: int) -> None:
    """Say how visible the trigger is on the sample images, and let people see it: before and after, in turn.

    `shown` is the sample that is on the canvas, as a place among `places`.
    """
    if trigger is None or not len(places):
        return
    images = data.train.images[places]
    try:
        after = with_trigger(images, places, state, trigger)
    except InputError:
        return  # said beside the samples
    seen = visible_change(images.numpy(), after.numpy())
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="visibility"):
        st.markdown(
            f"**Visibility {in_thresholds(seen.jnd)}** · {seen.in_words}", help=explain("visibility"), width="content"
        )
        with st.popover("More measures", type="tertiary"):
            st.caption(f"Means over {len(places)} sample images, pixels from 0 to 1.")
            for name, value in {"L2": f"{seen.l2:.2f}", "Linf": f"{seen.linf:.2f}", "SSIM": f"{seen.ssim:.2f}"}.items():
                st.markdown(f"**{ {'Linf': 'L∞'}.get(name, name) }** {value}", help=explain(name))
        blinks = st.toggle("Before / after", key="blinks", width="content")
    if blinks:
        number = shown % len(places)
        pair = [to_pixels(one[number : number + 1].numpy())[0] for one in (images, after)]
        st.html(blinking(*pair))


def in_thresholds(jnd: float) -> str:
    """Return a number of just noticeable differences as people read it: "12×", "0.4×"."""
    return f"{jnd:.0f}×" if jnd >= 9.5 else f"{jnd:.1f}×"


def blinking(before: np.ndarray, after: np.ndarray) -> str:
    """Return two images, uint8 [h, w, 3], in turn at one place, as HTML: at true size and enlarged.

    Who has asked for less motion sees them side by side.
    """
    height, width = before.shape[:2]
    parts = []
    for scale, words in ((1, "true size"), (max(1, 96 // max(height, width)), "enlarged")):
        pair = "".join(
            f'<img src="{png_address(image)}" alt="{alt}" width="{scale * width}" height="{scale * height}">'
            for image, alt in ((before, "Without the trigger"), (after, "With the trigger"))
        )
        parts.append(f'<figure><span class="ts-blink">{pair}</span><figcaption>{words}</figcaption></figure>')
    return f'<div class="ts-before-after">{"".join(parts)}</div>'


def png_address(pixels: np.ndarray) -> str:
    """Return a picture as an address that holds all of it."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"
