"""Runs in a process apart: finds the weights in a safetensors or PyTorch file and hands them out as float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import InputError, printable
from core.models.foreign.pytorch_file import PytorchFile, read_pytorch
from core.models.foreign.safetensors_file import read_safetensors
from core.models.foreign.stored_tensor import StoredTensor

_MOST_TENSORS, _LONGEST_NAME = 10_000, 300
_MOST_CLASSES, _LONGEST_CLASS = 1000, 200
# What counts the batches that a batch norm has seen; every network has them, and none needs them.
_BATCHES = "num_batches_tracked"
# Where others keep the weights among other things, in the order in which they are looked for.
_KEYS = ("model", "state_dict", "model_state_dict", "net", "network", "weights", "params")


class Service:
    """What `core.models.foreign.sandbox` serves: one file at a time."""

    def open(self, path: str, kind: str, name: str) -> dict[str, Any]:
        """Return what `core.models.foreign.file.WeightsFile` says of a file, its tensors by their shapes."""
        self._file, self._name = Path(path).open("rb"), name  # noqa: SIM115  it stays open for `tensor`
        size = Path(path).stat().st_size
        key, content = "", {}
        if kind == "safetensors":
            tensors = read_safetensors(self._file, size, name)
        else:
            pytorch = read_pytorch(self._file, name)
            key, tensors = _state_dict(pytorch, name)
            content = pytorch.content if key else {}
        _check_names(tensors, name)
        learned = {label: tensor for label, tensor in tensors.items() if not _is_counter(label, tensor)}
        prefix = common_prefix(list(learned))
        self._tensors = {label.removeprefix(prefix): tensor for label, tensor in learned.items()}
        for label, tensor in self._tensors.items():
            tensor.check(self._called(label))
        # Twice, since weights that two layers share are counted twice.
        if sum(tensor.claimed for tensor in self._tensors.values()) > 2 * size:
            raise InputError(f"{name} promises more numbers than the file holds, so it is not read.")
        made_on = content.get("clean_data")
        return {
            "shapes": {label: list(tensor.shape) for label, tensor in self._tensors.items()},
            "prefix": prefix,
            "key": key,
            "left_out": [label for label in tensors if label not in learned and not label.endswith(_BATCHES)],
            "classes": _class_names(content),
            "made_on": made_on[:40] if isinstance(made_on, str) and made_on.isprintable() else "",
        }

    def tensor(self, label: str) -> tuple[dict[str, Any], bytes]:
        """Return the numbers of a tensor, float32 in the order of its shape."""
        return {}, self._tensors[label].floats(self._file, self._called(label)).tobytes()

    def _called(self, label: str) -> str:
        return f"{self._name}: {printable(label, 80)}"


def _is_counter(label: str, tensor: StoredTensor) -> bool:
    """Say whether a tensor of whole numbers counts something; whole numbers called weights are quantised ones."""
    return label.endswith(_BATCHES) or (
        "float" not in tensor.kind and not label.endswith(("weight", "bias", "weight_packed"))
    )


def _class_names(content: Mapping[Any, Any]) -> list[str]:
    """Return the names of a model's outputs in their order where a file says them; nothing where it does not."""
    for inside in (content, content.get("hyper_parameters"), content.get("args")):
        if not isinstance(inside, Mapping):
            continue
        for key in ("class_to_idx", "classes", "class_names", "idx_to_class"):
            names = _in_order(inside.get(key))
            if names is not None:
                return names
    return []


def _in_order(value: Any) -> list[str] | None:
    if isinstance(value, Mapping) and 2 <= len(value) <= _MOST_CLASSES:
        pairs = {(place, name) if type(place) is int else (name, place) for name, place in value.items()}
        by_place = {place: name for place, name in pairs if type(place) is int}
        value = [by_place.get(place) for place in range(len(value))]
    if not isinstance(value, list | tuple) or not 2 <= len(value) <= _MOST_CLASSES:
        return None
    names = [str(name) for name in value if isinstance(name, str) and name.isprintable()]
    return names if len(names) == len(set(names)) == len(value) and max(map(len, names)) <= _LONGEST_CLASS else None


def _state_dict(file: PytorchFile, name: str) -> tuple[str, dict[str, StoredTensor]]:
    """Return the weights in what a file holds, and the key that they lie under."""
    content = file.content
    if not isinstance(content, Mapping):
        raise InputError(
            f"{name} holds {_called(content, file)} where a state dict is expected: save model.state_dict() with "
            "torch.save."
        )
    weights = _weights(content, file)
    if weights is not None:
        return "", weights
    inner = {str(key): _weights(value, file) for key, value in content.items() if isinstance(value, Mapping)}
    under = {key: weights for key, weights in inner.items() if weights is not None}
    key = next((key for key in _KEYS if key in under), None) or next(iter(under), None)
    if key is None:
        inside = ", ".join(printable(str(key), 30) for key in list(content)[:5]) or "nothing"
        raise InputError(
            f"{name} holds no weights (it holds: {inside}): save model.state_dict() with torch.save, alone or under "
            "the key 'model'."
        )
    return key, under[key]


def _weights(values: Mapping[Any, Any], file: PytorchFile) -> dict[str, StoredTensor] | None:
    """Return a dictionary's tensors if it holds nothing else, and some that are called weights; else None."""
    tensors = {label: file.tensor(value) for label, value in values.items() if isinstance(label, str)}
    weights = {label: tensor for label, tensor in tensors.items() if tensor is not None}
    named = any(label.endswith("weight") for label in weights)
    return weights if named and len(weights) == len(values) else None


def _called(content: Any, file: PytorchFile) -> str:
    if file.tensor(content) is not None:
        return "a single tensor"
    return {list: "a list", tuple: "a tuple", str: "a text"}.get(type(content), "something else")


def _check_names(tensors: dict[str, StoredTensor], name: str) -> None:
    if not tensors:
        raise InputError(f"{name} holds no tensors: give a file with the weights of a network.")
    if len(tensors) > _MOST_TENSORS or max(map(len, tensors)) > _LONGEST_NAME:
        raise InputError(
            f"{name} holds more than {_MOST_TENSORS} tensors, or names of more than {_LONGEST_NAME} letters: give the "
            "weights of an image classifier."
        )


def common_prefix(labels: list[str]) -> str:
    """Return what all names begin with, whole words only, such as "module."; one word of each name is left."""
    words = [label.split(".") for label in labels]
    shared = 0
    while all(len(label) > shared + 1 and label[shared] == words[0][shared] for label in words):
        shared += 1
    # A lone layer's "weight" and "bias" need their layer's name.
    shared = min(shared, min(map(len, words)) - 2)
    return "".join(f"{word}." for word in words[0][: max(0, shared)])
