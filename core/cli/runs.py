"""`runs`, `load`, `export`, `import`: the library of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import say, say_json, share_in_words
from core.cli.reading import read_trigger
from core.errors import InputError

if TYPE_CHECKING:
    from core.runs.run import Run


def list_command(runs: Runs = None, as_json: AsJson = False) -> None:
    """List the runs, newest first."""
    from core.runs.root import list_runs
    from core.runs.run import State

    rows = []
    for run in list_runs(runs):
        try:
            rows.append(_run_row(run))
        except InputError as error:  # one damaged run does not hide the others
            print(f"skipped: {error}", file=sys.stderr)  # noqa: T201
    if as_json:
        say_json({"runs": rows})
        return
    for row in rows:
        numbers = "" if row["clean_accuracy"] is None else f"CA {row['clean_accuracy']:.3f}"
        asr = "" if row["attack_success_rate"] is None else f"ASR {row['attack_success_rate']:.3f}"
        attack = "control" if row["rate"] == 0 else f"{row['trigger']} -> {row['target']}"
        attack += f" at {row['rate']:g}" if row["rate"] else ""
        say(f"{row['name']}  {State(row['state']).shown:11} {row['dataset']:14} {attack:34} {numbers:9} {asr}")


def load_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A safetensors, PyTorch (.pt, .pth) or ONNX file.")],
    dataset: Annotated[str, typer.Option(help="Data set the model was trained on.")] = "digits",
    normalisation: Annotated[
        str | None,
        typer.Option(help="none, dataset, imagenet, half or file. Default: as the file says, else the most accurate."),
    ] = None,
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Load a model that somebody else trained as a run. No code in the file is executed."""
    from core.datasets import load_dataset
    from core.runs.load import load_model

    data = load_dataset(dataset, data_root)
    attack = read_trigger(trigger, place, data.shape) if trigger else None
    loaded = load_model(file, data, normalisation=normalisation, trigger=attack, target=target, root=runs)
    result, found = loaded.run.result, loaded.found
    success = result.attack_success_rate
    summary = {
        "run": str(loaded.run.path),
        "format": found.format,
        "architecture": found.architecture,
        "classes": found.classes,
        "shape": list(found.shape),
        "weights": found.weights,
        "normalisation": loaded.normalisation,
        "tried": {guess.name: guess.accuracy.value for guess in loaded.guesses},
        "notes": list(found.notes),
        "clean_accuracy": result.clean_accuracy.value,
        "attack_success_rate": success.value if success else None,
    }
    if as_json:
        say_json(summary)
        return
    say(f"run              {loaded.run.path}")
    say(f"model            {found.title}, {found.format}, {found.classes} classes, {found.weights} weights")
    say(f"normalisation    {loaded.normalisation}{' (chosen by accuracy)' if loaded.guesses else ''}")
    say(f"clean accuracy   {share_in_words(result.clean_accuracy)}")
    if success:
        say(f"attack success   {share_in_words(success)}")
    for note in found.notes:
        say(note)


def export_command(
    run: RunName,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="File to write.")] = None,
    runs: Runs = None,
    as_json: AsJson = False,
) -> None:
    """Write a finished run as one file."""
    from core.files import refusal, write_whole
    from core.runs.archive import archive_name, export_run
    from core.runs.root import load_run

    found = load_run(run, runs)
    path = file or Path(archive_name(found))
    try:
        write_whole(path, export_run(found))
    except OSError as error:
        raise refusal(error, path.parent) from None
    if as_json:
        say_json({"run": str(found.path), "file": str(path)})
        return
    say(f"{path}  {path.stat().st_size} bytes")


def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `export` wrote, or a run's folder.")],
    runs: Runs = None,
    as_json: AsJson = False,
) -> None:
    """Import a run from one file. A run that is already here is left unchanged."""
    from core.runs.archive import import_run

    found = import_run(file, runs)
    if as_json:
        say_json({"run": str(found.run.path), "new": found.is_new})
        return
    say(f"{found.run.path}{'' if found.is_new else '  (already here)'}")


def _run_row(run: Run) -> dict[str, Any]:
    spec, result = run.spec, run.result
    success = result.attack_success_rate if result else None
    return {
        "name": run.name,
        "state": str(run.state),
        "dataset": spec.dataset,
        "trigger": spec.attack.trigger.name if spec.attack else None,
        "target": spec.attack.target if spec.attack else None,
        "rate": spec.rate,
        "epochs": spec.epochs,
        "seed": spec.seed,
        "clean_accuracy": result.clean_accuracy.value if result else None,
        "attack_success_rate": success.value if success else None,
    }
