"""How often the intervals of W hold the truth: ``python -m core.benchmarks.coverage`` prints the tables.

The list of distributions is fixed and none is drawn from a prior, so an interval cannot do well by being tuned to
one. The numbers are the same on each run. `docs/estimators.md` shows them and says what they mean.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import chain
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from core.instruments.adaptive import draws_for_width
from core.instruments.intervals import (
    entropy_interval,
    gap_interval_monte_carlo,
    mean_interval_monte_carlo,
    mean_interval_sampling,
)
from core.instruments.statistics import Estimate

CLASSES = (2, 10, 43)
DRAWS = (50, 100, 250, 1000)
TOPS = (0.999, 0.99, 0.95, 0.7, 0.5)


class Cell(NamedTuple):
    """A class distribution with a name."""

    name: str
    p: np.ndarray

    @property
    def w(self) -> float:
        """The true W, normalised."""
        return float(-(self.p[self.p > 0] * np.log(self.p[self.p > 0])).sum() / np.log(len(self.p))) + 0.0

    @property
    def degenerate(self) -> bool:
        """One-hot or flat: at an end of the range of W."""
        return np.count_nonzero(self.p) == 1 or bool(np.allclose(self.p, self.p[0]))


class Coverage(NamedTuple):
    """Share of intervals that hold the truth, share wholly above it and wholly below it, and their mean width."""

    share: float
    above: float
    below: float
    width: float


def cells(classes: int) -> list[Cell]:
    """The published distributions over `classes` classes."""
    one_hot = np.eye(classes)[0]
    found = [Cell("one-hot", one_hot)]
    found += [Cell(f"top {top:g}", np.where(one_hot > 0, top, (1 - top) / (classes - 1))) for top in TOPS]
    geometric = 0.5 ** np.arange(classes)
    found.append(Cell("geometric", geometric / geometric.sum()))
    # With two classes, top 0.5 and half-half are flat.
    if classes > 2:
        found.append(Cell("half-half", np.where(np.arange(classes) < 2, 0.5, 0.0)))
    near = np.where(np.arange(classes) < classes // 2, 1.2, 1.0)
    found.append(Cell("near-flat", near / near.sum()))
    if classes > 2:
        found.append(Cell("flat", np.full(classes, 1 / classes)))
    return found


def score(low: np.ndarray, high: np.ndarray, truth: float | np.ndarray) -> Coverage:
    """Compare intervals with the truth."""
    above, below = low > truth + 1e-9, high < truth - 1e-9
    return Coverage(1 - (above | below).mean(), above.mean(), below.mean(), float((high - low).mean()))


def image_coverage(cell: Cell, draws: int, repetitions: int) -> Coverage:
    """Coverage of `entropy_interval` for one image with the cell's distribution."""
    return score(*entropy_interval(image_votes(cell, draws, repetitions)), cell.w)


def delta_coverage(cell: Cell, draws: int, repetitions: int) -> Coverage:
    """Coverage of the textbook interval on the same votes: Miller and Madow's estimate and the delta method."""
    votes = image_votes(cell, draws, repetitions)
    shares = votes / draws
    surprise = -np.log(np.where(shares > 0, shares, 1))
    entropy = (shares * surprise).sum(axis=1)
    reach = NormalDist().inv_cdf(0.975) * np.sqrt(((shares * surprise**2).sum(axis=1) - entropy**2).clip(0) / draws)
    centre = entropy + ((votes > 0).sum(axis=1) - 1) / (2 * draws)
    scale = np.log(len(cell.p))
    return score((centre - reach) / scale, (centre + reach) / scale, cell.w)


def image_votes(cell: Cell, draws: int, repetitions: int) -> np.ndarray:
    """Votes int[repetitions, K], the same on each call."""
    random = np.random.default_rng([len(cell.p), draws, *cell.name.encode()])
    return random.multinomial(draws, cell.p, size=repetitions)


# Sets of images, as the distributions they cycle through.
SETS = {
    "most one-hot": ["one-hot"] * 8 + ["top 0.99", "top 0.7"],
    "every kind": ["one-hot", "top 0.999", "top 0.99", "top 0.95", "top 0.7", "top 0.5", "geometric", "half-half"],
    "all top 0.99": ["top 0.99"],
    "all top 0.7": ["top 0.7"],
    "all flat": ["flat"],
}


