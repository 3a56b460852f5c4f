"""`runs`, `load`, `export`, `import`: the library of runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, RunName, Runs, Target, TriggerName
from core.cli.output import say, say_json, share_in_words
from core.cli.reading import read_trigger

if TYPE_CHECKING:
    from core.runs.library.card import Card


def list_command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="List only runs that have all of these words."),
    ] = None,
    runs: Runs = None,
    as_json: AsJson = False,
) -> None:
    """List the runs, newest first."""
    from core.runs.library.card import card, card_titles
    from core.runs.library.search import find_cards
    from core.runs.root import list_runs

    cards = [card(run) for run in list_runs(runs)]
    for damaged in (one.problem for one in cards if one.problem):  # one damaged run does not hide the others
        print(f"skipped: {damaged}", file=sys.stderr)  # noqa: T201
    titles = card_titles(cards)
    found = find_cards([one for one in cards if not one.problem], " ".join(words or ()))
    rows = [_run_row(one, titles[one.run.name]) for one in found]
    if as_json:
        say_json({"runs": rows})
        return
    longest = max((len(row["title"]) for row in rows), default=0)
    for row, one in zip(rows, found, strict=True):
        numbers = "" if row["clean_accuracy"] is None else f"CA {row['clean_accuracy']:.3f}"
        asr = "" if row["attack_success_rate"] is None else f"ASR {row['attack_success_rate']:.3f}"
        say(f"{row['name']}  {one.state.shown:11} {row['title']:{longest}}  {numbers:9} {asr}".rstrip())


def load_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A safetensors, PyTorch (.pt, .pth) or ONNX file.")],
    dataset: Annotated[str, typer.Option(help="Data set the model was trained on.")] = "digits",
    normalisation: Annotated[
        str | None,
        typer.Option(
            help="none, dataset, imagenet, half, bytes (0 to 255), inverted or file. Default: as the file says, else "
            "the most accurate."
        ),
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Mean of your own, for pixels from 0 to 1: one number, or red,green,blue.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="Deviation of your own, in the same way.")] = None,
    colours: Annotated[
        str | None, typer.Option(help="Order of colours, RGB or BGR. Default: the more accurate one.")
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
    from core.runs.convention import read_known
    from core.runs.load import load_model

    known = read_known(normalisation, mean, std, colours)
    data = load_dataset(dataset, data_root)
    attack = read_trigger(trigger, place, data.shape) if trigger else None
    loaded = load_model(file, data, known=known, trigger=attack, target=target, root=runs)
    result, found = loaded.run.result, loaded.found
    success = result.attack_success_rate
    summary = {
        "run": str(loaded.run.path),
        "format": found.format,
        "architecture": found.architecture,
        "classes": found.classes,
        "shape": list(found.shape),
        "weights": found.weights,
        "normalisation": loaded.convention.normalisation.name,
        "channel_order": loaded.convention.channels,
        "class_order": loaded.convention.classes,
        "tried": {way.title: way.accuracy.value for way in loaded.tried if way.accuracy is not None},
        "notes": list(loaded.notes),
        "clean_accuracy": result.clean_accuracy.value,
        "attack_success_rate": success.value if success else None,
    }
    if as_json:
        say_json(summary)
        return
    say(f"run              {loaded.run.path}")
    say(f"model            {found.title}, {found.format}, {found.classes} classes, {found.weights} weights")
    say(f"how it is asked  {loaded.convention.title}{' (chosen by accuracy)' if loaded.tried else ''}")
    say(f"clean accuracy   {share_in_words(result.clean_accuracy)}")
    if success:
        say(f"attack success   {share_in_words(success)}")
    for note in loaded.notes:
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


def _run_row(one: Card, title: str) -> dict[str, Any]:
    spec, result = one.spec, one.result
    attack = spec.attack if spec else None
    success = result.attack_success_rate if result else None
    return {
        "name": one.run.name,
        "title": title,
        "state": str(one.state),
        "dataset": spec.dataset if spec else None,
        "trigger": attack.trigger.name if attack else None,
        "mode": attack.mode if attack else None,
        "target": attack.target if attack else None,
        "rate": spec.rate if spec else None,
        "epochs": spec.epochs if spec else None,
        "seed": spec.seed if spec else None,
        "clean_accuracy": result.clean_accuracy.value if result else None,
        "attack_success_rate": success.value if success else None,
    }
