"""A study's tidy tables: one row for each run, trigger, noise and sigma, and one for each epoch of each run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from core.errors import InputError
from core.files import whole_file, write_whole
from core.studies.columns import EpochRow, Row

Kind = TypeVar("Kind", Row, EpochRow)


def write_tables(folder: Path, name: str, rows: Sequence[Row] | Sequence[EpochRow]) -> None:
    """Write `name.csv`, and `name.parquet` where pyarrow is installed; each appears whole or not at all."""
    if not rows:
        return
    names = [field.name for field in fields(rows[0])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_to_text(getattr(row, column)) for column in names] for row in rows)
    write_whole(folder / f"{name}.csv", text.getvalue().encode())
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:  # it comes with streamlit; a machine that only computes may lack it
        return
    columns = {name: _arrow_column(rows, name, pyarrow) for name in names}
    with whole_file(folder / f"{name}.parquet") as file:
        parquet.write_table(pyarrow.table(columns), file, compression="zstd")


def _arrow_column(rows: Sequence[Any], name: str, pyarrow: Any) -> Any:
    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    return pyarrow.array([getattr(row, name) for row in rows], type=kinds[_plain_type(type(rows[0]), name)])


def read_table(path: Path, kind: type[Kind]) -> list[Kind]:
    """Return the rows of a CSV file that `write_tables` wrote.

    Raises
    ------
    InputError
        A column is missing or a value cannot be read.
    """
    with path.open(newline="", encoding="utf-8") as file:
        return list(_rows(csv.DictReader(file), path, kind))


def _rows(lines: csv.DictReader, path: Path, kind: type[Kind]) -> Iterator[Kind]:
    types = {field.name: _plain_type(kind, field.name) for field in fields(kind)}
    for line in lines:
        try:
            # A table that an earlier version wrote lacks columns.
            row = kind(**{name: _from_text(line[name], plain) for name, plain in types.items() if name in line})
        except (ValueError, TypeError):
            raise InputError(
                f"{path.name} is no table of this version's studies (line {lines.line_num}): run the study again."
            ) from None
        yield row


def _to_text(value: Any) -> str:
    return "" if value is None else f"{value}"


def _from_text(text: str, plain: type) -> Any:
    if plain is str:
        return text
    return None if text == "" else plain(text)


def _plain_type(kind: type, name: str) -> type:
    """Return int, float or str for a column, whether or not it may be empty."""
    hint = get_type_hints(kind)[name]
    return next(part for part in get_args(hint) if part is not NoneType) if isinstance(hint, UnionType) else hint
