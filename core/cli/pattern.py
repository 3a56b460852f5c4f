"""`pattern`: search a pattern other than a trained trigger, and measure what it does to W."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.attacks.patterns import PATTERNS, PatternSpec
from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, TriggerName
from core.cli.output import mean_as_json, say, say_json, share_as_json, share_bar
from core.cli.reading import read_trigger
from core.instruments.budgets import PATTERN

if TYPE_CHECKING:
    from core.instruments.pattern_effect import Effect
    from core.runs.measured.patterns import EffectSpec, PatternFinding


def pattern_command(
    run: RunName,
    kind: Annotated[str, typer.Option(help=f"One of: {', '.join(PATTERNS)}.")],
    sigma: Annotated[float | None, typer.Option(help="Noise of W. Default: noise of expected length 4.")] = None,
    draws: Annotated[int, typer.Option(help="Noise draws per image.")] = PATTERN.draws,
    images: Annotated[int, typer.Option(help="Test images that W is measured on.")] = PATTERN.images,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
    *,
    settings: dict[str, dict[str, Any]],
) -> None:
    """Search a pattern other than a trained trigger, and compare its effect on W with a random pattern's."""
    from core.instruments.smoothness import suggested_sigma
    from core.runs.measured.patterns import EffectSpec, measure_pattern
    from core.runs.root import load_run

    found = load_run(run, runs).finished()
    result = found.result
    attack = read_trigger(trigger, place, result.shape) if trigger else found.trigger
    # A setting that this kind does not have is an error, not ignored: `PatternSpec` says so.
    given = {name: value for fields in settings.values() for name, value in fields.items()}
    noise = suggested_sigma(result.shape) if sigma is None else sigma
    spec = EffectSpec(PatternSpec(kind, given, noise, attack, seed), noise, draws, images)
    reached = None
    with share_bar(f"searching {kind}") as show:
        for reached in measure_pattern(found, spec, data_root):
            show(reached.share, "")
    assert reached is not None  # a search ends with a result or an error
    if as_json:
        say_json(pattern_summary(str(found.path), spec, reached))
        return
    for line in pattern_lines(spec, reached, result.classes):
        say(line)


def pattern_summary(run: str, spec: EffectSpec, found: PatternFinding) -> dict[str, Any]:
    """Return a finished search as JSON content; `--trigger link:...` takes its `link`."""
    return {
        "run": run,
        "kind": spec.pattern.kind,
        "settings": spec.pattern.pattern.model_dump(mode="json"),
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
    means = {name: mean_as_json(getattr(effect, name)) for name in named}
    return asdict(effect) | means | {"changed": share_as_json(effect.changed)}


def pattern_lines(spec: EffectSpec, found: PatternFinding, classes: Sequence[str]) -> Iterator[str]:
    """Yield what a person reads."""
    first = found.effects[0]
    yield (
        f"W at σ = {spec.sigma:g}, {spec.draws} draws, {first.images} test images "
        f"(95% interval for more images); clean {first.w_clean.value:.3f}"
    )
    for effect in found.effects:
        gap = effect.gap
        yield (
            f"  {effect.name:24} W {effect.w_with.value:.3f}  gap {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]  "
            f"{classes[effect.modal_class]} gets {effect.modal_share:.0%} of the noisy votes "
            f"({effect.modal_share_clean:.0%} without it)  L2 {effect.l2:.2f}, Linf {effect.linf:.3f}"
        )
    if found.trigger is not None:
        yield f"  link: {found.trigger.to_link()}"
