"""A run's spec.json: what is to be computed, and the format of the directory that it lies in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.errors import InputError
from core.files import write_json
from core.identity import readable
from core.runs.loaded_spec import LoadedSpec
from core.training.spec import RunSpec

FORMAT = 1
"""The format of a run directory: raised when an older Triggerscope could no longer read a newer one's runs."""

NAME = "spec.json"


def write_spec(folder: Path, spec: RunSpec | LoadedSpec) -> None:
    """Store a spec in a run's folder; OSError if the disk refuses."""
    write_json(folder / NAME, {"format": FORMAT} | spec.model_dump(mode="json"))


def read_spec(folder: Path) -> RunSpec | LoadedSpec:
    """Return the spec in a run's folder.

    Raises
    ------
    InputError
        There is none, it is damaged, or a newer version of the program made it.
    """
    content = _read(folder)
    written_in = content.pop("format", None)
    if isinstance(written_in, int) and written_in > FORMAT:
        raise InputError(
            f"The run {folder.name} was made by a newer version of Triggerscope (its format is {written_in}, and this "
            f"version reads {FORMAT}): update Triggerscope to open it."
        )
    if written_in != FORMAT:
        raise InputError(f"The spec of run {folder.name} cannot be used: its format has to be {FORMAT}.")
    try:
        return (LoadedSpec if content.get("kind") == "loaded" else RunSpec).model_validate(content)
    except ValidationError as error:
        raise InputError(f"The spec of run {folder.name} cannot be used: {readable(error)}") from None


def _read(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{folder} is not a run directory: it has no {NAME}.") from None
    except OSError as error:
        raise InputError(
            f"The spec of run {folder.name} cannot be read ({error.strerror or error}): make it readable, or delete "
            "the run's folder."
        ) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise InputError(f"The spec of run {folder.name} cannot be used: it is not a JSON object.")
    return content
