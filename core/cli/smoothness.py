"""`smoothness`: W without and with the trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import mean_as_json, say, say_json
from core.cli.reading import run_and_attack
from core.instruments.budgets import REPORT

if TYPE_CHECKING:
    from core.instruments.statistics import Estimate


def smoothness_command(
    run: RunName,
    sigma: Annotated[float, typer.Option(help="Noise's standard deviation, pixels from 0 to 1.")] = 0.5,
    draws: Annotated[int, typer.Option(help="Noise draws an image.")] = REPORT.draws,
    images: Annotated[int, typer.Option(help="Test images outside the target class.")] = REPORT.images,
    seed: Annotated[int, typer.Option(help="Decides the noise and which images.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Measure W on test images without and with the trigger, paired by common noise."""
    from core.runs.measured.spec import make_measure_spec
    from core.runs.measured.w import measure_run

    found, attack = run_and_attack(run, trigger, place, target, runs)
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
        "estimator": spec.estimator,
        "w_clean": _interval(result.clean.mean, result.clean.mean_monte_carlo),
        "w_triggered": _interval(result.triggered.mean, result.triggered.mean_monte_carlo),
        "gap": _interval(result.gap, result.gap_monte_carlo),
        "p_triggered_lower": result.p_triggered_lower,
        "p_value": result.p_value,
        "flipped": int(result.flipped.sum()),
        "w_predicted_as_target": float(result.target_class.w.mean()) if len(result.target_chosen) else None,
        "modal_class_clean": [result.clean.modal_class, result.clean.modal_share],
        "modal_class_triggered": [result.triggered.modal_class, result.triggered.modal_share],
    }
    if as_json:
        say_json(summary)
        return
    say(f"W at sigma {sigma:g}, {draws} draws, {len(result.chosen)} images, seed {seed} (95 % interval: more images)")
    for label, value in (("clean", result.clean.mean), ("triggered", result.triggered.mean), ("gap", result.gap)):
        say(f"  {label:10} {value.value:+.3f}  [{value.low:+.3f}, {value.high:+.3f}]")
    say(f"  W is lower with the trigger for {result.p_triggered_lower:.0%} of the images, p = {result.p_value:.2g}")


def _interval(sampling: Estimate, monte_carlo: Estimate) -> dict[str, Any]:
    """Return a mean with its interval for more images, and the one for more draws beside it."""
    return mean_as_json(sampling) | {"monte_carlo": {"low": monte_carlo.low, "high": monte_carlo.high}}
