"""Training a model on poisoned data, as a generator of what happens: `train(spec, dataset)` yields events."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.attacks.poisoning import Poisoned, poison
from core.datasets.dataset import to_unit
from core.device import torch_threads
from core.models import model_for
from core.training.augmentation import augment
from core.training.check import check_spec
from core.training.checkpoint import Checkpoint, restore, take_checkpoint
from core.training.events import Epoch, Progress
from core.training.watch import Watcher

# A machine that only computes has torch, numpy and scipy: specs and triggers come as they are, whoever checked them.
if TYPE_CHECKING:
    from core.datasets import Dataset
    from core.training.spec import RunSpec

WARM_UP = 0.1
MOMENTUM = 0.9
# Keeps the draws of augmentations apart from others of the same seed.
_AUGMENTATION_DRAWS = 0xA06


@dataclass(frozen=True, eq=False)
class Pause:
    """An epoch is whole and others follow: here the training can be taken up another time.

    It shows what is being trained: ask it for a checkpoint before asking the training for its next event.
    """

    epoch: int
    model: nn.Module
    optimiser: torch.optim.Optimizer

    def checkpoint(self) -> Checkpoint:
        """Copy all that the rest of the training depends on."""
        return take_checkpoint(self.epoch, self.model, self.optimiser)


@dataclass(frozen=True)
class Finished:
    """The training is over; here is the model, on the CPU, in evaluation mode."""

    model: nn.Module


def train(
    spec: RunSpec, dataset: Dataset, checkpoint: Checkpoint | None = None
) -> Iterator[Progress | Epoch | Pause | Finished]:
    """Train as the spec says; yield `Progress` a few times a second, an `Epoch` after each, `Finished` at the end.

    Between two epochs comes a `Pause`. Stopping early is simply not asking for more. Equal specs give equal weights,
    bit for bit, on one model of CPU or GPU and one version of torch, with or without a checkpoint on the way.

    Parameters
    ----------
    spec
        What to train.
    dataset
        What to train it on.
    checkpoint
        What `Pause.checkpoint` of a training of the same spec gave: its epochs are not repeated.

    Raises
    ------
    InputError
        The trigger does not fit the images, the target is not a class, or the data set is another one by now: raised
        by the call itself, before anything is computed.
    CheckpointError
        The checkpoint is of another model or optimiser: raised before the first event.
    """
    check_spec(spec, dataset)
    return _train(spec, dataset, checkpoint)


def _train(
    spec: RunSpec, dataset: Dataset, checkpoint: Checkpoint | None
) -> Iterator[Progress | Epoch | Pause | Finished]:
    with _computing(spec):
        images, labels = training_data(spec, dataset)
        torch.manual_seed(spec.seed)
        model = model_for(spec.architecture, dataset).to(spec.device).to(memory_format=torch.channels_last)
        optimiser = make_optimiser(spec, model)
        if checkpoint is not None:
            restore(checkpoint, model, optimiser)
        watcher = Watcher(spec, dataset)
        for epoch in range(checkpoint.epoch if checkpoint else 0, spec.epochs):
            began = time.perf_counter()
            loss = yield from train_epoch(spec, epoch, model, optimiser, images, labels)
            yield watcher.look(model, epoch, loss, began)
            if epoch + 1 < spec.epochs:
                yield Pause(epoch + 1, model, optimiser)
        yield Finished(model.eval().cpu())


def make_optimiser(spec: RunSpec, model: nn.Module) -> torch.optim.Optimizer:
    """Return the spec's optimiser of a model's weights: one kernel for all of them, where the device has it."""
    weights, fused = model.parameters(), spec.device != "mps"
    rate, decay = spec.learning_rate, spec.weight_decay
    if spec.optimiser == "sgd":
        return torch.optim.SGD(weights, rate, MOMENTUM, weight_decay=decay, nesterov=True, fused=fused)
    return torch.optim.AdamW(weights, rate, weight_decay=decay, fused=fused)


def poison_for(spec: RunSpec, dataset: Dataset) -> Poisoned | None:
    """Return the training split as a spec poisons it; None for a control."""
    from core.attacks.clean_label import adversary

    if spec.attack is None:
        return None
    perturb = adversary(dataset, spec.seed, spec.device) if spec.perturbed else None
    return poison(dataset, spec.attack, spec.rate, spec.seed, cover_rate=spec.cover_rate, perturb=perturb)


def training_data(spec: RunSpec, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Return the (poisoned) training images as uint8 and their labels, whole, on the spec's device."""
    poisoned = poison_for(spec, dataset)
    split = dataset.train if poisoned is None else poisoned.split
    return split.images.to(spec.device), split.labels.to(spec.device)


@contextmanager
def _computing(spec: RunSpec) -> Iterator[None]:
    """Set what decides bits, and put it back: 1 and 2 threads give different ones, and so do cuDNN's quicker sums."""
    repeatable = torch.backends.cudnn.deterministic
    with torch_threads(spec.threads):
        torch.backends.cudnn.deterministic = True
        try:
            yield
        finally:
            torch.backends.cudnn.deterministic = repeatable


def learning_rate_at(step: int, steps: int, peak: float) -> float:
    """Return the one-cycle learning rate: a straight warm-up to the peak, then half a cosine down to nearly nothing."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.5 + 0.5 * math.cos(math.pi * (step + 1 - warm) / (steps - warm + 1)))


def train_epoch(
    spec: RunSpec, epoch: int, model: nn.Module, optimiser: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> Generator[Progress, None, float]:
    """Go once through the training images, yielding `Progress`; return the epoch's mean loss.

    Parameters
    ----------
    spec
        Length, batches, learning rate, augmentation and seed.
    epoch
        Its number, from 0: it decides order, augmentation and learning rate.
    model, optimiser
        What is trained, on the spec's device, and `make_optimiser` of it.
    images, labels
        All of `training_data`.
    """
    model.train()
    # A generator of its own for each epoch: what an epoch sees does not depend on what was drawn before it.
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(spec.seed * 1000003 + epoch))
    # Equal parts instead of a small last one, which would make batch norm noisy.
    batches = order.to(spec.device).tensor_split(math.ceil(len(labels) / spec.batch_size))
    total, said = torch.zeros((), device=spec.device), time.monotonic()
    for number, batch in enumerate(batches):
        step, steps = epoch * len(batches) + number, spec.epochs * len(batches)
        optimiser.param_groups[0]["lr"] = learning_rate_at(step, steps, spec.learning_rate)
        seen = augment(images[batch], spec.augmentation, (spec.seed, _AUGMENTATION_DRAWS, epoch, number))
        total += _step(spec, model, optimiser, seen, labels[batch])
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
