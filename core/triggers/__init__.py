"""Triggers: what an attacker puts on an image."""

from core.triggers.formulas import Additive, Sinusoid, Warp
from core.triggers.kinds import AnyTrigger, from_link
from core.triggers.presets import formula_names, make_formula, make_preset, preset_names
from core.triggers.trigger import Trigger

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
