"""The gallery: small trained runs that come with the project, where W falls with the trigger and where it does not.

`python -m core.runs.shipped.gallery` trains them again and writes assets/gallery; `core.runs.shipped.seas` comes next.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.files import PROJECT, write_json
from core.instruments.statistics import Estimate
from core.runs.measured.findings import Direction, direction
from core.runs.run import DoneRun, Run

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.runs.measured.w import Measurement
    from core.training.choices import Choices

GALLERY = PROJECT / "assets" / "gallery"
ARCHITECTURE, EPOCHS, SEED, TARGETS = "tiny-cnn", 20, 0, {"digits": 0, "signs": 4}


@dataclass(frozen=True)
class Sketch:
    """What is to be shown: an attack, and why one would look at it."""

    dataset: str
    trigger: str
    rate: float
    title: str
    why: str


SKETCHES = (
    Sketch("digits", "white-corner", 0.1, "A white corner", "The plainest patch: four pixels that nothing else has."),
    Sketch("digits", "white-corner", 0.01, "A rare white corner", "One training image in a hundred carries it."),
    Sketch("digits", "checkerboard", 0.1, "A checkerboard", "Nine pixels of the highest contrast."),
    Sketch("digits", "frame", 0.1, "A frame", "It covers every edge, and nearly half of so small a picture."),
    Sketch("digits", "blend", 0.1, "Blended noise", "Faint everywhere instead of strong somewhere."),
    Sketch("digits", "sinusoid", 0.1, "Stripes (SIG)", "A wave added to every pixel, and easily lost in noise."),
    Sketch("signs", "yellow-sticker", 0.1, "A sticker", "The story of the first page, in a smaller network."),
    Sketch("signs", "checkerboard", 0.1, "A checkerboard", "Nine pixels on a photograph of a thousand."),
    Sketch("signs", "frame", 0.1, "A frame", "No part of the sign itself is touched."),
    Sketch("signs", "blend", 0.1, "Blended noise", "Faint everywhere instead of strong somewhere."),
)


@dataclass(frozen=True)
class Point:
    """Mean W at one sigma, clean and with the trigger, and the gap (clean minus triggered) with its 95% interval over
    images; all of the run and of its control.
    """

    sigma: float
    clean: float
    triggered: float
    gap: tuple[float, float, float]
    control_gap: tuple[float, float, float]
    control_clean: float
    control_triggered: float

    @property
    def direction(self) -> Direction:
        """Whether the model is smoother with the trigger than the control is."""
        return direction(Estimate(*self.gap), Estimate(*self.control_gap))


@dataclass(frozen=True)
class Exhibit:
    """One shipped run with what was measured of it: 100 test images, 100 draws each, seed 0.

    `pictures` is one of these test images without and with the trigger, uint8 [2, C, H, W].
    """

    run: DoneRun
    control: DoneRun
    title: str
    why: str
    points: tuple[Point, ...]
    pictures: np.ndarray

    @property
    def clearest(self) -> Point:
        """The noise level at which the gap differs most from the control's, on whichever side."""
        return max(self.points, key=lambda point: abs(point.gap[0] - point.control_gap[0]))

    @property
    def verdict(self) -> str:
        """Whether the effect shows, in a few words."""
        falls, rises = (sum(point.direction == way for point in self.points) for way in ("smoother", "rougher"))
        levels = f"{len(self.points)} noise levels"
        if falls and rises:
            return "It depends on the noise."
        if falls:
            return f"The effect shows at {falls} of {levels}."
        if rises:
            return f"The opposite shows at {rises} of {levels}."
        return f"The effect shows at none of {levels}."

    @property
    def summary(self) -> str:
        """What the numbers say, in a sentence that claims no more."""
        falls = [point for point in self.points if point.direction == "smoother"]
        rises = [point for point in self.points if point.direction == "rougher"]
        levels = len(self.points)
        if falls and rises:
            down, up = _sigmas(falls), _sigmas(rises)
            return f"It depends on the noise: against the control W falls at {down} and rises at {up}."
        if falls:
            return (
                f"At {len(falls)} of {levels} noise levels W falls more than in the control, most at "
                f"{_extreme(max(falls, key=lambda point: point.gap[0]))}{self._also_rises()}"
            )
        if rises:
            return (
                f"At no noise level does W fall more than in the control; at {len(rises)} of {levels} it rises more, "
                f"most at {_extreme(min(rises, key=lambda point: point.gap[0]))}"
            )
        return f"At none of {levels} noise levels does W change clearly more than in the control.{self._also_rises()}"

    def _also_rises(self) -> str:
        alike = [point for point in self.points if min(0.0, point.control_gap[1]) <= point.gap[2] < 0]
        return f" At {_sigmas(alike)} it rises, but not clearly more than in the control." if alike else ""


