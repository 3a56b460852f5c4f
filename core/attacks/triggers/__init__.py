"""Triggers: what an attacker puts on an image."""

from core.attacks.triggers.additive import Additive
from core.attacks.triggers.base import BaseTrigger
from core.attacks.triggers.formula import Added, Formula
from core.attacks.triggers.presets import make_preset, preset_names
from core.attacks.triggers.registry import AnyTrigger, formulas, from_link, make_formula, make_trigger, trigger_names
from core.attacks.triggers.sinusoid import Sinusoid
from core.attacks.triggers.trigger import Trigger
from core.attacks.triggers.warp import Warp

__all__ = [
    "Added",
    "Additive",
    "AnyTrigger",
    "BaseTrigger",
    "Formula",
    "Sinusoid",
    "Trigger",
    "Warp",
    "formulas",
    "from_link",
    "make_formula",
    "make_preset",
    "make_trigger",
    "preset_names",
    "trigger_names",
]
