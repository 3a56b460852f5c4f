"""What `python -m core pattern` prints: one object for machines, lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from core.pattern_effects import EffectSpec, PatternFinding
from core.patterns.effect import Effect


def pattern_summary(run: str, spec: EffectSpec, found: PatternFinding) -> dict[str, Any]:
    """Return a finished search as JSON content; `--trigger link:...` takes its `link`."""
    return {
        "run": run,
        "kind": spec.pattern.kind,
        "bound": spec.pattern.bound,
        "sigma": spec.sigma,
        "draws": spec.draws,
        "seed": spec.pattern.seed,
        "loss": found.loss,
        "link": None if found.trigger is None else found.trigger.to_link(),
        "effect": _effect(found.effects[0]),
        "random": _effect(found.effects[1]),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    named = ("w_clean", "w_with", "gap", "gap_monte_carlo")
    return asdict(effect) | {name: getattr(effect, name)._asdict() for name in named}


def pattern_lines(spec: EffectSpec, found: PatternFinding, classes: Sequence[str]) -> Iterator[str]:
    """Yield what a person reads."""
    first = found.effects[0]
    yield (
        f"W at sigma {spec.sigma:g}, {spec.draws} draws, {first.images} test images "
        f"(95 % interval: more images); clean {first.w_clean.mean:.3f}"
    )
    for effect in found.effects:
        gap = effect.gap
        yield (
            f"  {effect.name:24} W {effect.w_with.mean:.3f}  gap {gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]  "
            f"{classes[effect.modal_class]} gets {effect.modal_share:.0%} of the noisy votes "
            f"({effect.modal_share_clean:.0%} without it)  L2 {effect.l2:.2f}, Linf {effect.linf:.3f}"
        )
    if found.trigger is not None:
        yield f"  link: {found.trigger.to_link()}"
