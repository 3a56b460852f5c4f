"""Other patterns than a trained trigger that may make a model smooth, or fool it: for any model, clean or not."""

from core.attacks.patterns.pattern import Pattern
from core.attacks.patterns.registry import PATTERNS, PatternSpec, find_pattern, search_pattern

__all__ = ["PATTERNS", "Pattern", "PatternSpec", "find_pattern", "search_pattern"]