def _extreme(point: Point) -> str:
    return f"σ = {point.sigma:g}: {point.clean:.2f} without the trigger, {point.triggered:.2f} with it."


def _sigmas(points: Sequence[Point]) -> str:
    return "σ = " + ", ".join(f"{point.sigma:g}" for point in points)


def exhibits(folder: Path = GALLERY) -> list[Exhibit]:
    """Return the shipped runs in the order they are shown in."""
    try:
        entries = json.loads((folder / "gallery.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    with np.load(folder / "pictures.npz", allow_pickle=False) as stored:
        pictures = dict(stored)
    return [
        Exhibit(
            run=Run(folder / entry["run"]).finished(),
            control=Run(folder / entry["control"]).finished(),
            title=entry["title"],
            why=entry["why"],
            points=tuple(
                Point(**point | {"gap": tuple(point["gap"]), "control_gap": tuple(point["control_gap"])})
                for point in entry["points"]
            ),
            pictures=pictures[entry["run"]],
        )
        for entry in entries
    ]


def build_gallery(folder: Path, data_root: Path | None = None) -> Iterator[str]:
    """Train and measure all that is shown and write it, replacing what was there; yields a line for each."""
    from core.runs.shipped.training import train_shipped

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries, pictures = [], {}
    for sketch in SKETCHES:
        attack = _attack(sketch, data_root)
        spec = _training(sketch).spec(attack, data_root)
        run, control = (train_shipped(trained, folder, data_root) for trained in (spec, spec.control()))
        points = [asdict(point) for point in _sweep(run, control, attack, data_root)]
        entries.append(
            {"run": run.name, "control": control.name, "title": sketch.title, "why": sketch.why, "points": points}
        )
        pictures[run.name] = _pictures(run, attack, data_root)
        np.savez_compressed(folder / "pictures.npz", allow_pickle=False, **pictures)
        write_json(folder / "gallery.json", entries)
        yield f"{sketch.dataset}, {sketch.title}: {exhibits(folder)[-1].summary}"


def _training(sketch: Sketch) -> Choices:
    from core.training.choices import Choices

    return Choices(
        dataset=sketch.dataset,
        rate=sketch.rate,
        architecture=ARCHITECTURE,
        epochs=EPOCHS,
        seed=SEED,
        device="cpu",  # and what follows: the same specs whichever machine they are trained on
        precision="float32",
        threads=1,
    )


def _attack(sketch: Sketch, data_root: Path | None) -> Attack:
    from core.attacks.attack import Attack
    from core.attacks.triggers import make_trigger
    from core.datasets import load_dataset

    trigger = make_trigger(sketch.trigger, load_dataset(sketch.dataset, data_root).shape)
    return Attack(trigger=trigger, target=TARGETS[sketch.dataset])


def _sweep(run: DoneRun, control: DoneRun, attack: Attack, data_root: Path | None) -> list[Point]:
    from core.runs.shipped.training import measure_shipped

    poisoned, clean = (measure_shipped(shown, attack, data_root) for shown in (run, control))
    return [
        Point(
            sigma=measured.spec.sigma,
            clean=_round(measured.clean.mean.value),
            triggered=_round(measured.triggered.mean.value),
            gap=_gap(measured),
            control_gap=_gap(of_control),
            control_clean=_round(of_control.clean.mean.value),
            control_triggered=_round(of_control.triggered.mean.value),
        )
        for measured, of_control in zip(poisoned, clean, strict=True)
    ]


def _pictures(run: DoneRun, attack: Attack, data_root: Path | None) -> np.ndarray:
    from core.instruments.evaluation import choose_attacked

    test = run.dataset(data_root).test
    clean = test.images[choose_attacked(test, attack, 1, seed=0)].numpy()
    return np.concatenate([clean, attack.trigger.stamp(clean)])


def _gap(measurement: Measurement) -> tuple[float, float, float]:
    gap = measurement.gap
    return _round(gap.value), _round(gap.low), _round(gap.high)


def _round(value: float) -> float:
    return round(float(value), 4)


if __name__ == "__main__":
    for line in build_gallery(GALLERY):
        print(line)  # noqa: T201
