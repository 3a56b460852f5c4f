"""Who this is: each run's trigger in pictures, whether its attack took, and how it was trained."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from functools import partial
from html import escape

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.figures.pictures import enlarge, to_pixels
from core.figures.trigger_picture import trigger_picture
from core.glossary import explain
from core.instruments.evaluation import Success
from core.instruments.statistics import Estimate
from core.runs.measured.portrait import attack_in_words, success_in_words, training_in_words
from core.runs.measured.success import known_success, success_steps, took
from dashboard import cached
from dashboard.explore.scene import Scene, Side, versions
from dashboard.markdown import plain
from dashboard.progressive import progressive, show_progressive

_SIDE = 80

Successes = Mapping[str, Success]


def known_successes(scene: Scene) -> dict[str, Success]:
    """Return how often each run's attack succeeds, as far as that was measured before."""
    found = {side.name: known_success(side.run, side.attack) for side in scene.sides}
    return {name: success for name, success in found.items() if success is not None}


def show_who(scene: Scene, successes: Successes, data: Dataset | None = None, image: int = 0) -> None:
    """Show the card: what is known without the data set, or all of it with a test image under each trigger."""
    st.html(f'<div class="ts-who">{"".join(_part(scene, side, successes, data, image) for side in scene.sides)}</div>')
    for sentence in _sentences(scene, successes):
        st.markdown(sentence)


def show_whole_who(scene: Scene, data: Dataset, image: int) -> Successes:
    """Show the card with its pictures, and measure how often each attack succeeds where nobody has; return that."""
    known = known_successes(scene)
    if len(known) == len(scene.sides):
        show_who(scene, known, data, image)
        return known
    results = progressive(scene.what("success"), lambda: _steps(scene, data))
    show_progressive(
        "success",
        results,
        lambda found: (len(found) / (len(scene.sides) + 1), "Counting how often the attack succeeds"),
        lambda found: show_who(scene, found, data, image),
    )
    return results.newest or known


def _steps(scene: Scene, data: Dataset) -> Iterator[dict[str, Success]]:
    found: dict[str, Success] = {}
    for side in scene.sides:
        predictor = partial(cached.predictor, side.run.path)
        for success in success_steps(side.run, side.attack, predictor, lambda: data):
            found = found | {side.name: success}
            yield found


def _rate(scene: Scene, name: str, successes: Successes) -> Estimate | None:
    return successes[name].rate if name in successes else None


def has_failed(scene: Scene, successes: Successes) -> bool:
    """Say whether the first run's attack did not take, or takes without poison as well."""
    mine = _rate(scene, scene.name, successes)
    return mine is not None and took(mine, _in_control(scene, successes)) in ("failed", "alone")


def _in_control(scene: Scene, successes: Successes) -> Estimate | None:
    return None if scene.control is None else _rate(scene, scene.control.name, successes)


def _sentences(scene: Scene, successes: Successes) -> list[str]:
    """Say what did not take, and whose trigger it is where that is not plain."""
    said = []
    for side in scene.sides:
        rate = _rate(scene, side.name, successes)
        if rate is None or side.run.spec.is_control:
            continue
        in_control = _in_control(scene, successes) if side is scene.first else None
        text = success_in_words(rate, in_control, tried=side.run.spec.attack != side.attack)
        said += [f"{plain(side.name)}: {text}" if len(scene.sides) > 1 else text] if text else []
    for second in scene.sides[1:]:
        if second.run.spec.attack is None or second.attack == second.run.spec.attack:
            continue
        said.append(
            f"Both models are measured with the trigger of {plain(scene.name)}: {plain(second.name)} was trained with "
            "another one."
        )
    return said


def _part(scene: Scene, side: Side, successes: Successes, data: Dataset | None, image: int) -> str:
    """Return one run's part of the card, as HTML."""
    shape, trigger = side.run.result.shape, side.attack.trigger
    alone = _picture(trigger_picture(trigger, shape, _SIDE), f"the trigger: {trigger.name}")
    stamped = '<span class="ts-who-picture"></span>'
    if data is not None:
        _, pixels = versions(side, data, image, scene.spec().seed)["with trigger"]
        stamped = _picture(enlarge(to_pixels(pixels)[0], _SIDE), f"test image {image} with the trigger")
    accuracy = side.run.result.clean_accuracy
    own = side.run.spec.attack is not None
    return (
        f'<div class="ts-who-part">{stamped}{alone}<div><b>{escape(side.name)}</b>'
        f'<span class="ts-small"> {escape(_who(side, own))}</span>'
        f'<div class="ts-who-numbers">{_success(_rate(scene, side.name, successes))}'
        f'<span title="{escape(explain("clean accuracy"), quote=True)}">Clean accuracy (CA) '
        f"<b>{accuracy.value:.1%}</b>, {accuracy.count} of {accuracy.n}</span></div>"
        f'<div class="ts-small">{escape(training_in_words(side.run.spec))}</div></div></div>'
    )


def _who(side: Side, own: bool) -> str:
    """Return the attack, without repeating what the run is called by."""
    attack = attack_in_words(side.attack, side.run.result.classes)
    return attack.removeprefix(side.name).lstrip(", ") if own else f"measured with {attack}"


def _success(rate: Estimate | None) -> str:
    words = f'<span title="{escape(explain("attack success rate"), quote=True)}">Attack success (ASR) '
    if rate is None:
        return f"{words}<b>…</b></span>"
    return f"{words}<b>{rate.value:.1%}</b>, {rate.count} of {rate.n}</span>"


def _picture(pixels: np.ndarray, alt: str) -> str:
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return f'<img class="ts-who-picture" src="{source}" alt="{escape(alt, quote=True)}">'
