"""What a comparison of attacks says: its numbers as columns, and a conclusion that claims no more than they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from core.instruments.detectors.registry import DETECTORS
from core.instruments.statistics import Estimate
from core.runs.library.titles import short_name
from core.runs.measured.compared import Compared
from core.runs.measured.findings import Direction
from core.runs.measured.success import share_in_words, took

# What two trainings may differ in besides their triggers.
_DIFFERENCES: dict[str, Callable[[Compared], Any]] = {
    "data set": lambda one: short_name(one.run.spec.dataset),
    "network": lambda one: one.run.spec.architecture,
    "poisoning rate": lambda one: None if one.run.spec.rate is None else f"{100 * one.run.spec.rate:.3g}%",
    "mode of attack": lambda one: one.attack.mode,
    "target": lambda one: one.attack.target,
    "length of training": lambda one: one.run.spec.epochs or None,
    "seed": lambda one: one.run.spec.seed,
}


def conclusion(compared: Sequence[Compared]) -> list[str]:
    """Return what the comparison says, as sentences of Markdown; none as long as something is to be measured.

    Attacks are ranked only where the 95% intervals of their gaps beyond the control do not overlap.
    """
    if not all(one.is_complete for one in compared):
        return []
    sentences = [_success(compared), _directions(compared), _ranking(compared), _differences(compared)]
    return [sentence for sentence in sentences if sentence]


def _success(compared: Sequence[Compared]) -> str:
    """Say which attacks did not take, without which nothing else is worth comparing."""
    parts = []
    for one in compared:
        rate = one.run.result.attack_success_rate
        if rate is not None and took(rate) in ("failed", "part"):
            how = "did not take" if took(rate) == "failed" else "works only in part"
            parts.append(f"**{one.name}** {how} (ASR {share_in_words(rate)})")
    if not parts:
        return "All of these attacks work."
    return f"{'; '.join(parts)}: expect a weaker effect on W." if len(parts) == 1 else f"{'; '.join(parts)}."


def _directions(compared: Sequence[Compared]) -> str:
    """Say in which runs W falls with the trigger, and more than in the control."""
    sigmas = sorted({one.sigma for one in compared})
    where = f"At σ = {' and '.join(f'{sigma:g}' for sigma in sigmas)}"
    words: dict[Direction, str] = {
        "smoother": "W falls with the trigger, and more than in the control, for {}",
        "rougher": "W **rises** with the trigger, and more than in the control, for {}",
        "undecided": "there is no clear change beyond the control for {}",
    }
    parts = []
    for direction, text in words.items():
        names = [one.name for one in compared if one.direction == direction]
        if names:
            parts.append(text.format(_listed(names)))
    alone = [one.name for one in compared if one.control is None]
    if alone:
        parts.append(f"{_listed(alone)} {'has' if len(alone) == 1 else 'have'} no control here")
    return f"{where}, {'; '.join(parts)}."


def _ranking(compared: Sequence[Compared]) -> str:
    """Rank the gaps beyond the control as far as their intervals do not overlap."""
    known = [(one, beyond) for one in compared if (beyond := one.beyond) is not None]
    falls = sorted((one for one in known if one[0].direction == "smoother"), key=lambda one: -one[1].value)
    if len(falls) < 2:
        return ""
    if all(_apart(first[1], second[1]) for first, second in pairwise(falls)):
        return f"Ranked by how far it falls beyond the control: {', then '.join(_bold(one) for one, _ in falls)}."
    if all(_apart(falls[0][1], other[1]) for other in falls[1:]):
        return f"It falls furthest for {_bold(falls[0][0])}. The others are not ranked: their intervals overlap."
    return "The intervals of these gaps overlap, so they do not rank the attacks."


def _apart(larger: Estimate, smaller: Estimate) -> bool:
    return larger.low > smaller.high


def _differences(compared: Sequence[Compared]) -> str:
    """Say in what the trainings differ besides the trigger."""
    differ = []
    for what, of in _DIFFERENCES.items():
        values = dict.fromkeys(of(one) for one in compared)
        if len(values) > 1:
            named = what in ("data set", "network")
            differ.append(f"{what} ({', '.join(map(str, values))})" if named else what)
    if not differ:
        return ""
    return f"They also differ in {_joined(differ)}, so a difference need not come from the trigger."


def _bold(one: Compared) -> str:
    return f"**{one.name}**"


def _listed(names: Sequence[str]) -> str:
    return _joined([f"**{name}**" for name in names])


def _joined(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def comparison_table(compared: Sequence[Compared]) -> dict[str, list[Any]]:
    """Return all numbers as columns of plain values, one row an attack; None where something is not measured."""
    rows = [_row(one) for one in compared]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _row(one: Compared) -> dict[str, Any]:
    spec, result, measured = one.run.spec, one.run.result, one.measured
    best = one.detected.best if one.detected is not None else None
    row: dict[str, Any] = {
        "attack": one.name,
        "run": one.run.name,
        "data set": spec.dataset,
        "network": spec.architecture,
        "trigger": one.attack.trigger.name,
        "mode": one.attack.mode,
        "target": one.attack.target,
        "rate": spec.rate,
        "epochs": spec.epochs or None,
        "seed": spec.seed,
        **_counted("clean accuracy", result.clean_accuracy),
        **_counted("attack success rate", result.attack_success_rate),
        "L2": one.visible.l2 if one.visible is not None else None,
        "SSIM": one.visible.ssim if one.visible is not None else None,
        "sigma": one.sigma,
        "images": len(measured.chosen) if measured is not None else None,
        "draws": measured.spec.draws if measured is not None else None,
        "W clean": measured.clean.mean.value if measured is not None else None,
        "W triggered": measured.triggered.mean.value if measured is not None else None,
        **_with_interval("gap", measured.gap if measured is not None else None),
        **_with_interval("gap beyond control", one.beyond),
        "best detector": DETECTORS[best[0]].title if best is not None else None,
    }
    return row | _with_interval("AUC of the best detector", best[1] if best is not None else None)


def _counted(name: str, share: Estimate | None) -> dict[str, Any]:
    values = (None, None, None) if share is None else (share.value, share.count, share.n)
    return dict(zip((name, f"{name}: images", f"{name}: of"), values, strict=True))


def _with_interval(name: str, estimate: Estimate | None) -> dict[str, Any]:
    values = (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
    return dict(zip((name, f"{name}: low", f"{name}: high"), values, strict=True))
