"""Other patterns than a trained trigger that may make a model smooth, or fool it: for any model, clean or not."""

from core.attacks.patterns.kinds import KINDS, Kind, PatternSpec, find_kind, search_pattern

__all__ = ["KINDS", "Kind", "PatternSpec", "find_kind", "search_pattern"]
