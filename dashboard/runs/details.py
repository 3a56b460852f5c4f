"""What can be seen of and done with one run: rename, tag, note, explore, export, its command line, delete."""

from __future__ import annotations

import streamlit as st

from core.errors import InputError
from core.runs.archive import archive_name, export_run
from core.runs.convention import NORMALISATIONS
from core.runs.library.card import Card
from core.runs.library.label import LONGEST_NAME, LONGEST_NOTE, write_label
from core.runs.loaded_spec import LoadedSpec
from core.runs.run import Run, State
from core.training.spec import RunSpec
from dashboard.markdown import plain, show_error
from dashboard.parts.how_made import save_trigger, show_how_made
from dashboard.parts.lab_link import lab_state
from dashboard.runs.bin import delete
from dashboard.runs.rows import in_bytes
from dashboard.state import ExploreState, to_query


def show_details(card: Card, title: str, may_change: bool) -> None:
    """Show one run in full; its title tells it from the others of the list."""
    if card.problem:
        show_error(card.problem)
    if card.label.note:
        st.markdown("  \n".join(f"> {plain(line)}" for line in card.label.note.splitlines()))
    left, right = st.columns([1, 1], gap="medium")
    with left:
        show_facts(card)
        show_doors(card)
    with right:
        if may_change:
            show_label_form(card)
        else:
            st.caption("This run came with the program: it can be looked at and exported, not renamed or deleted.")
    if card.spec is not None:
        show_how_made(card.run, "runs")
    with st.container(horizontal=True, vertical_alignment="center", key="acts"):
        show_export(card)
        if card.spec is not None and card.spec.attack is not None and card.result is not None:
            save_trigger(card.spec.attack.trigger, card.run.name, card.result.shape)
        if may_change:
            st.button(
                "Delete",
                icon=":material/delete:",
                key="delete",
                on_click=delete,
                args=(card.run, title),
                disabled=card.state in (State.RUNNING, State.QUEUED),
                help="It goes to the bin and can be restored from there.",
            )


def show_facts(card: Card) -> None:
    """Show what a run is made from."""
    facts = [("Run", card.run.name), ("On disk", in_bytes(card.size))]
    spec, result = card.spec, card.result
    if result is not None:
        channels, height, width = result.shape
        facts.append(
            ("Images", f"{width}×{height}, {'grey' if channels == 1 else 'colour'}, {len(result.classes)} classes")
        )
        if result.warning is not None:
            st.warning(plain(result.warning))
    if isinstance(spec, LoadedSpec):
        facts += _facts_of_loaded(spec)
    elif spec is not None:
        facts += [
            ("Data set", spec.dataset),
            ("Attack", _attack_in_words(spec)),
            ("Training", f"{spec.optimiser}, {spec.epochs} epochs, batches of {spec.batch_size}, seed {spec.seed}"),
            ("Computed on", f"{spec.device}, {spec.precision}, {spec.threads} thread{'s' if spec.threads > 1 else ''}"),
        ]
    st.markdown("  \n".join(f"**{name}** {plain(value)}" for name, value in facts))


def _attack_in_words(spec: RunSpec) -> str:
    attack = spec.attack
    if attack is None:
        return "none: this is a control"
    parts = [attack.mode, f"{100 * spec.rate:.3g}% poisoned"]
    parts += [f"{100 * spec.cover_rate:.3g}% cover samples"] if spec.cover_rate else []
    parts += ["images perturbed first"] if spec.perturbed else []
    parts += ["random place"] if attack.random_place else []
    return ", ".join(parts)


def _facts_of_loaded(spec: LoadedSpec) -> list[tuple[str, str]]:
    known = NORMALISATIONS.get(spec.normalisation, "as the file says")
    if spec.normalisation == "given":
        known = f"mean {', '.join(map(str, spec.mean))}; deviation {', '.join(map(str, spec.std))}"
    orders = ["blue first"] if spec.channel_order == "BGR" else []
    orders += ["classes in another order than the data set's"] if spec.class_order is not None else []
    return [
        ("Data set", spec.dataset),
        ("Network", spec.architecture),
        ("File", f"{spec.file} ({spec.file_format}), SHA-256 {spec.sha256[:16]}…"),
        ("Normalisation", "; ".join([known, *orders])),
        ("Trained", "by somebody else: rate, seed and control are unknown"),
    ]


def show_doors(card: Card) -> None:
    """Show the ways to the pages that show more."""
    name, spec = card.run.name, card.spec
    if card.result is not None:
        page, label, query = "explore", "Explore it →", to_query(ExploreState(run=name))
    elif spec is not None and not isinstance(spec, LoadedSpec):
        page, label, query = "lab", "Watch it in the Lab →", to_query(lab_state(spec, name))
    else:
        return
    with st.container(key="link-run"):
        st.page_link(f"{page}/page.py", label=label, query_params=query)


def show_label_form(card: Card) -> None:
    """Let people name, tag and note a run."""
    with st.form(f"label.{card.run.name}", border=False):
        name = st.text_input(
            "Name", card.label.name, max_chars=LONGEST_NAME, placeholder=card.title, key=f"name.{card.run.name}"
        )
        tags = st.text_input("Tags, separated by commas", ", ".join(card.label.tags), key=f"tags.{card.run.name}")
        note = st.text_area("Note", card.label.note, max_chars=LONGEST_NOTE, height=80, key=f"note.{card.run.name}")
        if st.form_submit_button("Save"):
            try:
                write_label(card.run, name, tags.split(","), note)
            except InputError as error:
                show_error(error)
                return
            st.rerun()


def show_export(card: Card) -> None:
    """Offer the run as one file."""
    if card.result is None:
        return
    st.download_button(
        "Export as one file",
        data=lambda: export_run(Run(card.run.path)),
        file_name=archive_name(card.run),
        mime="application/zip",
        on_click="ignore",
        icon=":material/download:",
        key="export",
    )
