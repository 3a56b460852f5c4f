"""Explore: one run beside another, by default its control: W of many images, W over sigma, the slice of one image."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.errors import InputError
from core.evaluation import to_unit
from core.figures.histogram import smoothness_histogram, tallest_bar
from core.figures.palette import CLASSES
from core.figures.pictures import enlarge, to_pixels
from core.figures.sigma_sweep import sigma_sweep
from core.findings import alternatives, finding
from core.glossary import explain
from core.measurement import PAGE_DRAWS, PAGE_IMAGES, Measurement, page_measure_spec, sweep_sigmas
from core.runs import Run
from core.triggers import Trigger
from dashboard import cached
from dashboard.components.slice_view import slice_view
from dashboard.parts import class_chip, copy_link, load_with_progress, page_head, picture, run_title, runs_to_look_at
from dashboard.state import ExploreState, keep, open_state, seed_widget, widget_key

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from core.neighbourhood import CloseLook

NOTHING = "nothing"


def main() -> None:
    """Show the page."""
    state = open_state(ExploreState)
    link = page_head("Explore", "One run beside another: how smooth is the model with the trigger, and without?")
    runs = {run.name: run for run in runs_to_look_at()}
    if not runs:
        st.info("There is no finished run yet. Train one in the Lab, and it appears here.")
        st.page_link("views/lab.py", label="Go to the Lab →")
        return
    with st.container(border=True):
        state, attacked, other = choose_runs(state, runs)
    try:
        data = load_with_progress(attacked.spec.dataset)
        trigger, target = attacked.spec.trigger, attacked.spec.target
        if trigger is None or target is None:
            st.info("This run is a control: it has no trigger of its own. Choose a poisoned run to compare it with.")
            keep(state)
            return
        with st.container(border=True):
            mine, sweep = show_smoothness(state, data, attacked, other)
        with st.container(border=True):
            state = show_image(state, data, attacked, other, mine)
        # Takes longest, and what is above can be looked at meanwhile.
        with sweep:
            show_sweep(state, attacked, other)
        show_alternatives(state, data, attacked, other)
    except InputError as error:
        st.error(str(error))
    keep(state)
    with link:
        copy_link(state)


def choose_runs(state: ExploreState, runs: dict[str, Run]) -> tuple[ExploreState, Run, Run | None]:
    """Let people choose the run, the one beside it, and sigma."""
    attacks = [name for name, run in runs.items() if not run.spec.is_control] or list(runs)
    start = state.run if state.run in runs else attacks[0]
    if state.run and state.run not in runs:
        st.warning(f"The run {state.run} in this link is not on this machine; the newest one is shown instead.")
    columns = st.columns([2, 2, 1.4], vertical_alignment="bottom")
    name = columns[0].selectbox(
        "Run", list(runs), format_func=lambda name: run_title(runs[name]), key=seed_widget(state, "run", start)
    )
    run = runs[name]
    if state.run in runs and state.run != name:  # another run comes with its own control and images
        alike = runs[state.run].result.shape == run.result.shape
        state = replace(state, with_="", image=-1, sigma=state.sigma if alike else 0.0)
        for field in ("with_", "image", "sigma"):
            st.session_state.pop(widget_key(ExploreState, field), None)
    shape = run.result.shape
    others = {other.name: other for other in runs.values() if other.name != name and other.result.shape == shape}
    control = run.control()
    default = control.name if control is not None and control.name in others else NOTHING
    wanted = state.with_ if state.with_ in (NOTHING, *others) else default
    choice = columns[1].selectbox(
        "Beside it",
        [NOTHING, *others],
        format_func=lambda name: run_title(others[name]) if name in others else name,
        key=seed_widget(state, "with_", wanted),
        help=explain("control"),
    )
    sigmas = sweep_sigmas(run.result.shape)
    sigma = columns[2].select_slider(
        "Noise σ",
        sigmas,
        key=seed_widget(state, "sigma", min(sigmas, key=lambda value: abs(value - (state.sigma or sigmas[2])))),
        help=explain("sigma"),
    )
    return replace(state, run=name, with_=choice, sigma=sigma), run, others.get(choice)


def measure(run: Run, trigger: Trigger, target: int, sigma: float, noise: str = "everywhere") -> Measurement:
    """Return W of a run's test images under this attack."""
    spec = page_measure_spec(trigger, target, sigma, noise)
    return cached.measurement(run.path, spec.hash, spec)


