"""The process against its closed form, the improvement against its integral."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.controller.gaussian_process import (
    Posterior,
    expected_improvement,
    log_error,
    prior,
)


def matern(distances):
    """Matérn-5/2 of distances over the length: (1 + √5 d + 5 d²/3) exp(-√5 d)."""
    root = np.sqrt(5.0) * distances
    return (1 + root + root**2 / 3) * np.exp(-root)


def fixed(signal, length, noise):
    kernel = prior()
    kernel.theta = np.log([signal, length, noise])
    return kernel


# The posterior.


def test_two_points_by_the_closed_form():
    """Mean k' K⁻¹ y and variance s² - k' K⁻¹ k, with K of points 1 apart."""
    signal, length, noise = 2.0, 1.5, 0.1
    known, targets, point = np.array([[0.0], [1.0]]), np.array([1.0, -1.0]), 0.25
    found = Posterior.fit(known, targets, fixed(signal, length, noise))
    between = signal * matern(1 / length)
    total = np.array([[signal + noise, between], [between, signal + noise]])
    k = signal * matern(np.abs(known[:, 0] - point) / length)
    mean, deviation = found.at(np.array([[point]]))
    # The targets' mean is 0 and their deviation 1.
    assert mean[0] == pytest.approx(k @ np.linalg.solve(total, targets), rel=1e-6)
    variance = signal - k @ np.linalg.solve(total, k)
    assert deviation[0] == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_far_away_is_the_prior_and_a_known_point_without_noise_is_known():
    rng = np.random.default_rng(0)
    known, targets = rng.normal(size=(8, 3)), rng.normal(5.0, 2.0, size=8)
    found = Posterior.fit(known, targets, fixed(1.0, 1.0, 1e-12))
    mean, deviation = found.at(np.full((1, 3), 1e3))
    assert mean[0] == pytest.approx(targets.mean())
    assert deviation[0] == pytest.approx(targets.std())
    mean, deviation = found.at(known)
    np.testing.assert_allclose(mean, targets, atol=1e-5)
    np.testing.assert_allclose(deviation, 0.0, atol=1e-3)


def test_a_shift_and_a_scale_of_the_targets_are_those_of_the_answer():
    rng = np.random.default_rng(1)
    known, targets = rng.normal(size=(20, 2)), rng.normal(size=20)
    points = rng.normal(size=(5, 2))
    one, other = Posterior.fit(known, targets), Posterior.fit(known, 3 + 10 * targets)
    mean, deviation = one.at(points)
    more, wider = other.at(points)
    np.testing.assert_allclose(more, 3 + 10 * mean, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(wider, 10 * deviation, rtol=1e-3, atol=1e-3)


def test_the_numbers_are_the_likeliest():
    """No other numbers on a grid are likelier."""
    rng = np.random.default_rng(2)
    known = rng.random((40, 2))
    targets = np.sin(3 * known[:, 0]) + 0.05 * rng.normal(size=40)
    found = Posterior.fit(known, targets)
    best = found.process.log_marginal_likelihood_value_
    for signal in (0.1, 1.0, 10.0):
        for length in (0.3, 1.0, 3.0):
            for noise in (1e-3, 1e-2, 0.1):
                theta = np.log([signal, length, noise])
                assert found.process.log_marginal_likelihood(theta) <= best + 1e-6


def test_equal_targets():
    found = Posterior.fit(np.array([[0.0], [1.0]]), np.array([0.5, 0.5]))
    mean, deviation = found.at(np.array([[0.0], [9.0]]))
    np.testing.assert_allclose(mean, 0.5)
    assert np.isfinite(deviation).all()


# The improvement.


def test_errors_in_logarithms():
    np.testing.assert_allclose(
        log_error(np.array([0.0, 0.5, 1.0])), [0.0, np.log(2), np.log(1e4)]
    )


@given(st.floats(0.1, 4.0), st.floats(0.01, 1.5), st.floats(-0.5, 0.99))
@settings(max_examples=50, deadline=None)
def test_the_improvement_is_its_integral(mean, deviation, known):
    """E[max(0, a - known)] over 200,001 points of the normal distribution."""
    z = np.linspace(-10, 10, 200_001)
    weights = np.exp(-z * z / 2)
    gains = np.maximum(0.0, 1 - np.exp(-(mean + deviation * z)) - known)
    expected = (gains * weights).sum() / weights.sum()
    [found] = expected_improvement(
        np.array([mean]), np.array([deviation]), np.array([known])
    )
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_the_improvement_of_what_is_certain_and_of_what_cannot_be_beaten():
    mean, known = np.log([[2.0], [2.0], [2.0]])[:, 0], np.array([0.2, 0.7, 1.0])
    found = expected_improvement(mean, np.array([0.0, 0.0, 1.0]), known)
    np.testing.assert_allclose(found, [0.3, 0.0, 0.0], atol=1e-15)