def set_coverage(kinds: list[str], classes: int, images: int, draws: int, repetitions: int) -> Coverage:
    """Coverage of `mean_interval_monte_carlo` for a fixed set of images."""
    by_name = {cell.name: cell for cell in cells(classes)}
    members = [by_name[kinds[i % len(kinds)]] for i in range(images)]
    random = np.random.default_rng([classes, images, draws])
    p = np.stack([cell.p for cell in members])
    found = [mean_interval_monte_carlo(random.multinomial(draws, p)) for _ in range(repetitions)]
    return _score_all(found, float(np.mean([cell.w for cell in members])))


# Populations of images: (W, share of the images).
POPULATIONS = {
    "nine in ten 0, else 0.3": [(0.0, 0.9), (0.3, 0.1)],
    "97% 0, else 0.6": [(0.0, 0.97), (0.6, 0.03)],
    "skewed, mean 0.13": [(0.0, 0.3), (0.02, 0.2), (0.08, 0.2), (0.2, 0.15), (0.4, 0.1), (0.7, 0.05)],
    "even, mean 0.6": [(0.4, 0.2), (0.5, 0.2), (0.6, 0.2), (0.7, 0.2), (0.8, 0.2)],
}


def sampling_coverage(
    population: list[tuple[float, float]], images: int, repetitions: int
) -> tuple[Coverage, Coverage]:
    """Coverage of `mean_interval_sampling`, and of Student's t beside it, for images drawn from a population."""
    from scipy.stats import t

    values, shares = np.array(population).T
    random = np.random.default_rng(images)
    samples = random.choice(values, p=shares, size=(repetitions, images))
    truth = float(values @ shares)
    reach = t.ppf(0.975, images - 1) * samples.std(axis=1, ddof=1) / np.sqrt(images)
    student = score(samples.mean(axis=1) - reach, samples.mean(axis=1) + reach, truth)
    return _score_all([mean_interval_sampling(w) for w in samples], truth), student


PAIRS = (("top 0.7", "top 0.95"), ("top 0.5", "top 0.5"), ("top 0.95", "one-hot"), ("geometric", "top 0.99"))


def pair_votes(clean: Cell, triggered: Cell, draws: int, size: int, coupling: str) -> tuple[np.ndarray, np.ndarray]:
    """Votes int[size, K] of an image without and with its trigger, whose draws are tied or opposed to each other."""
    random = np.random.default_rng([draws, size, *clean.name.encode(), *triggered.name.encode()])
    u = random.random((size, draws))
    v = {"together": u, "independent": random.random((size, draws)), "opposed": 1 - u}[coupling]
    return _votes_at(clean.p, u), _votes_at(triggered.p, v)


def pair_coverage(clean: Cell, triggered: Cell, draws: int, coupling: str, images: int, repetitions: int) -> Coverage:
    """Coverage of `gap_interval_monte_carlo` for a set of such pairs."""
    truth = clean.w - triggered.w
    without, with_trigger = pair_votes(clean, triggered, draws, repetitions * images, coupling)
    sets = zip(np.split(without, repetitions), np.split(with_trigger, repetitions), strict=True)
    return _score_all([gap_interval_monte_carlo(a, b) for a, b in sets], truth)


def adaptive_coverage(cell: Cell, width: float, repetitions: int) -> tuple[Coverage, float, float]:
    """Coverage after adaptive draws, mean number of fresh draws, and share of intervals within `width` + 10 %."""
    random = np.random.default_rng([len(cell.p), *cell.name.encode()])
    pilot = random.multinomial(round(4 / width), cell.p, size=repetitions)
    draws = draws_for_width(pilot, width)
    low, high = entropy_interval(random.multinomial(draws, np.tile(cell.p, (repetitions, 1))))
    return score(low, high, cell.w), float(draws.mean()), float((high - low <= 1.1 * width).mean())


