"""Settings that are pydantic models, as options of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from pydantic import BaseModel

_TYPES = {"integer": int, "number": float, "boolean": bool, "string": str}


def with_settings(
    command: Callable[..., None], models: Mapping[str, type[BaseModel]], *, prefixed: bool
) -> Callable[..., None]:
    """Return a command with one more option for each field of the models; it gets them as `settings`.

    Parameters
    ----------
    command
        Has a keyword `settings`: model's name -> field -> what was given on the command line; what was left out is
        missing.
    models
        Name -> model. A field's title and description are the option's help.
    prefixed
        Whether an option is called --NAME-FIELD, and sets that model alone; else --FIELD, and sets all that have it.
    """
    fields = [
        (model, field, f"{model}_{field}".replace("-", "_") if prefixed else field, schema)
        for model, kind in models.items()
        for field, schema in kind.model_json_schema()["properties"].items()
    ]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        given = {option: values.pop(option) for option in dict.fromkeys(option for _, _, option, _ in fields)}
        settings: dict[str, dict[str, Any]] = {name: {} for name in models}
        for model, field, option, _ in fields:
            if given[option] is not None:
                settings[model][field] = given[option]
        command(**values, settings=settings)

    own = [part for name, part in inspect.signature(command, eval_str=True).parameters.items() if name != "settings"]
    added = {option: _option(option, schema) for _, _, option, schema in reversed(fields)}
    parameters = [*own, *(part for option, part in reversed(added.items()))]
    # Typer reads both: which parameters there are, and of what types.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {part.name: part.annotation for part in parameters}
    return run


def _option(name: str, schema: Mapping[str, Any]) -> inspect.Parameter:
    # An optional field lists its type beside null.
    named = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    words = schema.get("description") or schema["title"]
    default = schema.get("default")
    help_text = words if default is None or default is False else f"{words} ({default})"
    annotation = Annotated[
        _TYPES.get(named.get("type", "string"), str) | None,
        typer.Option(f"--{name.replace('_', '-')}", help=help_text),
    ]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
