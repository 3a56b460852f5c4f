"""Which runs the library lists, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from core.runs.library.card import Card
from core.runs.loaded_spec import LoadedSpec
from core.runs.run import State
from core.training.spec import RunSpec

Order = Literal["newest", "accuracy", "success", "gap", "size"]
ORDERS: dict[Order, str] = {
    "newest": "Newest first",
    "accuracy": "Clean accuracy",
    "success": "Attack success",
    "gap": "W gap",
    "size": "Disk use",
}
Sort = Literal["all", "attacks", "controls", "loaded", "unfinished"]
SORTS: dict[Sort, str] = {
    "all": "All",
    "attacks": "Attacks",
    "controls": "Controls",
    "loaded": "Loaded",
    "unfinished": "Unfinished",
}


def find_cards(
    cards: Sequence[Card], words: str = "", dataset: str = "", sort: Sort = "all", order: Order = "newest"
) -> list[Card]:
    """Return the cards that have all of the words, are of the data set and sort asked for, in this order.

    Whatever an order knows nothing of comes last, newest first.
    """
    wanted = words.lower().split()
    matching = [
        card
        for card in cards
        if all(word in card.words for word in wanted)
        and (not dataset or (card.spec is not None and card.spec.dataset == dataset))
        and _is_sort(card, sort)
    ]
    return sorted(sorted(matching, key=lambda card: -card.made), key=lambda card: _rank(card, order))


def _is_sort(card: Card, sort: Sort) -> bool:
    if sort == "unfinished":
        return card.state is not State.DONE
    if sort == "loaded":
        return isinstance(card.spec, LoadedSpec)
    if sort == "all":
        return True
    return isinstance(card.spec, RunSpec) and card.spec.is_control == (sort == "controls")


def _rank(card: Card, order: Order) -> float:
    """Return what is sorted by, smallest first."""
    result = card.result
    unknown = float("inf")
    match order:
        case "newest":
            return 0.0
        case "size":
            return -card.size
        case "gap":
            return unknown if card.gap is None else -card.gap.value
        case "accuracy":
            return unknown if result is None else -result.clean_accuracy.value
        case "success":
            rate = None if result is None else result.attack_success_rate
            return unknown if rate is None else -rate.value
