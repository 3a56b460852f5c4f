"""Adding to the library: a model that somebody else trained, or a run that was exported."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.attacks.triggers import AnyTrigger, make_trigger, trigger_names
from core.datasets import Dataset, dataset_names, describe
from core.datasets.uploads import uploaded_datasets
from core.errors import InputError
from core.runs.archive import import_run
from core.runs.convention import NORMALISATIONS, Convention, Known, read_known
from core.runs.library.titles import short_name
from core.runs.load import LoadedModel, load_model
from core.runs.root import runs_root
from core.runs.run import Run
from dashboard import cached
from dashboard.markdown import plain, show_error
from dashboard.parts.head import load_with_progress
from dashboard.state import RunsState, set_state

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

LARGEST_UPLOAD_MB = 1024
NO_TRIGGER = "none yet"
UNKNOWN, OWN_NUMBERS = "", "own"
_NORMALISATION_WORDS = {UNKNOWN: "find out (tries them all)", OWN_NUMBERS: "numbers of your own …"}
COLOURS = {UNKNOWN: "find out", "RGB": "red, green, blue", "BGR": "blue, green, red (OpenCV)"}
# How many ways of asking a model are named after the best.
MOST_OTHERS = 4
KEPT = "runs.loaded"


def show_adding() -> None:
    """Take a file; a run is imported at once, a model needs to be told its data set."""
    file = st.file_uploader(
        "A model (safetensors, PyTorch .pt or .pth, ONNX, or a ZIP of model.onnx and its .data) or an exported run",
        key="runs.upload",
        max_upload_size=LARGEST_UPLOAD_MB,
        help="Model files are read, never run: a PyTorch file may hold tensors, numbers, texts and arrays only.",
    )
    if file is None:
        st.caption(
            "BackdoorBench's attack_result.pt, state dicts with torchvision's names and any ONNX classifier are "
            "understood; layers with other names are matched by order and shape."
        )
        return
    if st.session_state.get("runs.taken") == file.file_id:
        st.caption(f"{plain(file.name)} was imported.")
        return
    try:
        if not is_known_as_model(file):
            look_at(file)
        ask_about(file)
    except InputError as error:
        show_error(error)


@contextmanager
def on_disk(file: UploadedFile) -> Iterator[Path]:
    """Give an upload a path for as long as it is read, under a name of our own: the file's may be anything."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"upload{Path(file.name).suffix.lower()[:12]}"
        path.write_bytes(file.getbuffer())
        yield path


def is_known_as_model(file: UploadedFile) -> bool:
    """Say whether this upload was looked at before, so that large ones are not written anew at each click."""
    return st.session_state.get("runs.model") == file.file_id


def look_at(file: UploadedFile) -> None:
    """Import the upload if it is a run; remember it if it may be a model."""
    cached.warm_torch().join()
    from core.models.foreign.file import file_kind

    with on_disk(file) as path:
        if file_kind(path, file.name) == "run":
            take_run(path, file.name, file.file_id)
    st.session_state["runs.model"] = file.file_id


def take_run(path: Path, name: str, upload: str) -> None:
    """Import an exported run, and show it."""
    found = import_run(path, runs_root(), name)
    st.session_state["runs.taken"] = upload
    st.session_state["runs.message"] = (
        f"{name} is now the run {found.run.name}."
        if found.is_new
        else f"{name} is the run {found.run.name}, here already."
    )
    open_run(found.run)
    st.rerun()


def open_run(run: Run) -> None:
    """Show a run that has just come, whatever was searched for before."""
    set_state(RunsState(run=run.name))
    for field in ("find", "dataset", "sort", "order", "page"):
        st.session_state.pop(f"RunsState.{field}", None)


