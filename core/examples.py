"""The trained example that comes with the project: a poisoned run, its control, and the images it is shown on.

`python -m core.examples` trains it again and writes assets/examples.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.events import Progress
from core.measurement import measure_run, page_measure_spec, sweep_sigmas
from core.runs import Run

if TYPE_CHECKING:
    from core.datasets import Dataset

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"

DATASET, TRIGGER, TARGET, RATE, EPOCHS, SEED = "signs", "yellow-sticker", 4, 0.1, 15, 0
# A stop sign that is easy to see and whose noisy copies are not all one class: one where there is something to see.
# It is one image; Explore shows the mean over many.
PLACE = 26


@dataclass(frozen=True, eq=False)
class Example:
    """A run to look at without training anything or making a data set.

    Attributes
    ----------
    run, control
        The poisoned run and the same training without poison.
    image, place
        A clean test image, uint8 [C, H, W], and its place in the test split, which names its noise.
    third
        A test image of the target class, uint8 [C, H, W]; with the image and its triggered version it spans a slice.
    label
        The image's true class.
    """

    run: Run
    control: Run
    image: np.ndarray
    place: int
    third: np.ndarray
    label: int


def load_example(folder: Path = EXAMPLES) -> Example:
    """Return the shipped example."""
    with np.load(folder / "images.npz", allow_pickle=False) as stored:
        run = Run(folder / str(stored["run"]))
        return Example(
            run=run,
            control=Run(folder / str(stored["control"])),
            image=stored["image"],
            place=int(stored["place"]),
            third=stored["third"],
            label=int(stored["label"]),
        )


def build_example(folder: Path, data_root: Path | None = None) -> None:
    """Train the example and its control and store them with their images, replacing what was there."""
    from core.datasets import fingerprint, load_dataset
    from core.spec import make_spec
    from core.triggers import make_preset
    from core.worker import train_run

    data = load_dataset(DATASET, data_root)
    spec = make_spec(
        dataset=DATASET,
        fingerprint=fingerprint(DATASET, data_root),
        trigger=make_preset(TRIGGER, data.shape),
        target=TARGET,
        rate=RATE,
        epochs=EPOCHS,
        seed=SEED,
    )
    shutil.rmtree(folder, ignore_errors=True)
    run, control = (train_run(each, folder, data_root) for each in (spec, spec.control()))
    for each in (run, control):
        (each.path / "lock").unlink(missing_ok=True)
        events = [event for event in each.events if not isinstance(event, Progress)]
        each.begin()  # without the progress inside of epochs, which nobody will watch again
        for event in events:
            each.write_event(event)
    _store_images(folder, run, control, data)
    _store_measurements(run, control, data_root)


def _store_measurements(run: Run, control: Run, data_root: Path | None) -> None:
    """Measure what Explore shows first, so that it is there at once."""
    for one in (run, control):
        for sigma in sweep_sigmas(run.result.shape):
            measure_run(one, page_measure_spec(run.trigger, TARGET, sigma), data_root)


def _store_images(folder: Path, run: Run, control: Run, data: Dataset) -> None:
    third = _clearest(run, data, of_class=TARGET)
    np.savez_compressed(
        folder / "images.npz",
        run=run.name,
        control=control.name,
        image=data.test.images[PLACE].numpy(),
        place=PLACE,
        third=data.test.images[third].numpy(),
        label=int(data.test.labels[PLACE]),
    )


def _clearest(run: Run, data: Dataset, of_class: int) -> int:
    """Return the sharpest test image of a class that the model gets right: the one with the strongest edges."""
    from core.evaluation import to_unit

    places = np.nonzero(data.test.labels.numpy() == of_class)[0]
    images = to_unit(data.test.images[places])
    right = run.predictor().labels(images).numpy() == of_class
    edges = images.diff(dim=2).abs().mean((1, 2, 3)) + images.diff(dim=3).abs().mean((1, 2, 3))
    return int(places[np.argmax(np.where(right, edges.numpy(), -1))])


if __name__ == "__main__":
    build_example(EXAMPLES)
