"""`slice`: the predicted classes on a plane."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import say, say_json
from core.cli.reading import run_and_attack


def slice_command(
    run: RunName,
    resolution: Annotated[int, typer.Option(help="Points per side.")] = 257,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Map the predicted classes on the plane through an image, its triggered version and one of the target class."""
    from core.instruments.slices.choice import attacked_plane, plane_images
    from core.instruments.slices.refine import slice_plane

    found, attack = run_and_attack(run, trigger, place, target, runs)
    dataset = found.dataset(data_root)
    attack.check(dataset)
    clean, third = attacked_plane(dataset, attack)
    images, predictor = plane_images(dataset, attack, clean, third, found.spec.seed or 0), found.predictor()
    began = time.perf_counter()
    plane = slice_plane(predictor, *images, resolution=resolution)
    summary = {
        "run": str(found.path),
        "resolution": resolution,
        "evaluations": plane.evaluations,
        "labels_present": list(plane.labels_present),
        "images": {"clean": clean, "third": third},
        "seconds": round(time.perf_counter() - began, 3),
    }
    if as_json:
        say_json(summary)
        return
    present = ", ".join(dataset.classes[label] for label in plane.labels_present)
    say(f"{resolution}x{resolution} points from {plane.evaluations} evaluations in {summary['seconds']:.2f} s")
    say(f"classes on the plane: {present}")
