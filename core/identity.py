"""What names a result: a spec, the hash of its content, and a readable sentence where a spec is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def content_hash(content: Any) -> str:
    """Return 12 hexadecimal digits that name this JSON content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Spec(BaseModel):
    """A frozen value that names what is computed from it. What people call things is no part of that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON content that the hash is taken of; parts with an identity of their own are told by it."""
        content = self.model_dump(mode="json")
        parts = ((name, getattr(self, name)) for name in type(self).model_fields)
        return content | {name: part.identity for name, part in parts if hasattr(part, "identity")}

    @property
    def hash(self) -> str:
        """The name of what is computed from it: 12 hexadecimal digits."""
        return content_hash(self.identity)


def validated(model: type[Model], values: dict[str, Any]) -> Model:
    """Return `model(**values)`, or raise InputError with one readable sentence instead of a validation report."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InputError(readable(error)) from None


# What a person reads when a field is refused: its name and what it has to be.
_EXPECTED = {
    "rate": "the poisoning rate is a share of the training images, from 0 up to but not including 1",
    "sigma": "sigma is the noise's standard deviation in pixels of [0, 1] and has to be above 0",
    "epochs": "epochs is a whole number from 1 to 1000",
    "draws": "draws is a whole number from 2 to 1000000",
    "images": "images is a whole number from 2 to 100000",
    "attack": "an attack has a trigger and a target class",
    "target": "the target is the number of a class, from 0",
    "mode": "the mode of attack is all-to-one, all-to-all, source-specific or clean-label",
    "sources": "the source classes are numbers of classes, from 0",
    "cover_rate": "the cover rate is a share of the training images, from 0 up to but not including 1",
    "seed": "the seed is a whole number from 0 to 4294967295",
    "bound": "the bound is the largest change of a pixel, above 0 and at most 1",
    "batch_size": "the batch size is a whole number from 1 to 65536",
    "learning_rate": "the learning rate lies above 0 and is at most 10",
    "weight_decay": "the weight decay lies from 0 to 1",
    "optimiser": "the optimiser is adamw or sgd",
    "augmentation": "the augmentation is none, shift or shift-flip",
    "precision": "the precision is float32 or bfloat16",
    "pace": "the pace is fast or careful",
}


def readable(error: ValidationError) -> str:
    """Return the first thing that pydantic refused as one sentence."""
    first = error.errors()[0]
    if first["type"] == "value_error" or not first["loc"]:  # a sentence of our own, or of the whole
        sentence = first["msg"].removeprefix("Value error, ")
        return f"{sentence[0].upper()}{sentence[1:]}."
    # Of an attack inside of a spec people know the parts: they need not say that it is one.
    names = [str(name) for name in first["loc"]]
    field = names[1] if names[:1] == ["attack"] and len(names) > 1 else names[0]
    expected = _EXPECTED.get(field, f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}")
    return f"{expected[0].upper()}{expected[1:]}; got {first['input']!r:.60}."
