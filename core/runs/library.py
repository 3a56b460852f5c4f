"""The library of runs: what people call them, what is known of each at a glance, deleting and bringing back.

Names, tags and notes lie in `label.json` beside the run's own files; no identity depends on it. Deleted runs wait in
`.bin/TIME-RUN` until they are brought back or thrown away.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.attacks.triggers import AnyTrigger, trigger_names
from core.errors import InputError
from core.files import refusal, write_whole
from core.instruments.statistics import Estimate
from core.runs.loaded_spec import LoadedSpec
from core.runs.measured.w import page_attack_spec, stored_measurement, sweep_sigmas
from core.runs.result import Result
from core.runs.root import RUN_NAME, runs_root
from core.runs.run import Run, State
from core.training.spec import RunSpec

LABEL = "label.json"
LONGEST_NAME, LONGEST_TAG, LONGEST_NOTE, MOST_TAGS = 80, 24, 2000, 8
Order = Literal["newest", "accuracy", "success", "gap", "size"]
ORDERS: dict[Order, str] = {
    "newest": "Newest first",
    "accuracy": "Clean accuracy",
    "success": "Attack success",
    "gap": "W gap",
    "size": "Disk use",
}
Sort = Literal["all", "attacks", "controls", "loaded", "unfinished"]
SORTS: dict[Sort, str] = {
    "all": "All",
    "attacks": "Attacks",
    "controls": "Controls",
    "loaded": "Loaded",
    "unfinished": "Unfinished",
}


class Label(BaseModel):
    """What people call a run: a name of their own, tags, and a note."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(default="", max_length=LONGEST_NAME)
    tags: tuple[str, ...] = Field(default=(), max_length=MOST_TAGS)
    note: str = Field(default="", max_length=LONGEST_NOTE)

    @field_validator("name", mode="after")
    @classmethod
    def _name_is_one_line(cls, value: str) -> str:
        return " ".join(value.split())

    @field_validator("tags", mode="after")
    @classmethod
    def _tags_are_short(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in value if tag.strip()))
        if any(len(tag) > LONGEST_TAG or "," in tag for tag in tags):
            raise ValueError("too long")
        return tags


@dataclass(frozen=True, eq=False)
class Card:
    """What the library shows of one run.

    Attributes
    ----------
    run, state, label
        The run, where it stands, and what people call it.
    spec, result
        None where the file is damaged or not there yet.
    gap, gap_sigma
        W clean minus W triggered as Explore measures it, and at which sigma; None if nobody has measured it yet.
    size
        Bytes on disk.
    made
        When it was made, in seconds since 1970.
    problem
        One sentence if the run is damaged; "" otherwise.
    """

    run: Run
    state: State
    label: Label
    spec: RunSpec | LoadedSpec | None
    result: Result | None
    gap: Estimate | None
    gap_sigma: float | None
    size: int
    made: float
    problem: str

    @property
    def title(self) -> str:
        """Its own name, or what it is."""
        return self.label.name or what_it_is(self.spec, self.result, self.run.name)

    @property
    def words(self) -> str:
        """Everything that a search looks through, in small letters."""
        spec, label = self.spec, self.label
        parts = [self.run.name, self.title, *label.tags, label.note, self.state.shown]
        if spec is not None:
            parts += [what_it_is(spec, self.result, self.run.name), spec.dataset, spec.architecture]
            parts += [spec.attack.trigger.name] if spec.attack is not None else []
        return " ".join(parts).lower()


def what_it_is(spec: RunSpec | LoadedSpec | None, result: Result | None, name: str) -> str:
    """Return what a run without a name of its own is called."""
    if spec is None:
        return f"damaged run {name}"
    if isinstance(spec, LoadedSpec):
        trigger = "" if spec.attack is None else f", {trigger_title(spec.attack.trigger)}"
        return f"{short_name(spec.dataset)}: {spec.file}{trigger}"
    attack = spec.attack
    if attack is None:
        return f"{short_name(spec.dataset)}: control"
    goal = attack.mode if attack.target is None else str(attack.target)
    if result is not None and attack.target is not None and attack.target < len(result.classes):
        goal = result.classes[attack.target]
    return f"{short_name(spec.dataset)}: {trigger_title(attack.trigger)} → {goal}, {100 * spec.rate:.3g}%"


def trigger_title(trigger: AnyTrigger) -> str:
    """Return what people call a trigger: ready-made ones have a title, others the name that they were given."""
    return trigger_names().get(trigger.name, trigger.name)


def short_name(dataset: str) -> str:
    """Return a data set's name without the folders in it."""
    kind, _, path = dataset.partition(":")
    return Path(path).name or dataset if path else kind


def read_label(run: Run) -> Label:
    """Return what people call a run; nothing where nobody said, or where the file is damaged."""
    try:
        return Label.model_validate_json((run.path / LABEL).read_bytes())
    except (OSError, ValidationError):
        return Label()


def write_label(run: Run, name: str, tags: Sequence[str], note: str) -> Label:
    """Call a run something; with nothing to say the file goes.

    Raises
    ------
    InputError
        A name, tag or note is too long, or the run's folder cannot be written.
    """
    try:
        label = Label(name=name, tags=tuple(tags), note=note)
    except ValidationError:
        raise InputError(
            f"A name has at most {LONGEST_NAME} characters, a note {LONGEST_NOTE}, and there are at most {MOST_TAGS} "
            f"tags of {LONGEST_TAG} characters without commas: make it shorter."
        ) from None
    try:
        if label == Label():
            (run.path / LABEL).unlink(missing_ok=True)
        else:
            write_whole(run.path / LABEL, label.model_dump_json(indent=1).encode())
    except OSError as error:
        raise refusal(error, run.path) from None
    return label


