"""All kinds of triggers: one line each, from which files, links, the page and the command line know them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationError

from core.attacks.triggers.additive import Additive
from core.attacks.triggers.base import BaseTrigger, Shape
from core.attacks.triggers.formula import Formula
from core.attacks.triggers.presets import make_preset, preset_names
from core.attacks.triggers.sinusoid import Sinusoid
from core.attacks.triggers.trigger import DAMAGED_LINK, Trigger
from core.attacks.triggers.warp import Warp
from core.errors import InputError
from core.identity import readable

KINDS: dict[str, type[BaseTrigger]] = {
    "picture": Trigger,
    "additive": Additive,
    "sinusoid": Sinusoid,
    "warp": Warp,
}


def _read(value: Any) -> BaseTrigger:
    if isinstance(value, BaseTrigger):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"a trigger's kind is one of: {', '.join(KINDS)}")
    try:
        return KINDS[kind].model_validate(value)
    except ValidationError as error:
        raise ValueError(readable(error)) from None


# A trigger of any kind as a field of a spec, or for a pydantic TypeAdapter; its JSON names its kind.
AnyTrigger = Annotated[
    BaseTrigger, PlainValidator(_read), PlainSerializer(lambda trigger: trigger.model_dump(mode="json"))
]


def from_link(text: str, name: str | None = None) -> BaseTrigger:
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
    if kind not in KINDS:
        raise InputError(DAMAGED_LINK)
    try:
        trigger = KINDS[kind].from_parts(parts)
    except ValueError:  # pydantic's errors are of this kind, too
        raise InputError(DAMAGED_LINK) from None
    return trigger.model_copy(update={"name": name}) if name else trigger


def formulas() -> dict[str, type[Formula]]:
    """Return the kinds whose settings people choose: name for the command line -> class."""
    return {name: kind for name, kind in KINDS.items() if issubclass(kind, Formula)}


def make_formula(name: str, shape: Shape) -> Formula:
    """Return the formula of that name as people start from it on images of (channels, height, width).

    Raises
    ------
    InputError
        No formula has that name, or it does not suit the images.
    """
    if name not in formulas():
        raise InputError(f"There is no formula called {name!r}; choose one of: {', '.join(formulas())}.")
    trigger = formulas()[name].suited_to(shape)
    trigger.check_fits(shape)
    return trigger


def trigger_names() -> dict[str, str]:
    """Return all ready-made triggers, presets and formulas: name for the command line and links -> title for people."""
    return preset_names() | {name: kind.title for name, kind in formulas().items()}


def make_trigger(name: str, shape: Shape) -> BaseTrigger:
    """Return the ready-made trigger of that name for images of (channels, height, width).

    Raises
    ------
    InputError
        No preset and no formula has that name, or it does not suit the images.
    """
    if name not in trigger_names():
        raise InputError(f"There is no trigger called {name!r}; choose one of: {', '.join(trigger_names())}.")
    return make_formula(name, shape) if name in formulas() else make_preset(name, shape)
