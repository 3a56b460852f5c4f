"""C2: what W measures on clean images. The claim is a definition, so there is no verdict, only numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from core.studies.claims.estimates import mean_of_known
from core.studies.claims.verdict import select
from core.studies.columns import PATTERN


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What W measured on one group's clean images.

    Attributes
    ----------
    entropy_correlation
        Mean over the runs of the rank correlation of W with the entropy of the softmax without noise.
    misclassified_auc
        Mean over the runs of the AUC of W for misclassified images; None if no run misclassified any.
    runs
        Number of runs.
    """

    dataset: str
    architecture: str
    epochs: int
    sigma: float
    entropy_correlation: float | None
    misclassified_auc: float | None
    runs: int


def describe_meaning(table: pd.DataFrame) -> Iterator[Meaning]:
    """Yield what W measured, each run once: on a group's controls, or on its runs if there are no controls."""
    table = select(table, (table["noise"] == "everywhere") & (table["mode"] != PATTERN))
    for _, rows in table.groupby(["dataset", "architecture", "epochs", "sigma"], sort=True):
        controls = select(rows, rows["rate"] == 0)
        runs = (rows if controls.empty else controls).drop_duplicates("run", keep="last")
        first = runs.iloc[0]
        yield Meaning(
            dataset=first["dataset"],
            architecture=first["architecture"],
            epochs=int(first["epochs"]),
            sigma=float(first["sigma"]),
            entropy_correlation=mean_of_known(runs["entropy_correlation"]),
            misclassified_auc=mean_of_known(runs["misclassified_auc"]),
            runs=len(runs),
        )
