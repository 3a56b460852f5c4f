"""The examples that come with the project: two poisoned runs with their controls, and the image each is shown on.

`python -m core.runs.shipped.examples` trains the traffic signs' again, takes the digits' from the gallery, and writes
assets/examples.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError
from core.files import PROJECT
from core.instruments.shipped_views import ShippedViews, make_shipped_views
from core.runs.run import DoneRun, Run

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.datasets import Dataset

ASSETS = PROJECT / "assets"
EXAMPLES = ASSETS / "examples"

DATASET, TRIGGER, TARGET, RATE, EPOCHS, SEED = "signs", "yellow-sticker", 4, 0.1, 15, 0


@dataclass(frozen=True)
class _Choice:
    """Which test image is shown, and at which noise levels.

    Images that are easy to see and whose noisy copies are not all one class: where there is something to see. They are
    single images; Explore shows the mean over many.
    """

    place: int
    sigmas: tuple[float, ...]


_CHOICES = {
    "sign": _Choice(26, (0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.3)),
    "digit": _Choice(54, (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)),
}
EXAMPLE_NAMES = tuple(_CHOICES)


@dataclass(frozen=True, eq=False)
class Example:
    """A run to look at without training anything or making a data set.

    Attributes
    ----------
    run, control
        The poisoned run and the same training without poison.
    label
        The true class of the image that is shown.
    views
        What both models make of that image, and the image itself.
    """

    run: DoneRun
    control: DoneRun
    label: int
    views: ShippedViews

    @property
    def image(self) -> np.ndarray:
        """The clean test image, uint8 [C, H, W]."""
        return self.views.images[0]

    @property
    def third(self) -> np.ndarray:
        """A test image of the target class, uint8 [C, H, W]; with the image, clean and triggered, it spans a slice."""
        return self.views.images[2]

    @property
    def place(self) -> int:
        """The image's place in the test split, which names its noise."""
        return int(self.views.key)


def load_example(name: str = "sign", folder: Path = EXAMPLES) -> Example:
    """Return a shipped example, one of EXAMPLE_NAMES."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        return Example(
            run=Run(folder.parent / str(stored["run"])).finished(),
            control=Run(folder.parent / str(stored["control"])).finished(),
            label=int(stored["label"]),
            views=ShippedViews.from_arrays(stored),
        )


def train_example(folder: Path = EXAMPLES, data_root: Path | None = None) -> None:
    """Train the traffic signs' example and its control and store them measured, replacing all that was there."""
    from core.attacks.attack import Attack
    from core.attacks.triggers import make_preset
    from core.datasets import load_dataset
    from core.runs.shipped.training import measure_shipped, train_shipped
    from core.training.choices import Choices

    data = load_dataset(DATASET, data_root)
    attack = Attack(trigger=make_preset(TRIGGER, data.shape), target=TARGET)
    spec = Choices(dataset=DATASET, rate=RATE, epochs=EPOCHS, seed=SEED).spec(attack, data_root)
    shutil.rmtree(folder, ignore_errors=True)
    run, control = (train_shipped(trained, folder, data_root) for trained in (spec, spec.control()))
    for shown in (run, control):
        measure_shipped(shown, attack, data_root)
    store_example("sign", run, control, attack, data, folder)


def store_example(
    name: str, run: DoneRun, control: DoneRun, attack: Attack, data: Dataset, folder: Path = EXAMPLES
) -> None:
    """Look at an example's image with both models and store what is seen."""
    import torch

    choice, test = _CHOICES[name], data.test
    wanted = attack.goal(test.labels[[choice.place]].numpy(), len(data.classes))
    image, third = test.images[choice.place], test.images[_clearest(run, data, of_class=int(wanted[0]))]
    triggered = torch.from_numpy(attack.trigger.stamp(image.numpy()[None])[0])
    models = run.predictor(), control.predictor()
    np.savez_compressed(
        folder / f"{name}.npz",
        allow_pickle=False,
        run=run.path.relative_to(folder.parent).as_posix(),
        control=control.path.relative_to(folder.parent).as_posix(),
        label=int(test.labels[choice.place]),
        **make_shipped_views(models, torch.stack([image, triggered, third]), choice.place, choice.sigmas).arrays(),
    )


def _clearest(run: DoneRun, data: Dataset, of_class: int) -> int:
    """Return the sharpest test image of a class that the model gets right: the one with the strongest edges."""
    from core.datasets.dataset import to_unit

    places = np.nonzero(data.test.labels.numpy() == of_class)[0]
    images = to_unit(data.test.images[places])
    right = run.predictor().labels(images).numpy() == of_class
    edges = images.diff(dim=2).abs().mean((1, 2, 3)) + images.diff(dim=3).abs().mean((1, 2, 3))
    return int(places[np.argmax(np.where(right, edges.numpy(), -1))])


if __name__ == "__main__":
    from core.datasets import load_dataset
    from core.runs.shipped.gallery import exhibits

    train_example()
    first = exhibits()[0]
    if (attack := first.run.spec.attack) is None:
        raise InputError(f"The gallery's first run, {first.run.name}, has no trigger to show: build the gallery again.")
    store_example("digit", first.run, first.control, attack, load_dataset("digits"))
