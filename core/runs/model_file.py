"""A run's model: its weights as safetensors, or the ONNX file that a loaded model came in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.device import choose_device
from core.errors import InputError
from core.files import write_whole
from core.runs.loaded_spec import LoadedSpec
from core.runs.result import Result
from core.training.spec import RunSpec

if TYPE_CHECKING:
    from torch import nn

    from core.instruments.predictor import Predictor
    from core.models.foreign.onnx_model import OnnxClassifier

WEIGHTS, ONNX = "model.safetensors", "model.onnx"


def write_model(folder: Path, model: nn.Module | bytes) -> None:
    """Store a network's weights, or an ONNX file's content, in a run's folder; OSError if the disk refuses."""
    if isinstance(model, bytes):
        write_whole(folder / ONNX, model)
        return
    from safetensors.torch import save

    write_whole(folder / WEIGHTS, save({name: tensor.contiguous() for name, tensor in model.state_dict().items()}))


def multiplications(folder: Path, shape: tuple[int, int, int]) -> int:
    """Return how many multiplications an image [C, H, W] costs at most: every number of the model once a pixel."""
    numbers = sum((folder / name).stat().st_size // 4 for name in (WEIGHTS, ONNX) if (folder / name).exists())
    return numbers * shape[1] * shape[2]


def read_model(folder: Path, spec: RunSpec | LoadedSpec, result: Result) -> nn.Module | OnnxClassifier:
    """Return the model in a run's folder, on images in [0, 1], in evaluation mode, on the CPU.

    One that was loaded from an ONNX file is a plain callable without gradients.

    Raises
    ------
    InputError
        Its file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from core.models.foreign.match import build_network

    if isinstance(spec, LoadedSpec) and spec.interface is not None:
        from core.models.foreign.onnx_model import Interface, OnnxClassifier

        interface = Interface.read(spec.interface)
        return OnnxClassifier(folder / ONNX, interface, spec.mean, spec.std, spec.channel_order, spec.class_order)
    model = build_network(spec.architecture, result.shape, len(result.classes))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError):
        raise InputError(
            f"The weights of run {folder.name} are missing or damaged: delete its folder and train it again."
        ) from None
    return model.eval()


def make_predictor(
    model: nn.Module | OnnxClassifier, spec: RunSpec | LoadedSpec, result: Result, threads: int | None = None
) -> Predictor:
    """Return a run's model in its fast form, in the precision that was found fit for it.

    It computes on the device that the run was trained on if this machine has it, else on the best one.
    """
    import torch

    from core.instruments.predictor import Predictor

    device = spec.device if spec.device in ("cpu", choose_device()) else choose_device()
    return Predictor(model, device, torch.float32 if result.votes_in == "float32" else None, threads)
