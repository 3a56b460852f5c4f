"""Architectures and their weights. One file an architecture; `build_model` finds it by name."""

from core.models.registry import Architecture, architecture_names, build_model, describe, model_for

__all__ = ["Architecture", "architecture_names", "build_model", "describe", "model_for"]
