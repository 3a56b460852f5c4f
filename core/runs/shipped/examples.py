"""The examples that come with the project: two poisoned runs with their controls, and the image each is shown on.

`python -m core.runs.shipped.examples` trains the traffic signs' again, takes the digits' from the gallery, and writes
assets/examples; `store_examples` alone looks again, and trains nothing. `core.runs.shipped.seas` comes next.
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
    """Which test image is shown: a typical one, not a striking one.

    Of those that the pages measure it is the one whose W at this sigma, without and with the trigger under both models,
    is nearest to the means over all of them; among those of one class if there is one to show.
    """

    sigma: float
    of_class: str | None = None


_CHOICES = {"sign": _Choice(0.11, of_class="stop"), "digit": _Choice(0.25)}
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
    sigma
        The noise level at which the image is a typical one.
    views
        What both models make of that image, and the image itself.
    """

    run: DoneRun
    control: DoneRun
    label: int
    sigma: float
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
            sigma=float(stored["sigma"]),
            views=ShippedViews.from_arrays(stored),
        )


def train_example(folder: Path = EXAMPLES, data_root: Path | None = None) -> None:
    """Train the traffic signs' example and its control, and measure them, replacing all that was there."""
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


def store_examples(folder: Path = EXAMPLES, data_root: Path | None = None) -> None:
    """Look at each example's image with both models and store what is seen."""
    from core.runs.root import finished_runs
    from core.runs.shipped.gallery import exhibits

    sign = next(run for run in finished_runs(folder) if not run.spec.is_control)
    for name, run in (("sign", sign), ("digit", exhibits()[0].run)):
        attack, control = run.spec.attack, run.control()
        if attack is None or control is None:
            raise InputError(f"The run {run.name} has no trigger to show, or no control: train it again.")
        _store(name, run, control.finished(), attack, run.dataset(data_root), folder)


def _store(name: str, run: DoneRun, control: DoneRun, attack: Attack, data: Dataset, folder: Path) -> None:
    import torch

    from core.runs.measured.w import sweep_sigmas

    choice, test = _CHOICES[name], data.test
    place = _typical(run, control, attack, data, choice)
    wanted = attack.goal(test.labels[[place]].numpy(), len(data.classes))
    image, third = test.images[place], test.images[_clearest(run, data, of_class=int(wanted[0]))]
    triggered = torch.from_numpy(attack.trigger.stamp(image.numpy()[None])[0])
    models = run.predictor(), control.predictor()
    np.savez_compressed(
        folder / f"{name}.npz",
        allow_pickle=False,
        run=run.path.relative_to(folder.parent).as_posix(),
        control=control.path.relative_to(folder.parent).as_posix(),
        label=int(test.labels[place]),
        sigma=choice.sigma,
        **make_shipped_views(
            models, torch.stack([image, triggered, third]), place, sweep_sigmas(run.result.shape)
        ).arrays(),
    )


def _typical(run: DoneRun, control: DoneRun, attack: Attack, data: Dataset, choice: _Choice) -> int:
    """Return the place in the test split of the image that `_Choice` describes."""
    from core.runs.measured.w import measure_run, page_attack_spec

    spec = page_attack_spec(attack, choice.sigma)
    seen = [measure_run(one, spec) for one in (run, control)]
    w = np.stack([side.w for measured in seen for side in (measured.clean, measured.triggered)])
    away = np.linalg.norm(w - w.mean(1, keepdims=True), axis=0)
    places = np.asarray(seen[0].chosen)
    if choice.of_class is not None:
        away[data.test.labels.numpy()[places] != data.classes.index(choice.of_class)] = np.inf
    return int(places[away.argmin()])


def _clearest(run: DoneRun, data: Dataset, of_class: int) -> int:
    """Return the sharpest test image of a class that the model gets right: the one with the strongest edges."""
    from core.datasets.dataset import to_unit

    places = np.nonzero(data.test.labels.numpy() == of_class)[0]
    images = to_unit(data.test.images[places])
    right = run.predictor().labels(images).numpy() == of_class
    edges = images.diff(dim=2).abs().mean((1, 2, 3)) + images.diff(dim=3).abs().mean((1, 2, 3))
    return int(places[np.argmax(np.where(right, edges.numpy(), -1))])


if __name__ == "__main__":
    train_example()
    store_examples()
