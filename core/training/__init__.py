"""One training as a stream of events that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.training.loop import train
    from core.training.spec import RunSpec

__all__ = ["RunSpec", "train"]


def __getattr__(name: str) -> Any:
    """Import what is asked for: a spec needs no torch."""
    if name == "RunSpec":
        from core.training.spec import RunSpec

        return RunSpec
    if name == "train":
        from core.training.loop import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
