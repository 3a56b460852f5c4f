"""W: the entropy of a model's predictions around an image, from votes under Gaussian noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from core.drawing import Drawn
from core.errors import InputError
from core.instruments.budgets import REPORT
from core.instruments.estimators import entropy
from core.instruments.intervals import (
    entropy_interval,
    gap_interval_monte_carlo,
    gap_interval_sampling,
    mean_interval_monte_carlo,
    mean_interval_sampling,
)
from core.instruments.noise import Noise
from core.instruments.statistics import Estimate, probability_lower, wilcoxon_paired

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64
    from torch import Tensor

    from core.instruments.predictor import Predictor

    Model = Callable[[Tensor], Tensor] | Predictor

_NOISE_LENGTH = 4


class Arithmetic(NamedTuple):
    """What computed votes: with model, images and noise it decides every bit of them."""

    device: str
    dtype: str
    batch: int


@dataclass(frozen=True, eq=False)
class Smoothness:
    """Votes around N images, everything needed to count them again, and what they say. Low W means smooth.

    Attributes
    ----------
    votes
        int64 [N, K]: how many of the noisy copies of each image are predicted as each class.
    noise
        The noise, with one key for each image.
    arithmetic
        What computed the votes; None where nobody kept it.
    """

    votes: Int64[np.ndarray, "N K"]
    noise: Noise
    arithmetic: Arithmetic | None = None

    def __len__(self) -> int:
        return len(self.votes)

    def __add__(self, more: Smoothness) -> Self:
        """Return these votes and those of the draws that follow, of the same images."""
        draws, further = self.noise.draws, more.noise.draws
        if not (isinstance(draws, int) and isinstance(further, int) and more.noise.first == self.noise.first + draws):
            raise InputError("Votes add up where one's draws follow the other's; measure the draws that come next.")
        return replace(self, votes=self.votes + more.votes, noise=replace(self.noise, draws=draws + further))

    @property
    def draws(self) -> Int64[np.ndarray, " N"]:
        """Votes of each image, int64 [N]."""
        return self.votes.sum(1)

    @cached_property
    def w(self) -> Float64[np.ndarray, " N"]:
        """W of each image, corrected for the bias of few draws and divided by log K, float64 [N]."""
        return entropy(self.votes)

    @property
    def low(self) -> Float64[np.ndarray, " N"]:
        """Lower end of each image's 95% interval for more draws (Monte-Carlo), float64 [N]."""
        return self._interval[0]

    @property
    def high(self) -> Float64[np.ndarray, " N"]:
        """Upper end of each image's 95% interval for more draws (Monte-Carlo), float64 [N]."""
        return self._interval[1]

    # Read by few callers and by far the slowest part for many images, so computed when first read.
    @cached_property
    def _interval(self) -> tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " N"]]:
        return entropy_interval(self.votes)

    def estimate_of(self, image: int = 0) -> Estimate:
        """Return W of one of the images with its 95% interval for more draws."""
        return Estimate(float(self.w[image]), float(self.low[image]), float(self.high[image]))

    @property
    def modal_class(self) -> Int64[np.ndarray, " N"]:
        """The class with most votes, int64 [N]; the lowest of equals."""
        return self.votes.argmax(1)

    @property
    def modal_share(self) -> Float64[np.ndarray, " N"]:
        """Share of the draws that vote for the modal class, float64 [N]."""
        return self.votes.max(1) / self.draws

    @cached_property
    def mean(self) -> Estimate:
        """Mean W with the interval for *more images* (sampling)."""
        return mean_interval_sampling(self.w)

    @cached_property
    def mean_monte_carlo(self) -> Estimate:
        """Mean W with the interval for *more draws* on these very images (Monte-Carlo)."""
        return mean_interval_monte_carlo(self.votes)

    @property
    def pooled_class(self) -> int:
        """The class with most of all images' votes; the lowest of equals."""
        return int(self.votes.sum(0).argmax())

    def pooled_share(self, label: int | None = None) -> float:
        """Return the share of all images' votes that a class gets, by default the pooled class."""
        label = self.pooled_class if label is None else label
        return float(self.votes[:, label].sum() / self.votes.sum())