def _votes_at(p: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Count the classes that uniform draws u[size, draws] fall into."""
    drawn = np.minimum(np.searchsorted(np.cumsum(p), u, side="right"), len(p) - 1)
    return np.stack([(drawn == label).sum(axis=1) for label in range(len(p))], axis=1)


def _score_all(intervals: list[Estimate], truth: float) -> Coverage:
    return score(np.array([i.low for i in intervals]), np.array([i.high for i in intervals]), truth)


def _percent(coverage: Coverage) -> str:
    return f"{100 * coverage.share:.1f} ({coverage.width:.3f})"


def _mean_and_least(shares: list[float]) -> str:
    return f"mean {100 * np.mean(shares):.1f}%, least {100 * min(shares):.1f}%"


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    for row in [head, ["---"] * len(head), *rows]:
        yield "| " + " | ".join(row) + " |"
    yield ""


def image_tables(repetitions: int) -> Iterator[str]:
    """Markdown: every cell, and the summary that decides."""
    inner, ends, rows, textbook = [], [], [], []
    start, images = time.perf_counter(), 0
    for classes in CLASSES:
        for cell in cells(classes):
            found = [image_coverage(cell, draws, repetitions) for draws in DRAWS]
            (ends if cell.degenerate else inner).extend(coverage.share for coverage in found)
            images += repetitions * len(DRAWS)
            if not cell.degenerate:
                textbook += [delta_coverage(cell, draws, repetitions).share for draws in DRAWS]
            rows.append([str(classes), cell.name, f"{cell.w:.3f}", *map(_percent, found)])
    each = 1e3 * (time.perf_counter() - start) / images
    yield from _table(["K", "distribution", "W", *(f"n = {draws}" for draws in DRAWS)], rows)
    yield f"Cells that are neither one-hot nor flat: {_mean_and_least(inner)}."
    yield f"The same with Miller and Madow's estimate and the delta method: {_mean_and_least(textbook)}."
    yield f"One-hot and flat: least {100 * min(ends):.1f}%. Repetitions per cell: {repetitions}."
    yield f"Time: {each:.2f} ms an interval, equal votes remembered.\n"


def monte_carlo_table(repetitions: int) -> Iterator[str]:
    """Markdown: the mean of a set for more draws."""
    rows = []
    for classes, draws in ((10, 250), (10, 50), (43, 250)):
        for name, kinds in SETS.items():
            found = [set_coverage(kinds, classes, images, draws, repetitions) for images in (8, 30, 200)]
            rows.append([str(classes), str(draws), name, *map(_percent, found)])
    yield f"Mean of a set, Monte-Carlo (these images, more draws), {repetitions} repetitions:\n"
    yield from _table(["K", "n", "set", "8 images", "30 images", "200 images"], rows)


def sampling_table(repetitions: int) -> Iterator[str]:
    """Markdown: the mean of a set for more images."""
    rows = []
    for name, population in POPULATIONS.items():
        found = [sampling_coverage(population, images, repetitions) for images in (8, 30, 200)]
        rows.append([name, *(_percent(coverage) for pair in found for coverage in pair)])
    yield f"Mean of a set, sampling (more images), next to Student's t, {repetitions} repetitions:\n"
    yield from _table(["W of the population", *(f"{n} images{t}" for n in (8, 30, 200) for t in ("", ", t"))], rows)


def pair_table(repetitions: int) -> Iterator[str]:
    """Markdown: clean minus triggered for more draws."""
    by_name, rows = {cell.name: cell for cell in cells(10)}, []
    for clean, triggered in PAIRS:
        for coupling in ("together", "independent", "opposed"):
            found = pair_coverage(by_name[clean], by_name[triggered], 250, coupling, 30, repetitions)
            rows.append([clean, triggered, coupling, _percent(found)])
    yield f"W clean minus W triggered, K = 10, n = 250, Monte-Carlo, {repetitions} repetitions:\n"
    yield from _table(["clean", "triggered", "their draws", "mean of 30 pairs"], rows)


def adaptive_table(repetitions: int) -> Iterator[str]:
    """Markdown: after adaptive draws."""
    rows = []
    for cell in cells(10):
        coverage, draws, kept = adaptive_coverage(cell, 0.05, repetitions)
        rows.append([cell.name, _percent(coverage), f"{draws:.0f}", f"{100 * kept:.0f}%"])
    yield f"Adaptive draws for a width of 0.05 from a pilot of 80, K = 10, {repetitions} repetitions:\n"
    yield from _table(["distribution", "coverage (width)", "mean fresh draws", "width at most 0.055"], rows)


def main() -> None:
    """Print all tables as markdown."""
    parser = argparse.ArgumentParser(prog="python -m core.benchmarks.coverage", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000, help="simulated images a cell (default 2000)")
    repetitions = parser.parse_args().repetitions
    # A set or a set of pairs takes up to 400 images, so fewer of them.
    few = max(100, repetitions // 10)
    tables = (
        image_tables(repetitions),
        monte_carlo_table(few),
        sampling_table(repetitions),
        pair_table(few),
        adaptive_table(repetitions),
    )
    for line in chain.from_iterable(tables):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
