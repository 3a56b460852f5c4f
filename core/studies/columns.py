"""The rows of a study's two tables: one for each run, trigger, noise and sigma, and one for each epoch of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

# The mode of rows that are no attack: a pattern that was searched on a clean model.
PATTERN = "pattern"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Which training a row is about.

    Attributes
    ----------
    run, control
        Names of the run and of its control, the run of equal seed trained without poison; equal for a control.
    dataset, architecture, epochs, seed
        What was trained, and how.
    kind, size, opacity, trigger
        The trigger: kinds are never pooled. On a control's rows: the trigger that it was measured with.
    mode, target, rate
        The attack; rate 0 is a control. The mode "pattern" is not an attack: there `kind` is the pattern's, and
        `control_gap` the mean gap of random patterns of equal norm.
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
        On the whole test split; the latter under this row's trigger and target, with its 95% interval and the number
        of images that it is a share of.
    w_clean, w_triggered, gap, gap_low, gap_high
        Mean W, and the mean paired difference clean minus triggered with its 95% interval for more images.
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


def with_controls(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with `control_gap` and `gap_beyond_control` filled in where the control is among them."""
    control_gaps = {(row.run, *_measurement(row)): row.gap for row in rows if row.rate == 0}
    return [_with_control(row, control_gaps.get((row.control, *_measurement(row)))) for row in rows]


def _measurement(row: Row) -> tuple[str, int | None, float, str, int | None, str | None, float | None]:
    """Return what a row has in common with its control's row."""
    return row.kind, row.size, row.opacity, row.mode, row.target, row.noise, row.sigma


def _with_control(row: Row, control_gap: float | None) -> Row:
    if row.gap is None or control_gap is None or row.mode == PATTERN:
        return row
    return replace(row, control_gap=control_gap, gap_beyond_control=round(row.gap - control_gap, 6))
