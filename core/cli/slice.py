"""`slice`: the predicted classes on a plane."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from core.cli.output import say, say_json
from core.cli.subject import Subject, about_subject
from core.errors import InputError


@about_subject
def slice_command(
    resolution: Annotated[int, typer.Option(help="Points per side.")] = 257,
    image: Annotated[
        int | None, typer.Option(help="Number of the test image. Default: the first that the attack is about.")
    ] = None,
    *,
    subject: Subject,
) -> None:
    """Map the predicted classes on the plane through an image, its triggered version and one of the target class."""
    from core.instruments.slices.choice import attacked_plane, nearest_of_class, plane_images
    from core.instruments.slices.refine import slice_plane

    found, attack = subject.open()
    dataset = found.dataset(subject.data_root)
    attack.check(dataset)
    if image is None:
        clean, third = attacked_plane(dataset, attack)
    elif 0 <= image < len(dataset.test):
        wanted = attack.goal(dataset.test.labels.numpy()[[image]], len(dataset.classes))
        clean, third = image, nearest_of_class(dataset, image, int(wanted[0]))
    else:
        raise InputError(f"The test images are numbered from 0 to {len(dataset.test) - 1}; got {image}.")
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
    if subject.as_json:
        say_json(summary)
        return
    present = ", ".join(dataset.classes[label] for label in plane.labels_present)
    say(f"{resolution}x{resolution} points from {plane.evaluations} evaluations in {summary['seconds']:.2f} s")
    say(f"classes on the plane: {present}")
