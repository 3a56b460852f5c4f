"""Studies: a grid of runs with their controls, computed once and gone on with after a stop, as one tidy table.

A study is a TOML file. Its cells are runs like any other, under the same root; beside them lies

    studies/NAME-HASH/
        study.toml                  what is studied
        table.csv, table.parquet    a row for each run, trigger, noise and sigma
        epochs.csv, epochs.parquet  a row for each epoch of each poisoned run
        progress.json               how far it is
        log.txt                     what its processes complained of
        lock                        held by the process that runs it
        cancel                      present when somebody asked it to stop
"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.attacks.attack import Attack, ModeName, make_attack
from core.attacks.triggers import AnyTrigger, Sinusoid, Trigger, Warp, make_preset
from core.datasets import data_folder, describe, fingerprint
from core.errors import InputError
from core.files import PROJECT, is_held, newest_first, refusal, write_json, write_whole
from core.identity import content_hash
from core.runs.jobs.process import start_core
from core.runs.measured.spec import MeasureSpec, make_measure_spec
from core.runs.root import root_refusal, runs_root
from core.studies.cells import Cell, CellResult, Condition, Searched, read_cell
from core.studies.local_pool import Crew
from core.studies.tables import PATTERN, EpochRow, Row, read_table, write_tables
from core.training.spec import RunSpec, make_spec

SHIPPED = PROJECT / "assets" / "studies"
# How often the tables of a study under way are written, so that it can be looked at meanwhile.
WRITE_SECONDS = 15.0
_LOG = "log.txt"

_Share = Annotated[float, Field(ge=0, lt=1)]
_Number = Annotated[int, Field(ge=0, lt=2**32)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TriggerGrid(_Part):
    """Triggers of one kind, in every size and opacity that is named.

    Attributes
    ----------
    kind
        "patch": a white square in the lower right corner; "blend": noise over the whole image; "sinusoid": vertical
        stripes over the whole image; "warp": a smooth distortion.
    sizes
        A patch's side in pixels, a sinusoid's periods, a warp's control points a side; by default what suits the
        images. A blend has none.
    opacities
        Opacity of a patch (1) or a blend (0.2), amplitude of a sinusoid (0.2), strength of a warp (0.5), in brackets
        the default.
    """

    kind: Literal["patch", "blend", "sinusoid", "warp"]
    sizes: tuple[Annotated[int, Field(gt=0, le=1024)], ...] = ()
    opacities: tuple[Annotated[float, Field(gt=0, le=64)], ...] = ()

    @model_validator(mode="after")
    def _blends_have_no_size(self) -> TriggerGrid:
        if self.kind == "blend" and self.sizes:
            raise ValueError("a blend covers the whole image and has no sizes: leave them out")
        return self

    def triggers(self, shape: tuple[int, int, int]) -> Iterator[tuple[int | None, float, AnyTrigger]]:
        """Yield size, opacity and trigger for images of (channels, height, width)."""
        sizes, opacities = self.sizes or (_default_size(self.kind, shape),), self.opacities or (_OPACITY[self.kind],)
        for size, opacity in itertools.product(sizes, opacities):
            yield size, opacity, _make_trigger(self.kind, size, opacity, shape)


_OPACITY = {"patch": 1.0, "blend": 0.2, "sinusoid": 0.2, "warp": 0.5}


def _default_size(kind: str, shape: tuple[int, int, int]) -> int | None:
    if kind == "patch":
        return make_preset("white-corner", shape).height
    return {"blend": None, "sinusoid": _periods(shape), "warp": 4}[kind]


def _periods(shape: tuple[int, int, int]) -> int:
    """Return the periods of a sinusoid that images of this width can show: six, as published, or a quarter of it."""
    return min(6, max(1, shape[2] // 4))


def _make_trigger(kind: str, size: int | None, opacity: float, shape: tuple[int, int, int]) -> AnyTrigger:
    if opacity > 1 and kind != "warp":
        raise InputError(f"The opacity of a {kind} lies above 0 and is at most 1; got {opacity:g}.")
    if kind == "blend" or size is None:
        preset = make_preset("blend", shape)
        rgba = preset.rgba.copy()
        rgba[..., 3] = round(255 * opacity)
        return Trigger.from_rgba(rgba, preset.top, preset.left, kind)
    if kind == "sinusoid":
        return Sinusoid(delta=opacity, frequency=size)
    if kind == "warp":
        return Warp(k=max(2, size), strength=opacity)
    rgba = np.full((size, size, 4), (255, 255, 255, round(255 * opacity)), np.uint8)
    return Trigger.from_rgba(rgba, max(0, shape[1] - size), max(0, shape[2] - size), "white-corner")


class PatternGrid(_Part):
    """A pattern that is searched on every control, to see whether it smooths a clean model (claim C4).

    Attributes
    ----------
    kind
        "crafted-smooth", "universal" or "patch"; see `core.attacks.patterns`.
    bound
        Largest change of a pixel; by default what is usual for the kind. A patch has none.
    made_for
        The sigma that a crafted-smooth pattern is made for; it has to be named for that kind.
    """

    kind: Literal["crafted-smooth", "universal", "patch"]
    bound: float | None = Field(default=None, gt=0, le=1)
    made_for: float | None = Field(default=None, gt=0, le=100)

    @model_validator(mode="after")
    def _crafted_for_a_sigma(self) -> PatternGrid:
        if (self.kind == "crafted-smooth") != (self.made_for is not None):
            raise ValueError("a crafted-smooth pattern, and no other, names the sigma it is made_for")
        return self


class Measures(_Part):
    """How W is measured on every run.

    Attributes
    ----------
    images, draws, sigmas
        Test images outside the target class, noise draws an image, and the noise's standard deviations.
    noise
        "everywhere", and "off-trigger" where the trigger leaves pixels uncovered.
    """

    sigmas: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(min_length=1)
    images: int = Field(default=150, ge=2, le=100_000)
    draws: int = Field(default=100, ge=2, le=1_000_000)
    noise: tuple[Literal["everywhere", "off-trigger"], ...] = Field(default=("everywhere",), min_length=1)


class StudySpec(_Part):
    """A grid of runs and what is measured on each; every combination is one run, and each has its control.

    Attributes
    ----------
    name, title
        Its short name (lower-case letters, digits, hyphens) and a line for people.
    datasets, architectures, triggers, modes, targets, rates, epochs, seeds
        The grid. Controls (rate 0) are always part of it, whether or not 0 is among the rates. `seeds` may also be
        given as a number: so many, from 0.
    sources, cover_rate
        Attacked classes and share of cover images, for the mode "source-specific".
    patterns
        What is searched on the controls, measured outside the first target class.
    measure
        How W is measured.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    title: str = ""
    datasets: tuple[str, ...] = Field(min_length=1)
    architectures: tuple[str, ...] = Field(default=("small-cnn",), min_length=1)
    triggers: tuple[TriggerGrid, ...] = ()
    patterns: tuple[PatternGrid, ...] = ()
    modes: tuple[ModeName, ...] = Field(default=("all-to-one",), min_length=1)
    targets: tuple[_Number, ...] = Field(default=(0,), min_length=1)
    rates: tuple[_Share, ...] = Field(min_length=1)
    epochs: tuple[int, ...] = Field(default=(10,), min_length=1)
    seeds: tuple[_Number, ...] = Field(default=(0, 1, 2, 3, 4), min_length=1)
    sources: tuple[int, ...] = ()
    cover_rate: _Share = 0.0
    measure: Measures

    @field_validator("seeds", mode="before")
    @classmethod
    def _so_many(cls, value: Any) -> Any:
        return tuple(range(value)) if isinstance(value, int) and 0 < value <= 1000 else value

    @model_validator(mode="after")
    def _studies_something(self) -> StudySpec:
        if not self.triggers and not self.patterns:
            raise ValueError("a study needs at least one [[triggers]] or [[patterns]]")
        return self

    @property
    def hash(self) -> str:
        """Its name's second half: 12 hexadecimal digits of everything but what people call it."""
        # Without defaults: a later version's new settings leave the names of older studies as they are.
        return content_hash(self.model_dump(mode="json", exclude={"name", "title"}, exclude_defaults=True))

    @property
    def folder_name(self) -> str:
        """What its folder is called."""
        return f"{self.name}-{self.hash}"


