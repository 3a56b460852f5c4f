"""How it is trained: fast or careful for everyone, every setting for those who want it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.datasets import Dataset
from core.device import choose_device, choose_precision
from core.models import architecture_names
from core.models.registry import describe
from core.training.settings import Settings, default_learning_rate, default_weight_decay, recommended
from dashboard.lab.attack import within
from dashboard.markdown import plain
from dashboard.state import LabState, seed_default, seed_index, seed_value, update_state, widget_key

PRESETS = {"fast": "Fast", "careful": "Careful"}
BATCHES = (16, 32, 64, 128, 256, 512, 1024)
OPTIMISERS = {"adamw": "AdamW", "sgd": "SGD with momentum"}
AUGMENTATIONS = {"none": "None", "shift": "Shifts", "shift-flip": "Shifts and mirror images"}
PRECISIONS = {"": "What this machine does best", "float32": "float32", "bfloat16": "bfloat16"}
MOST_EPOCHS, MOST_SEED = 200, 9999
# What the preset decides for a data set unless a person has decided otherwise.
FOLLOWING = ("architecture", "epochs", "batch", "augmentation", "learning_rate", "weight_decay")


def choose_preset(state: LabState) -> LabState:
    """Show the switch between fast and careful."""
    preset = st.segmented_control(
        "Preset",
        list(PRESETS),
        format_func=lambda preset: PRESETS[preset],
        **seed_default(state, "preset", state.preset if state.preset in PRESETS else LabState.preset),
        required=True,
        on_change=forget_own_settings,
        label_visibility="collapsed",
        help="*Fast* shows results within seconds. *Careful* trains three times as long and, on a GPU, uses a larger "
        "network.",
    )
    return replace(state, preset=preset or LabState.preset)


def choose_options(state: LabState, data: Dataset) -> LabState:
    """Show every setting of the training and return what they say; what is as the preset has it stays "" or 0."""
    left, right = st.columns(2)
    with left:
        state = choose_network(state, suited(state), data)
    with right:
        return choose_optimiser(state)


def choose_network(state: LabState, recipe: Settings, data: Dataset) -> LabState:
    """Show architecture, length, batch, augmentation and seed."""
    names, usual = architecture_names(), usual_architecture(state.preset)
    architecture = st.selectbox(
        "Architecture",
        names,
        format_func=lambda name: describe(name).title,
        **seed_index(state, "architecture", names, usual),
        on_change=forget_rates,
    )
    network = describe(architecture)
    if why_not := network.suits(data.shape, len(data.classes)):
        st.warning(plain(why_not))
    else:
        st.caption(network.sentence)
    epochs = st.number_input(
        f"Epochs (up to {MOST_EPOCHS})",
        1,
        MOST_EPOCHS,
        **seed_value(state, "epochs", within(state.epochs or recipe.epochs, 1, MOST_EPOCHS)),
    )
    batch = st.selectbox(
        "Batch size",
        BATCHES,
        **seed_index(state, "batch", BATCHES, recipe.batch_size),
    )
    augmentation = st.selectbox(
        "Augmentation",
        list(AUGMENTATIONS),
        format_func=lambda name: AUGMENTATIONS[name],
        **seed_index(
            state,
            "augmentation",
            list(AUGMENTATIONS),
            recipe.augmentation,
        ),
        help="Shift each training image at random, and mirror half of them.",
    )
    seed = st.number_input(
        "Seed",
        0,
        MOST_SEED,
        **seed_value(state, "seed", within(state.seed, 0, MOST_SEED)),
        help="Decides weights, order and which images are poisoned.",
    )
    return replace(
        state,
        architecture="" if architecture == usual else architecture,
        epochs=0 if epochs == recipe.epochs else epochs,
        batch=0 if batch == recipe.batch_size else batch,
        augmentation="" if augmentation == recipe.augmentation else augmentation,
        seed=seed,
    )


def choose_optimiser(state: LabState) -> LabState:
    """Show optimiser, learning rate, weight decay and precision."""
    optimiser = st.selectbox(
        "Optimiser",
        list(OPTIMISERS),
        format_func=lambda name: OPTIMISERS[name],
        **seed_index(
            state,
            "optimiser",
            list(OPTIMISERS),
            LabState.optimiser,
        ),
        on_change=forget_rates,
    )
    architecture = st.session_state[widget_key(LabState, "architecture")]
    usual, usual_decay = default_learning_rate(architecture, optimiser), default_weight_decay(optimiser)
    learning_rate = st.number_input(
        "Learning rate",
        1e-5,
        10.0,
        step=usual / 10,
        format="%.5g",
        **seed_value(state, "learning_rate", within(state.learning_rate or usual, 1e-5, 10.0)),
        help="The peak, reached after the first tenth of training; then it decays to zero.",
    )
    weight_decay = st.number_input(
        "Weight decay",
        0.0,
        1.0,
        step=0.001,
        format="%.5g",
        **seed_value(
            state, "weight_decay", within(state.weight_decay, 0.0, 1.0) if state.weight_decay >= 0 else usual_decay
        ),
    )
    best = choose_precision(choose_device())
    precision = st.selectbox(
        "Precision",
        list(PRECISIONS),
        format_func=lambda name: PRECISIONS[name] if name else f"{PRECISIONS['']} ({best})",
        **seed_index(state, "precision", list(PRECISIONS), ""),
    )
    return replace(
        state,
        optimiser=optimiser,
        learning_rate=0.0 if learning_rate == usual else learning_rate,
        weight_decay=-1.0 if weight_decay == usual_decay else weight_decay,
        precision=precision,
    )


def usual_architecture(preset: str) -> str:
    """Return the architecture that people get who choose none: a large one only for careful people with a GPU."""
    return "resnet-18" if preset == "careful" and choose_device() != "cpu" else "small-cnn"


def suited(state: LabState) -> Settings:
    """Return what suits data set and preset; not the learning rate, which follows the optimiser too."""
    return recommended(state.dataset, usual_architecture(state.preset), state.preset == "careful")


def follow_recipe() -> None:
    """Let the settings that nobody has decided follow another data set or preset."""
    for name in FOLLOWING:
        st.session_state.pop(widget_key(LabState, name), None)


def forget_own_settings() -> None:
    """Let every setting that the preset decides follow it, those that a person had decided as well."""
    update_state(LabState, architecture="", epochs=0, batch=0, augmentation="", learning_rate=0.0, weight_decay=-1.0)
    follow_recipe()


def forget_rates() -> None:
    """Start another network or optimiser at the learning rate and the weight decay that suit it."""
    update_state(LabState, learning_rate=0.0, weight_decay=-1.0)
    for name in ("learning_rate", "weight_decay"):
        st.session_state.pop(widget_key(LabState, name), None)
