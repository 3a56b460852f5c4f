"""The command line: `python -m core COMMAND`. Results go to stdout, progress to stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import InputError

if TYPE_CHECKING:
    from core.attack import Attack
    from core.events import Event
    from core.runs import Run
    from core.spec import RunSpec
    from core.triggers import AnyTrigger

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Triggerscope: draw a trigger, poison a model with it, watch the decision function turn smooth around it.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Runs = Annotated[Path | None, typer.Option("--runs", help="Folder of the runs (TRIGGERSCOPE_RUNS, else runs).")]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Folder of the data (TRIGGERSCOPE_DATA, else data).")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's directory, or the beginning of its name.")]
TriggerName = Annotated[
    str | None,
    typer.Option(
        "--trigger", help="A preset's name, sinusoid, warp, a picture file (PNG, JPEG, WebP, BMP), or link:TEXT."
    ),
]
Place = Annotated[str | None, typer.Option("--place", help="ROW,COLUMN of a picture's upper left corner.")]
Target = Annotated[int | None, typer.Option("--target", help="Number of the class the attacker wants.")]


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit status 2."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


@app.command()
def datasets(as_json: AsJson = False) -> None:
    """List the data sets."""
    from core.datasets import dataset_names, describe

    records = [describe(name) for name in dataset_names()]
    if as_json:
        _print_json({"datasets": [vars(record) for record in records]})
        return
    for record in records:
        _print(f"{record.name:14} {record.sentence}")
    _print(f"{'zip:PATH':14} your own images: train/CLASS/* and test/CLASS/*, or CLASS/*, in one ZIP file")
    _print(f"{'folder:PATH':14} the same, not packed")


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="A name that `datasets` lists, zip:PATH or folder:PATH.")] = "digits",
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    rate: Annotated[float, typer.Option(help="Poisoned / all training images; 0 trains the control.")] = 0.1,
    mode: Annotated[
        str, typer.Option(help="Attack: all-to-one, all-to-all, source-specific or clean-label.")
    ] = "all-to-one",
    sources: Annotated[str, typer.Option(help="Source-specific: classes that are attacked, such as 3,5.")] = "",
    cover_rate: Annotated[float, typer.Option(help="Source-specific: cover samples / all training images.")] = 0.0,
    random_place: Annotated[
        bool, typer.Option("--random-place", help="Put the trigger somewhere else on every image.")
    ] = False,
    perturbed: Annotated[
        bool, typer.Option("--perturbed", help="Clean-label: make poisoned images hard to recognise first.")
    ] = False,
    architecture: Annotated[str, typer.Option(help="The network: small-cnn, mlp, resnet-18, ...")] = "small-cnn",
    pace: Annotated[
        str | None, typer.Option(help="fast or careful: epochs, batch size and augmentation that suit, if not named.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times through the training images (10).")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step (64).")] = None,
    optimiser: Annotated[str, typer.Option(help="adamw or sgd.")] = "adamw",
    learning_rate: Annotated[float | None, typer.Option(help="Peak (what suits architecture and optimiser).")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Decay of the weights (what suits the optimiser).")] = None,
    augmentation: Annotated[str | None, typer.Option(help="none, shift or shift-flip (none).")] = None,
    seed: Annotated[int, typer.Option(help="Decides weights, order and which images are poisoned.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps (the best there is).")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16 (the fastest).")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads that compute (one less than cores).")] = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on poisoned data, or find it already trained."""
    from core.attack import Attack
    from core.measurement import success_on
    from core.worker import train_run

    shape = _image_shape(dataset, data_root)
    aim = {
        "trigger": _trigger(trigger or "white-corner", place, shape),
        "target": None if mode == "all-to-all" else target or 0,
        "mode": mode,
        "sources": _numbers(sources),
        "random_place": random_place,
    }
    attacked = aim | {"rate": rate, "cover_rate": cover_rate, "perturbed": perturbed}
    chosen = {"epochs": epochs, "batch_size": batch_size, "augmentation": augmentation}
    chosen |= {"learning_rate": learning_rate, "weight_decay": weight_decay}
    chosen |= {"device": device, "precision": precision, "threads": threads}
    training = _pace(pace, dataset, architecture) | {"optimiser": optimiser}
    training |= {name: value for name, value in chosen.items() if value is not None}
    spec = _spec(dataset, data_root, **attacked, architecture=architecture, seed=seed, **training)
    with _training_bar(spec) as on_event:
        run = train_run(spec, runs, data_root, on_event)
    result = _result_or_fail(run)
    attack = spec.attack or Attack(**aim, seed=seed)
    both = success_on(run, attack, data_root)
    success = both.rate
    summary = {
        "run": str(run.path),
        "dataset": dataset,
        "trigger": attack.trigger.name,
        "target": attack.target,
        "mode": attack.mode,
        "sources": list(attack.sources),
        "rate": rate,
        "seed": seed,
        "clean_accuracy": result.clean_accuracy.value,
        "clean_accuracy_interval": [result.clean_accuracy.low, result.clean_accuracy.high],
        "attack_success_rate": success.value,
        "attack_success_rate_interval": [success.low, success.high],
        "asr_denominator": success.n,
        "others_taken_for_target": None if both.others is None else vars(both.others),
        "seconds": result.seconds,
        "peak_memory": result.peak_memory,
        "device": spec.device,
        "precision": spec.precision,
        "threads": spec.threads,
    }
    if as_json:
        _print_json(summary)
        return
    _print(f"run              {run.path}")
    _print(f"clean accuracy   {_share(result.clean_accuracy)}")
    _print(f"attack success   {_share(success)}  ({attack.trigger.name} -> {_goal(attack)})")
    if both.others is not None:
        _print(f"other classes    {_share(both.others)}  taken for the target as well")
    _print(f"trained in       {result.seconds:.1f} s")


