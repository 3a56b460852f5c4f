"""Triggers: what an attacker puts on an image."""

from core.attacks.triggers.formulas import Additive, Sinusoid, Warp
from core.attacks.triggers.kinds import AnyTrigger, from_link
from core.attacks.triggers.presets import formula_names, make_formula, make_preset, preset_names
from core.attacks.triggers.trigger import Trigger

__all__ = [
    "Additive",
    "AnyTrigger",
    "Sinusoid",
    "Trigger",
    "Warp",
    "formula_names",
    "from_link",
    "make_formula",
    "make_preset",
    "preset_names",
]
