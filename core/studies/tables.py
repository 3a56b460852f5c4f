"""A study's tidy tables: one row for each run, trigger, noise and sigma, and one for each epoch of each run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from core.errors import InputError
from core.files import whole_file, write_whole

# What may differ between two computations of the same study; every other column is equal.
CIRCUMSTANCES = ("seconds", "host")

# The mode of rows that are no attack: a pattern that was searched on a clean model.
PATTERN = "pattern"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Which training a row is about.

    Attributes
    ----------
    run, control
        Names of the run and of the run of equal seed trained without poison; equal for a control.
    dataset, architecture, epochs, seed
        What was trained, and how.
    kind, size, opacity, trigger
        The trigger: kinds are never pooled. On a control's rows: the trigger that it was measured with.
    mode, target, rate
        The attack; rate 0 is a control. The mode "pattern" is no attack: there `kind` is a pattern's, and `control_gap`
        the mean gap of random patterns of equal norm.
    """

    run: str
    control: str
    dataset: str
    architecture: str
    epochs: int
    seed: int
    kind: str
    size: int | None
    opacity: float
    trigger: str
    mode: str
    target: int | None
    rate: float


@dataclass(frozen=True, kw_only=True)
class Row(Labels):
    """W of one trained model on test images without and with a trigger, at one sigma; see `core.runs.measured.w`.

    Attributes
    ----------
    noise, sigma, images, draws
        How W was measured: noise everywhere or off the trigger, its standard deviation, how many test images outside
        the target class, draws an image. None on the row of a cell that failed.
    bound, made_for
        Of a pattern: its bound, and the sigma that it was made for, where it has them.
    clean_accuracy, attack_success_rate, attack_success_rate_low, attack_success_rate_high, attacked_images
        On the whole test split; the latter under this row's trigger and target, with its 95 % interval and the number
        of images that it is a share of.
    w_clean, w_triggered, gap, gap_low, gap_high
        Mean W, and the mean paired difference clean minus triggered with its 95 % interval for more images.
    effect_size
        Share of the images whose W is lower with the trigger, ties as half.
    detection_auc
        How well a low W tells the images with the trigger from those without it: area under the ROC curve, not paired.
    control_gap, gap_beyond_control
        The control's gap on the same images with the same trigger and noise, and `gap` minus it: the difference in
        differences.
    predicted_as_target, w_predicted_as_target
        Clean test images that the model takes for the target: how many were measured, and their mean W.
    flipped, w_clean_flipped, w_triggered_flipped, w_clean_not_flipped, w_triggered_not_flipped
        Images that the trigger makes the model take for the target without noise: how many; mean W in either part.
    target_share_clean, target_share_triggered
        Share of the noisy votes for the target; None where there is no single one.
    modal_class_clean, modal_share_clean, modal_class_triggered, modal_share_triggered
        The class that most noisy votes fall into, and its share of them.
    confidence_clean, confidence_triggered, margin_clean, margin_triggered
        Baselines without noise: mean largest softmax, and its mean lead over the second.
    entropy_correlation
        Rank correlation over the clean images of W with the entropy of the softmax without noise.
    misclassified_auc
        How well W tells misclassified clean images from others: area under the ROC curve, None if all are right.
    device, precision, threads, votes_in, torch, processor
        On what it was trained, and in which precision it was measured.
    seconds, host
        Wall time of the training, and where it ran.
    failure
        Why there is no result; "" otherwise.
    """

    noise: str | None = None
    sigma: float | None = None
    images: int | None = None
    draws: int | None = None
    bound: float | None = None
    made_for: float | None = None
    clean_accuracy: float | None = None
    attack_success_rate: float | None = None
    attack_success_rate_low: float | None = None
    attack_success_rate_high: float | None = None
    attacked_images: int | None = None
    w_clean: float | None = None
    w_triggered: float | None = None
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    effect_size: float | None = None
    detection_auc: float | None = None
    control_gap: float | None = None
    gap_beyond_control: float | None = None
    predicted_as_target: int | None = None
    w_predicted_as_target: float | None = None
    flipped: int | None = None
    w_clean_flipped: float | None = None
    w_triggered_flipped: float | None = None
    w_clean_not_flipped: float | None = None
    w_triggered_not_flipped: float | None = None
    target_share_clean: float | None = None
    target_share_triggered: float | None = None
    modal_class_clean: int | None = None
    modal_share_clean: float | None = None
    modal_class_triggered: int | None = None
    modal_share_triggered: float | None = None
    confidence_clean: float | None = None
    confidence_triggered: float | None = None
    margin_clean: float | None = None
    margin_triggered: float | None = None
    entropy_correlation: float | None = None
    misclassified_auc: float | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None
    votes_in: str | None = None
    torch: str | None = None
    processor: str | None = None
    seconds: float | None = None
    host: str | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class EpochRow(Labels):
    """What one epoch of one poisoned training showed on the few images that every epoch looks at.

    `sigma`, `images` and `draws` are those of `core.training.loop`'s watch; `clean_accuracy` and `attack_success_rate`
    are on the whole test split.
    """

    epoch: int
    sigma: float
    images: int
    draws: int
    clean_accuracy: float
    attack_success_rate: float | None
    w_clean: float
    w_triggered: float
    gap: float


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
