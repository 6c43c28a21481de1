from math import erf, factorial, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nahas.controller.pareto import front_probability, hypervolume, non_dominated

matrices = st.integers(1, 4).flatmap(
    lambda m: arrays(float, st.tuples(st.integers(1, 20), st.just(m)), elements=small)
)
small = st.integers(0, 6).map(float)


# Closed forms.


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_staircase(n):
    """Points (i, n-1-i) under (n, n) cover n(n+1)/2 unit squares; all are on it."""
    i = np.arange(n)
    stairs = np.stack([i, n - 1 - i], axis=1)
    assert non_dominated(stairs).all()
    assert hypervolume(stairs, [n, n]) == n * (n + 1) / 2


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_simplex_corners(m):
    """The m points with one cost 0 and the rest 1 under (2, ..., 2).

    By inclusion and exclusion each adds 2, and any two or more overlap in 1.
    """
    corners = 1.0 - np.eye(m)
    assert non_dominated(corners).all()
    assert hypervolume(corners, np.full(m, 2.0)) == pytest.approx(m + 1)


@pytest.mark.parametrize("m", [2, 3])
def test_lattice_simplex(m):
    """Lattice points of sum n-1: the cells that they cover are those below n."""
    n = 6
    grid = np.stack(np.meshgrid(*[np.arange(n)] * m, indexing="ij"), -1).reshape(-1, m)
    front = grid[grid.sum(axis=1) == n - 1]
    # the cells left out start at the lattice points of a sum below n-1
    below = 1
    for k in range(m):
        below *= n - 1 + k
    assert hypervolume(front, np.full(m, n)) == n**m - below / factorial(m)


def test_one_point_is_a_box():
    assert hypervolume([[1.0, 2.0, 3.0]], [2.0, 4.0, 6.0]) == 1 * 2 * 3


# Edges.


def test_equal_points_stay_together():
    np.testing.assert_array_equal(
        non_dominated([[1, 2], [1, 2], [2, 2], [0, 3]]), [True, True, False, True]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_no_points(bad):
    costs = [[bad, 0.0], [1.0, 1.0], [0.0, bad]]
    np.testing.assert_array_equal(non_dominated(costs), [False, True, False])
    assert hypervolume(costs, [2.0, 2.0]) == 1.0
    assert not non_dominated([[bad, bad]]).any()
    assert hypervolume([[bad, 0.0]], [2.0, 2.0]) == 0.0


def test_no_points():
    assert non_dominated(np.zeros((0, 3))).shape == (0,)
    assert hypervolume(np.zeros((0, 3)), [1, 1, 1]) == 0.0


def test_points_on_or_beyond_the_reference_add_nothing():
    assert hypervolume([[1.0, 0.0], [0.0, 5.0], [0.5, 0.5]], [1.0, 1.0]) == 0.25


@pytest.mark.parametrize("wrong", [[1.0, 2.0], np.zeros((2, 0)), np.zeros((1, 1, 1))])
def test_costs_must_be_a_matrix(wrong):
    with pytest.raises(ValueError, match="`costs` must be a matrix"):
        non_dominated(wrong)
    with pytest.raises(ValueError, match="`costs` must be a matrix"):
        hypervolume(wrong, [1.0])


@pytest.mark.parametrize("wrong", [[1.0], [1.0, np.inf], [np.nan, 1.0], 3.0])
def test_reference_must_fit(wrong):
    with pytest.raises(ValueError, match="`reference` must be 2 finite numbers"):
        hypervolume([[0.0, 0.0]], wrong)


# Laws.


@given(matrices)
def test_front_by_definition(costs):
    no_worse = (costs[:, None] <= costs).all(axis=2)
    better = (costs[:, None] < costs).any(axis=2)
    dominated = (no_worse & better).any(axis=0)
    np.testing.assert_array_equal(non_dominated(costs), ~dominated)


@given(matrices)
def test_only_the_front_has_volume(costs):
    reference = np.full(costs.shape[1], 7.0)
    front = costs[non_dominated(costs)]
    assert hypervolume(front, reference) == hypervolume(costs, reference)


@given(matrices)
def test_volume_counts_the_unit_cells(costs):
    """With integer costs it is the number of lattice cells above some point."""
    m = costs.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(7.0)] * m, indexing="ij"), -1)
    covered = (costs[:, None] <= cells.reshape(-1, m)).all(axis=2).any(axis=0)
    assert hypervolume(costs, np.full(m, 7.0)) == pytest.approx(covered.sum())


