"""Loading a model that somebody else trained: into a run directory that is measured like any other."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.device import choose_device, processor_name
from core.errors import InputError
from core.files import refusal
from core.runs.convention import NOTHING_KNOWN, Convention, Known, find_convention
from core.runs.loaded_spec import LoadedSpec, make_loaded_spec
from core.runs.result import Result
from core.runs.root import create_run, find_run
from core.runs.run import DoneRun

if TYPE_CHECKING:
    from torch import Tensor

    from core.attacks.triggers import AnyTrigger
    from core.datasets import Dataset
    from core.models.foreign.inspect import InspectedFile


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is now a run.

    Attributes
    ----------
    run
        Where it lives.
    found
        What the file turned out to be.
    convention
        How it is asked.
    tried
        All ways that were tried, the one taken first; empty if file and person left nothing to find out.
    """

    run: DoneRun
    found: InspectedFile
    convention: Convention
    tried: tuple[Convention, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what had to be assumed, and a warning where the model does no better than guessing."""
        warning = self.run.result.warning
        return (*self.found.notes, *([] if warning is None else [warning]))


def load_model(
    path: Path,
    dataset: Dataset,
    *,
    name: str | None = None,
    known: Known = NOTHING_KNOWN,
    trigger: AnyTrigger | None = None,
    target: int | None = None,
    root: Path | str | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> LoadedModel:
    """Open a model file, measure it on a data set, and keep it as a run.

    Parameters
    ----------
    path
        A safetensors, PyTorch or ONNX file. It is read, and never run; the run keeps a copy of the weights.
    dataset
        What it is measured on; images and classes have to be those that it was trained on.
    name
        What the file is called, by default its own name.
    known
        What a person says of how it takes images; the rest is what the file says, else what does best on a few images.
    trigger, target
        The attack to measure it with, if one is known.
    root
        Where runs live; see `core.runs.root.runs_root`.
    progress
        Called with a share from 0 to 1 and a text while it takes long.

    Raises
    ------
    InputError
        The file cannot be used, or does not suit the data set; nothing has been written then.
    """
    from core.models.foreign.onnx_parts import made_whole

    began, tell = time.time(), progress or _ignore
    name = name or path.name
    if path.is_dir():
        raise InputError(f"{name} is a folder: give a model file, or import it if it is a run's folder.")
    tell(0.0, f"Opening {name}")
    with made_whole(path, name) as whole:
        return _load(whole, dataset, name, known, trigger, target, root, tell, began)


def _load(
    path: Path,
    dataset: Dataset,
    name: str,
    known: Known,
    trigger: AnyTrigger | None,
    target: int | None,
    root: Path | str | None,
    tell: Callable[[float, str], None],
    began: float,
) -> LoadedModel:
    from core.models.foreign.inspect import inspect_model

    found = inspect_model(path, dataset.shape, len(dataset.classes), name)
    _check_classes(found, dataset)
    convention, tried = find_convention(found, dataset, known, tell)
    normalisation = convention.normalisation
    spec = make_loaded_spec(
        file=name,
        sha256=found.sha256,
        file_format=found.format,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        architecture=found.architecture,
        normalisation=normalisation.name,
        mean=normalisation.mean,
        std=normalisation.std,
        channel_order=convention.channels,
        class_order=convention.classes,
        trigger=trigger,
        target=target,
        interface=found.interface_values,
        device=choose_device() if found.network is not None else "cpu",
    )
    if spec.attack is not None:
        spec.attack.check(dataset)
    earlier = find_run(spec, root)
    if earlier is not None and earlier.result is not None:
        run = earlier.finished()
    else:
        tell(0.5, f"Measuring {name} on {dataset.name}")
        run = _keep(spec, found, _measured(spec, found, dataset, began), root)
    tell(1.0, f"Measured {name}")
    return LoadedModel(run, found, convention, tried)


def _ignore(share: float, text: str) -> None:
    """Nobody wants to know."""


def _check_classes(found: InspectedFile, dataset: Dataset) -> None:
    if found.classes != len(dataset.classes):
        raise InputError(
            f"{found.file} tells {found.classes} classes apart, but {dataset.name} has {len(dataset.classes)}: choose "
            "the data set that it was trained on."
        )


def _model(spec: LoadedSpec, found: InspectedFile) -> Callable[[Tensor], Tensor]:
    return found.model_in_our_order(spec.mean, spec.std, spec.channel_order, spec.class_order)


def _measured(spec: LoadedSpec, found: InspectedFile, dataset: Dataset, began: float) -> Result:
    import torch

    from core.instruments.evaluation import attack_success, clean_accuracy
    from core.instruments.precision import trusted_precision
    from core.instruments.predictor import Predictor

    model = _model(spec, found)
    votes_in = "float32"
    if isinstance(model, torch.nn.Module):
        votes_in = trusted_precision(spec.architecture, model, dataset.test, spec.device)
    predictor = Predictor(model, spec.device, torch.float32 if votes_in == "float32" else None)
    success = None
    if spec.attack is not None:
        success = attack_success(predictor, dataset.test, spec.attack, len(dataset.classes)).rate
    return Result(
        clean_accuracy=clean_accuracy(predictor, dataset.test),
        attack_success_rate=success,
        shape=dataset.shape,
        classes=dataset.classes,
        seconds=round(time.time() - began, 3),
        peak_memory=0,
        torch=torch.__version__,
        processor=processor_name(spec.device),
        votes_in=votes_in,
    )


def _keep(spec: LoadedSpec, found: InspectedFile, result: Result, root: Path | str | None) -> DoneRun:
    """Store the model as a run: its weights, or an ONNX file as it is, then the result."""
    import torch

    run = create_run(spec, root)
    try:
        with run.locked() as is_ours:
            if not is_ours:
                raise InputError(f"The run {run.name} is being written by another process: try again in a moment.")
            model = _model(spec, found)
            if isinstance(model, torch.nn.Module):
                run.complete(model, result)
            else:
                content = found.path.read_bytes()
                if hashlib.sha256(content).hexdigest() != spec.sha256:
                    raise InputError(f"{found.file} was changed while it was read: load it again.")
                run.complete(content, result)
    except OSError as error:
        raise refusal(error, run.path) from None
    return run.finished()
