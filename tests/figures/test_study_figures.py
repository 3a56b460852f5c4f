"""Figures of studies: every run is a point at its own place, and a point knows its run."""

from __future__ import annotations

import numpy as np
import pytest

from core.figures.studies import gap_against_success, gap_over_epochs, gap_over_sigma
from tests.studies.test_claims import SIGMAS, course, table

ROWS = table(lambda asr, sigma: 0.3 * asr, seeds=3)


def points(figure) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for trace in figure.data:
        if trace.customdata is not None:
            for x, y, more in zip(trace.x, trace.y, trace.customdata, strict=True):
                found.setdefault(str(more[0]), []).append((float(x), float(y)))
    return found


def test_gap_against_success_shows_every_run_once_with_its_interval():
    mine = [row for row in ROWS if row.sigma == SIGMAS[1]]
    figure = gap_against_success(mine)
    assert points(figure) == {row.run: [(row.attack_success_rate, row.gap)] for row in mine}
    trace = figure.data[-1]
    assert trace.name == "10%"
    assert np.asarray(trace.y) + np.asarray(trace.error_y.array) == pytest.approx(
        [row.gap_high for row in mine if row.rate == 0.1]
    )


def test_gap_over_sigma_draws_the_mean_of_the_seeds():
    figure = gap_over_sigma(ROWS, SIGMAS[0])
    (line,) = (trace for trace in figure.data if trace.mode == "lines" and trace.name == "5%")
    expected = [np.mean([row.gap for row in ROWS if (row.rate, row.sigma) == (0.05, sigma)]) for sigma in SIGMAS]
    assert line.y == pytest.approx(expected)
    assert all(len(places) == len(SIGMAS) for places in points(figure).values())


def test_gap_over_epochs_draws_every_training_and_their_mean():
    rows = course(0.3, seeds=4)
    figure = gap_over_epochs(rows)
    assert points(figure) == {
        name: [(row.epoch, row.gap) for row in rows if row.run == name] for name in {row.run for row in rows}
    }
    (mean,) = (trace for trace in figure.data if trace.showlegend is not False)
    by_epoch = [np.mean([row.gap for row in rows if row.epoch == epoch]) for epoch in mean.x]
    assert mean.y == pytest.approx(by_epoch)


@pytest.mark.parametrize("rates", [(0.0,), (0.1,), (0.001, 0.1), (0.0, 0.001, 0.005, 0.01, 0.05, 0.1)])
def test_rates_are_told_apart_by_colour_and_mark(rates):
    figure = gap_against_success([row for row in ROWS if row.rate in rates and row.sigma == SIGMAS[0]])
    assert len(figure.data) == len(rates)
    assert len({trace.marker.color for trace in figure.data}) == len(rates)
    assert len({trace.marker.symbol for trace in figure.data}) == len(rates)