def ask_about(file: UploadedFile) -> None:
    """Ask what the file does not say, load the model, and show what was found."""
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    dataset = left.selectbox(
        "Data set it was trained on",
        [*dataset_names(), *uploaded_datasets()],
        format_func=lambda one: short_name(one) if ":" in one else describe(one).title,
        key="load.dataset",
    )
    normalisation = middle.selectbox(
        "Normalisation",
        [UNKNOWN, *NORMALISATIONS, OWN_NUMBERS],
        format_func=lambda name: _NORMALISATION_WORDS.get(name) or NORMALISATIONS[name],
        key="load.normalisation",
        help="What the model does to pixels before its first layer. If nobody knows, each is tried on 256 training "
        "images, and the one that gets most of them right is taken.",
    )
    shape = describe(dataset).shape
    triggers = _triggers(shape)
    chosen = right.selectbox("Trigger, if one is known", [NO_TRIGGER, *triggers], key="load.trigger")
    target = None
    if chosen != NO_TRIGGER:
        classes = describe(dataset).classes or ()
        names = dict(enumerate(classes))
        target = right.selectbox("Target class", list(names), format_func=lambda label: names[label], key="load.target")
    mean = left.text_input("Mean", "0.5", key="load.mean") if normalisation == OWN_NUMBERS else None
    std = middle.text_input("Deviation", "0.5", key="load.std") if normalisation == OWN_NUMBERS else None
    colours = None
    if shape is None or shape[0] == 3:
        colours = right.selectbox("Order of colours", COLOURS, format_func=COLOURS.__getitem__, key="load.colours")
    if st.button("Load and measure", type="primary", key="load.go"):
        data = load_with_progress(dataset)
        with on_disk(file) as path:
            known = read_known(None if normalisation == OWN_NUMBERS else normalisation, mean, std, colours)
            load(path, file.name, data, known, triggers.get(chosen), target)


def _triggers(shape: tuple[int, int, int] | None) -> dict[str, AnyTrigger]:
    """Return the triggers that need nothing to be drawn, by what people call them."""
    if shape is None:
        return {}
    return {title: make_trigger(name, shape) for name, title in trigger_names().items()}


def load(
    path: Path,
    name: str,
    data: Dataset,
    known: Known,
    trigger: AnyTrigger | None,
    target: int | None,
) -> None:
    """Load a model, and show what it turned out to be above the library."""
    progress = st.progress(0.0, text=f"Opening {name}")

    def show(share: float, text: str) -> None:
        progress.progress(share, text=text)

    try:
        loaded = load_model(
            path,
            data,
            name=name,
            known=known,
            trigger=trigger,
            target=target,
            root=runs_root(),
            progress=show,
        )
    finally:
        progress.empty()
    st.session_state[KEPT] = loaded.run.name, in_words(loaded)
    open_run(loaded.run)
    st.rerun()


def in_words(loaded: LoadedModel) -> str:
    """Return what was found, as Markdown."""
    found, result = loaded.found, loaded.run.result
    channels, height, width = found.shape
    size = f"images of any size (here {width}×{height})" if found.any_size else f"images of {width}×{height} pixels"
    lines = [
        f"**{plain(found.file)}** is {_article(found.title)} **{found.title}** with {found.classes} classes, for "
        f"{size}, {'grey' if channels == 1 else 'colour'} ({found.format}, {found.weights:,} weights)."
    ]
    lines += [plain(note) for note in loaded.notes]
    if result is not None:
        accuracy = result.clean_accuracy
        lines.append(
            f"Clean accuracy on {short_name(loaded.run.spec.dataset)}: **{accuracy.value:.1%}** "
            f"({accuracy.count} of {accuracy.n} test images)."
        )
    lines.append(_convention_in_words(loaded))
    return "  \n".join(lines)


def _article(title: str) -> str:
    return "an" if title.startswith(("A", "E", "I", "O", "MLP")) else "a"


def _convention_in_words(loaded: LoadedModel) -> str:
    if not loaded.tried:
        return f"How it is asked: {plain(loaded.convention.title)}."
    best, *others = loaded.tried
    rest = "; ".join(f"{plain(way.title)} {_share(way)}" for way in others[:MOST_OTHERS])
    number = best.accuracy.n if best.accuracy is not None else 0
    return (
        f"How it is asked was found out on {number} training images: **{plain(best.title)}**, right on {_share(best)}. "
        f"Next best: {rest}. If you know better, say so below and load again."
    )


def _share(way: Convention) -> str:
    return "" if way.accuracy is None else f"{way.accuracy.value:.0%}"
