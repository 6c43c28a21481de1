"""The truth against brute force on a grid and networks small enough for it."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.machines import Axes
from nahas.accelerator.mix import Costs
from nahas.accelerator.objective import score as product_of_powers
from nahas.accelerator.template import Accelerator, Platform
from nahas.controller.pareto import hypervolume, non_dominated
from nahas.controller.reward import Least, Limits, Reward
from nahas.controller.true_front import objectives
from nahas.controller.truth import Problem, Truth, count_within
from nahas.search_space.lower import lower
from nahas.search_space.tabular import nas_bench_macro

KNOBS = (
    (1, 2, 8), (1, 4), (16, 64), (1, 4), (0.5, 4.0), (8.0, 64.0), (5.0, 25.0),
)  # fmt: skip
GRID = [Accelerator(*values) for values in product(*KNOBS)]
SPACE = nas_bench_macro(resolution=64, classes=10)
CHOICES = [[a, b, 0, c, 0, 2, 1, 0] for a, b, c in product((0, 1, 2), (0, 2), (0, 1))]
NETWORKS = tuple(SPACE.decode(choices) for choices in CHOICES)
PROBLEM = Problem(NETWORKS, Platform(), Axes.of(KNOBS))
TRUTH = Truth.of(PROBLEM)


def every_pair():
    """Costs [K * G] of all pairs, network by network, by the plain cost model."""
    parts = [
        Costs.of(evaluate(lower([network]), GRID, PROBLEM.platform))
        for network in NETWORKS
    ]
    names = ("latency_ms", "energy_mj", "area_mm2", "utilization", "feasible")
    return Costs(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))


ALL = every_pair()
NETWORK = np.repeat(np.arange(len(NETWORKS)), len(GRID))
COSTS = ("latency_ms", "energy_mj", "area_mm2", "power_mw")


def kept(limits):
    """Which of all pairs keep the limits, by the search's own judgement."""
    return ALL.feasible & (limits.violation(ALL) == 0)


def some_limits(fractions):
    """Limits at quantiles of the costs; None for no limit."""
    values = {
        f"max_{name}": None
        if fraction is None
        else float(np.quantile(getattr(ALL, name)[ALL.feasible], fraction))
        for name, fraction in zip(COSTS, fractions, strict=True)
    }
    return Limits(**values)


limits_of_all_kinds = st.tuples(
    *[st.one_of(st.none(), st.floats(0.01, 1.0))] * len(COSTS)
).map(some_limits)
accuracies = st.lists(
    st.sampled_from([0.5, 0.6, 0.7, 0.71, 0.9]),
    min_size=len(NETWORKS),
    max_size=len(NETWORKS),
).map(np.array)
rewards = st.sampled_from(
    [
        Reward(),
        Reward(latency_ms=0.5),
        Reward(latency_ms=0.3, area_mm2=20.0, p=-0.07, q=-0.07),
        Reward(latency_ms=0.2, energy_mj=0.3, form="single_sided", beta=-0.5),
    ]
)


def test_few_pairs_are_kept_and_each_is_a_pair_of_the_grid():
    assert 0 < len(TRUTH.costs) < len(ALL) / 2
    rows = TRUTH.network * len(GRID) + TRUTH.place
    for name in (*COSTS, "utilization"):
        assert (getattr(TRUTH.costs, name) == getattr(ALL, name)[rows]).all()


def test_each_pair_left_out_is_beaten_by_one_of_its_network():
    figures = np.stack([getattr(ALL, name) for name in COSTS], axis=1)
    rows = set((TRUTH.network * len(GRID) + TRUTH.place).tolist())
    for row in set(np.flatnonzero(ALL.feasible).tolist()) - rows:
        rivals = [other for other in rows if NETWORK[other] == NETWORK[row]]
        assert (figures[rivals] <= figures[row]).all(axis=1).any()


