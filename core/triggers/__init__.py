"""Triggers: what an attacker puts on an image."""

from core.triggers.presets import make_preset, preset_names
from core.triggers.trigger import Trigger

__all__ = ["Trigger", "make_preset", "preset_names"]