def read_study(path: Path | str) -> StudySpec:
    """Return the study in a TOML file.

    Raises
    ------
    InputError
        There is no such file, it is no TOML, or something in it cannot be used.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The study {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The study {path} is no TOML: {error}.") from None
    try:
        return StudySpec.model_validate({"name": path.stem.lower()} | content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "too_short":
            reason = "an empty list leaves nothing to study, so name at least one"
        raise InputError(f"The study {path.name} cannot be used, at {place}: {reason}.") from None


def plan_cells(spec: StudySpec, data_root: Path | None = None, machine: Mapping[str, Any] | None = None) -> list[Cell]:
    """Return the cells of a study: for each data set, architecture, length and seed the control, then the attacks.

    Parameters
    ----------
    spec
        The study.
    data_root
        Where data lives.
    machine
        `device` and `precision` of whoever computes; by default what suits this machine.

    Raises
    ------
    InputError
        A data set, architecture or attack mode is unknown, or a trigger cannot be made.
    """

    def known(dataset: str) -> tuple[tuple[int, int, int], str]:
        return _image_shape(dataset, data_root), fingerprint(dataset, data_root)

    return _plan(spec, known, machine or {})


def count_runs(spec: StudySpec) -> int:
    """Return how many runs a study has: as many as `plan_cells` makes, without asking for any images.

    Raises
    ------
    InputError
        The study cannot be carried out, whatever its images are.
    """
    # Images that nobody has looked at yet are taken to be so large that every patch, warp and sinusoid fits on them.
    side = 1 + 2 * max([32, *(size for grid in spec.triggers for size in grid.sizes)])

    def assumed(dataset: str) -> tuple[tuple[int, int, int], str]:
        return describe(dataset).shape or (3, side, side), ""

    return len(_plan(spec, assumed, {"device": "cpu", "precision": "float32"}))


def _plan(
    spec: StudySpec, known: Callable[[str], tuple[tuple[int, int, int], str]], machine: Mapping[str, Any]
) -> list[Cell]:
    """Return the cells of a study, given the images' shape and the fingerprint of a data set of some name."""
    cells: dict[str, Cell] = {}
    for dataset in spec.datasets:
        shape, mark = known(dataset)
        conditions = list(dict.fromkeys(_conditions(spec, shape)))
        common = {"dataset": dataset, "fingerprint": mark, "threads": 1, **machine}
        for architecture, epochs, seed in itertools.product(spec.architectures, spec.epochs, spec.seeds):
            training = common | {"architecture": architecture, "epochs": epochs, "seed": seed}
            for cell in _cells_of(spec, make_spec(**training, rate=0.0), conditions):
                cells.setdefault(cell.spec.hash, cell)
    return list(cells.values())


