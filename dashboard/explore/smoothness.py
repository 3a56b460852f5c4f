"""The verdict: W of many images, clean against triggered, and over sigma; what that says, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from core.datasets import Dataset
from core.figures.histogram import smoothness_histogram, tallest_bar
from core.figures.pairs import paired_scatter
from core.figures.sigma_sweep import sigma_sweep
from core.glossary import explain
from core.instruments.budgets import PAGE_DRAWS
from core.runs.measured.findings import basis_in_words, clearest_sigma, finding, lower_in_words, sweep_in_words
from core.runs.measured.w import Measurement, sweep_sigmas
from dashboard.explore.scene import (
    Scene,
    is_complete,
    measurement_steps,
    remember,
    selected_images,
    stored_measurements,
)
from dashboard.markdown import plain
from dashboard.parts.chart import chart
from dashboard.progressive import progressive, show_progressive
from dashboard.state import ExploreState, get_state, seed_index, seed_word_default, set_state, widget_key

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

VIEWS = {"pairs": "Pairs", "histograms": "Histograms"}
HEIGHT = 420


def show_smoothness(scene: Scene, data: Callable[[], Dataset]) -> tuple[dict[str, Measurement], DeltaGenerator | None]:
    """Show W at one sigma, better and better.

    Returns
    -------
    found
        W of each run, as far as it was measured.
    right
        The place for W over sigma; None while more draws are on their way: what is below waits for them.
    """
    right: DeltaGenerator | None = None

    def show(found: dict[str, Measurement]) -> None:
        nonlocal right
        right = _show_measurements(scene, found)

    if (stored := stored_measurements(scene, scene.sigma)) is not None:
        show(stored)
        return stored, right
    images = data()  # here, since loading shows its progress on the page
    results = progressive(
        scene.what(f"W at {scene.sigma}"), lambda: measurement_steps(scene, scene.sigma, lambda: images)
    )
    moving = show_progressive("smoothness", results, partial(_progress, scene), show)
    return results.newest or {}, None if moving else right


def _choose_draws() -> None:
    """Let people choose how precise each image's W is; the same draws give it everywhere on the page."""
    st.selectbox(
        "Draws per image",
        PAGE_DRAWS,
        format_func="{} draws".format,
        **seed_index(get_state(ExploreState), "draws", PAGE_DRAWS, PAGE_DRAWS[0]),
        on_change=remember,
        args=("draws",),
        label_visibility="collapsed",
        width=130,
        help="Noisy copies of each image. Four times as many halve the interval of each image's W, and take four times "
        "as long.",
    )


def _progress(scene: Scene, found: Mapping[str, Measurement]) -> tuple[float, str]:
    draws = sum(measured.spec.draws for measured in found.values()) / len(found)
    return draws / scene.draws, f"Measuring W: {draws:.0f} of {scene.draws} draws"


def _show_measurements(scene: Scene, found: dict[str, Measurement]) -> DeltaGenerator:
    """Show what was measured, in words and drawn; return the place next to the drawing."""
    mine = found[scene.name]
    with st.container(key="verdict"):
        st.markdown(_finding(scene, found))
    more = "" if is_complete(scene, found) else " *Still sampling …*"
    st.caption(f"{basis_in_words(mine, scene.run.spec.seed)}{more}", help=f"{explain('W')}  \n{explain('gap')}")
    left, right = st.columns([1, 1.15], gap="medium")
    with left:
        with st.container(horizontal=True, vertical_alignment="center", height=52, border=False):
            view = _view()
            _choose_draws()
        (_pairs if view == "pairs" else _histograms)(scene, found)
    return right


def _view() -> str:
    state = get_state(ExploreState)
    chosen = st.segmented_control(
        "How W is drawn",
        **seed_word_default(state, "view", VIEWS),
        label_visibility="collapsed",
        on_change=remember,
        args=("view",),
        required=True,
    )
    return chosen or ExploreState.view


def _finding(scene: Scene, found: Mapping[str, Measurement]) -> str:
    others = {plain(side.name): found[side.name] for side in scene.sides[1:] if side.name in found}
    control = "" if scene.control is None else plain(scene.control.name)
    text = finding(found[scene.name], scene.names, others, control)
    if not scene.run.spec.is_control and scene.run.control() is None:
        text += " It has **no control** here."
    return text


def _pairs(scene: Scene, found: Mapping[str, Measurement]) -> None:
    """Show W with the trigger against W clean; a click on a point selects that image everywhere."""
    mine = found[scene.name]
    chosen = [image for image in selected_images(mine) if image >= 0]
    figure = paired_scatter(found, chosen, scene.classes, HEIGHT)
    alt = f"W with the trigger against W clean for {len(mine.chosen)} images: with the trigger {lower_in_words(mine)}"
    chart(
        figure, alt, key="pairs", title="W with the trigger against W clean", about=scene.about, on_select=_select_point
    )
    st.caption(
        f"Each point is one of {len(mine.chosen)} images, with {mine.spec.draws} noisy copies (W ± "
        f"{mine.half_width:.2f} on average). Below the line: smoother with the trigger. Click one to select it."
    )