def show_smoothness(
    state: ExploreState, data: Dataset, run: Run, other: Run | None
) -> tuple[Measurement, DeltaGenerator]:
    """Show W clean against triggered at one sigma and what that says; return it and the place for W over sigma."""
    trigger, target = run.spec.trigger, run.spec.target
    mine = measure(run, trigger, target, state.sigma)
    theirs = measure(other, trigger, target, state.sigma) if other is not None else None
    st.subheader("Smoothness", help=explain("W"))
    st.markdown(finding(mine, theirs, data.classes, run.spec.seed))
    left, right = st.columns([1, 1], gap="medium")
    with left:
        show_histograms(run, mine, theirs)
    return mine, right


def show_histograms(run: Run, mine: Measurement, theirs: Measurement | None) -> None:
    """Show the histograms of both runs on identical axes."""
    most = max(tallest_bar(result) for result in (mine, theirs) if result is not None)
    for name, result in (("this run", mine), ("beside it", theirs)):
        if result is None:
            continue
        st.caption(
            f"**{name}**: W of {len(result.chosen)} test images, {result.spec.draws} draws, σ = {result.spec.sigma:g}"
        )
        st.plotly_chart(
            smoothness_histogram(result, most, height=215),
            theme=None,
            key=f"histogram.{name}",
            config={"displayModeBar": False},
            alt=f"Histogram of W, {name}: mean {result.clean.mean.mean:.2f} clean, "
            f"{result.triggered.mean.mean:.2f} with the trigger",
        )


def show_sweep(state: ExploreState, run: Run, other: Run | None) -> None:
    """Show mean W over sigma for both runs, as the measurements come in."""
    sigmas = sweep_sigmas(run.result.shape)
    progress = st.empty()
    curves: dict[str, list[Measurement]] = {}
    pairs = [("this run", run)] + ([("beside it", other)] if other is not None else [])
    for number, (name, one) in enumerate(pairs):
        curves[name] = []
        for step, sigma in enumerate(sigmas):
            progress.progress(
                (number * len(sigmas) + step) / (len(pairs) * len(sigmas)), text=f"Measuring σ = {sigma:g}"
            )
            curves[name].append(measure(one, run.spec.trigger, run.spec.target, sigma))
    progress.empty()
    st.caption(f"**mean W over σ**, {PAGE_IMAGES} images, {PAGE_DRAWS} draws; bands: 95 % for more images")
    st.plotly_chart(
        sigma_sweep(curves, state.sigma, height=440),
        theme=None,
        key="sweep",
        config={"displayModeBar": False},
        alt="Mean W over sigma for clean and triggered images of both runs",
    )


def show_alternatives(state: ExploreState, data: Dataset, run: Run, other: Run | None) -> None:
    """Show what a fall of W has to be held against, for both runs."""
    with st.expander("What else could it be?", expanded=False):
        st.caption(
            f"Mean W at σ = {state.sigma:g} in parts. A fall of W speaks for the backdoor only as far as neither the "
            "target class's own images nor the control show it too."
        )
        places = st.columns(2, gap="medium")
        for place, name, one in zip(places, ("this run", "beside it"), (run, other), strict=True):
            if one is not None:
                with place:
                    show_parts(name, one, run, state.sigma, data)


def show_parts(name: str, one: Run, attacked: Run, sigma: float, data: Dataset) -> None:
    """Show one run's table of alternatives, its modal classes and its baselines without noise."""
    trigger, target = attacked.spec.trigger, attacked.spec.target
    result = measure(one, trigger, target, sigma)
    whole = trigger.covers(data.shape).all()
    off = None if whole else measure(one, trigger, target, sigma, noise="off-trigger")
    rows = alternatives(result, off, data.classes)
    st.markdown(f"**{name}**: {run_title(one)}")
    st.dataframe(
        {
            "images": [row.what for row in rows],
            "n": [row.images for row in rows],
            "W clean": [row.w_clean for row in rows],
            "W with trigger": [row.w_triggered for row in rows],
            "what it tells": [row.meaning for row in rows],
        },
        hide_index=True,
        column_config={
            column: st.column_config.NumberColumn(format="%.3f") for column in ("W clean", "W with trigger")
        },
    )
    clean, triggered = result.clean, result.triggered
    st.caption(
        f"Most noisy votes: *{data.classes[clean.modal_class]}* ({clean.modal_share:.0%}) clean, "
        f"*{data.classes[triggered.modal_class]}* ({triggered.modal_share:.0%}) with the trigger. "
        f"Without noise: mean largest softmax {clean.confidence.mean():.3f} clean, "
        f"{triggered.confidence.mean():.3f} with the trigger; mean margin {clean.margin.mean():.3f} and "
        f"{triggered.margin.mean():.3f}."
    )


