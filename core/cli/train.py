"""`train`: poison a data set and train a model on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, Runs, Target, TriggerName
from core.cli.output import say, say_json, share_as_json, share_in_words
from core.cli.reading import image_shape, read_trigger
from core.errors import InputError

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.instruments.evaluation import Success
    from core.runs.run import DoneRun
    from core.training.events import Event
    from core.training.spec import RunSpec

Mode = Annotated[str, typer.Option("--mode", help="Attack: all-to-one, all-to-all, source-specific or clean-label.")]
Sources = Annotated[
    str, typer.Option("--sources", help="Classes to attack, for source-specific attacks; for example 3,5.")
]
RandomPlace = Annotated[
    bool, typer.Option("--random-place", help="Place the trigger at a random position in each image.")
]


def train_command(
    settings: dict[str, dict[str, Any]],
    trigger: TriggerName = None,
    place: Place = None,
    target: Target = None,
    mode: Mode = "all-to-one",
    sources: Sources = "",
    random_place: RandomPlace = False,
    runs: Runs = None,
    data_root: DataRoot = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on poisoned data, or return the stored run."""
    from core.attacks.attack import make_attack
    from core.datasets import is_own, load_dataset
    from core.runs.jobs.worker import train_run
    from core.runs.measured.success import success_on
    from core.training.choices import make_choices

    choices = make_choices(**settings["training"])
    attack = make_attack(
        trigger=read_trigger(trigger or "white-corner", place, image_shape(choices.dataset, data_root)),
        target=target or 0,
        mode=mode,
        sources=_read_classes(sources),
        random_place=random_place,
    )
    spec = choices.spec(attack, data_root)
    if (
        spec.is_control
    ):  # trained without the attack and measured with it, so an attack that does not fit is found before training
        attack.check(load_dataset(spec.dataset, data_root))
    if is_own(spec.dataset):
        for note in load_dataset(spec.dataset, data_root).notes:
            typer.echo(f"Note: {note}", err=True)
    with _training_bar(spec) as on_event:
        run = train_run(spec, runs, data_root, on_event)
    success = success_on(run, attack, data_root)
    if as_json:
        say_json(_summary(spec, run, attack, success))
    else:
        _say_summary(run, attack, success)


def _summary(spec: RunSpec, run: DoneRun, attack: Attack, success: Success) -> dict[str, Any]:
    result, rate = run.result, success.rate
    return {
        "run": str(run.path),
        "dataset": spec.dataset,
        "trigger": attack.trigger.name,
        "target": attack.target,
        "mode": attack.mode,
        "sources": list(attack.sources),
        "rate": spec.rate,
        "seed": spec.seed,
        "clean_accuracy": result.clean_accuracy.value,
        "clean_accuracy_interval": [result.clean_accuracy.low, result.clean_accuracy.high],
        "attack_success_rate": rate and rate.value,
        "attack_success_rate_interval": [rate.low, rate.high] if rate else [None, None],
        "asr_denominator": rate.n if rate else 0,
        "others_taken_for_target": share_as_json(success.others),
        "seconds": result.seconds,
        "peak_memory": result.peak_memory,
        "device": spec.device,
        "precision": spec.precision,
        "threads": spec.threads,
    }


def _say_summary(run: DoneRun, attack: Attack, success: Success) -> None:
    goal = "the next class" if attack.target is None else f"class {attack.target}"
    say(f"run              {run.path}")
    say(f"clean accuracy   {share_in_words(run.result.clean_accuracy)}")
    say(f"attack success   {share_in_words(success.rate)}  ({attack.trigger.name} -> {goal})")
    if success.others is not None:
        say(f"other classes    {share_in_words(success.others)}  also classified as the target")
    say(f"trained in       {run.result.seconds:.1f} s")


def _read_classes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(f"Classes are whole numbers separated by commas, for example 3,5; got {text!r}.") from None


@contextmanager
def _training_bar(spec: RunSpec) -> Iterator[Callable[[Event], None]]:
    """Show a training's progress on stderr; yields what to call with each event."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from core.training.events import Epoch
    from core.training.events import Progress as Step

    text = TextColumn("{task.description}")
    with Progress(text, BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"training {spec.dataset}", total=1.0)

        def on_event(event: Event) -> None:
            if isinstance(event, Step | Epoch):
                bar.update(task, completed=event.share, description=f"epoch {event.epoch}/{spec.epochs}")

        yield on_event