def _select_point() -> None:
    points = st.session_state["pairs"].selection.points
    if points:
        set_state(replace(get_state(ExploreState), image=int(points[0]["customdata"])))


def _histograms(scene: Scene, found: Mapping[str, Measurement]) -> None:
    """Show the histograms of all runs on identical axes."""
    most = max(tallest_bar(measured) for measured in found.values())
    for name, measured in found.items():
        st.caption(
            f"**{plain(name)}**: W of {len(measured.chosen)} images; effect size {measured.p_lower.value:.0%}",
            help=explain("effect size"),
        )
        alt = (
            f"Histogram of W, {name}: mean {measured.clean.mean.value:.2f} clean, "
            f"{measured.triggered.mean.value:.2f} with the trigger"
        )
        figure = smoothness_histogram(measured, most, height=HEIGHT // len(found))
        title = f"W of {len(measured.chosen)} images, {name}"
        chart(figure, alt, key=f"histogram.{name}", title=title, about=scene.about)


Curves = dict[str, list[Measurement]]


def show_sweep(scene: Scene, data: Dataset) -> None:
    """Show mean W over sigma for all runs, from few draws to all; it can be stopped."""
    sigmas = sweep_sigmas(scene.run.result.shape)

    def progress(sweep: Sweep) -> tuple[float, str]:
        whole = scene.draws * len(sigmas)
        return sweep.draws / whole, f"Measuring W over σ: {sweep.draws} of {whole} draws an image"

    show_progressive(
        "sweep",
        progressive(scene.what("sweep"), lambda: _sweep_steps(scene, sigmas, data)),
        progress,
        lambda sweep: _show_curves(scene, sigmas, sweep),
        partial(_summary, scene),
    )


@dataclass(frozen=True)
class Sweep:
    """How far W over sigma is.

    Attributes
    ----------
    curves
        What is shown: W at every sigma in ascending order, for each run. It changes when all sigmas have got their
        share of a round of draws; a figure that changed with each of them would flicker. Empty before the first round.
    draws
        Draws of one image so far, over all sigmas.
    """

    curves: Curves
    draws: int


def _sweep_steps(scene: Scene, sigmas: Sequence[float], data: Dataset) -> Iterator[Sweep]:
    """Yield the curves, first from a few draws at each sigma, then from more."""
    names = [side.name for side in scene.sides]
    steps = {sigma: measurement_steps(scene, sigma, lambda: data) for sigma in sigmas}
    latest: dict[float, Mapping[str, Measurement]] = {}
    shown: Curves = {}
    while steps:
        for sigma, each in list(steps.items()):
            found = next(each, None)
            if found is None:
                del steps[sigma]
                continue
            latest[sigma] = found
            yield Sweep(shown, sum(measured[scene.name].spec.draws for measured in latest.values()))
        shown = {name: [latest[sigma][name] for sigma in sigmas] for name in names}
        yield Sweep(shown, sum(measured.spec.draws for measured in shown[scene.name]))


def _show_curves(scene: Scene, sigmas: Sequence[float], sweep: Sweep) -> None:
    curves = sweep.curves or {side.name: [] for side in scene.sides}
    chart(
        sigma_sweep(curves, scene.sigma, height=HEIGHT, sigmas=sigmas),
        f"Mean W over sigma for clean and triggered images: {', '.join(curves)}",
        key="sweep",
        title="Mean W over σ",
        about=scene.about | {"sigma": None},
    )
    if curves[scene.name]:
        _read_sweep(scene, curves)


def _summary(scene: Scene, sweep: Sweep) -> None:
    images = len(sweep.curves[scene.name][0].chosen)
    st.caption(
        f"**Mean W over σ**, {images} images, {scene.draws} draws; bands: 95% intervals over images.",
        help=explain("interval"),
    )


def _read_sweep(scene: Scene, latest: Mapping[str, list[Measurement]]) -> None:
    """Say where the curves part and cross, and offer the sigma at which there is most to see."""
    mine = latest[scene.name]
    next_to = next((side for side in scene.alike[1:]), None)
    st.caption(sweep_in_words(mine, scene.names))
    clearest = clearest_sigma(mine, None if next_to is None else latest[next_to.name])
    beyond = "" if next_to is None else f" beyond that of {plain(next_to.name)}"
    if clearest is None:
        st.caption(f"At none of the {len(mine)} noise levels does the gap stand out{beyond}.")
    elif clearest == scene.sigma:
        st.caption(
            f"Of the {len(mine)} noise levels, this one shows the largest gap{beyond}. It was picked for that, so "
            "expect less at the others."
        )
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"The gap{beyond} is largest at σ = {clearest:g}, one of {len(mine)} noise levels.")
            st.button(f"Show σ = {clearest:g}", key="clearest", on_click=_go_to, args=(clearest,), type="tertiary")


def _go_to(sigma: float) -> None:
    st.session_state[widget_key(ExploreState, "sigma")] = sigma
    set_state(replace(get_state(ExploreState), sigma=sigma))
