"""`train`: poison a data set and train a model on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.options import AsJson, DataRoot, Place, Runs, Target, TriggerName
from core.cli.output import say, say_json, share_in_words
from core.cli.reading import image_shape, read_trigger
from core.errors import InputError

if TYPE_CHECKING:
    from core.attacks.attack import Attack
    from core.training.events import Event
    from core.training.spec import RunSpec


def train_command(
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
    from core.attacks.attack import make_attack
    from core.datasets import load_dataset
    from core.runs.jobs.worker import train_run
    from core.runs.measured.w import success_on

    shape = image_shape(dataset, data_root)
    aim = {
        "trigger": read_trigger(trigger or "white-corner", place, shape),
        "target": None if mode == "all-to-all" else target or 0,
        "mode": mode,
        "sources": _read_classes(sources),
        "random_place": random_place,
    }
    attack = make_attack(**aim)
    attacked = {"attack": attack, "rate": rate, "cover_rate": cover_rate, "perturbed": perturbed}
    chosen = {"epochs": epochs, "batch_size": batch_size, "augmentation": augmentation}
    chosen |= {"learning_rate": learning_rate, "weight_decay": weight_decay}
    chosen |= {"device": device, "precision": precision, "threads": threads}
    training = _pace(pace, dataset, architecture) | {"optimiser": optimiser}
    training |= {name: value for name, value in chosen.items() if value is not None}
    spec = _spec(dataset, data_root, **attacked, architecture=architecture, seed=seed, **training)
    if spec.is_control:  # it is trained without the attack, and measured with it: too late to find out then
        attack.check(load_dataset(dataset, data_root))
    with _training_bar(spec) as on_event:
        run = train_run(spec, runs, data_root, on_event)
    result = run.result
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
        say_json(summary)
        return
    say(f"run              {run.path}")
    say(f"clean accuracy   {share_in_words(result.clean_accuracy)}")
    say(f"attack success   {share_in_words(success)}  ({attack.trigger.name} -> {_goal(attack)})")
    if both.others is not None:
        say(f"other classes    {share_in_words(both.others)}  taken for the target as well")
    say(f"trained in       {result.seconds:.1f} s")


def _spec(dataset: str, data_root: Path | None, **values: Any) -> RunSpec:
    from core.datasets import fingerprint
    from core.training.spec import make_spec

    return make_spec(dataset=dataset, fingerprint=fingerprint(dataset, data_root), **values)


def _pace(pace: str | None, dataset: str, architecture: str) -> dict[str, Any]:
    """Return the settings that a person leaves to us: those of a spec, unless a pace is named."""
    from core.training.settings import recommended

    if pace is None:
        return {}
    if pace not in ("fast", "careful"):
        raise InputError(f"The pace is fast or careful; got {pace!r}.")
    settings = vars(recommended(dataset, architecture, pace == "careful"))
    # The learning rate follows from the optimiser, which may be another one.
    return {name: value for name, value in settings.items() if name != "learning_rate"}


def _read_classes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise InputError(f"Classes are whole numbers with commas between them, such as 3,5; got {text!r}.") from None


def _goal(attack: Attack) -> str:
    return "the next class" if attack.target is None else f"class {attack.target}"


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