@dataclass(frozen=True, eq=False)
class Pair(Drawn):
    """W of the same images without and with a trigger or pattern, paired by common noise."""

    clean: Smoothness
    triggered: Smoothness

    @cached_property
    def gap(self) -> Estimate:
        """Mean of W clean minus W triggered, with the interval for more images; above 0: smoother with the trigger."""
        return gap_interval_sampling(self.clean.w, self.triggered.w)

    @cached_property
    def gap_monte_carlo(self) -> Estimate:
        """The same mean with the interval for more draws on these very images."""
        return gap_interval_monte_carlo(self.clean.votes, self.triggered.votes)

    @cached_property
    def half_width(self) -> float:
        """Mean half width of the images' own 95% intervals for more draws, without and with the trigger."""
        return float(np.mean([(side.high - side.low) / 2 for side in (self.clean, self.triggered)]))

    @cached_property
    def p_lower(self) -> Estimate:
        """Effect size: the share of images whose W is lower with the trigger, ties counted half."""
        return probability_lower(self.triggered.w, self.clean.w)

    @cached_property
    def p_value(self) -> float:
        """Two-sided Wilcoxon signed-rank test of the paired differences (zsplit); 1 if all are ties."""
        return wilcoxon_paired(self.clean.w, self.triggered.w)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: mean W and the gap with both intervals, and how they were measured."""
        rows = {
            "W clean": (self.clean.mean, self.clean.mean_monte_carlo),
            "W triggered": (self.triggered.mean, self.triggered.mean_monte_carlo),
            "gap": (self.gap, self.gap_monte_carlo),
        }
        cells = "".join(
            f"<tr><th>{name}</th><td>{images.value:.3f}</td><td>[{images.low:.3f}, {images.high:.3f}]</td>"
            f"<td>[{draws.low:.3f}, {draws.high:.3f}]</td></tr>"
            for name, (images, draws) in rows.items()
        )
        draws = np.unique([self.clean.draws, self.triggered.draws])
        taken = f"{draws[0]}" if len(draws) == 1 else f"{draws[0]} to {draws[-1]}"
        noise = self.clean.noise
        return (
            f"<table><caption>{len(self.clean)} images, σ = {noise.sigma:g}, {taken} draws, seed {noise.seed}</caption>"
            "<tr><th></th><th>mean</th><th>95%, for more images</th><th>95%, for more draws</th></tr>"
            f"{cells}</table>"
        )


def measure(model: Model, images: Tensor, noise: Noise) -> Smoothness:
    """Count the votes around images, float [N, C, H, W] in [0, 1], under any noise.

    Raises
    ------
    InputError
        The images cannot be used, or there is not one key for each.
    """
    from core.instruments.predictor import as_predictor

    predictor = as_predictor(model)
    votes = predictor.votes(images, noise).numpy()
    noise = replace(noise, keys=noise.keys_of(len(images)))
    return Smoothness(votes, noise, arithmetic_of(predictor, images.shape[1:]))


def arithmetic_of(predictor: Predictor, shape: Sequence[int]) -> Arithmetic:
    """Return what a predictor computes with for images of a shape (channels, height, width)."""
    dtype = str(predictor.dtype).removeprefix("torch.")
    return Arithmetic(str(predictor.device), dtype, predictor.batch_of(shape))


def measure_smoothness(
    model: Model,
    images: Tensor,
    sigma: float,
    draws: int = REPORT.draws,
    seed: int = 0,
    keys: Sequence[int] | None = None,
) -> Smoothness:
    """Measure W, the entropy of the predicted class under Gaussian noise, of each image.

    The votes depend on model, image, key, sigma, draws and seed only: not on the other images, their order or their
    number, nor on whether the draws were made in steps.

    Parameters
    ----------
    model
        From images [N, C, H, W] to logits [N, K], or a `Predictor`, which is used as it is.
    images
        Float [N, C, H, W], pixels in [0, 1].
    sigma
        Standard deviation of the noise, in units of the pixels, added before the model's own normalisation.
    draws
        Noisy copies of each image, at least 2.
    seed
        Names the noise, together with the keys.
    keys
        One whole number in [0, 2^32) for each image, by default 0..N-1. Images with equal keys share their noise: give
        a clean image and its triggered version the same key, and different images different ones.

    Raises
    ------
    InputError
        Something above is not so.

    References
    ----------
    Grosse, Lee, Biggio, Park, Backes, Molloy: Backdoor Smoothing, Computers & Security 2022, arXiv 2006.06721.

    Examples
    --------
    A model that gives every image the same class is as smooth as can be: W is 0.

    >>> import torch
    >>> def model(images):
    ...     return torch.tensor([[0.0, 1.0]]).expand(len(images), 2)
    >>> measure_smoothness(model, torch.rand(3, 1, 8, 8), sigma=0.5, draws=100).w.tolist()
    [0.0, 0.0, 0.0]
    """
    return measure(model, images, _noise(sigma, draws, seed, keys))


def sweep_sigma(
    model: Model,
    images: Tensor,
    sigmas: Sequence[float],
    draws: int = REPORT.draws,
    seed: int = 0,
    keys: Sequence[int] | None = None,
) -> Iterator[Smoothness]:
    """Yield `measure_smoothness` at each sigma in turn, with the same noise, scaled.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    >>> for smoothness in sweep_sigma(model, torch.rand(3, 1, 8, 8), [0.1, 0.5], draws=50):
    ...     print(smoothness.w.shape)
    (3,)
    (3,)
    """
    from core.instruments.predictor import as_predictor

    predictor = as_predictor(model)
    noises = [_noise(sigma, draws, seed, keys) for sigma in sigmas]  # so that all are checked before any work
    return (measure(predictor, images, noise) for noise in noises)


def suggested_sigma(shape: tuple[int, int, int]) -> float:
    """Return the sigma at which noise on an image of this shape has an expected length of 4, to two digits."""
    return float(f"{_NOISE_LENGTH / math.sqrt(math.prod(shape)):.2g}")


def _noise(sigma: float, draws: int, seed: int, keys: Sequence[int] | None) -> Noise:
    if draws < 2:
        raise InputError(f"{draws} draws tell nothing about uncertainty; ask for at least 2.")
    return Noise(sigma, draws, seed, keys)
