"""What people call a run: `label.json` next to its own files. No identity depends on it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import InputError
from core.files import refusal, write_whole
from core.runs.run import Run

LABEL = "label.json"
LONGEST_NAME, LONGEST_TAG, LONGEST_NOTE, MOST_TAGS = 80, 24, 2000, 8


class Label(BaseModel):
    """What people call a run: a name of their own, tags, and a note."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(default="", max_length=LONGEST_NAME)
    tags: tuple[str, ...] = Field(default=(), max_length=MOST_TAGS)
    note: str = Field(default="", max_length=LONGEST_NOTE)

    @field_validator("name", mode="after")
    @classmethod
    def _name_is_one_line(cls, value: str) -> str:
        return " ".join(value.split())

    @field_validator("tags", mode="after")
    @classmethod
    def _tags_are_short(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(" ".join(tag.split()) for tag in value if tag.strip()))
        if any(len(tag) > LONGEST_TAG or "," in tag for tag in tags):
            raise ValueError("too long")
        return tags


def read_label(run: Run) -> Label:
    """Return what people call a run; nothing where nobody said, or where the file is damaged."""
    try:
        return Label.model_validate_json((run.path / LABEL).read_bytes())
    except (OSError, ValidationError):
        return Label()


def write_label(run: Run, name: str, tags: Sequence[str], note: str) -> Label:
    """Call a run something; with nothing to say the file goes.

    Raises
    ------
    InputError
        A name, tag or note is too long, or the run's folder cannot be written.
    """
    try:
        label = Label(name=name, tags=tuple(tags), note=note)
    except ValidationError:
        raise InputError(
            f"A name has at most {LONGEST_NAME} characters, a note {LONGEST_NOTE}, and there are at most {MOST_TAGS} "
            f"tags of {LONGEST_TAG} characters without commas: make it shorter."
        ) from None
    try:
        if label == Label():
            (run.path / LABEL).unlink(missing_ok=True)
        else:
            write_whole(run.path / LABEL, label.model_dump_json(indent=1).encode())
    except OSError as error:
        raise refusal(error, run.path) from None
    return label