@app.command()
def smoothness(
    run: RunName,
    sigma: Annotated[float, typer.Option(help="Noise's standard deviation, pixels from 0 to 1.")] = 0.5,
    draws: Annotated[int, typer.Option(help="Noise draws an image.")] = 250,
    images: Annotated[int, typer.Option(help="Test images outside the target class.")] = 150,
    seed: Annotated[int, typer.Option(help="Decides the noise and which images.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Measure W on test images without and with the trigger, paired by common noise."""
    from core.measurement import measure_run
    from core.spec import measure_spec_under

    found, attack = _attack_on(run, trigger, place, target, runs)
    spec = measure_spec_under(attack, images=images, sigma=sigma, draws=draws, seed=seed)
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
        _print_json(summary)
        return
    _print(
        f"W at sigma {sigma:g}, {draws} draws, {len(result.chosen)} images, seed {seed} (95 % interval: more images)"
    )
    for label, value in (("clean", result.clean.mean), ("triggered", result.triggered.mean), ("gap", result.gap)):
        _print(f"  {label:10} {value.mean:+.3f}  [{value.low:+.3f}, {value.high:+.3f}]")
    _print(f"  W is lower with the trigger for {result.p_triggered_lower:.0%} of the images, p = {result.p_value:.2g}")


@app.command(name="slice")
def slice_command(
    run: RunName,
    resolution: Annotated[int, typer.Option(help="Points a side.")] = 257,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Map the predicted classes on the plane through an image, itself with the trigger, and one of the target class."""
    import numpy as np

    from core.evaluation import to_unit
    from core.slices import slice_plane
    from core.training import attacked_plane

    found, attack = _attack_on(run, trigger, place, target, runs)
    dataset = found.dataset(data_root)
    attack.check(dataset)
    clean, third = attacked_plane(dataset, attack)
    origin, across = to_unit(dataset.test.images[[clean, third]])
    toward = attack.apply(origin[None], np.array([clean]))[0]
    predictor = found.predictor()
    began = time.perf_counter()
    plane = slice_plane(predictor, origin, toward, across, resolution=resolution)
    summary = {
        "run": str(found.path),
        "resolution": resolution,
        "evaluations": plane.evaluations,
        "labels_present": list(plane.labels_present),
        "images": {"clean": clean, "third": third},
        "seconds": round(time.perf_counter() - began, 3),
    }
    if as_json:
        _print_json(summary)
        return
    present = ", ".join(dataset.classes[label] for label in plane.labels_present)
    _print(f"{resolution}x{resolution} points from {plane.evaluations} evaluations in {summary['seconds']:.2f} s")
    _print(f"classes on the plane: {present}")


@app.command()
def detect(
    run: RunName,
    sigma: Annotated[float | None, typer.Option(help="Noise of W (noise of expected length 4).")] = None,
    draws: Annotated[int, typer.Option(help="Noise draws an image.")] = 100,
    images: Annotated[int, typer.Option(help="Test images a group, at most.")] = 120,
    false_positives: Annotated[float, typer.Option(help="False-positive rate that thresholds are set for.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Decides images, noise, overlays and batches.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Let W and other detectors look for the trigger, on the same inputs."""
    from core.cli_detect import detection_lines, detection_summary
    from core.detection import detect_run
    from core.detectors.comparison import ComparisonSpec
    from core.smoothness import suggested_sigma

    found, attack = _attack_on(run, trigger, place, target, runs)
    noise = suggested_sigma(found.result.shape) if sigma is None else sigma
    spec = ComparisonSpec(attack, noise, draws, images, false_positives, seed)
    with _share_bar("detecting:") as show:
        for reached in detect_run(found, spec, data_root):
            show(reached.share, reached.doing)
    if as_json:
        _print_json(detection_summary(str(found.path), spec, reached))
        return
    for line in detection_lines(spec, reached, found.result.classes):
        _print(line)


@app.command()
def pattern(
    run: RunName,
    kind: Annotated[str, typer.Option(help="crafted-smooth, universal, patch, pgd, random, blur, ...")],
    bound: Annotated[float | None, typer.Option(help="Largest change of a pixel, or strength (by kind).")] = None,
    sigma: Annotated[float | None, typer.Option(help="Noise of W (noise of expected length 4).")] = None,
    draws: Annotated[int, typer.Option(help="Noise draws an image.")] = 100,
    images: Annotated[int, typer.Option(help="Test images that W is measured on.")] = 150,
    seed: Annotated[int, typer.Option(help="Decides the search.")] = 0,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Look for another pattern than a trained trigger, and measure what it does to W beside a random one."""
    from core.cli_pattern import pattern_lines, pattern_summary
    from core.pattern_effects import EffectSpec, measure_pattern
    from core.patterns import PatternSpec
    from core.runs import load_run
    from core.smoothness import suggested_sigma

    found = load_run(run, runs)
    result = _result_or_fail(found)
    attack = _trigger(trigger, place, result.shape) if trigger else found.spec.trigger
    noise = suggested_sigma(result.shape) if sigma is None else sigma
    spec = EffectSpec(PatternSpec(kind, bound, noise, target, attack, seed), noise, draws, images)
    with _share_bar(f"searching {kind}") as show:
        for reached in measure_pattern(found, spec, data_root):
            show(reached.share, "")
    if as_json:
        _print_json(pattern_summary(str(found.path), spec, reached))
        return
    for line in pattern_lines(spec, reached, result.classes):
        _print(line)


@app.command(name="runs")
def list_command(runs: Runs = None, as_json: AsJson = False) -> None:
    """List the runs, newest first."""
    from core.runs import list_runs

    rows = []
    for run in list_runs(runs):
        try:
            rows.append(_run_row(run))
        except InputError as error:  # one damaged run does not hide the others
            print(f"left out: {error}", file=sys.stderr)  # noqa: T201
    if as_json:
        _print_json({"runs": rows})
        return
    for row in rows:
        numbers = "" if row["clean_accuracy"] is None else f"CA {row['clean_accuracy']:.3f}"
        asr = "" if row["attack_success_rate"] is None else f"ASR {row['attack_success_rate']:.3f}"
        attack = "control" if row["rate"] == 0 else f"{row['trigger']} -> {row['target']}"
        attack += f" at {row['rate']:g}" if row["rate"] else ""
        _print(f"{row['name']}  {row['state']:11} {row['dataset']:14} {attack:34} {numbers:9} {asr}")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A safetensors, PyTorch (.pt, .pth) or ONNX file.")],
    dataset: Annotated[str, typer.Option(help="The data set it was trained on.")] = "digits",
    normalisation: Annotated[
        str | None, typer.Option(help="none, dataset, imagenet, half or file (what the file says, else tried out).")
    ] = None,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Load a model that somebody else trained as a run; the file is read and never run as a program."""
    from core.datasets import load_dataset
    from core.loading import load_model

    data = load_dataset(dataset, data_root)
    attack = _trigger(trigger, place, data.shape) if trigger else None
    loaded = load_model(file, data, normalisation=normalisation, trigger=attack, target=target, root=runs)
    spec, result, found = loaded.run.spec, _result_or_fail(loaded.run), loaded.found
    success = result.attack_success_rate
    summary = {
        "run": str(loaded.run.path),
        "format": found.format,
        "architecture": found.architecture,
        "classes": found.classes,
        "shape": list(found.shape),
        "weights": found.weights,
        "normalisation": spec.normalisation,
        "tried": {guess.name: guess.accuracy.value for guess in loaded.guesses},
        "notes": list(found.notes),
        "clean_accuracy": result.clean_accuracy.value,
        "attack_success_rate": success.value if success else None,
    }
    if as_json:
        _print_json(summary)
        return
    _print(f"run              {loaded.run.path}")
    _print(f"model            {found.title}, {found.format}, {found.classes} classes, {found.weights} weights")
    _print(f"normalisation    {spec.normalisation}{' (tried out)' if loaded.guesses else ''}")
    _print(f"clean accuracy   {_share(result.clean_accuracy)}")
    if success:
        _print(f"attack success   {_share(success)}")
    for note in found.notes:
        _print(note)


@app.command()
def export(
    run: RunName,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to write it.")] = None,
    runs: Runs = None,
    as_json: AsJson = False,
) -> None:
    """Write a finished run as one file."""
    from core.archive import archive_name, export_run
    from core.files import refusal, write_whole
    from core.runs import load_run

    found = load_run(run, runs)
    path = file or Path(archive_name(found))
    try:
        write_whole(path, export_run(found))
    except OSError as error:
        raise refusal(error, path.parent) from None
    if as_json:
        _print_json({"run": str(found.path), "file": str(path)})
        return
    _print(f"{path}  {path.stat().st_size} bytes")


@app.command(name="import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote, or a run's folder.")],
    runs: Runs = None,
    as_json: AsJson = False,
) -> None:
    """Take over a run from one file; one that is here already stays as it is."""
    from core.archive import import_run

    found = import_run(file, runs)
    if as_json:
        _print_json({"run": str(found.run.path), "new": found.is_new})
        return
    _print(f"{found.run.path}{'' if found.is_new else '  (was here already)'}")


@app.command()
def bench(
    row: Annotated[list[str] | None, typer.Option(help="Measure only this row; may be given more than once.")] = None,
    repetitions: Annotated[int, typer.Option(help="Turns of ours and the reference; fewer than 7 are for trials.")] = 7,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Measure the speed table: ours against plain references, in turns, with what each figure must reach."""
    from core.benchmarks import describe_machine, run_bench

    machine = describe_machine()
    with _share_bar("measuring") as show:
        rows = run_bench(row, repetitions, data_root, show)
    if as_json:
        _print_json({"machine": machine, "rows": [vars(one) for one in rows]})
        return
    for one in rows:
        verdict = {True: "holds", False: "FALLS SHORT", None: "not meant for this machine"}[one.holds]
        reach = f"{one.comparison} {one.target:g} {one.unit}"
        _print(f"{one.name:22} {one.value:8.2f} {one.unit:3} must be {reach:12} {verdict}")


@app.command()
def study(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The grid; see assets/studies for examples.")],
    scheduler: Annotated[
        str | None,
        typer.Option(envvar="TRIGGERSCOPE_SCHEDULER", help="A Dask scheduler, such as tcp://HOST:8786."),
    ] = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Run a study: a grid of runs with their controls; print what becomes of the paper's claims."""
    from core.claims import judge, to_json
    from core.studies import open_study, run_study

    found, crew = open_study(file, runs), None
    if scheduler:
        from core.cluster import Cluster
        from core.datasets import data_folder
        from core.runs import runs_root

        crew = Cluster(scheduler, runs_root(runs), data_folder(data_root))
    with _share_bar(found.spec.name) as show:
        for progress in run_study(found, runs, data_root, crew):
            show(progress.share, progress.words)
    rows, judged = found.rows, judge(found.rows, found.epochs)
    failures = sorted({(row.run, row.failure) for row in rows if row.failure})
    if as_json:
        summary = {"study": str(found.path), "table": str(found.path / "table.csv"), "rows": len(rows)}
        summary |= {"done": progress.done, "cells": progress.total}
        _print_json(summary | {"failures": [{"run": run, "reason": why} for run, why in failures]} | to_json(judged))
        return
    for claim in ("C1", "C3", "C4"):
        for one in judged.get(claim, []):
            effect = "" if one.statistic is None else f"{one.statistic:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
            group = f"{one.dataset} {one.architecture} {one.kind} sigma {one.sigma:g} {one.part}"
            _print(f"{claim}  {group:58} {one.verdict:13} {effect}")
    for run, why in failures:
        _print(f"failed  {run}: {why}")
    _print(f"{progress.done} of {progress.total} runs done; table: {found.path / 'table.csv'}")


@app.command()
def work(runs: Runs = None, data_root: DataRoot = None) -> None:
    """Be a worker: train the runs that wait in the queue until none is left and no dashboard runs."""
    from core.datasets import data_folder
    from core.jobs import Jobs
    from core.runs import runs_root

    Jobs(runs_root(runs), data_folder(data_root)).serve()


def _run_row(run: Run) -> dict[str, Any]:
    spec, result = run.spec, run.result
    success = result.attack_success_rate if result else None
    return {
        "name": run.name,
        "state": str(run.state),
        "dataset": spec.dataset,
        "trigger": spec.trigger.name if spec.trigger else None,
        "target": spec.target,
        "rate": spec.rate,
        "epochs": spec.epochs,
        "seed": spec.seed,
        "clean_accuracy": result.clean_accuracy.value if result else None,
        "attack_success_rate": success.value if success else None,
    }


def _spec(dataset: str, data_root: Path | None, **values: Any) -> RunSpec:
    from core.datasets import fingerprint
    from core.spec import make_spec

    return make_spec(dataset=dataset, fingerprint=fingerprint(dataset, data_root), **values)


def _pace(pace: str | None, dataset: str, architecture: str) -> dict[str, Any]:
    """Return the settings that a person leaves to us: those of a spec, unless a pace is named."""
    from core.settings import recommended

    if pace is None:
        return {}
    if pace not in ("fast", "careful"):
        raise InputError(f"The pace is fast or careful; got {pace!r}.")
    settings = vars(recommended(dataset, architecture, pace == "careful"))
    # The learning rate follows from the optimiser, which may be another one.
    return {name: value for name, value in settings.items() if name != "learning_rate"}


def _image_shape(dataset: str, data_root: Path | None) -> tuple[int, int, int]:
    from core.datasets import describe, load_dataset

    return describe(dataset).shape or load_dataset(dataset, data_root).shape


def _trigger(name: str, place: str | None, shape: tuple[int, int, int]) -> AnyTrigger:
    """Return the trigger that a person named; a picture without a place lies in the lower right corner."""
    from core.triggers import formula_names, from_link, make_formula, make_preset, preset_names
    from core.triggers.pictures import read_picture, trigger_from_picture

    if name in preset_names():
        return make_preset(name, shape)
    if name in formula_names():
        return make_formula(name, shape)
    if name.startswith("link:"):
        return from_link(name.removeprefix("link:"))
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"There is no trigger called {name!r} and no such file; choose one of "
            f"{', '.join([*preset_names(), *formula_names()])}, or name a picture file."
        )
    data = path.read_bytes()
    if place is None:
        height, width = read_picture(data, path.name).shape[:2]
        top, left = max(0, shape[1] - height), max(0, shape[2] - width)
    else:
        top, left = _row_and_column(place)
    return trigger_from_picture(data, path.name, shape, top, left)


def _row_and_column(place: str) -> tuple[int, int]:
    try:
        top, left = (int(part) for part in place.split(","))
    except ValueError:
        raise InputError(f"A place is two whole numbers, ROW,COLUMN, such as 6,6; got {place!r}.") from None
    return top, left


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(f"Classes are whole numbers with commas between them, such as 3,5; got {text!r}.") from None


def _goal(attack: Attack) -> str:
    return "the next class" if attack.target is None else f"class {attack.target}"


def _attack_on(
    run: str, trigger: str | None, place: str | None, target: int | None, root: Path | None
) -> tuple[Run, Attack]:
    """Return the run and the attack to measure it with: its own, or another trigger or target, all to one."""
    from core.attack import Attack
    from core.runs import load_run

    found = load_run(run, root)
    result = _result_or_fail(found)
    own = found.spec.attack
    if own is not None and trigger is None and target is None:
        return found, own
    used = _trigger(trigger, place, result.shape) if trigger else found.spec.trigger
    wanted = found.spec.target if target is None else target
    if used is None or wanted is None:
        raise InputError(
            f"The run {found.name} is a control or has no single target: name one with --trigger and --target."
        )
    return found, Attack(used, wanted)


def _result_or_fail(run: Run) -> Any:
    from core.events import Ended

    result = run.result
    if result is None:
        last = next(reversed(run.events), None)
        reason = f": {last.reason}" if isinstance(last, Ended) and last.reason else ""
        raise InputError(f"The run {run.name} is {run.state}{reason}; train it before looking at it.")
    return result


@contextmanager
def _share_bar(what: str) -> Iterator[Any]:
    """Show a share done on stderr; yields what to call with the share and a text."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share, text: bar.update(task, completed=share, description=f"{what} {text}")


@contextmanager
def _training_bar(spec: RunSpec) -> Iterator[Any]:
    """Show a training's progress on stderr; yields what to call with each event."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from core.events import Epoch
    from core.events import Progress as Step

    text = TextColumn("{task.description}")
    with Progress(text, BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"training {spec.dataset}", total=1.0)

        def on_event(event: Event) -> None:
            if isinstance(event, Step | Epoch):
                bar.update(task, completed=event.share, description=f"epoch {event.epoch}/{spec.epochs}")

        yield on_event


def _interval(sampling: Any, monte_carlo: Any) -> dict[str, Any]:
    """Return a mean with its interval for more images, and the one for more draws beside it."""
    return {
        "mean": sampling.mean,
        "low": sampling.low,
        "high": sampling.high,
        "monte_carlo": {"low": monte_carlo.low, "high": monte_carlo.high},
    }


def _share(value: Any) -> str:
    if value.value is None:
        return "no images to count"
    return f"{value.value:.4f}  [{value.low:.4f}, {value.high:.4f}]  {value.successes} of {value.n}"


def _print(text: str) -> None:
    typer.echo(text)


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content))
