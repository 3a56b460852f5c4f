"""Mean W over sigma of all attacks of a comparison, on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from core.datasets import Dataset
from core.figures.compared_sweeps import compared_sweeps
from core.glossary import explain
from core.instruments.budgets import PAGE
from core.runs.measured.compared import Compared
from core.runs.measured.w import Measurement, page_attack_spec, sweep_sigmas
from dashboard import cached
from dashboard.parts.chart import chart
from dashboard.progressive import progressive, show_progressive

Curves = dict[str, list[Measurement]]


@dataclass(frozen=True)
class Sweep:
    """How far the curves are: what is shown, and the share of the draws that are done.

    The curves change when all sigmas have got their share of a round of draws, so that they do not flicker.
    """

    curves: Curves
    share: float


def show_sweep(found: Sequence[Compared], datasets: Mapping[str, Dataset]) -> None:
    """Show the curves, from few draws to all; it can be stopped."""
    st.subheader("Mean W over σ", help=explain("W"), anchor=False)
    key = " ".join(f"{one.run.path} {one.name}" for one in found)
    sigmas = sorted({sigma for one in found for sigma in sweep_sigmas(one.run.result.shape)})
    focus = sorted({one.sigma for one in found})

    def show(sweep: Sweep) -> None:
        chart(
            compared_sweeps(sweep.curves, sigmas, focus),
            f"Mean W over sigma, clean and with the trigger, of {', '.join(one.name for one in found)}",
            key="compare.sweep",
            title="Mean W over σ of several attacks",
            about={"runs": ", ".join(one.run.name for one in found), "draws": PAGE.draws, "images": PAGE.images},
        )

    show_progressive(
        "compare.sweep",
        progressive(f"compared sweeps {key}", lambda: sweep_steps(found, datasets)),
        lambda sweep: (sweep.share, "Measuring W over σ"),
        show,
        _summary,
    )


def _summary(sweep: Sweep) -> None:
    images = max(len(each[0].chosen) for each in sweep.curves.values())
    st.caption(
        f"{images} test images, {PAGE.draws} draws; bands: 95% intervals over images. Blue: without the trigger. The "
        "dotted line marks the σ above.",
        help=explain("interval"),
    )


def sweep_steps(found: Sequence[Compared], datasets: Mapping[str, Dataset]) -> Iterator[Sweep]:
    """Yield the curves of all attacks, first from a few draws at each sigma, then from more."""
    steps: dict[tuple[str, float], Iterator[Measurement]] = {}
    for one in found:
        for sigma in sweep_sigmas(one.run.result.shape):
            spec = page_attack_spec(one.attack, sigma)
            data = datasets[one.run.spec.dataset]
            steps[one.name, sigma] = cached.measurement_steps(one.run, spec, data)
    latest: dict[tuple[str, float], Measurement] = {}
    whole, shown = PAGE.draws * len(steps), Curves()
    while steps:
        for place, each in list(steps.items()):
            if (measured := next(each, None)) is None:
                del steps[place]
                continue
            latest[place] = measured
            yield Sweep(shown, sum(one.spec.draws for one in latest.values()) / whole)
        shown = {one.name: [latest[one.name, sigma] for sigma in sweep_sigmas(one.run.result.shape)] for one in found}
        yield Sweep(shown, sum(one.spec.draws for one in latest.values()) / whole)
