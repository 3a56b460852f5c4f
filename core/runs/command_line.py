"""A run as the command line that makes it again, and what was measured on it as the lines that measure it again."""

from __future__ import annotations

import os
import shlex

from core.attacks.attack import Attack
from core.attacks.triggers import AnyTrigger, make_trigger, trigger_names
from core.runs.loaded_spec import LoadedSpec
from core.runs.measured.spec import MeasureSpec
from core.runs.root import runs_root
from core.runs.run import Run
from core.training.settings import default_learning_rate, default_weight_decay
from core.training.spec import RunSpec

# Told where they differ from a spec's defaults, which are the command line's. Device, precision and threads follow from
# the machine there, so that they are always told.
_ATTACK = ("mode", "sources", "random_place")
_TRAINING = ("cover_rate", "perturbed", "architecture", "batch_size", "optimiser", "augmentation")


def command_line(spec: RunSpec | LoadedSpec, shape: tuple[int, int, int] | None = None) -> str:
    """Return the line that makes a run of this very name, on any machine that has its device and data.

    Parameters
    ----------
    spec
        What the run is made from. A loaded model's line names its file, which has to lie in the current folder.
    shape
        (channels, height, width) of its images, if known: then a preset is told by its name instead of its pixels.
    """
    words = ["python", "-m", "core"]
    words += _load_words(spec, shape) if isinstance(spec, LoadedSpec) else _train_words(spec, shape)
    return shlex.join(words)


def smoothness_line(run: Run, spec: MeasureSpec, shape: tuple[int, int, int]) -> str:
    """Return the line that measures W of a run as `spec` does, with noise everywhere."""
    words = ["python", "-m", "core", "smoothness", _place(run), "--sigma", _number(spec.sigma)]
    words += ["--draws", str(spec.draws), "--images", str(spec.images), "--seed", str(spec.seed)]
    return shlex.join(words + _tried_words(run, spec.attack, shape))


def slice_line(run: Run, attack: Attack, image: int, shape: tuple[int, int, int]) -> str:
    """Return the line that maps a run's predictions on the plane through a test image, itself with the trigger, and
    the nearest image of the class that the attack wants.
    """
    words = ["python", "-m", "core", "slice", _place(run), "--image", str(image)]
    return shlex.join(words + _tried_words(run, attack, shape))


def _place(run: Run) -> str:
    """Return a run's name if it lies in the folder of all runs, else its path from the current folder."""
    inside = run.path.parent == runs_root().resolve()
    return run.name if inside else os.path.relpath(run.path)


def _tried_words(run: Run, attack: Attack, shape: tuple[int, int, int]) -> list[str]:
    """Return nothing for a run's own attack, and the options for another trigger or target that is tried on it."""
    return [] if attack == run.spec.attack else _attack_words(attack, shape)


def _train_words(spec: RunSpec, shape: tuple[int, int, int] | None) -> list[str]:
    words = ["train", "--dataset", spec.dataset]
    if spec.attack is not None:
        words += _attack_words(spec.attack, shape)
    words += ["--rate", _number(spec.rate), *_differing(spec, _TRAINING)]
    words += ["--epochs", str(spec.epochs)]
    if spec.learning_rate != default_learning_rate(spec.architecture, spec.optimiser):
        words += ["--learning-rate", _number(spec.learning_rate)]
    if spec.weight_decay != default_weight_decay(spec.optimiser):
        words += ["--weight-decay", _number(spec.weight_decay)]
    words += ["--seed", str(spec.seed), "--device", spec.device, "--precision", spec.precision]
    return [*words, "--threads", str(spec.threads)]


def _load_words(spec: LoadedSpec, shape: tuple[int, int, int] | None) -> list[str]:
    words = ["load", spec.file, "--dataset", spec.dataset]
    if spec.normalisation == "given":
        words += ["--mean", ",".join(map(str, spec.mean)), "--std", ",".join(map(str, spec.std))]
    else:
        words += ["--normalisation", spec.normalisation]
    words += ["--colours", "BGR"] if spec.channel_order == "BGR" else []
    return words if spec.attack is None else words + _attack_words(spec.attack, shape)


def _attack_words(attack: Attack, shape: tuple[int, int, int] | None) -> list[str]:
    words = ["--trigger", _known_name(attack.trigger, shape) or f"link:{attack.trigger.to_link()}"]
    words += [] if attack.target is None else ["--target", str(attack.target)]
    return words + _differing(attack, _ATTACK)


def _known_name(trigger: AnyTrigger, shape: tuple[int, int, int] | None) -> str | None:
    """Return the name by which the command line makes this very trigger."""
    if shape is None:
        return None
    made = ((name, make_trigger(name, shape)) for name in trigger_names())
    return next((name for name, other in made if other == trigger), None)


def _differing(spec: RunSpec | Attack, fields: tuple[str, ...]) -> list[str]:
    """Return the options for those fields that are not at their default."""
    words = []
    for field in fields:
        value = getattr(spec, field)
        if value == type(spec).model_fields[field].default:
            continue
        words.append(f"--{field.replace('_', '-')}")
        if isinstance(value, tuple):
            words.append(",".join(map(str, value)))
        elif not isinstance(value, bool):
            words.append(_number(value) if isinstance(value, float) else str(value))
    return words


def _number(value: float) -> str:
    """Return a number as the shortest text that reads as the same number."""
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
