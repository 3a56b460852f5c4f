"""The randomised-smoothing certificate against its closed forms and simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from core.errors import InputError
from core.instruments.certificate import ABSTAIN, certify


@pytest.mark.parametrize("n", [100, 900, 100_000])
def test_all_votes_for_one_class(n):
    found = certify(np.array([[0, 100, 0]]), np.array([[0, n, 0]]), sigma=0.5)
    assert found.label.tolist() == [1]
    assert found.p_low[0] == pytest.approx(0.001 ** (1 / n))
    assert found.radius[0] == pytest.approx(0.5 * norm.ppf(0.001 ** (1 / n)))


def test_the_bound_is_clopper_and_pearsons():
    estimation = np.array([[890, 110], [600, 400], [0, 1000]])
    found = certify(np.array([[9, 1], [6, 4], [8, 2]]), estimation, sigma=0.25, alpha=0.01)
    expected = [
        binomtest(k, 1000, alternative="greater").proportion_ci(0.99, method="exact").low for k in estimation[:, 0]
    ]
    assert found.p_low == pytest.approx(expected)
    assert (found.sigma, found.alpha) == (0.25, 0.01)
    # The third image's class was chosen by the selection votes, and the rest of the votes speak against it.
    assert found.label.tolist() == [0, 0, ABSTAIN]
    assert found.radius == pytest.approx([*(0.25 * norm.ppf(expected[:2])), 0])


def test_abstains_at_a_half_and_certifies_just_above():
    # P(537 or more of 1000 at p = 1/2) is 0.0105, P(538 or more) is 0.0088.
    votes = np.array([[537, 463], [538, 462]])
    found = certify(np.array([[1, 0], [1, 0]]), votes, sigma=1, alpha=0.01)
    assert found.label.tolist() == [ABSTAIN, 0]
    assert found.p_low[0] <= 0.5 < found.p_low[1]
    assert found.radius[0] == 0 < found.radius[1]


def test_the_radius_grows_with_sigma_and_falls_with_alpha():
    votes = np.array([[950, 50]])
    radius = [certify(votes, votes, s, a).radius[0] for s, a in ((0.5, 0.001), (0.25, 0.001), (0.5, 0.05))]
    assert radius[0] == pytest.approx(2 * radius[1])
    assert radius[2] > radius[0]


def test_the_bound_is_wrong_no_more_often_than_alpha():
    p = np.array([0.8, 0.15, 0.05])
    random = np.random.default_rng(0)
    selection, estimation = random.multinomial(100, p, size=4000), random.multinomial(900, p, size=4000)
    found = certify(selection, estimation, sigma=0.5, alpha=0.05)
    wrong = (found.p_low > 0.8).mean()
    assert 0.03 < wrong < 0.06
    assert (found.label == 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: certify(v, np.array([[1, 2, 3]]), 0.5), "same images"),
        (lambda v: certify(v, v, 0.0), "sigma of 0"),
        (lambda v: certify(v, v, float("nan")), "sigma of nan"),
        (lambda v: certify(v, v, 0.5, alpha=1), "alpha of 1"),
        (lambda v: certify(v / 10, v, 0.5), "whole numbers"),
    ],
)
def test_bad_input_is_told_in_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call(np.array([[7, 3]]))