# Noise in the first cost. Tolerances are four standard errors of 4,000 draws.

DRAWS, FAR = 4000, 4 * sqrt(0.25 / 4000)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_equal_points_are_equally_likely(k):
    """Of k points of equal costs and noise one is the best, each as likely."""
    found = front_probability([[0.3, 1.0]] * k, [0.1] * k, draws=DRAWS)
    np.testing.assert_allclose(found, 1 / k, atol=FAR)
    assert found.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("gap", "one", "other"), [(0.1, 0.1, 0.2), (-0.05, 0.1, 0.0)])
def test_a_slower_point_is_on_it_where_it_is_more_accurate(gap, one, other):
    """P(e_2 + noise < e_1 + noise) = Φ(gap / sqrt(σ_1² + σ_2²)); the faster stays."""
    costs = [[0.5, 1.0], [0.5 - gap, 2.0]]
    first, second = front_probability(costs, [one, other], draws=DRAWS)
    assert first == 1.0
    expected = 0.5 * (1 + erf(gap / sqrt(2 * (one**2 + other**2))))
    assert second == pytest.approx(expected, abs=FAR)


@given(matrices)
def test_without_noise_it_is_the_front(costs):
    found = front_probability(costs, np.zeros(len(costs)), draws=3)
    np.testing.assert_array_equal(found, non_dominated(costs))


@given(matrices, st.integers(0, 5))
def test_one_noise_for_all_changes_nothing(costs, seed):
    """Whatever is drawn moves all points alike; by powers of 2, rounding is exact."""
    spread = np.zeros(len(costs), int)
    found = front_probability(costs, np.full(len(costs), 2.0**-9), groups=spread,
                              draws=5, seed=seed)  # fmt: skip
    np.testing.assert_array_equal(found > 0.5, non_dominated(costs))


def test_a_network_s_slower_pair_is_never_on_it():
    """Both pairs have the network's noise, so the faster one dominates the other."""
    costs, names = [[0.3, 1.0], [0.3, 2.0], [0.3, 2.0]], ["a", "a", "b"]
    found = front_probability(costs, [0.1] * 3, groups=names, draws=DRAWS)
    assert found[:2].tolist() == [1.0, 0.0]
    assert found[2] == pytest.approx(0.5, abs=FAR)


def test_draws_are_the_seed_s():
    costs, noise = np.random.default_rng(0).random((20, 2)), np.full(20, 0.2)
    first = front_probability(costs, noise, seed=3)
    np.testing.assert_array_equal(first, front_probability(costs, noise, seed=3))
    assert (first != front_probability(costs, noise, seed=4)).any()
    assert ((first >= 0) & (first <= 1)).all()


def test_no_point_is_never_on_it():
    found = front_probability([[np.nan, 1.0], [0.5, 2.0]], [0.1, 0.1])
    assert found.tolist() == [0.0, 1.0]
    assert front_probability(np.zeros((0, 2)), []).shape == (0,)


@pytest.mark.parametrize("wrong", [[0.1], [0.1, -0.1], [0.1, np.nan], 0.1])
def test_wrong_deviations(wrong):
    with pytest.raises(ValueError, match="`deviation` must be 2 numbers of at least 0"):
        front_probability([[1.0, 2.0], [2.0, 1.0]], wrong)
