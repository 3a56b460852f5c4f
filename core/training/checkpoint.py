"""All that the rest of a training depends on, between two epochs, in one safetensors file.

Tensors are named "model.NAME" (weights and batch-norm statistics) and "optimiser.NUMBER.NAME" (moments, by the number
of the weight); the scalars lie in the file's metadata. Orders, augmentations and the learning rate follow from the spec
and the epoch's number, so no random state is kept.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from core.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import torch
    from torch import Tensor, nn

FORMAT = "triggerscope checkpoint 1"


class CheckpointError(Exception):
    """A checkpoint cannot be used; the message says why in one sentence."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a training was after `epoch` whole epochs.

    `tensors` are as the module says, on the CPU; `torch` is the version that computed them.
    """

    epoch: int
    tensors: dict[str, Tensor]
    torch: str


def take_checkpoint(epoch: int, model: nn.Module, optimiser: torch.optim.Optimizer) -> Checkpoint:
    """Copy what a model and its optimiser are now."""
    import torch

    living = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for number, parameter in enumerate(_parameters(optimiser)):
        for name, tensor in optimiser.state[parameter].items():
            living[f"optimiser.{number}.{name}"] = tensor
    copies = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in living.items()
    }
    return Checkpoint(epoch, copies, torch.__version__)


def restore(checkpoint: Checkpoint, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Make a new model and its new optimiser what they were.

    Raises
    ------
    CheckpointError
        It is of another model or another optimiser; both are to be thrown away then.
    """
    try:
        model.load_state_dict(_part(checkpoint, "model"))
    except RuntimeError:
        raise CheckpointError("The checkpoint is of another model, so the training began anew.") from None
    fused = bool(optimiser.defaults.get("fused"))
    for number, parameter in enumerate(_parameters(optimiser)):
        stored = _part(checkpoint, f"optimiser.{number}")
        if set(stored) != _state_names(optimiser) or any(
            moment.shape not in (parameter.shape, ()) for moment in stored.values()
        ):
            raise CheckpointError("The checkpoint is of another optimiser, so the training began anew.")
        optimiser.state[parameter] = {name: _beside(parameter, moment, fused) for name, moment in stored.items()}


def _state_names(optimiser: torch.optim.Optimizer) -> set[str]:
    return {"momentum_buffer"} if "momentum" in optimiser.defaults else {"step", "exp_avg", "exp_avg_sq"}


def _beside(parameter: Tensor, stored: Tensor, fused: bool) -> Tensor:
    """Return a stored moment where the optimiser expects it, its numbers in memory as the weight's are.

    A fused step goes through weights and moments side by side: with another order of strides it would pair wrong ones.
    """
    import torch

    if stored.shape != parameter.shape:  # a count of steps, which only a fused optimiser keeps on the device
        return stored.to(parameter.device if fused else "cpu", copy=True)
    return torch.empty_like(parameter, dtype=stored.dtype, requires_grad=False).copy_(stored)


def _parameters(optimiser: torch.optim.Optimizer) -> list[Any]:
    return list(chain.from_iterable(group["params"] for group in optimiser.param_groups))


def _part(checkpoint: Checkpoint, prefix: str) -> dict[str, Tensor]:
    beginning = f"{prefix}."
    return {
        name.removeprefix(beginning): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(beginning)
    }


def write_checkpoint(path: Path, checkpoint: Checkpoint, run: str) -> None:
    """Store a checkpoint of the run of this name in place of an earlier one; OSError where the disk refuses."""
    from safetensors.torch import save

    scalars = {
        "format": FORMAT,
        "run": run,
        "epoch": str(checkpoint.epoch),
        "torch": checkpoint.torch,
        "crc32": _checksum(checkpoint.tensors),
    }
    write_whole(path, save(checkpoint.tensors, scalars))


def read_checkpoint(path: Path, run: str) -> Checkpoint | None:
    """Return the stored checkpoint of the run of this name, or None if there is no file.

    Raises
    ------
    CheckpointError
        The file is damaged, or of another run.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            epoch = _epoch_of(file.metadata(), run)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            scalars = file.metadata()
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError, KeyError):
        raise CheckpointError(_DAMAGED) from None
    if _checksum(tensors) != scalars.get("crc32"):
        raise CheckpointError(_DAMAGED)
    return Checkpoint(epoch, tensors, scalars.get("torch", ""))


_DAMAGED = "The checkpoint is damaged, so the training began anew."


def _epoch_of(scalars: dict[str, str] | None, run: str) -> int:
    scalars = scalars or {}
    if scalars.get("format") != FORMAT or scalars.get("run") != run:
        raise CheckpointError("The checkpoint is of another run or version, so the training began anew.")
    return int(scalars.get("epoch", ""))


def _checksum(tensors: dict[str, Tensor]) -> str:
    """Return a checksum of the numbers: a flipped bit would otherwise go on living in the weights."""
    import torch

    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
