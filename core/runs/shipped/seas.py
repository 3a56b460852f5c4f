"""W over a plane for each shipped run and its control, so that the pages show it at once.

`python -m core.runs.shipped.seas` measures it from the stored weights, training nothing, and writes assets/seas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError
from core.files import PROJECT
from core.instruments.shipped_sea import ShippedSea, make_shipped_sea
from core.instruments.slices.choice import PlaneChoice, spanning_images
from core.runs.shipped.examples import EXAMPLE_NAMES, Example, load_example
from core.runs.shipped.gallery import Exhibit, exhibits

if TYPE_CHECKING:
    from core.instruments.slices.plane import SlicePlane
    from core.instruments.slices.plane_smoothness import PlaneSmoothness
    from core.runs.run import DoneRun

SEAS = PROJECT / "assets" / "seas"
PLANE = PlaneChoice("random", seed=0)
"""Through the clean image and the one with the trigger, and along a random direction of the same length."""


def load_sea(name: str, folder: Path = SEAS) -> ShippedSea:
    """Return the sea of a shipped example, one of EXAMPLE_NAMES, or of a run in the gallery, by the run's name.

    An example's is there at each of its noise levels, a run's at the one where its gap differs most from its control's.
    """
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        return ShippedSea.from_arrays(stored)


def find_smoothness(run: Path, sigma: float, plane: SlicePlane) -> PlaneSmoothness | None:
    """Return W over a plane under a shipped run or control, given by its folder, if that very plane is shipped."""
    for name, shown in _shown():
        if run in (shown.run.path, shown.control.path):
            sea = load_sea(name)
            if sigma in sea.sigmas and sea.is_on(plane):
                return sea.smoothness(sigma, of_control=run == shown.control.path)
    return None


def _shown() -> Iterator[tuple[str, Exhibit | Example]]:
    for name in EXAMPLE_NAMES:
        yield name, load_example(name)
    for exhibit in exhibits():
        yield exhibit.run.name, exhibit


def store_exhibit_seas(folder: Path = SEAS, data_root: Path | None = None) -> Iterator[str]:
    """Measure and write the sea of every run in the gallery; yields a line for each."""
    for exhibit in exhibits():
        sigmas = [exhibit.clearest.sigma]
        place = _place(exhibit, data_root)
        yield _store(folder / exhibit.run.name, exhibit.run, exhibit.control, place, sigmas, data_root)


def store_example_seas(folder: Path = SEAS, data_root: Path | None = None) -> Iterator[str]:
    """Measure and write the sea of every example, at each of its noise levels; yields a line for each."""
    for name in EXAMPLE_NAMES:
        example = load_example(name)
        sigmas = example.views.sigmas.tolist()
        yield _store(folder / name, example.run, example.control, example.place, sigmas, data_root)


def _place(exhibit: Exhibit, data_root: Path | None) -> int:
    """Return which test image the gallery shows."""
    from core.instruments.evaluation import choose_attacked

    attack = exhibit.run.spec.attack
    assert attack is not None, "the gallery shows runs under an attack"
    return int(choose_attacked(exhibit.run.dataset(data_root).test, attack, 1, seed=0)[0])


def _store(
    path: Path, run: DoneRun, control: DoneRun, place: int, sigmas: Sequence[float], data_root: Path | None
) -> str:
    import torch

    if run.trigger is None:
        raise InputError(f"The run {run.name} has no trigger to show: train it again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    spanned = spanning_images(PLANE, run.dataset(data_root), place, run.trigger)
    images = torch.stack([spanned.origin, spanned.toward, spanned.across])
    sea = make_shipped_sea((run.predictor(), control.predictor()), images, spanned.axis_names[1], sigmas)
    np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **sea.arrays())
    return f"{path.name}: sigma {', '.join(f'{sigma:g}' for sigma in sigmas)}"


if __name__ == "__main__":
    for line in chain(store_exhibit_seas(), store_example_seas()):
        print(line, flush=True)  # noqa: T201
