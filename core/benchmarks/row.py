"""One line of the speed table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Comparison = Literal[">=", "<="]


@dataclass(frozen=True)
class Row:
    """A measured figure beside what it must reach.

    Attributes
    ----------
    name
        What to call the row by on the command line.
    description
        What was measured, and what it includes.
    value
        The figure, in `unit`.
    unit
        "x" (times as fast, or as costly), "%", "ms" or "MB" (a million bytes).
    target, comparison
        `value comparison target` is what must hold.
    holds
        Whether it does; None on hardware that the target is not meant for.
    detail
        What the figure comes from, ready for JSON: seconds of wall and of processor time, sizes of the work.
    """

    name: str
    description: str
    value: float
    unit: str
    target: float
    comparison: Comparison
    holds: bool | None
    detail: dict[str, Any]


def judge(
    name: str,
    description: str,
    value: float,
    unit: str,
    comparison: Comparison,
    target: float,
    detail: dict[str, Any],
    *,
    applies: bool = True,
) -> Row:
    """Return the row with its verdict, or with none where the target does not apply."""
    reached = value >= target if comparison == ">=" else value <= target
    return Row(name, description, value, unit, target, comparison, bool(reached) if applies else None, detail)
