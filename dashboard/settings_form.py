"""Widgets for the settings of detectors, patterns and trigger formulas: one for each field of a pydantic model.

A field's title and description label its widget, its bounds and `json_schema_extra` shape it:

- ``usual``: [lowest, highest] of a slider; without it a number is typed in
- ``step``, ``format``: of a slider or a typed number
- ``per``: what is shown is the value times this number, as a whole number (255 for a pixel's levels, 100 for percent)
- ``shown``: "class" for a number that is chosen by a class's name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel
from streamlit.delta_generator import DeltaGenerator

from core.identity import validated

Model = TypeVar("Model", bound=BaseModel)


def settings_form(
    kind: type[Model],
    key: str,
    start: Model | Mapping[str, Any] | None = None,
    *,
    fields: Sequence[str] | None = None,
    classes: Sequence[str] = (),
    largest: Mapping[str, float] = MappingProxyType({}),
) -> Model:
    """Show a model's settings in one row, and return the model as it is set.

    Parameters
    ----------
    kind
        The model.
    key
        Begins the widgets' keys: KEY.FIELD.
    start
        What they begin with, all of it or some fields; by default the model's own defaults.
    fields
        The fields that are shown, by default all; the others keep their defaults.
    classes
        Names of the classes, for fields that are shown as one.
    largest
        Upper limits of fields that a data set makes lower than the model does.

    Raises
    ------
    InputError
        The model refuses what was set.
    """
    given = {name: getattr(start, name) for name in type(start).model_fields} if isinstance(start, BaseModel) else start
    schemas = kind.model_json_schema()["properties"]
    shown = list(schemas) if fields is None else list(fields)
    values: dict[str, Any] = {}
    for place, name in zip(st.columns(len(shown), vertical_alignment="bottom") if shown else (), shown, strict=True):
        begin = (given or {}).get(name, schemas[name].get("default"))
        if name in largest:
            begin, schemas[name] = min(begin, largest[name]), _limited(schemas[name], largest[name])
        values[name] = _widget(place, schemas[name], f"{key}.{name}", begin, classes)
    return validated(kind, values)


def _limited(schema: Mapping[str, Any], largest: float) -> dict[str, Any]:
    """Return a number's schema with a lower upper limit, which its slider keeps as well."""
    limited = {**schema, "maximum": min(largest, schema.get("maximum", largest))}
    if "usual" in schema:
        limited["usual"] = [schema["usual"][0], min(largest, schema["usual"][1])]
    return limited


def _widget(place: DeltaGenerator, schema: Mapping[str, Any], key: str, start: Any, classes: Sequence[str]) -> Any:
    named: Mapping[str, Any] = next((part for part in schema.get("anyOf", ()) if part.get("type") != "null"), schema)
    title, words = schema["title"], schema.get("description")
    if schema.get("shown") == "class":
        optional = named is not schema
        numbers: list[int | None] = [*([None] if optional else []), *range(len(classes))]

        def label(number: int | None) -> str:
            return "any other" if number is None else classes[number]

        begin = numbers.index(start) if start in numbers else 0
        return place.selectbox(title, numbers, begin, format_func=label, key=key, help=words)
    if "enum" in named:
        return place.selectbox(title, named["enum"], named["enum"].index(start), key=key, help=words)
    if named["type"] == "boolean":
        return place.toggle(title, start, key=key, help=words)
    if named["type"] == "string":
        return place.text_input(title, start, key=key, help=words)
    return _number(place, {**schema, **named}, key, start)


def _number(place: DeltaGenerator, schema: Mapping[str, Any], key: str, start: float) -> float:
    title, words, per = schema["title"], schema.get("description"), schema.get("per")
    if per is not None:
        low, high = (round(per * end) for end in schema["usual"])
        first = max(low, round(per * start))
        shown = place.slider(title, low, max(high, first), first, key=key, format=schema.get("format"), help=words)
        # A link's value may lie between two steps: it stays what it is until somebody moves the slider.
        return start if shown == first else shown / per
    number = int if schema["type"] == "integer" else float
    step, form = number(schema.get("step", 1 if number is int else 0.01)), schema.get("format")
    if "usual" in schema:
        low, high = (number(end) for end in schema["usual"])
        low, high = min(low, number(start)), max(high, number(start))
        return place.slider(title, low, high, number(start), step, key=key, format=form or "%g", help=words)
    low, high = (
        schema.get("minimum", schema.get("exclusiveMinimum")),
        schema.get("maximum", schema.get("exclusiveMaximum")),
    )
    low, high = (None if end is None else number(end) for end in (low, high))
    return place.number_input(title, low, high, number(start), step, key=key, format=form, help=words)