def _cells_of(spec: StudySpec, control: RunSpec, conditions: Sequence[Condition]) -> Iterator[Cell]:
    """Yield a control's cell and those of the runs that are compared with it."""
    yield Cell(spec=control, conditions=tuple(conditions), patterns=tuple(_patterns(spec)))
    training = control.model_dump(exclude={"attack", "rate", "cover_rate"})
    for condition, rate in itertools.product(conditions, [rate for rate in spec.rates if rate > 0]):
        attack = condition.measures[0].attack
        poison = {"rate": rate, "cover_rate": spec.cover_rate if attack.mode == "source-specific" else 0.0}
        yield Cell(spec=make_spec(**training, attack=attack, **poison), conditions=(condition,))


def _patterns(spec: StudySpec) -> Iterator[Searched]:
    measure = spec.measure
    how = {"images": measure.images, "draws": measure.draws, "sigmas": measure.sigmas, "target": spec.targets[0]}
    for pattern in spec.patterns:
        yield Searched(kind=pattern.kind, bound=pattern.bound, made_for=pattern.made_for, **how)


def _conditions(spec: StudySpec, shape: tuple[int, int, int]) -> Iterator[Condition]:
    for grid, mode, target in itertools.product(spec.triggers, spec.modes, spec.targets):
        for size, opacity, trigger in grid.triggers(shape):
            trigger.check_fits(shape)
            sources = spec.sources if mode == "source-specific" else ()
            attack = make_attack(trigger=trigger, target=target, mode=mode, sources=sources)
            measures = tuple(_measures(spec.measure, attack, shape))
            if not measures:
                raise InputError(
                    f"A {grid.kind} covers the whole image, so no pixel is left for noise beside it: name "
                    '"everywhere" among the noise of the study\'s [measure], or leave this trigger out.'
                )
            yield Condition(kind=grid.kind, size=size, opacity=opacity, measures=measures)


def _measures(measure: Measures, attack: Attack, shape: tuple[int, int, int]) -> Iterator[MeasureSpec]:
    whole = attack.trigger.covers(shape).all()
    for noise, sigma in itertools.product(measure.noise, measure.sigmas):
        if noise == "off-trigger" and whole:  # no pixel is left for it
            continue
        how = {"images": measure.images, "draws": measure.draws, "sigma": sigma, "noise": noise}
        yield make_measure_spec(attack=attack, **how)


