"""The neighbourhood of one image: noisy copies, their votes, W made of these very votes, and the certificate."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from core.datasets import Dataset
from core.datasets.dataset import to_unit
from core.figures.palette import class_colour
from core.figures.pictures import enlarge, framed_grid, to_pixels
from core.glossary import explain
from core.runs.measured.findings import certificate_in_words, formula_in_words
from core.runs.measured.w import Measured, Measurement
from dashboard import cached
from dashboard.explore.scene import Scene, Side, versions
from dashboard.markdown import plain
from dashboard.parts.html import class_chip, picture

COPIES = 24


def show_neighbourhood(scene: Scene, data: Dataset, found: dict[str, Measurement], image: int, title: str) -> None:
    """Show one test image without and with each run's trigger."""
    true = scene.classes[int(data.test.labels[image])]
    st.markdown(f"**{title}: {plain(true)}, no. {image}**", help=explain("W"))
    with st.container(key=f"around.{title}"):  # two next to each other on a phone, too
        places = iter(st.columns(2 * len(found), gap="small"))
    for side in scene.sides:
        measured = found[side.name]
        numbers = np.nonzero(measured.chosen == image)[0]
        for version, part in {"clean": measured.clean, "with trigger": measured.triggered}.items():
            with next(places):
                st.caption(f"**{plain(side.name)}**, {version}")
                if len(numbers):
                    _show_version(scene, data, side, image, version, part, int(numbers[0]))
                elif version == "clean":
                    st.caption("This attack leaves images of this class alone, so this one was not measured there.")


def _show_version(
    scene: Scene, data: Dataset, side: Side, image: int, version: str, part: Measured, number: int
) -> None:
    key, pixels = versions(side, data, image, scene.spec().seed)[version]
    one = to_unit(pixels)[0]
    label = int(part.predicted[number])
    votes = part.votes[number]
    low, high = float(part.low[number]), float(part.high[number])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(
            enlarge(to_pixels(pixels)[0], 160), width=84, alt=f"test image {image}, {version}", output_format="PNG"
        )
        st.html(
            f"{class_chip(scene.classes[label], label)}<br>"
            f'<span class="ts-w">W {part.w[number]:.3f}</span><br>'
            f'<span class="ts-small">{low:.2f} to {high:.2f}</span>',
            width="content",
        )
    copies, labels = cached.noisy_copies(side.run.path, key, image, scene.sigma, COPIES, one)
    grid = framed_grid(copies, labels.tolist(), columns=8, side=40, frame=5, gap=5)
    picture(
        st.container(), grid, f"{COPIES} noisy copies, framed in their class: {_counted(scene, np.bincount(labels))}"
    )
    st.html(_bars(scene, votes))
    with st.popover("How W is computed", type="tertiary", key=f"formula.{side.name}.{version}.{image}"):
        st.caption(formula_in_words(votes))
    st.caption(
        certificate_in_words(cached.certificate(side.run.path, key, image, scene.sigma, one), scene.names),
        help=explain("certificate"),
    )


def _counted(scene: Scene, counts: np.ndarray) -> str:
    order = np.argsort(-counts, kind="stable")
    return ", ".join(f"{counts[label]} {scene.classes[label]}" for label in order if counts[label])


def _bars(scene: Scene, votes: np.ndarray) -> str:
    """Return the votes as bars, most first, as HTML."""
    rows = []
    for label in np.argsort(-votes, kind="stable"):
        if votes[label]:
            share = votes[label] / votes.sum()
            rows.append(
                f'<div class="ts-vote"><span>{escape(scene.classes[int(label)])}</span>'
                f'<i><b style="width:{100 * share:.1f}%;background:{class_colour(int(label))}"></b></i>'
                f"<span>{votes[label]}</span></div>"
            )
    return f'<div class="ts-votes" role="img" aria-label="{escape(_counted(scene, votes))}">{"".join(rows)}</div>'
