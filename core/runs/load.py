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
from core.instruments.statistics import Estimate
from core.runs.loaded_spec import LoadedSpec, NormalisationName, make_loaded_spec
from core.runs.result import Result
from core.runs.root import create_run, find_run
from core.runs.run import DoneRun

if TYPE_CHECKING:
    from core.attacks.triggers import AnyTrigger
    from core.datasets import Dataset
    from core.instruments.predictor import Predictor
    from core.models.foreign.inspect import InspectedFile

Numbers = tuple[float, ...]

# Training images that each normalisation is tried on: 256 tell 0.9 from 0.8, and a ResNet-18 sees them in a second.
GUESS_IMAGES = 256

NORMALISATIONS: dict[NormalisationName, str] = {
    "none": "none: pixels in [0, 1]",
    "dataset": "mean and deviation of the data set",
    "imagenet": "mean and deviation of ImageNet",
    "half": "pixels in [-1, 1]",
}
"""What people can choose a model's first layer from; "file" is what a file says itself."""

# torchvision's, in its documentation of every model's transforms.
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Normalisation:
    """What a model's first layer subtracts and divides by, one number a channel, and where these come from."""

    name: NormalisationName
    mean: Numbers
    std: Numbers


@dataclass(frozen=True)
class NormalisationGuess(Normalisation):
    """One that was tried: the share of training images that the model got right with it."""

    accuracy: Estimate


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that is now a run.

    Attributes
    ----------
    run
        Where it lives.
    found
        What the file turned out to be.
    normalisation
        Where its first layer's numbers come from.
    guesses
        What each normalisation gave, the best first; empty if the file or a person said which one it is.
    """

    run: DoneRun
    found: InspectedFile
    normalisation: NormalisationName
    guesses: tuple[NormalisationGuess, ...]


def load_model(
    path: Path,
    dataset: Dataset,
    *,
    name: str | None = None,
    normalisation: str | None = None,
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
    normalisation
        What its first layer does, if a person knows; by default what the file says, else the best guess.
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
    from core.models.foreign.inspect import inspect_model

    began, tell = time.time(), progress or _ignore
    name = name or path.name
    if path.is_dir():
        raise InputError(f"{name} is a folder: give a model file, or import it if it is a run's folder.")
    tell(0.0, f"Opening {name}")
    found = inspect_model(path, dataset.shape, name)
    _check_classes(found, dataset)
    numbers, guesses = _normalisation(found, dataset, normalisation, tell)
    spec = make_loaded_spec(
        file=name,
        sha256=found.sha256,
        file_format=found.format,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        architecture=found.architecture,
        normalisation=numbers.name,
        mean=numbers.mean,
        std=numbers.std,
        trigger=trigger,
        target=target,
        interface=found.interface_values,
        device=choose_device() if found.network is not None else "cpu",
    )
    if spec.attack is not None:
        spec.attack.check(dataset)
    known = find_run(spec, root)
    if known is not None and known.result is not None:
        run = known.finished()
    else:
        tell(0.5, f"Measuring {name} on {dataset.name}")
        run = _keep(spec, found, _measured(spec, found, dataset, began), root)
    tell(1.0, f"Measured {name}")
    return LoadedModel(run, found, numbers.name, guesses)


def _ignore(share: float, text: str) -> None:
    """Nobody wants to know."""


def _check_classes(found: InspectedFile, dataset: Dataset) -> None:
    if found.classes != len(dataset.classes):
        raise InputError(
            f"{found.file} tells {found.classes} classes apart, but {dataset.name} has {len(dataset.classes)}: choose "
            "the data set that it was trained on."
        )


def _normalisation(
    found: InspectedFile, dataset: Dataset, chosen: str | None, tell: Callable[[float, str], None]
) -> tuple[Normalisation, tuple[NormalisationGuess, ...]]:
    """Return the normalisation to use, and what trying them all gave where nobody said which it is."""
    if found.normalised is not None and chosen in (None, "file"):
        return Normalisation("file", *found.normalised), ()
    if chosen == "file":
        raise InputError(f"{found.file} does not say how its pixels are normalised: choose one of the others.")
    if chosen is not None and chosen not in NORMALISATIONS:
        raise InputError(
            f"There is no normalisation {chosen!r:.40}; choose one of {', '.join(NORMALISATIONS)}, or file."
        )
    if chosen is not None:
        return Normalisation(chosen, *_numbers(chosen, dataset)), ()
    guesses = []
    for number, name in enumerate(NORMALISATIONS):
        tell(0.1 + 0.1 * number, f"Trying {NORMALISATIONS[name]}")
        mean, std = _numbers(name, dataset)
        guesses.append(NormalisationGuess(name, mean, std, _accuracy_on_training(found, dataset, mean, std)))
    best = sorted(guesses, key=lambda guess: -guess.accuracy.value)
    return best[0], tuple(best)


def _numbers(name: NormalisationName, dataset: Dataset) -> tuple[Numbers, Numbers]:
    """Return mean and deviation of each channel."""
    from core.models.normalize import Normalize

    channels = dataset.shape[0]
    if name == "dataset":
        layer = Normalize(channels)
        layer.fit(dataset.train.images)
        return tuple(layer.mean.flatten().tolist()), tuple(layer.std.flatten().tolist())
    if name == "imagenet":
        # A grey image's one channel stands for three alike.
        mean, std = _IMAGENET
        return (mean, std) if channels == 3 else ((sum(mean) / 3,), (sum(std) / 3,))
    return ((0.5,) * channels, (0.5,) * channels) if name == "half" else ((0.0,) * channels, (1.0,) * channels)


def _accuracy_on_training(found: InspectedFile, dataset: Dataset, mean: Numbers, std: Numbers) -> Estimate:
    """Return how many of a few training images the model gets right: the test images stay unseen by any choice."""
    from core.datasets import Split
    from core.instruments.evaluation import choose_images, clean_accuracy

    places = choose_images(dataset.train, -1, GUESS_IMAGES, seed=0)
    split = Split(dataset.train.images[places], dataset.train.labels[places])
    return clean_accuracy(_predictor(found, mean, std), split)


def _predictor(found: InspectedFile, mean: Numbers, std: Numbers, votes_in: str | None = None) -> Predictor:
    import torch

    from core.instruments.predictor import Predictor

    device = choose_device() if found.network is not None else "cpu"
    return Predictor(found.model(mean, std), device, torch.float32 if votes_in == "float32" else None)


def _measured(spec: LoadedSpec, found: InspectedFile, dataset: Dataset, began: float) -> Result:
    import torch

    from core.instruments.evaluation import attack_success, clean_accuracy
    from core.instruments.precision import trusted_precision

    model = found.model(spec.mean, spec.std)
    votes_in = "float32"
    if isinstance(model, torch.nn.Module):
        votes_in = trusted_precision(spec.architecture, model, dataset.test, spec.device)
    predictor = _predictor(found, spec.mean, spec.std, votes_in)
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
    run = create_run(spec, root)
    try:
        with run.locked() as is_ours:
            if not is_ours:
                raise InputError(f"The run {run.name} is being written by another process: try again in a moment.")
            if found.network is not None:
                found.model(spec.mean, spec.std)
                run.complete(found.network, result)
            else:
                content = found.path.read_bytes()
                if hashlib.sha256(content).hexdigest() != spec.sha256:
                    raise InputError(f"{found.file} was changed while it was read: load it again.")
                run.complete(content, result)
    except OSError as error:
        raise refusal(error, run.path) from None
    return run.finished()
