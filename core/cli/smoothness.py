"""`smoothness`: W without and with the trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import mean_as_json, say, say_json
from core.cli.reading import run_and_attack
from core.instruments.budgets import REPORT

if TYPE_CHECKING:
    from core.instruments.smoothness import Pair
    from core.instruments.statistics import Estimate


def smoothness_command(
    run: RunName,
    sigma: Annotated[float, typer.Option(help="Standard deviation of the noise, for pixels from 0 to 1.")] = 0.5,
    draws: Annotated[int, typer.Option(help="Noise draws per image.")] = REPORT.draws,
    width: Annotated[
        float | None,
        typer.Option(help="Instead of --draws: the desired width of each image's 95% interval."),
    ] = None,
    images: Annotated[int, typer.Option(help="Test images outside the target class.")] = REPORT.images,
    seed: Annotated[int, typer.Option(help="Selects the images and the noise.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Measure W of test images without and with the trigger, on the same noise."""
    from core.runs.measured.spec import make_measure_spec
    from core.runs.measured.w import measure_run
    from core.runs.measured.width import measure_run_to_width

    found, attack = run_and_attack(run, trigger, place, target, runs)
    if width is not None:
        _tell_pair(measure_run_to_width(found, attack, sigma, width, images, seed, data_root), width, as_json)
        return
    spec = make_measure_spec(attack=attack, images=images, sigma=sigma, draws=draws, seed=seed)
    result = measure_run(found, spec, data_root)
    summary = {
        "run": str(found.path),
        "sigma": sigma,
        "draws": draws,
        "seed": seed,
        "images": len(result.chosen),
        "trigger": attack.trigger.name,
        "target": attack.target,
        "mode": attack.mode,
        "unit": "entropy of the noisy votes / log K",
        "w_clean": _interval(result.clean.mean, result.clean.mean_monte_carlo),
        "w_triggered": _interval(result.triggered.mean, result.triggered.mean_monte_carlo),
        "gap": _interval(result.gap, result.gap_monte_carlo),
        "p_triggered_lower": result.p_lower.value,
        "p_value": result.p_value,
        "flipped": int(result.flipped.sum()),
        "w_predicted_as_target": float(result.target_class.w.mean()) if len(result.target_chosen) else None,
        "modal_class_clean": [result.clean.pooled_class, result.clean.pooled_share()],
        "modal_class_triggered": [result.triggered.pooled_class, result.triggered.pooled_share()],
    }
    if as_json:
        say_json(summary)
        return
    say(f"W at σ = {sigma:g}, {draws} draws, {len(result.chosen)} images, seed {seed} (95% interval for more images)")
    _say_means(result.clean.mean, result.triggered.mean, result.gap, result.p_lower.value, result.p_value)


def _tell_pair(pair: Pair, width: float, as_json: bool) -> None:
    """Print W that was measured to a width, and what it cost."""
    noise, draws = pair.clean.noise, [round(float(side.draws.mean()), 1) for side in (pair.clean, pair.triggered)]
    values = {"w_clean": pair.clean, "w_triggered": pair.triggered}
    if as_json:
        measured = {name: _interval(side.mean, side.mean_monte_carlo) for name, side in values.items()}
        say_json(
            {
                "sigma": noise.sigma,
                "width": width,
                "seed": noise.seed,
                "images": len(pair.clean),
                "pilot_draws": noise.first,
                "mean_draws": dict(zip(("clean", "triggered"), draws, strict=True)),
                **measured,
                "gap": _interval(pair.gap, pair.gap_monte_carlo),
                "p_triggered_lower": pair.p_lower.value,
                "p_value": pair.p_value,
            }
        )
        return
    say(
        f"W at σ = {noise.sigma:g} to a width of {width:g}, {len(pair.clean)} images, seed {noise.seed}; draws per "
        f"image: {noise.first} to choose the number, then on average {draws[0]:g} clean and {draws[1]:g} triggered"
    )
    _say_means(pair.clean.mean, pair.triggered.mean, pair.gap, pair.p_lower.value, pair.p_value)


def _say_means(clean: Estimate, triggered: Estimate, gap: Estimate, p_lower: float, p_value: float) -> None:
    for label, value in (("clean", clean), ("triggered", triggered), ("gap", gap)):
        say(f"  {label:10} {value.value:+.3f}  [{value.low:+.3f}, {value.high:+.3f}]")
    say(f"  W is lower with the trigger for {p_lower:.0%} of the images, p = {p_value:.2g}")


def _interval(sampling: Estimate, monte_carlo: Estimate) -> dict[str, Any]:
    """Return a mean with its interval for more images and its interval for more draws."""
    return mean_as_json(sampling) | {"monte_carlo": {"low": monte_carlo.low, "high": monte_carlo.high}}
