"""The same run under several triggers: W over sigma of each, overlaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import streamlit as st

from core.datasets import Dataset
from core.datasets.dataset import to_unit
from core.figures.trigger_sweep import trigger_sweep
from core.instruments.budgets import TRIGGERS
from core.instruments.trigger_sweep import TriggerSweep, trigger_sweep_steps
from core.runs.measured.comparisons import other_triggers_in_words
from core.runs.measured.w import Measurement, sweep_sigmas
from core.runs.run import DoneRun
from dashboard import cached
from dashboard.explore.choosing import triggers_at_hand
from dashboard.explore.scene import Scene
from dashboard.markdown import plain
from dashboard.parts.chart import chart
from dashboard.progressive import progressive, show_progressive
from dashboard.state import ExploreState, get_state, set_state, widget_key

OWN = "its own trigger"
IMAGES, DRAWS, MOST = *TRIGGERS, 6


def show_triggers(scene: Scene, data: Dataset, found: dict[str, Measurement], runs: Mapping[str, DoneRun]) -> None:
    """Let people choose triggers, and show W over sigma under each of them."""
    own = repr(scene.trigger.identity)
    others = {
        name: trigger for name, trigger in triggers_at_hand(data.shape, runs).items() if repr(trigger.identity) != own
    }
    key = widget_key(ExploreState, "under")
    if key not in st.session_state:
        wanted = get_state(ExploreState).under.split(";")
        st.session_state[key] = [name for name in wanted if name in others] or list(others)[:2]
    before = [name for name in st.session_state[key] if name in others]
    names = st.multiselect(
        f"Next to {OWN}", list(others), before, key=key, on_change=_remember, max_selections=MOST - 1
    )
    attacks = {OWN: scene.attack} | {
        name: scene.attack.model_copy(update={"trigger": others[name], "random_place": False})
        for name in names
        if name in others
    }
    identities = [repr(attack.identity) for attack in attacks.values()]
    what = " ".join(["triggers", str(scene.run.path), scene.spec(sigma=1.0).hash, *attacks, *identities])
    chosen = found[scene.name].chosen[:IMAGES]

    def start() -> Iterator[TriggerSweep]:
        return trigger_sweep_steps(
            cached.predictor(scene.run.path),
            to_unit(data.test.images[chosen]),
            chosen.tolist(),
            attacks,
            scene.goal(data.test.labels.numpy()[chosen]),
            sweep_sigmas(data.shape),
            DRAWS,
        )

    show_progressive(
        "triggers",
        progressive(what, start),
        lambda sweep: (sweep.draws / DRAWS, "Measuring under each trigger"),
        lambda sweep: _show(len(chosen), sweep, scene),
        lambda sweep: _summary(sweep, plain(scene.name), len(chosen)),
    )


def _remember() -> None:
    names = st.session_state[widget_key(ExploreState, "under")]
    set_state(replace(get_state(ExploreState), under=";".join(names)))


def _show(images: int, sweep: TriggerSweep, scene: Scene) -> None:
    alt = f"Mean W over sigma without a trigger and under {', '.join(sweep.triggered)}"
    about = {"run": scene.run.name, "draws": sweep.draws}
    st.markdown(other_triggers_in_words({plain(name): asr for name, asr in sweep.asr.items() if name != OWN}, images))
    chart(trigger_sweep(sweep, scene.sigma), alt, key="triggers", title="Mean W over σ under each trigger", about=about)


def _summary(sweep: TriggerSweep, name: str, images: int) -> None:
    st.caption(
        f"Mean W over σ of {name}, {images} images, {sweep.draws} draws; bands: 95% intervals over images. ASR: the "
        "share of these images that is predicted as the attacker wants."
    )