def _image_shape(dataset: str, data_root: Path | None) -> tuple[int, int, int]:
    shape = describe(dataset).shape
    if shape is None:
        from core.datasets import load_dataset

        shape = load_dataset(dataset, data_root).shape
    return shape


class StudyState(StrEnum):
    """Where a study stands."""

    NEW = "not started"
    RUNNING = "running"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is: cells done, failed among them, all of them; seconds left, None before anything is known."""

    done: int
    failed: int
    total: int
    seconds_left: float | None = None
    last: str = ""

    @property
    def share(self) -> float:
        """The share that is done, in [0, 1]."""
        return self.done / self.total

    @property
    def words(self) -> str:
        """The same in a few words."""
        left = "" if self.seconds_left is None or self.done == self.total else f", {_duration(self.seconds_left)} left"
        return f"{self.done} of {self.total} runs" + (f", {self.failed} failed" if self.failed else "") + left


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Study:
    """A study's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def spec(self) -> StudySpec:
        """What is studied."""
        return read_study(self.path / "study.toml")

    @property
    def progress(self) -> StudyProgress | None:
        """How far it is; None before it was ever started."""
        try:
            return StudyProgress(**json.loads((self.path / "progress.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def state(self) -> StudyState:
        """Where it stands, derived from the folder."""
        if is_held(self.path / "lock"):
            return StudyState.RUNNING
        progress = self.progress
        if progress is None:
            return StudyState.NEW
        return StudyState.DONE if progress.done == progress.total else StudyState.STOPPED

    @property
    def rows(self) -> list[Row]:
        """Its table so far."""
        path = self.path / "table.csv"
        return read_table(path, Row) if path.exists() else []

    @property
    def epochs(self) -> list[EpochRow]:
        """Its table along the epochs so far."""
        path = self.path / "epochs.csv"
        return read_table(path, EpochRow) if path.exists() else []

    def stop(self) -> None:
        """Ask the process that runs it to stop; what is done stays, and another start goes on from there."""
        (self.path / "cancel").touch()


def open_study(source: Path, root: Path | str | None = None) -> Study:
    """Return the study's folder under the runs' root, made if there is none yet, with its TOML file in it.

    Raises
    ------
    InputError
        The study cannot be used, or the folder cannot be written.
    """
    spec = read_study(source)
    study = Study(runs_root(root).resolve() / "studies" / spec.folder_name)
    try:
        study.path.mkdir(parents=True, exist_ok=True)
        if not (study.path / "study.toml").exists():
            named = f'name = "{spec.name}"\n'
            text = source.read_text(encoding="utf-8")
            text = text if _names_itself(text) else named + text
            write_whole(study.path / "study.toml", text.encode())
    except OSError as error:
        raise root_refusal(error, study.path.parent.parent) from None
    return study


def _names_itself(text: str) -> bool:
    return "name" in tomllib.loads(text)


def find_study(spec: StudySpec, root: Path | str | None = None) -> Study | None:
    """Return the folder with this study's results: the one made here, else the shipped one, else None."""
    for folder in (runs_root(root) / "studies", SHIPPED / "results"):
        study = Study(folder / spec.folder_name)
        if (study.path / "study.toml").exists():
            return study
    return None


def list_studies(root: Path | str | None = None) -> dict[str, Path]:
    """Return the studies shipped and made: folder name -> TOML file; those that cannot be read are left out."""
    made = newest_first((runs_root(root) / "studies").glob("*/study.toml"))
    found: dict[str, Path] = {}
    for path in (*sorted(SHIPPED.glob("*.toml")), *made):
        try:
            found.setdefault(read_study(path).folder_name, path)
        except InputError:
            continue
    return found


class Computes(Protocol):
    """Whoever computes cells: `core.studies.local_pool.Crew` here, `core.studies.cluster.Cluster` elsewhere.

    `machine` says on which `device` and in which `precision`, as fields of a `RunSpec`.
    """

    @property
    def machine(self) -> Mapping[str, Any]:
        """Fields of a `RunSpec`."""
        ...

    def compute(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, CellResult] | None]:
        """Yield cells with their results as they are done, and None about every second in between."""
        ...


def run_study(
    study: Study, root: Path | str | None = None, data_root: Path | str | None = None, crew: Computes | None = None
) -> Iterator[StudyProgress]:
    """Compute what is missing of a study, and yield how far it is, about every second; at last its tables are written.

    Stopping early is simply not asking for more: what is done stays done. A cell that fails is recorded, and the rest
    goes on.

    Parameters
    ----------
    study
        Its folder; see `open_study`.
    root, data_root
        Where runs and data live.
    crew
        Who computes; by default worker processes here, one a core.

    Raises
    ------
    InputError
        The study cannot be carried out, or another process runs it already.
    """
    root, data_root = runs_root(root).resolve(), data_folder(data_root).resolve()
    computes: Computes = crew or Crew(root, data_root, log=study.path / _LOG)
    cells = plan_cells(study.spec, data_root, computes.machine)
    from filelock import FileLock, Timeout

    try:
        with FileLock(study.path / "lock", timeout=0.5):
            (study.path / "cancel").unlink(missing_ok=True)
            yield from _Under(study, cells, root).way(computes)
    except Timeout:
        raise InputError(f"The study {study.path.name} is being run by another process already.") from None


class _Under:
    """A study under way: the results so far, in the order of its plan."""

    def __init__(self, study: Study, cells: Sequence[Cell], root: Path) -> None:
        self.study, self.cells = study, cells
        found = {cell.spec.hash: read_cell(cell, root) for cell in cells}
        self.results = {name: result for name, result in found.items() if result is not None}
        self.began, self.at_start, self.written, self.last = time.monotonic(), len(self.results), 0.0, ""

    def way(self, crew: Computes) -> Iterator[StudyProgress]:
        missing = [cell for cell in self.cells if cell.spec.hash not in self.results]
        yield self._tell()
        try:
            for answer in crew.compute(missing) if missing else ():
                if answer is not None:
                    cell, result = answer
                    self.results[cell.spec.hash], self.last = result, cell.title
                    self._write(at_most_every=WRITE_SECONDS)
                yield self._tell()
                if (self.study.path / "cancel").exists():
                    break
        finally:
            self._write()
            self._tell()

    def _tell(self) -> StudyProgress:
        done, total = len(self.results), len(self.cells)
        computed = done - self.at_start
        left = (time.monotonic() - self.began) / computed * (total - done) if computed else None
        failures = sum(bool(result.failure) for result in self.results.values())
        progress = StudyProgress(done, failures, total, left if done < total else 0.0, self.last)
        write_json(self.study.path / "progress.json", asdict(progress))
        return progress

    def _write(self, at_most_every: float = 0.0) -> None:
        if at_most_every and time.monotonic() - self.written < at_most_every:
            return
        ordered = [self.results[cell.spec.hash] for cell in self.cells if cell.spec.hash in self.results]
        write_tables(self.study.path, "table", beside_controls([row for result in ordered for row in result.rows]))
        write_tables(self.study.path, "epochs", [row for result in ordered for row in result.epochs])
        self.written = time.monotonic()


def beside_controls(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the control's gap, and how far the own gap lies beyond it, filled in where it is known."""
    gaps = {(row.run, *_attack_key(row)): row.gap for row in rows if row.rate == 0}
    return [_beside(row, gaps.get((row.control, *_attack_key(row)))) for row in rows]


def _attack_key(row: Row) -> tuple[Any, ...]:
    return row.kind, row.size, row.opacity, row.mode, row.target, row.noise, row.sigma


def _beside(row: Row, control_gap: float | None) -> Row:
    if row.gap is None or control_gap is None or row.mode == PATTERN:
        return row
    return replace(row, control_gap=control_gap, gap_beyond_control=round(row.gap - control_gap, 6))


def start_study(study: Study, root: Path, data_root: Path) -> subprocess.Popen:
    """Run a study in a process of its own, which neither the page's reload nor the server's end touches.

    Where it ends with a status above 0, `last_words` says why.

    Raises
    ------
    InputError
        Its folder cannot be written.
    """
    command = ["study", str(study.path / "study.toml"), "--json"]
    command += ["--runs", str(root.resolve()), "--data-root", str(data_root.resolve())]
    try:
        return start_core(command, study.path / _LOG)
    except OSError as error:
        raise refusal(error, study.path) from None


def last_words(study: Study) -> str:
    """Return the last line of a study's log, as a sentence; "" if there is none."""
    try:
        lines = (study.path / _LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "").removeprefix("error: ")
