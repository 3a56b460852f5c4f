"""Which images are poisoned: a data set of the list, or a ZIP of one's own, looked at before it is used."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.datasets import Dataset, data_folder, dataset_names, describe
from core.datasets.uploads import accept_upload, uploaded_datasets
from core.errors import InputError
from core.figures.pictures import framed_grid
from dashboard import cached
from dashboard.lab.options import follow_recipe
from dashboard.markdown import plain, show_error
from dashboard.parts.head import load_with_progress
from dashboard.parts.html import class_chip, picture
from dashboard.state import LabState, seed_index, widget_key

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

# Names no file: stands for "let me bring one".
BRING_ONE = "zip:"
LARGEST_UPLOAD_MB = 256
GRID, GRID_COLUMNS = 30, 15
NAMED_CLASSES = 12


def choose_dataset(place: DeltaGenerator, state: LabState) -> LabState:
    """Show the data sets, a link's own one and those brought earlier among them."""
    names = {name: describe(name).title for name in (*dataset_names(), *uploaded_datasets())}
    names[BRING_ONE] = "Your own images (ZIP) …"
    own = st.session_state.get(widget_key(LabState, "dataset"), state.dataset)
    names.setdefault(own, own)
    chosen = place.selectbox(
        "Data set",
        list(names),
        format_func=lambda name: names[name],
        **seed_index(state, "dataset", list(names)),
        on_change=start_another,
    )
    return replace(state, dataset=chosen)


def start_another() -> None:
    """Start another data set at its first class, with the settings that suit it."""
    st.session_state[widget_key(LabState, "target")] = 0
    st.session_state.pop(widget_key(LabState, "sources"), None)
    st.session_state.pop(widget_key(LabState, "sample"), None)
    follow_recipe()


def load(state: LabState) -> Dataset | None:
    """Return the chosen data set; None, with a sentence or the upload in its place, where there is none yet."""
    if state.dataset == BRING_ONE:
        bring_one()
        return None
    try:
        data = load_with_progress(state.dataset)
    except InputError as error:
        show_error(error)
        return None
    show_notes(data)
    return data


def bring_one() -> None:
    """Take a ZIP file, and show what is in it before it is used."""
    file = st.file_uploader(
        "A ZIP file with one folder of images per class, or with a train/ and a test/ folder that hold these folders",
        type="zip",
        key="dataset.upload",
        max_upload_size=LARGEST_UPLOAD_MB,
    )
    if file is None:
        return
    progress = st.empty()

    def show(share: float, text: str) -> None:
        progress.progress(min(max(share, 0.0), 1.0), text=text)

    cached.warm_torch().join()
    try:
        data = accept_upload(file.getvalue(), file.name, data_folder(), show)
    except InputError as error:
        show_error(error)
        return
    finally:
        progress.empty()
    show_dataset(data)
    st.button("Use these images", type="primary", key="dataset.use", on_click=use, args=(data.name,))


def use(name: str) -> None:
    """Choose a data set for the whole page."""
    st.session_state[widget_key(LabState, "dataset")] = name
    start_another()


def show_dataset(data: Dataset) -> None:
    """Show a data set's classes, its size, and a few images of every class."""
    channels, height, width = data.shape
    st.markdown(
        f"**{len(data.classes)} classes**, {len(data.train)} images to train and {len(data.test)} to test with, "
        f"{width}×{height} pixels, {'grey' if channels == 1 else 'colour'}."
    )
    show_notes(data)
    counts = np.bincount(data.train.labels.numpy(), minlength=len(data.classes))
    chips = " &nbsp; ".join(
        f'{class_chip(name, label)} <span class="ts-small">{counts[label]}</span>'
        for label, name in enumerate(data.classes[:NAMED_CLASSES])
    )
    more = len(data.classes) - NAMED_CLASSES
    st.html(chips + (f'<div class="ts-small">and {escape(str(more))} more</div>' if more > 0 else ""))
    shown = of_every_class(data.train.labels.numpy(), GRID)
    grid = framed_grid(data.train.images[shown], data.train.labels[shown].tolist(), columns=GRID_COLUMNS)
    picture(st.container(), grid, f"{len(shown)} training images, framed in the colours of their classes")


def show_notes(data: Dataset) -> None:
    """Show what was left out or changed when somebody's images were read."""
    for note in data.notes:
        st.caption(f":material/info: {plain(note)}")


def of_every_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Return places of `count` images (or all), each class in turn, sorted by class."""
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turn[members] = np.arange(len(members))
    chosen = np.lexsort((labels, turn))[:count]
    return chosen[np.argsort(labels[chosen], kind="stable")]