def show_image(state: ExploreState, data: Dataset, run: Run, other: Run | None, mine: Measurement) -> ExploreState:
    """Show one test image: without and with the trigger, its W, and the slice through both, for both runs."""
    st.subheader("One image and its decision slice", help=explain("slice"))
    order = np.argsort(mine.triggered.w - mine.clean.w, kind="stable")
    places = {int(mine.chosen[number]): int(number) for number in order}
    start = state.image if state.image in places else next(iter(places))
    left, middle, right = st.columns([1, 1.7, 1.7], gap="medium")
    with left:
        image = st.selectbox(
            "Test image, largest drop in W first",
            list(places),
            format_func=lambda index: image_title(index, places[index], data, mine),
            key=seed_widget(state, "image", start),
        )
        show_pair(state, data, run, other, image)
    third = int(np.nonzero(data.test.labels.numpy() == run.spec.target)[0][0])
    for place, name, one in ((middle, "this run", run), (right, "beside it", other)):
        if one is None:
            continue
        with place:
            st.caption(f"**{name}**: {run_title(one)}")
            show_slice(state, data, run, one, image, third, name)
    return replace(state, image=image)


def image_title(index: int, number: int, data: Dataset, mine: Measurement) -> str:
    """Return a test image's name, class and W without and with the trigger."""
    name = data.classes[mine.true[number]]
    return f"{name}, no. {index}: W {mine.clean.w[number]:.2f} → {mine.triggered.w[number]:.2f}"


def show_pair(state: ExploreState, data: Dataset, run: Run, other: Run | None, image: int) -> None:
    """Show the image and itself with the trigger: the class each gets, its W and its certificate, under both runs."""
    from core.neighbourhood import CERTIFICATE_DRAWS, CLOSE_WIDTH

    clean, trigger = data.test.images[[image]], run.spec.trigger
    pairs = (("clean", "", clean), ("with trigger", trigger.to_link(), trigger.apply(clean)))
    for place, (title, key, pixels) in zip(st.columns(2), pairs, strict=True):
        picture(place, enlarge(to_pixels(pixels)[0], 240), f"test image {image}, {title}")
        own = cached.close_look(run.path, key, image, state.sigma, to_unit(pixels)[0])
        lines = [f"{title}:", class_chip(data.classes[own.label], own.label), small(about(own, data))]
        if other is not None:
            beside = cached.close_look(other.path, key, image, state.sigma, to_unit(pixels)[0])
            lines.append(small(f"beside it: <b>{escape(data.classes[beside.label])}</b><br>{about(beside, data)}"))
        place.html("<br>".join(lines))
    st.caption(
        f"W from as many draws as an interval of about {CLOSE_WIDTH:g} needs. "
        f"Certified: α = 0.001, {CERTIFICATE_DRAWS} draws.",
        help=explain("certificate"),
    )


def about(look: CloseLook, data: Dataset) -> str:
    """Return W of one image and its certificate as two lines of HTML."""
    w, low, high = (float(values[0]) for values in (look.smoothness.w, look.smoothness.low, look.smoothness.high))
    label, radius = int(look.certificate.label[0]), float(look.certificate.radius[0])
    certified = "none certified" if label < 0 else f"{escape(data.classes[label])} within L2 {radius:.2f}"
    return f"W {w:.2f} [{low:.2f}, {high:.2f}]<br>{certified}"


def small(html: str) -> str:
    """Return HTML in small type."""
    return f'<span class="ts-small">{html}</span>'


def show_slice(state: ExploreState, data: Dataset, run: Run, one: Run, image: int, third: int, name: str) -> None:
    """Show the slice of one run through an image, itself with the trigger, and one of the target class."""
    trigger = run.spec.trigger
    plane = cached.plane(one.path, trigger.to_link(), image, third, 129, trigger, data)
    slice_view(
        plane,
        data.classes,
        colours=CLASSES,
        point_names={"origin": "clean", "toward": "with trigger", "across": data.classes[run.spec.target]},
        sigma=state.sigma,
        height_px=380,
        key=f"slice.{name}",
    )


main()
