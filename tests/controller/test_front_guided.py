from collections import deque
from pathlib import Path

import numpy as np
import pytest
import toy_study
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_study import outcomes

from nahas.accelerator.template import Platform
from nahas.controller.appraisal import costed
from nahas.controller.front_guided import FrontGuided, gains
from nahas.controller.judgement import Task, judge
from nahas.controller.pareto import hypervolume, non_dominated
from nahas.controller.random_search import RandomSearch
from nahas.controller.reward import Limits
from nahas.controller.trial import Trial

TASK = Task(
    toy_study.space(), Platform(), toy_study.LIMITS, toy_study.REWARD, "none"
)  # fmt: skip
SETTINGS = {"first": 8, "candidates": 12, "generations": 3, "parents": 4}


# What a point adds.


def test_gains_by_hand():
    """A front of (0, 2) and (4, 0): extents 4 and 2, up to 1.1 of each."""
    front = np.array([[0.0, 2.0], [4.0, 0.0]])
    points = np.array([
        [2.0, 1.0],  # the middle, (1/2, 1/2): 0.6² less 0.6 x 0.1 twice, plus 0.1²
        [0.0, 0.0],  # dominates all: 1.1² less the 0.21 of the front
        [4.0, 2.0],  # dominated
        [0.0, 2.0],  # known
        [9.0, -1.0],  # beyond what is of interest
    ])  # fmt: skip
    expected = [0.36 - 0.12 + 0.01, 1.21 - 0.21, 0, 0, 0]
    np.testing.assert_allclose(gains(front, points), expected, atol=1e-12)


def test_a_front_without_extent_is_measured_by_its_costs():
    # 2 and 4 are the units: half a unit less of a cost by a tenth of the other.
    found = gains(np.array([[2.0, 4.0]]), np.array([[1.0, 4.0], [1.0, 2.0]]))
    np.testing.assert_allclose(found, [0.05, 0.6**2 - 0.1**2], atol=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 12))
@settings(deadline=None)
def test_only_what_no_point_dominates_adds_and_it_adds_what_the_union_has_more(
    seed, count
):
    rng = np.random.default_rng(seed)
    points = rng.random((count, 3))
    front = points[non_dominated(points)]
    others = rng.random((6, 3))
    found = gains(front, others)
    least, worst = front.min(axis=0), front.max(axis=0)
    if (worst == least).any():
        return
    corner = worst + 0.1 * (worst - least)
    volume = (worst - least).prod()
    for point, gain in zip(others, found, strict=True):
        union = hypervolume(np.concatenate([front, [point]]), corner)
        expected = (union - hypervolume(front, corner)) / volume
        assert gain == pytest.approx(expected, rel=1e-6, abs=1e-9)
        if (front <= point).all(axis=1).any():
            assert gain == 0


# The costs.


def test_many_are_costed_as_one_is_judged():
    choices = TASK.space.random(np.random.default_rng(0), 40)
    violations, costs = costed(TASK, choices, np.full(40, np.nan))
    for row, choice in enumerate(choices):
        judgement = judge(TASK, choice)
        assert violations[row] == judgement.violation
        assert costs[row, 0] == judgement.metrics.latency_ms[0]
        assert costs[row, 1] == judgement.metrics.energy_mj[0]


def test_a_floor_under_the_accuracy_is_a_limit():
    limits = Limits(max_area_mm2=1e9, min_accuracy=0.8)
    task = Task(TASK.space, Platform(), limits, toy_study.REWARD, "none")
    choices = TASK.space.random(np.random.default_rng(0), 1).repeat(2, axis=0)
    plain, _ = costed(task, choices, np.array([np.nan, 0.8]))
    short, _ = costed(task, choices, np.array([0.4, 0.6]))
    np.testing.assert_allclose(short - plain, [0.5, 0.25])


# The search.


def drive(search, trials, seed=0, window=4):
    """(choices, objectives or None) of a study with additive accuracies."""
    if isinstance(search, FrontGuided):
        search.inform(TASK)
    search.setup(TASK.space.cardinalities, seed=seed)
    waiting, found = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            search.update([waiting.popleft()])
        row = search.propose(1)[0]
        objectives = objectives_of(row)
        feasible = objectives is not None
        judgement = judge(TASK, row)
        accuracy = 1 - objectives[0] if feasible else None
        found.append((row, objectives))
        waiting.append(
            Trial(number, tuple(row.tolist()), judgement.status or "trained", accuracy,
                  *judgement.costs, accuracy, feasible, judgement.violation)
        )  # fmt: skip
    return found


def objectives_of(row):
    judgement = judge(TASK, row)
    if judgement.status is not None:
        return None
    error = 0.5 - 0.05 * row[:3].sum()
    return error, judgement.costs.latency_ms, judgement.costs.energy_mj


@pytest.fixture(scope="module")
def true_front():
    every = map(np.array, np.ndindex(*TASK.space.cardinalities))
    points = np.array([o for row in every if (o := objectives_of(row)) is not None])
    return points[non_dominated(points)]


def share(found, true_front):
    least, worst = true_front.min(axis=0), true_front.max(axis=0)
    corner = worst + 0.1 * (worst - least)
    points = np.array([o for _, o in found if o is not None])
    return hypervolume(points, corner) / hypervolume(true_front, corner)


def test_it_finds_nearly_all_of_the_true_front(true_front):
    """Of 972 pairs, judged one by one, 100 trials; random search has less."""
    for seed in range(3):
        own = share(drive(FrontGuided(**SETTINGS), 100, seed), true_front)
        chance = share(drive(RandomSearch(), 100, seed), true_front)
        assert own > 0.97
        assert own > chance


def test_no_pair_is_proposed_twice_nor_one_that_breaks_a_limit():
    found = drive(FrontGuided(**SETTINGS), 60)
    assert len({tuple(row) for row, _ in found}) == 60
    assert all(objectives is not None for _, objectives in found)


def test_a_study_is_continued_as_if_unbroken(tmp_path: Path):
    def run(folder, trials):
        return toy_study.run(folder, trials, controller=FrontGuided(**SETTINGS))

    unbroken = outcomes(run(None, 30))
    run(tmp_path, 14)
    assert outcomes(run(tmp_path, 30)) == unbroken


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"parents": 0}, {"strength": 0.0}, {"strength": np.nan}]
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"`(first|parents|strength)` must be.*front"):
        FrontGuided(**wrong)
