from collections import deque
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nahas.controller.nsga2 import (
    NSGA2,
    constrained_rank,
    crossover,
    crowding_distance,
    mutate_each,
)
from nahas.controller.pareto import non_dominated, non_dominated_sort
from nahas.controller.trial import Trial

SPACE = np.array([6] * 8)


def trial(number, choices, accuracy=None, latency=None, violation=0.0):
    feasible = accuracy is not None
    return Trial(
        number, tuple(choices), "trained" if feasible else "rejected", accuracy,
        latency, None, None, None, accuracy, feasible, violation,
    )  # fmt: skip


# Fronts.


def test_fronts_by_hand():
    costs = np.array([[1, 4], [2, 2], [4, 1], [2, 4], [4, 4], [5, 5]], float)
    assert non_dominated_sort(costs).tolist() == [0, 0, 0, 1, 2, 3]


def test_what_is_no_point_comes_last():
    assert non_dominated_sort([[1, 1], [inf, 0], [2, 2], [np.nan, 0]]).tolist() == [
        0, 2, 1, 2,
    ]  # fmt: skip
    assert non_dominated_sort(np.zeros((0, 2))).tolist() == []


@given(arrays.arrays(np.int64, (12, 3), elements=st.integers(0, 4)))
def test_a_front_is_what_is_left_undominated(costs):
    fronts = non_dominated_sort(costs)
    for front in range(fronts.max() + 1):
        left = fronts >= front
        np.testing.assert_array_equal(
            fronts[left] == front, non_dominated(costs[left].astype(float))
        )


def test_constraint_domination_by_hand():
    costs = np.array([[0.0, 0], [9, 9], [0, 0], [8, 8], [0, 0]])
    feasible = np.array([False, True, False, True, False])
    violations = np.array([inf, 0, 0.1, 0, 0.1])
    ranks = constrained_rank(costs, feasible, violations)
    assert ranks.tolist() == [3, 1, 2, 0, 2]


# Crowding.


def test_crowding_by_hand():
    """Σ (next - previous) / range: (3-0)/4 + (4-1)/4 for the point in the middle."""
    costs = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0], [9.0, 9.0]])
    crowding = crowding_distance(costs, np.array([0, 0, 0, 0, 1]))
    np.testing.assert_allclose(crowding, [inf, 1.5, 1.5, inf, 0.0])


DISTINCT = arrays.arrays(np.float64, 7, elements=st.floats(0, 1), unique=True)


@given(DISTINCT, DISTINCT, st.permutations(range(7)))
def test_crowding_does_not_depend_on_the_order(first, second, shuffled):
    costs = np.column_stack([first, second])
    ranks = np.zeros(7, np.int64)
    np.testing.assert_allclose(
        crowding_distance(costs, ranks)[shuffled],
        crowding_distance(costs[shuffled], ranks),
    )


# Variation.


def test_crossover_takes_half_of_each():
    rng = np.random.default_rng(0)
    zeros, ones = np.zeros(10_000, np.int64), np.ones(10_000, np.int64)
    child = crossover(zeros, ones, rng)
    assert set(child.tolist()) == {0, 1}
    assert child.mean() == pytest.approx(0.5, abs=0.02)


def test_mutation_hits_at_its_rate_and_always_moves():
    rng = np.random.default_rng(0)
    cardinalities = np.array([1, 3] * 5_000)
    point = rng.integers(0, cardinalities)
    child = mutate_each(point, cardinalities, 0.2, rng)
    changed = child != point
    assert not changed[::2].any()
    assert changed[1::2].mean() == pytest.approx(0.2, abs=0.02)
    assert ((child >= 0) & (child < cardinalities)).all()


# The search.


def run(search, judge, trials, window=4):
    search.setup(SPACE, seed=0)
    waiting, seen = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            search.update([waiting.popleft()])
        choices = search.propose(1)[0].tolist()
        seen.append(judge(number, choices))
        waiting.append(seen[-1])
    return seen


def test_it_finds_and_spreads_along_the_front():
    """Accuracy is the sum, latency its square: every sum is on the front."""
    found = run(
        NSGA2(),
        lambda k, c: trial(k, c, accuracy=float(sum(c)), latency=float(sum(c) ** 2)),
        600,
    )
    sums = {int(t.accuracy) for t in found}
    assert len(sums) > 30  # of 41, of which random points find some 25
    assert min(sums) <= 3
    assert max(sums) >= 37


def test_it_leaves_the_infeasible_behind():
    def judge(number, choices):
        over = sum(choices) - 10
        if over > 0:
            return trial(number, choices, violation=over / 10)
        return trial(number, choices, accuracy=float(sum(choices)), latency=1.0)

    found = run(NSGA2(), judge, 300)
    assert max(t.accuracy or 0 for t in found) == 10
    assert np.mean([t.feasible for t in found[200:]]) > 0.3  # of random points: 1 %


def test_objectives_are_chosen():
    found = run(
        NSGA2(objectives=("latency_ms",)),
        lambda k, c: trial(k, c, accuracy=1.0, latency=float(sum(c))),
        400,
    )
    assert min(t.latency_ms for t in found) <= 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"population": 1}, r"`population` must be an integer of at least 2"),
        ({"crossover": 1.5}, r"`crossover` must be a number from 0 to 1"),
        ({"objectives": ()}, r"`objectives` must be some of"),
        ({"objectives": ("speed",)}, r"Received \('speed',\)"),
        ({"objectives": ("reward", "reward")}, r"each once"),
    ],
)
def test_wrong_settings(wrong, message):
    with pytest.raises(ValueError, match=message):
        NSGA2(**wrong)
