"""Training a model on poisoned data, as a generator of what happens: `train(spec, dataset)` yields events."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.datasets import Dataset
from core.evaluation import attack_success_rate, choose_images, clean_accuracy, to_unit
from core.events import Epoch, Progress, Watch, WatchedPlane
from core.models import model_for
from core.poisoning import check_attack, poison
from core.predictor import Predictor
from core.slices import slice_plane
from core.smoothness import measure_smoothness, suggested_sigma
from core.spec import RunSpec
from core.triggers import Trigger

# What every epoch looks at. Small, so that looking costs less than a tenth of training.
WATCH_IMAGES, WATCH_DRAWS, WATCH_RESOLUTION = 48, 64, 65
WARM_UP = 0.1


@dataclass(frozen=True)
class Finished:
    """The training is over; here is the model, on the CPU, in evaluation mode."""

    model: nn.Module


def train(spec: RunSpec, dataset: Dataset) -> Iterator[Progress | Epoch | Finished]:
    """Train as the spec says; yield `Progress` a few times a second, an `Epoch` after each, `Finished` at the end.

    Stopping early is simply not asking for more. Equal specs give equal weights, bit for bit, on one model of CPU or
    GPU and one version of torch.

    Raises
    ------
    InputError
        The trigger does not fit the images, the target is not a class, or the data set is another one by now: raised
        by the call itself, before anything is computed.
    """
    check_attack(spec, dataset)
    return _train(spec, dataset)


def _train(spec: RunSpec, dataset: Dataset) -> Iterator[Progress | Epoch | Finished]:
    with _computing(spec):
        images, labels = _training_data(spec, dataset)
        torch.manual_seed(spec.seed)
        model = model_for(spec.architecture, dataset).to(spec.device, memory_format=torch.channels_last)
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=spec.device != "mps"
        )
        watcher = _Watcher(spec, dataset)
        for epoch in range(spec.epochs):
            began = time.perf_counter()
            loss = yield from _epoch(spec, epoch, model, optimiser, images, labels)
            yield watcher.look(model, epoch, loss, began)
        yield Finished(model.eval().cpu())


def _training_data(spec: RunSpec, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Return the (poisoned) training images as uint8 and their labels, whole, on the spec's device."""
    split = dataset.train
    if spec.trigger is not None and spec.target is not None:
        split, _ = poison(split, spec.trigger, spec.target, spec.rate, spec.seed)
    return split.images.to(spec.device), split.labels.to(spec.device)


@contextmanager
def _computing(spec: RunSpec) -> Iterator[None]:
    """Set the thread count that the spec names, and put it back: 1 and 2 threads give different bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(spec.threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def learning_rate_at(step: int, steps: int, peak: float) -> float:
    """Return the one-cycle learning rate: a straight warm-up to the peak, then half a cosine down to nearly nothing."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.5 + 0.5 * math.cos(math.pi * (step + 1 - warm) / (steps - warm + 1)))


def _epoch(
    spec: RunSpec, epoch: int, model: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> Iterator[Progress]:
    """Go once through the training images; return the epoch's mean loss."""
    model.train()
    # A generator of its own for each epoch: what an epoch sees does not depend on what was drawn before it.
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(spec.seed * 1000003 + epoch))
    # Equal parts instead of a small last one, which would make batch norm noisy.
    batches = order.to(spec.device).tensor_split(math.ceil(len(labels) / spec.batch_size))
    total, said = torch.zeros((), device=spec.device), time.monotonic()
    for number, batch in enumerate(batches):
        step, steps = epoch * len(batches) + number, spec.epochs * len(batches)
        optimiser.param_groups[0]["lr"] = learning_rate_at(step, steps, spec.learning_rate)
        total += _step(spec, model, optimiser, images[batch], labels[batch])
        if time.monotonic() - said > 0.25:
            yield Progress(epoch + 1, (step + 1) / steps, float(total / (number + 1)))
            said = time.monotonic()
    return float(total / len(batches))


def _step(spec: RunSpec, model: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> Tensor:
    inputs = to_unit(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(spec.device, torch.bfloat16, enabled=spec.precision == "bfloat16"):
        loss = nn.functional.cross_entropy(model(inputs), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach()


class _Watcher:
    """What each epoch is looked at with: the same images, noise and plane throughout."""

    def __init__(self, spec: RunSpec, dataset: Dataset) -> None:
        self.spec, self.test = spec, dataset.test
        self.sigma = suggested_sigma(dataset.shape)
        # A control has no target: then images of every class count.
        target = -1 if spec.target is None else spec.target
        self.images = to_unit(self.test.images[choose_images(self.test, target, WATCH_IMAGES, seed=0)])
        self.plane_images = None if spec.target is None else plane_images(dataset, spec.target)

    def look(self, model: nn.Module, epoch: int, loss: float, began: float) -> Epoch:
        predictor = Predictor(model, device=self.spec.device, threads=self.spec.threads)
        trigger, target = self.spec.trigger, self.spec.target
        attacked = trigger is not None and target is not None
        return Epoch(
            epoch=epoch + 1,
            share=(epoch + 1) / self.spec.epochs,
            loss=loss,
            clean_accuracy=clean_accuracy(predictor, self.test),
            attack_success_rate=attack_success_rate(predictor, self.test, trigger, target) if attacked else None,
            watch=self._watch(predictor, trigger),
            plane=self._plane(predictor, trigger) if attacked else None,
            seconds=time.perf_counter() - began,
        )

    def _watch(self, predictor: Predictor, trigger: Trigger | None) -> Watch:
        clean = _mean_w(predictor, self.images, self.sigma)
        triggered = _mean_w(predictor, trigger.apply(self.images), self.sigma) if trigger is not None else None
        return Watch(self.sigma, len(self.images), WATCH_DRAWS, clean, triggered)

    def _plane(self, predictor: Predictor, trigger: Trigger) -> WatchedPlane:
        clean, third = self.plane_images
        origin, across = to_unit(self.test.images[[clean, third]])
        plane = slice_plane(predictor, origin, trigger.apply(origin[None])[0], across, resolution=WATCH_RESOLUTION)
        return WatchedPlane(np.asarray(plane.labels), clean, third, plane.evaluations)


def _mean_w(predictor: Predictor, images: Tensor, sigma: float) -> float:
    return float(np.mean(measure_smoothness(predictor, images, sigma=sigma, draws=WATCH_DRAWS, seed=0).w))


def plane_images(dataset: Dataset, target: int) -> tuple[int, int]:
    """Return the test images that span a run's plane by default: the first chosen one, and one of the target class."""
    clean = choose_images(dataset.test, target, 1, seed=0)[0]
    return int(clean), int(np.nonzero(dataset.test.labels.numpy() == target)[0][0])