def card(run: Run) -> Card:
    """Return what the library shows of a run, damaged or not."""
    spec, result, problem = None, None, ""
    try:
        spec, result = run.spec, run.result
    except InputError as error:
        problem = str(error)
    gap, sigma = (None, None) if spec is None or result is None else _gap(run, spec, result)
    return Card(
        run=run,
        state=run.state,
        label=read_label(run),
        spec=spec,
        result=result,
        gap=gap,
        gap_sigma=sigma,
        size=disk_use(run.path),
        made=_made(run),
        problem=problem,
    )


def _made(run: Run) -> float:
    try:
        return (run.path / "spec.json").stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0


def _gap(run: Run, spec: RunSpec | LoadedSpec, result: Result) -> tuple[Estimate | None, float | None]:
    """Return the gap that Explore shows first, or at another sigma of its sweep if only that was measured."""
    if spec.attack is None or not any((run.path / "measures").glob("w-*.npz")):
        return None, None
    sigmas = sweep_sigmas(result.shape)
    for sigma in sorted(sigmas, key=lambda sigma: sigma != sigmas[2]):
        found = stored_measurement(run, page_attack_spec(spec.attack, sigma))
        if found is not None:
            return found.gap, sigma
    return None, None


def find_cards(
    cards: Sequence[Card], words: str = "", dataset: str = "", sort: Sort = "all", order: Order = "newest"
) -> list[Card]:
    """Return the cards that have all of the words, are of the data set and sort asked for, in this order.

    Whatever an order knows nothing of comes last, newest first.
    """
    wanted = words.lower().split()
    found = [
        card
        for card in cards
        if all(word in card.words for word in wanted)
        and (not dataset or (card.spec is not None and card.spec.dataset == dataset))
        and _is_sort(card, sort)
    ]
    return sorted(sorted(found, key=lambda card: -card.made), key=lambda card: _rank(card, order))


def _is_sort(card: Card, sort: Sort) -> bool:
    if sort == "unfinished":
        return card.state is not State.DONE
    if sort == "loaded":
        return isinstance(card.spec, LoadedSpec)
    if sort == "all":
        return True
    return isinstance(card.spec, RunSpec) and card.spec.is_control == (sort == "controls")


def _rank(card: Card, order: Order) -> float:
    """Return what is sorted by, smallest first."""
    if order == "size":
        return -card.size
    if order == "gap":
        return -card.gap.value if card.gap is not None else float("inf")
    rate = None
    if card.result is not None and order != "newest":
        rate = card.result.clean_accuracy if order == "accuracy" else card.result.attack_success_rate
    if order == "newest":
        return 0.0
    return -rate.value if rate is not None else float("inf")


def disk_use(folder: Path) -> int:
    """Return how many bytes the files in a folder have."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:  # deleted meanwhile
            continue
    return total


@dataclass(frozen=True)
class Deleted:
    """A run in the bin: the folder that it waits in, its name, and when it was deleted (seconds since 1970)."""

    path: Path
    name: str
    when: float


def _bin(root: Path | str | None) -> Path:
    return runs_root(root) / ".bin"


def delete_run(run: Run, now: float | None = None) -> Deleted:
    """Move a run into the bin beside it.

    Raises
    ------
    InputError
        It is being computed or waits for that, or the folder cannot be written.
    """
    if run.state in (State.RUNNING, State.QUEUED):
        raise InputError(f"The run {run.name} is {run.state}: stop it before you delete it.")
    when = time.time() if now is None else now
    target = _bin(run.path.parent) / f"{round(1000 * when):015d}-{run.name}"
    try:
        target.parent.mkdir(exist_ok=True)
        run.path.rename(target)
    except OSError as error:
        raise refusal(error, run.path.parent) from None
    return Deleted(target, run.name, when)


def deleted_runs(root: Path | str | None = None) -> list[Deleted]:
    """Return what is in the bin, last deleted first."""
    found = []
    for path in _bin(root).glob("*-*"):
        when, _, name = path.name.partition("-")
        if when.isdigit() and RUN_NAME.fullmatch(name):
            found.append(Deleted(path, name, int(when) / 1000))
    return sorted(found, key=lambda deleted: deleted.path.name, reverse=True)


def bring_back(deleted: Deleted) -> Run:
    """Move a run out of the bin to where it was.

    Raises
    ------
    InputError
        A run of its name has been made since, it is no longer in the bin, or the folder cannot be written.
    """
    target = deleted.path.parent.parent / deleted.name
    if target.exists():
        raise InputError(f"The run {deleted.name} has been made again since it was deleted: that one stays.")
    try:
        deleted.path.rename(target)
    except FileNotFoundError:
        raise InputError(f"The run {deleted.name} is no longer in the bin.") from None
    except OSError as error:
        raise refusal(error, target.parent) from None
    return Run(target)


def empty_bin(root: Path | str | None = None) -> int:
    """Throw away what is in the bin; return how many bytes that frees."""
    freed = disk_use(_bin(root))
    shutil.rmtree(_bin(root), ignore_errors=True)
    return freed - disk_use(_bin(root))


def stamp(run: Run) -> str:
    """Return a text that changes whenever what a card shows may have changed, without reading any file."""
    parts = []
    for name in ("spec.json", "result.json", LABEL, "events.jsonl", "measures", "lock", "cancel"):
        try:
            parts.append(str((run.path / name).stat().st_mtime_ns))
        except OSError:
            parts.append("-")
    return json.dumps([*parts, run.is_queued()])