@settings(max_examples=60, deadline=None)
@given(accuracies, rewards, limits_of_all_kinds)
def test_the_optimum_of_a_reward_is_that_of_all_pairs(accuracy, reward, limits):
    found = TRUTH.optimum(accuracy, reward, limits)
    allowed = kept(limits)
    if found is None:
        assert not allowed.any()
        return
    scores = reward.of(
        accuracy[NETWORK], [getattr(ALL, name) for name in reward.targets]
    )
    assert found.score == scores[allowed].max()
    row = found.network * len(GRID) + found.place
    assert allowed[row]
    assert scores[row] == found.score
    assert accuracy[found.network] == found.accuracy


@settings(max_examples=30, deadline=None)
@given(accuracies, limits_of_all_kinds, st.sampled_from(["energy", "edp", "edap"]))
def test_the_least_cost_above_a_floor_is_that_of_all_pairs(accuracy, limits, goal):
    above = replace(limits, min_accuracy=0.7)
    found = TRUTH.optimum(accuracy, Least(goal), above)
    allowed = kept(limits) & (accuracy[NETWORK] >= 0.7)
    if found is None:
        assert not allowed.any()
        return
    costs = product_of_powers(ALL, goal)[allowed].min()
    assert product_of_powers(found.costs, goal).tolist() == [costs]


@settings(max_examples=30, deadline=None)
@given(accuracies, limits_of_all_kinds)
def test_the_front_is_that_of_all_pairs(accuracy, limits):
    front = TRUTH.front(accuracy, limits)
    points = objectives(accuracy[NETWORK], ALL)[kept(limits)]
    true = points[non_dominated(points)] if len(points) else points
    assert set(map(tuple, front.objectives)) == set(map(tuple, true))
    assert (np.diff(front.costs.latency_ms) >= 0).all()


def test_hypervolume_is_the_part_of_the_box_that_all_pairs_dominate():
    accuracy = np.linspace(0.5, 0.9, len(NETWORKS))
    front = TRUTH.front(accuracy)
    points = objectives(accuracy[NETWORK], ALL)[ALL.feasible]
    least = front.objectives.min(axis=0)
    whole = np.prod(front.reference - least)
    assert front.hypervolume == pytest.approx(
        hypervolume(points, front.reference) / whole
    )
    assert front.share(points) == pytest.approx(front.hypervolume)
    assert front.share(front.reference[None]) == 0.0


def test_targets_are_latencies_of_the_front():
    front = TRUTH.front(np.linspace(0.5, 0.9, len(NETWORKS)))
    found = front.targets_ms
    assert set(found) <= set(front.costs.latency_ms)
    for target, quantile in zip(found, (0.1, 0.25, 0.5, 0.75), strict=True):
        quicker = (front.costs.latency_ms <= target).mean()
        assert quantile <= quicker < quantile + 2 / len(front)


@settings(max_examples=10, deadline=None)
@given(limits_of_all_kinds, limits_of_all_kinds)
def test_all_pairs_are_counted(one, other):
    weights = np.arange(1, len(NETWORKS) + 1)
    found = count_within(PROBLEM, [one, other], weights)
    assert found == [
        int(weights[NETWORK[kept(limits)]].sum()) for limits in (one, other)
    ]


def test_nothing_within_the_limits_is_no_optimum_and_an_empty_front():
    accuracy, limits = np.ones(len(NETWORKS)), Limits(max_area_mm2=1e-6)
    assert TRUTH.optimum(accuracy, Reward(), limits) is None
    front = TRUTH.front(accuracy, limits)
    assert len(front) == 0
    with pytest.raises(ValueError, match="must hold a pair"):
        _ = front.targets_ms


def test_a_reward_that_rises_with_a_cost_has_no_exact_optimum():
    reward = Reward(latency_ms=1.0, form="absolute")
    with pytest.raises(ValueError, match="must not rise with a cost"):
        TRUTH.optimum(np.ones(len(NETWORKS)), reward)


def test_accuracies_are_checked():
    with pytest.raises(ValueError, match="`accuracy` must be"):
        TRUTH.front(np.ones(3))
    with pytest.raises(ValueError, match="`accuracy` must be"):
        TRUTH.front(np.full(len(NETWORKS), np.nan))


def test_a_network_twice_is_refused():
    with pytest.raises(ValueError, match="distinct"):
        replace(PROBLEM, networks=(NETWORKS[0], NETWORKS[0]))
