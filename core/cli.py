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
    from core.events import Event
    from core.runs import Run
    from core.spec import RunSpec
    from core.triggers import Trigger

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Triggerscope: draw a trigger, poison a model with it, watch the decision function turn smooth around it.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Runs = Annotated[Path | None, typer.Option("--runs", help="Folder of the runs [TRIGGERSCOPE_RUNS, else runs].")]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Folder of the data [TRIGGERSCOPE_DATA, else data].")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's directory, or the beginning of its name.")]
TriggerName = Annotated[
    str | None, typer.Option("--trigger", help="A preset's name or a picture file (PNG, JPEG, WebP, BMP).")
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


@app.command()
def train(
    dataset: Annotated[str, typer.Option(help="A name that `datasets` lists, or zip:PATH.")] = "digits",
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    rate: Annotated[float, typer.Option(help="Poisoned / all training images; 0 trains the control.")] = 0.1,
    architecture: Annotated[str, typer.Option(help="The network: small-cnn, mlp, resnet-18, ...")] = "small-cnn",
    epochs: Annotated[int, typer.Option(help="Times through the training images.")] = 10,
    seed: Annotated[int, typer.Option(help="Decides weights, order and which images are poisoned.")] = 0,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on poisoned data, or find it already trained."""
    from core.measurement import attack_success_on
    from core.worker import train_run

    shape = _image_shape(dataset, data_root)
    attack, wanted = _trigger(trigger or "white-corner", place, shape), target or 0
    attacked = {"rate": rate, "trigger": attack, "target": wanted}
    spec = _spec(dataset, data_root, **attacked, architecture=architecture, epochs=epochs, seed=seed)
    with _training_bar(spec) as on_event:
        run = train_run(spec, runs, data_root, on_event)
    result = _result_or_fail(run)
    success = attack_success_on(run, attack, wanted, data_root)
    summary = {
        "run": str(run.path),
        "dataset": dataset,
        "trigger": attack.name,
        "target": wanted,
        "rate": rate,
        "seed": seed,
        "clean_accuracy": result.clean_accuracy.value,
        "clean_accuracy_interval": [result.clean_accuracy.low, result.clean_accuracy.high],
        "attack_success_rate": success.value,
        "attack_success_rate_interval": [success.low, success.high],
        "asr_denominator": success.n,
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
    _print(f"attack success   {_share(success)}  ({attack.name} -> class {wanted})")
    _print(f"trained in       {result.seconds:.1f} s")


@app.command()
def smoothness(
    run: RunName,
    sigma: Annotated[float, typer.Option(help="Noise's standard deviation, pixels in [0, 1].")] = 0.5,
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
    from core.spec import make_measure_spec

    found, attack, wanted = _attack_on(run, trigger, place, target, runs)
    spec = make_measure_spec(trigger=attack, target=wanted, images=images, sigma=sigma, draws=draws, seed=seed)
    result = measure_run(found, spec, data_root)
    summary = {
        "run": str(found.path),
        "sigma": sigma,
        "draws": draws,
        "seed": seed,
        "images": len(result.chosen),
        "trigger": attack.name,
        "target": wanted,
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
    from core.evaluation import to_unit
    from core.measurement import check_attack_on
    from core.predictor import Predictor
    from core.slices import slice_plane
    from core.training import plane_images

    found, attack, wanted = _attack_on(run, trigger, place, target, runs)
    dataset = found.dataset(data_root)
    check_attack_on(dataset, attack, wanted)
    clean, third = plane_images(dataset, wanted)
    origin, across = to_unit(dataset.test.images[[clean, third]])
    predictor = Predictor(found.model(), device=found.spec.device)
    began = time.perf_counter()
    plane = slice_plane(predictor, origin, attack.apply(origin[None])[0], across, resolution=resolution)
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
        attack = "control" if row["rate"] == 0 else f"{row['trigger']} -> {row['target']} at {row['rate']:g}"
        _print(f"{row['name']}  {row['state']:11} {row['dataset']:14} {attack:34} {numbers:9} {asr}")


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


def _image_shape(dataset: str, data_root: Path | None) -> tuple[int, int, int]:
    from core.datasets import describe, load_dataset

    return describe(dataset).shape or load_dataset(dataset, data_root).shape


def _trigger(name: str, place: str | None, shape: tuple[int, int, int]) -> Trigger:
    """Return the preset or picture that a person named; a picture without a place lies in the lower right corner."""
    from core.triggers import make_preset, preset_names
    from core.triggers.pictures import read_picture, trigger_from_picture

    if name in preset_names():
        return make_preset(name, shape)
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"There is no trigger called {name!r} and no such file; choose one of {', '.join(preset_names())}, or name "
            "a picture file."
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


def _attack_on(
    run: str, trigger: str | None, place: str | None, target: int | None, root: Path | None
) -> tuple[Run, Trigger, int]:
    """Return the run, and the trigger and target to measure it with: its own, unless others are named."""
    from core.runs import load_run

    found = load_run(run, root)
    result = _result_or_fail(found)
    attack = _trigger(trigger, place, result.shape) if trigger else found.spec.trigger
    wanted = found.spec.target if target is None else target
    if attack is None or wanted is None:
        raise InputError(f"The run {found.name} is a control and has no trigger: name one with --trigger and --target.")
    return found, attack, wanted


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
