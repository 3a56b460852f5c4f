"""The row about training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.benchmarks.reference import BATCH, plain, reference_epoch
from core.benchmarks.row import Row, judge
from core.benchmarks.setting import Setting, beginning
from core.benchmarks.timing import detail_of, speed_up, take_turns
from core.device import torch_threads
from core.models import model_for
from core.training import loop

if TYPE_CHECKING:
    from core.training.spec import RunSpec


def epoch_row(setting: Setting) -> Row:
    """Compare the steps of the same part of an epoch, from a new model on; not the poisoning before, nor the looking.

    The batches are the reference's, so that the work is the same; `recipe` in the detail is the same part in batches of
    the size that runs are trained with.
    """
    recipe, part = setting.spec(), beginning(setting.dataset, setting.epoch_images)
    spec = recipe.model_copy(update={"batch_size": BATCH})
    images, labels = loop.training_data(spec, part)
    torch.manual_seed(spec.seed)
    new = model_for(spec.architecture, part)
    with torch_threads(1):
        times = take_turns(
            {
                "reference": lambda turn: their_epoch(spec, new, images, labels),
                "ours": lambda turn: our_epoch(spec, new, images, labels),
                "recipe": lambda turn: our_epoch(recipe, new, images, labels),
            },
            setting.repetitions,
        )
    share = len(labels) / len(setting.dataset.train.labels)
    return judge(
        "epoch",
        f"Training: {len(labels)} poisoned images, {share:.0%} of an epoch, small CNN on 28x28, against a DataLoader",
        speed_up(times["reference"], times["ours"]),
        "x",
        ">=",
        2.3,
        detail_of(times, "reference", "ours")
        | {
            "data": setting.dataset.name,
            "images": len(labels),
            "recipe_batch": recipe.batch_size,
            "recipe_ratio": speed_up(times["reference"], times["recipe"]),
        },
    )


def their_epoch(spec: RunSpec, new: nn.Module, images: Tensor, labels: Tensor) -> tuple[nn.Module, float]:
    """Train a copy of a model once through poisoned images as the reference does; return it and the mean loss."""
    model = plain(new, spec.device)
    optimiser = torch.optim.AdamW(model.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay)
    steps = spec.epochs * -(-len(labels) // BATCH)
    # The order of `core.training.loop`, so that both see the same batches.
    order = torch.Generator().manual_seed(spec.seed * 1000003)
    loss = reference_epoch(
        model,
        optimiser,
        images.cpu(),
        labels.cpu(),
        lambda step: loop.learning_rate_at(step, steps, spec.learning_rate),
        order,
    )
    return model, loss


def our_epoch(spec: RunSpec, new: nn.Module, images: Tensor, labels: Tensor) -> tuple[nn.Module, float]:
    """Train a copy of a model for one epoch as `core.training.loop` does; return it and the mean loss."""
    model = plain(new, spec.device).to(memory_format=torch.channels_last)
    steps = loop.train_epoch(spec, 0, model, loop.make_optimiser(spec, model), images, labels)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return model, end.value
