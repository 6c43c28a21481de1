"""Additive predictors: exact on sums, honest on the rest."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from nahas.controller.additive import fit, kendall_tau, read_off

SIZES = np.array([3, 2, 4])
PARTS = [np.array([0.0, 0.02, -0.01]), np.array([0.0, 0.05]), np.arange(4) / 50]


def summed(choices):
    return 0.5 + sum(part[choices[:, d]] for d, part in enumerate(PARTS))


def every():
    return np.indices(SIZES).reshape(3, -1).T


def read(function):
    return read_off(
        function, SIZES.tolist(), source="a sum", networks=24, tau=1.0, rmse=0.0
    )


def test_a_sum_is_read_off_exactly():
    assert read(summed)(every()) == pytest.approx(summed(every()), abs=1e-12)


def test_what_is_no_sum_is_refused():
    with pytest.raises(ValueError, match="must be a sum over choices"):
        read(lambda choices: summed(choices) + 0.01 * choices[:, 0] * choices[:, 1])


def test_predictions_are_cut_to_fractions():
    assert read(lambda choices: summed(choices) + 0.6)(every()).max() == 1.0
    assert read(lambda choices: summed(choices) - 0.6)(every()).min() == 0.0


def test_a_fit_of_a_sum_ranks_what_it_has_not_seen():
    found = fit(every(), summed(every()), SIZES, source="all", strength=1e-6)
    assert found.tau > 0.95
    assert found.rmse < 1e-5
    assert found(every()) == pytest.approx(summed(every()), abs=1e-5)


def test_repeated_choices_count_once():
    twice = np.concatenate([every(), every()[:5]])
    noisy = np.concatenate([summed(every()), summed(every()[:5]) + 0.01])
    assert fit(twice, noisy, SIZES, source="some").networks == 24


def test_noise_has_no_rank_held_out():
    noise = np.random.default_rng(3).normal(0.5, 0.01, 24)
    assert abs(fit(every(), noise, SIZES, source="noise").tau) < 0.5


def test_too_few_networks_are_refused():
    with pytest.raises(ValueError, match=r"at least 10 networks\. Received 9 \(few\)"):
        fit(every()[:9], summed(every()[:9]), SIZES, source="few")


def test_tau_is_scipys():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 9, (2, 60)).astype(float)
    assert kendall_tau(one, other) == pytest.approx(kendalltau(one, other)[0])
    assert np.isnan(kendall_tau(one, np.ones(60)))
