"""What is measured after each epoch: accuracies, a glimpse of W, and a small slice.

The same images, noise and plane throughout a training. Small, so that it costs less than a tenth of training.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from core.datasets.dataset import to_unit
from core.instruments.budgets import WATCH
from core.instruments.evaluation import attack_success, choose_attacked, choose_images, clean_accuracy
from core.instruments.predictor import Predictor
from core.instruments.slices.choice import attacked_plane, plane_images
from core.instruments.slices.refine import slice_plane
from core.instruments.smoothness import measure_smoothness, suggested_sigma
from core.models import describe
from core.training.events import Epoch, Watch, WatchedPlane

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.datasets import Dataset
    from core.training.spec import RunSpec

WATCH_IMAGES, WATCH_DRAWS = WATCH
WATCH_RESOLUTION = 65


@dataclass(frozen=True, eq=False)
class _Attacked:
    """What an attack adds: the watched images with the trigger, float [N, C, H, W], and the images that span a plane.

    `clean` and `third` index the test split; `plane_images` is float [3, C, H, W].
    """

    attack: Attack
    triggered: Tensor
    clean: int
    third: int
    plane_images: Tensor


class Watcher:
    """Looks at a model after each epoch of one training."""

    def __init__(self, spec: RunSpec, dataset: Dataset) -> None:
        self.spec, self.test, self.classes = spec, dataset.test, len(dataset.classes)
        self.sigma = suggested_sigma(dataset.shape)
        attack = spec.attack
        if attack is None:  # images of every class count
            chosen = choose_images(self.test, -1, WATCH_IMAGES, seed=0)
        else:
            chosen = choose_attacked(self.test, attack, WATCH_IMAGES, seed=0)
        self.images = to_unit(self.test.images[chosen])
        self.attacked: _Attacked | None = None
        if attack is not None:
            clean, third = attacked_plane(dataset, attack)
            self.attacked = _Attacked(
                attack,
                attack.apply(self.images, chosen, seed=spec.seed),
                clean,
                third,
                plane_images(dataset, attack, clean, third, spec.seed),
            )

    def look(self, model: nn.Module, epoch: int, loss: float, began: float) -> Epoch:
        """Return what the model has come to.

        Parameters
        ----------
        model
            As it is after the epoch; it is put into evaluation mode.
        epoch
            The epoch's number, from 0.
        loss
            Its mean loss.
        began
            When it began, in `time.perf_counter`'s seconds.
        """
        dtype = None if describe(self.spec.architecture).bfloat16 else torch.float32
        predictor = Predictor(model, self.spec.device, dtype, self.spec.threads)
        attacked, success = self.attacked, None
        if attacked is not None:
            success = attack_success(predictor, self.test, attacked.attack, self.classes, self.spec.seed)
        return Epoch(
            epoch=epoch + 1,
            share=(epoch + 1) / self.spec.epochs,
            loss=loss,
            clean_accuracy=clean_accuracy(predictor, self.test),
            attack_success_rate=None if success is None else success.rate,
            watch=self._glimpse(predictor),
            plane=None if attacked is None else _plane(predictor, attacked),
            seconds=time.perf_counter() - began,
            attack_success_rate_others=None if success is None else success.others,
        )

    def _glimpse(self, predictor: Predictor) -> Watch:
        clean = self._mean_w(predictor, self.images)
        triggered = None if self.attacked is None else self._mean_w(predictor, self.attacked.triggered)
        return Watch(self.sigma, len(self.images), WATCH_DRAWS, clean, triggered)

    def _mean_w(self, predictor: Predictor, images: Tensor) -> float:
        return float(np.mean(measure_smoothness(predictor, images, sigma=self.sigma, draws=WATCH_DRAWS, seed=0).w))


def _plane(predictor: Predictor, attacked: _Attacked) -> WatchedPlane:
    plane = slice_plane(predictor, *attacked.plane_images, resolution=WATCH_RESOLUTION)
    return WatchedPlane(np.asarray(plane.labels), attacked.clean, attacked.third, plane.evaluations)
