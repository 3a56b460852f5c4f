"""All kinds of triggers as one type, told apart by their field `kind`, and the link codec that reads any of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag, ValidationError

from core.attacks.triggers.formulas import Additive, Sinusoid, Warp
from core.attacks.triggers.trigger import DAMAGED_LINK, Trigger
from core.errors import InputError


def _kind(value: Any) -> str:
    # A file from before there were formulas names no kind: it is a picture.
    return value.get("kind", "picture") if isinstance(value, dict) else getattr(value, "kind", "picture")


AnyTrigger = Annotated[
    Annotated[Trigger, Tag("picture")]
    | Annotated[Additive, Tag("additive")]
    | Annotated[Sinusoid, Tag("sinusoid")]
    | Annotated[Warp, Tag("warp")],
    Discriminator(_kind),
]


def from_link(text: str, name: str | None = None) -> AnyTrigger:
    """Return the trigger of any kind whose `to_link` wrote this text.

    Parameters
    ----------
    text
        What `to_link` returned.
    name
        What to call it; by default what its kind is called.

    Raises
    ------
    InputError
        The text is not whole, or describes no trigger.
    """
    kind, *parts = text.split("~")
    if not parts:
        return Trigger.from_link(text, name or "drawn")
    try:
        trigger = _formula(kind, parts)
    except (ValueError, ValidationError):
        raise InputError(DAMAGED_LINK) from None
    return trigger.model_copy(update={"name": name}) if name else trigger


def _formula(kind: str, parts: list[str]) -> Additive | Sinusoid | Warp:
    match kind, parts:
        case "additive", [channels, height, width, packed]:
            padded = packed.translate(str.maketrans("-_", "+/")) + "=" * (-len(packed) % 4)
            return Additive.model_validate(
                {"channels": int(channels), "height": int(height), "width": int(width), "steps": padded}
            )
        case "sinusoid", [delta, frequency]:
            return Sinusoid(delta=float(delta), frequency=float(frequency))
        case "warp", [k, strength, seed]:
            return Warp(k=int(k), strength=float(strength), seed=int(seed))
    raise ValueError(kind)
