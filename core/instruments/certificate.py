"""The randomised-smoothing certificate: a radius within which the smoothed classifier's answer cannot change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from core.errors import InputError
from core.instruments.estimators import check_votes
from core.instruments.statistics import clopper_pearson

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64

ABSTAIN = -1


@dataclass(frozen=True, eq=False)
class Certificate:
    """What is certain, except with probability `alpha` for each image, about the class that wins under noise.

    Attributes
    ----------
    label
        int64[N], the certified class, or `ABSTAIN` (-1).
    p_low
        float64[N], lower bound of the selected class's probability under noise, given where it abstains too.
    radius
        float64[N], L2 distance in pixels of [0, 1] over all channels; 0 where it abstains.
    sigma, alpha
        The noise, in the same units, and the chance to be wrong.
    """

    label: Int64[np.ndarray, " N"]
    p_low: Float64[np.ndarray, " N"]
    radius: Float64[np.ndarray, " N"]
    sigma: float
    alpha: float


def certify(selection_votes: ArrayLike, estimation_votes: ArrayLike, sigma: float, alpha: float = 0.001) -> Certificate:
    """Certify the class that wins under Gaussian noise, and the radius sigma * Phi^-1(p_low) around each image.

    The selection votes choose the class, the estimation votes bound its probability p by Clopper and Pearson's
    one-sided bound p_low; where p_low <= 1/2 it abstains. This holds only for noise that was not clamped, for
    estimation draws independent of the selection draws, and for a number of draws that was fixed beforehand: votes from
    adaptive draws give no certificate.

    Parameters
    ----------
    selection_votes, estimation_votes
        int[N, K] of the same images, for example from the first tenth of the draws and from the rest.
    sigma
        Standard deviation of the noise in pixels of [0, 1], before the model's normalisation; above 0.
    alpha
        Chance of a wrong certificate for an image, in (0, 1).

    References
    ----------
    J. Cohen, E. Rosenfeld, J. Z. Kolter, "Certified adversarial robustness via randomized smoothing", ICML 2019,
    section 3.2.2, arXiv 1902.02918.
    """
    selection, estimation = check_votes(selection_votes), check_votes(estimation_votes)
    if selection.shape != estimation.shape:
        raise InputError(
            f"Selection votes of {selection.shape} and estimation votes of {estimation.shape} differ; "
            "take both from the same images and model."
        )
    if not (np.isfinite(sigma) and sigma > 0):
        raise InputError(f"A sigma of {sigma:g} gives no certificate; it must be above 0.")
    if not 0 < alpha < 1:
        raise InputError(f"An alpha of {alpha:g} is not in (0, 1); 0.001 is usual.")
    from scipy.special import ndtri

    chosen = selection.argmax(axis=1)
    p_low, _ = clopper_pearson(np.take_along_axis(estimation, chosen[:, None], axis=1)[:, 0], estimation.sum(1), alpha)
    certain = p_low > 0.5
    return Certificate(
        label=np.where(certain, chosen, ABSTAIN),
        p_low=p_low,
        radius=sigma * np.where(certain, ndtri(p_low), 0.0),
        sigma=float(sigma),
        alpha=float(alpha),
    )
