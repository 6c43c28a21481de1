from collections import deque
from pathlib import Path

import numpy as np
import pytest
import toy_study
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_study import outcomes

from nahas.accelerator.template import Platform
from nahas.controller.appraisal import appraise
from nahas.controller.judgement import Task, judge
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.reward import Limits, Reward
from nahas.controller.ridge import Ridge, one_hot
from nahas.controller.trial import Trial
from nahas.search_space.joint import Candidate
from nahas.search_space.space import Knob, SearchSpace

TASK = Task(
    toy_study.space(), Platform(), toy_study.LIMITS, toy_study.REWARD, "none"
)  # fmt: skip


# The predictor.


def test_one_hot_by_hand():
    features = one_hot(np.array([[0, 1, 2], [1, 0, 0]]), np.array([2, 2, 3]))
    assert features.tolist() == [[1, 0, 0, 1, 0, 0, 1], [0, 1, 1, 0, 1, 0, 0]]


def test_the_ridge_by_hand():
    """One feature, x = 1, -1, 1: w = Σ xy / (Σ x² + λ)."""
    features, targets = np.array([[1.0], [-1.0], [1.0]]), np.array([3.0, -3.0, 0.0])
    ridge = Ridge.fit(features, targets, 2.0)
    assert ridge.centre == 0.0
    assert ridge.mean[0] == pytest.approx(6 / 5)
    residuals = targets - features[:, 0] * 6 / 5
    assert ridge.noise**2 == pytest.approx(residuals @ residuals / (3 - 3 / 5))


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_additive_accuracies_are_found(seed):
    rng = np.random.default_rng(seed)
    cardinalities = np.array([3, 2, 4])
    worth = rng.normal(size=9)
    choices = rng.integers(0, cardinalities, size=(200, 3))
    features = one_hot(choices, cardinalities)
    targets = 0.7 + features @ worth
    ridge = Ridge.fit(features, targets, 1e-6)
    np.testing.assert_allclose(ridge.centre + features @ ridge.mean, targets, atol=1e-4)


def test_draws_have_the_posterior_of_the_weights():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 2))
    ridge = Ridge.fit(features, features @ [1.0, -2.0] + rng.normal(size=30), 0.5)
    draws = np.array([ridge.draw(rng) for _ in range(20_000)])
    covariance = ridge.noise**2 * np.linalg.inv(features.T @ features + 0.5 * np.eye(2))
    np.testing.assert_allclose(draws.mean(axis=0), ridge.mean, atol=0.01)
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.06, atol=2e-3)


# The costs.


def test_many_are_appraised_as_one_is_judged():
    choices = TASK.space.random(np.random.default_rng(0), 60)
    found = appraise(TASK, choices)
    judged = [judge(TASK, row) for row in choices]
    assert {j.status for j in judged} == {None, "rejected", "infeasible"}
    assert found.violations.tolist() == [j.violation for j in judged]
    assert found.rows.tolist() == list(range(60))
    for row, judgement in enumerate(judged):
        assert found.metrics.latency_ms[row] == judgement.metrics.latency_ms[0]


def test_what_cannot_be_built_is_appraised_as_it_is_judged():
    def build(values) -> Candidate:
        if values["kernel"] == 5:
            raise ValueError("no network")
        return toy_study.build(values)

    broken = SearchSpace("broken", (Knob("kernel", (3, 5)),), build)
    task = Task(broken, Platform(), Limits(), Reward(), "none")
    found = appraise(task, np.array([[0], [1]]))
    assert found.violations.tolist() == [0.0, judge(task, np.array([1])).violation]
    assert found.rows.tolist() == [0]
    assert appraise(task, np.array([[1]])).metrics is None


# The search.


def drive(trials, seed=0, window=4):
    """(choices, judgement) of a study whose accuracy adds up the network's choices."""
    search = PredictorGuided(first=8, candidates=12, generations=3, parents=4)
    search.inform(TASK)
    search.setup(TASK.space.cardinalities, seed=seed)
    waiting, found = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            search.update([waiting.popleft()])
        row = search.propose(1)[0]
        judgement = judge(TASK, row)
        feasible = judgement.status is None
        accuracy = 0.5 + 0.05 * row[:3].sum() if feasible else None
        reward = None
        if feasible:
            reward = float(TASK.reward(np.array([accuracy]), judgement.metrics)[0])
        found.append((row, judgement, reward))
        waiting.append(
            Trial(number, tuple(row.tolist()), judgement.status or "trained", accuracy,
                  *judgement.costs, reward, feasible, judgement.violation)
        )  # fmt: skip
    return found


def test_no_proposal_breaks_a_limit_that_another_could_keep():
    assert all(judgement.status is None for _, judgement, _ in drive(40))


def test_it_finds_the_best_of_all():
    """Of all 972 pairs, judged one by one, within 60 trials."""
    best = 0.0
    for choices in np.ndindex(*TASK.space.cardinalities):
        judgement = judge(TASK, np.array(choices))
        if judgement.status is None:
            accuracy = np.array([0.5 + 0.05 * sum(choices[:3])])
            best = max(best, float(TASK.reward(accuracy, judgement.metrics)[0]))
    for seed in range(3):
        assert max(reward or 0 for *_, reward in drive(60, seed)) == pytest.approx(best)


def test_no_pair_is_proposed_twice():
    rows = [tuple(row) for row, *_ in drive(60)]
    assert len(set(rows)) == 60


def test_a_study_is_continued_as_if_unbroken(tmp_path: Path):
    def run(folder, trials):
        chooses = PredictorGuided(first=6, candidates=8, generations=2, parents=4)
        return toy_study.run(folder, trials, controller=chooses)

    unbroken = outcomes(run(None, 30))
    run(tmp_path, 14)
    assert outcomes(run(tmp_path, 30)) == unbroken


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"parents": 0}, {"strength": 0.0}, {"strength": np.nan}]
)
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"`(first|parents|strength)` must be.*guided"):
        PredictorGuided(**wrong)
