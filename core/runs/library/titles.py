"""What runs are called: by what tells attacks apart, and never two alike in one list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pydantic.fields import FieldInfo

from core.attacks.attack import Attack
from core.attacks.triggers import AnyTrigger, Trigger, trigger_names
from core.runs.loaded_spec import LoadedSpec
from core.runs.result import Result
from core.training.spec import RunSpec

# So many source classes are named, more are counted.
_MOST_SOURCES = 3
_TRAINING = {
    "seed": "seed {}",
    "epochs": "{} epochs",
    "architecture": "{}",
    "augmentation": "augmentation {}",
    "optimiser": "{}",
    "learning_rate": "learning rate {:g}",
    "batch_size": "batch size {}",
    "weight_decay": "weight decay {:g}",
    "device": "{}",
}


def what_it_is(spec: RunSpec | LoadedSpec | None, result: Result | None, name: str) -> str:
    """Return what a run without a name of its own is called: data set, trigger, mode, classes and rate.

    Parameters
    ----------
    spec, result
        None where they are damaged or not there yet; the result names the classes.
    name
        The run's name, for a damaged one.

    Examples
    --------
    >>> from core.attacks.triggers import make_preset
    >>> spec = RunSpec(dataset="digits", trigger=make_preset("white-corner", (1, 8, 8)), target=0, rate=0.1)
    >>> what_it_is(spec, None, "")
    'digits: White corner → 0, 10%'
    """
    if spec is None:
        return f"damaged run {name}"
    parts = [spec.file] if isinstance(spec, LoadedSpec) else []
    if spec.attack is not None:
        parts += _attack_in_words(spec.attack, result.classes if result is not None else (), spec)
    elif not parts:
        parts.append("control")
    if not isinstance(spec, LoadedSpec) and spec.attack is not None:
        parts.append(f"{100 * spec.rate:.3g}%")
        parts += [f"cover {100 * spec.cover_rate:.3g}%"] if spec.cover_rate else []
    return f"{short_name(spec.dataset)}: {', '.join(parts)}"


def _attack_in_words(attack: Attack, classes: Sequence[str], spec: RunSpec | LoadedSpec) -> list[str]:
    """Return trigger, place and mode; the plainest mode, all-to-one, goes without saying."""
    parts = [trigger_title(attack.trigger)]
    parts += ["random place"] if attack.random_place else []
    if attack.target is None:
        return [*parts, attack.mode]
    mode = "" if attack.mode == "all-to-one" else attack.mode
    if isinstance(spec, RunSpec) and spec.perturbed:
        mode += " perturbed"
    if attack.sources:
        many = len(attack.sources) > _MOST_SOURCES
        named = ", ".join(class_title(label, classes) for label in attack.sources)
        mode += f" {len(attack.sources)} classes" if many else f" {named}"
    parts += [mode] if mode else []
    return [*parts[:-1], f"{parts[-1]} → {class_title(attack.target, classes)}"]


def class_title(label: int, classes: Sequence[str]) -> str:
    """Return the name of a class, or its number where the names are not known."""
    return classes[label] if label < len(classes) else str(label)


def trigger_title(trigger: AnyTrigger) -> str:
    """Return what people call a trigger: ready-made ones have a title, others the name that they were given."""
    return trigger_names().get(trigger.name, trigger.name)


def short_name(dataset: str) -> str:
    """Return a data set's name without the folders in it."""
    kind, _, path = dataset.partition(":")
    return Path(path).name or dataset if path else kind


def details(spec: RunSpec | LoadedSpec | None, result: Result | None, name: str) -> dict[str, str]:
    """Return in words what may tell a run from others of its title, by what that is, the most telling first."""
    found = {"what": what_it_is(spec, result, name)}
    if isinstance(spec, RunSpec):
        found |= {field: words.format(getattr(spec, field)) for field, words in _TRAINING.items()}
    if spec is not None and spec.attack is not None:
        found |= {"sources": "from " + ", ".join(map(str, spec.attack.sources))} if spec.attack.sources else {}
        found |= _trigger_details(spec.attack.trigger)
    return found | {"run": f"run {name[:6]}", "name": name}


def _trigger_details(trigger: AnyTrigger) -> dict[str, str]:
    if isinstance(trigger, Trigger):
        return {
            "size": f"{trigger.width}×{trigger.height} pixels",
            "place": f"at row {trigger.top}, column {trigger.left}",
        }
    return {
        name: f"{(field.title or name).lower()} {_shown(getattr(trigger, name), field)}"
        for name, field in type(trigger).model_fields.items()
        if isinstance(getattr(trigger, name), int | float)
    }


def _shown(value: float, field: FieldInfo) -> str:
    """Return a setting's value as the page's widget for it shows it."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    per = extra.get("per", 1)
    return f"{extra.get('format', '%g')}" % (value * (per if isinstance(per, int | float) else 1))


def told_apart(titles: Mapping[str, str], about: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return titles with the least that tells apart those who share one: a list goes by what it shows.

    Parameters
    ----------
    titles
        Title of each run, or of anything else, by its name.
    about
        By the same names, what may tell it from others, see `details`.

    Examples
    --------
    >>> told_apart({"a": "White corner", "b": "White corner"}, {"a": {"seed": "seed 0"}, "b": {"seed": "seed 1"}})
    {'a': 'White corner · seed 0', 'b': 'White corner · seed 1'}
    """
    told = {}
    for title, alike in _grouped(titles).items():
        told |= {name: " · ".join([title, *words]) for name, words in _least(alike, about).items()}
    return {name: told[name] for name in titles}


def _least(names: Collection[str], about: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return for each of several names the words that tell it from the others: those of the first detail that differs.

    Where some share it, they get more.
    """
    if len(names) == 1:
        return {name: [] for name in names}
    for detail in dict.fromkeys(detail for name in names for detail in about[name]):
        groups = _grouped({name: about[name].get(detail, "") for name in names})
        if len(groups) > 1:
            return {
                name: [*([word] if word else []), *more]
                for word, alike in groups.items()
                for name, more in _least(alike, about).items()
            }
    return {name: [] for name in names}


def _grouped(words: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names that have each word."""
    groups: dict[str, list[str]] = {}
    for name, word in words.items():
        groups.setdefault(word, []).append(name)
    return groups
