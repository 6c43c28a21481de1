from collections import deque
from pathlib import Path

import numpy as np
import pytest
import toy_study
from toy_study import outcomes

from nahas.accelerator.template import Platform
from nahas.controller.accuracy_model import AccuracyModel
from nahas.controller.appraisal import appraise, prospects
from nahas.controller.bayesian import Bayesian
from nahas.controller.informed_evolution import evolve
from nahas.controller.judgement import Task, judge
from nahas.controller.reward import Reward
from nahas.controller.trial import Trial
from nahas.search_space.lower import lower

TASK = Task(
    toy_study.space(), Platform(), toy_study.LIMITS, toy_study.REWARD, "none"
)  # fmt: skip
SIZES = np.array([1000, 100, 10])


# What is known before a training.


@pytest.mark.parametrize(
    "reward",
    [
        toy_study.REWARD,
        Reward(latency_ms=0.006, form="absolute", beta=-0.3),
        Reward(latency_ms=0.006, area_mm2=10.0, form="single_sided", beta=-0.1),
    ],
    ids=lambda reward: reward.form,
)
def test_rewards_are_lines_in_the_accuracy(reward):
    task = Task(TASK.space, TASK.platform, TASK.limits, reward, "none")
    choices = task.space.random(np.random.default_rng(0), 60)
    found, appraised = prospects(task, choices), appraise(task, choices)
    kept = found.violations == 0
    assert 0 < kept.sum() < 60
    metrics = appraised.metrics.take(np.flatnonzero(kept))
    for accuracy in (0.0, 0.3, 1.0):
        line = found.slopes[kept] * accuracy + found.offsets[kept]
        expected = reward(np.full(kept.sum(), accuracy), metrics)
        np.testing.assert_allclose(line, expected, atol=1e-12)
    assert (found.slopes[~kept] == 0).all()
    assert (found.offsets[~kept] == -np.inf).all()


def test_sizes_by_hand():
    choices = np.zeros(len(TASK.space.knobs), np.int64)
    work = lower([TASK.space.decode(choices).network])
    expected = [work.macs.sum(), work.own_parameters.sum(), len(work.macs)]
    assert prospects(TASK, choices[None]).sizes.tolist() == [expected]


# What is known of accuracies.


def improvement(model, networks, to_beat):
    rows = np.array(networks)
    sizes = np.tile(SIZES, (len(rows), 1))
    return model.improvement(rows, sizes, np.full(len(rows), to_beat))


def learned(accuracies):
    """A model of two knobs of three values."""
    model = AccuracyModel(np.array([3, 3]))
    for network, accuracy in accuracies.items():
        row = np.array(network)
        model.expect(row, SIZES)
        model.learn(row, SIZES, accuracy, failed=accuracy is None)
    return model


def test_known_networks_improve_for_certain_or_need_no_proposal():
    model = learned({(0, 0): 0.5, (1, 1): 0.7, (2, 2): 0.6})
    gains, needless = improvement(model, [(1, 1), (0, 0), (0, 1)], 0.55)
    assert gains[0] == pytest.approx(0.15)
    assert needless.tolist() == [False, True, False]


def test_awaited_networks_are_taken_for_what_is_predicted():
    model = learned({(0, 0): 0.5, (1, 1): 0.7, (2, 2): 0.6, (0, 1): 0.62})
    near, point = (1, 2), (1, 0)
    before, needless = improvement(model, [near, point], 0.7)
    assert not needless.any()
    model.expect(np.array(near), SIZES)
    after, needless = improvement(model, [near, point], 0.7)
    assert needless.tolist() == [True, False]
    assert after[0] < before[0]
    model.learn(np.array(near), SIZES, None, failed=False)  # it broke a limit
    again, needless = improvement(model, [near, point], 0.7)
    np.testing.assert_array_equal(again, before)
    assert not needless.any()


def test_where_trainings_fail_less_is_expected():
    """Those with the first knob at 2 fail, and at 0 none does."""
    worked = {(a, b): 0.5 + 0.05 * b for a in (0, 1) for b in range(3)}
    model, other = learned(worked), learned(worked | {(2, 0): None, (2, 1): None})
    rows, sizes = np.array([(2, 2), (0, 0)]), np.tile(SIZES, (2, 1))
    assert model.chance(rows, sizes, 0.0).tolist() == [1.0, 1.0]
    found = other.chance(rows, sizes, 0.0)
    assert found[0] < 0.5
    assert found[1] == 1.0  # it is known to work
    _, needless = improvement(other, [(2, 2), (2, 0)], 0.5)
    assert needless.tolist() == [False, True]


def test_a_floor_is_as_likely_as_the_process_says():
    model = learned({(a, b): 0.5 + 0.05 * b for a in (0, 1) for b in range(3)})
    rows, sizes = np.array([(0, 0), (0, 2), (2, 1)]), np.tile(SIZES, (3, 1))
    reached, missed, likely = model.chance(rows, sizes, 0.6)[[1, 0, 2]]
    assert (reached, missed) == (1.0, 0.0)  # both are known
    assert 0 < likely < 1
    low, high = (model.chance(rows, sizes, floor)[2] for floor in (0.3, 0.9))
    assert high < likely < low


# The evolution.


def test_the_evolution_finds_the_top_of_a_hill():
    """Knob 0 at 3 breaks a limit; else the sum counts."""
    cardinalities = np.array([4] * 5)

    def score(points):
        return (points[:, 0] == 3).astype(float), points.sum(axis=1).astype(float)

    rng, start = np.random.default_rng(0), np.zeros((1, 5), np.int64)
    found, violations = evolve(
        start, score, cardinalities, rng,
        candidates=30, generations=12, parents=6, strangers=4,
    )  # fmt: skip
    assert found[0].tolist() == [2, 3, 3, 3, 3]
    assert len(found) == 1 + 30 * 12 + 4
    own, worths = score(found)
    assert violations.tolist() == own.tolist()
    keys = list(zip(violations, -worths, strict=True))
    assert keys == sorted(keys)


# The search.


def drive(trials, seed=0, window=4):
    """(choices, judgement, reward) of a study; accuracy adds up three choices."""
    search = Bayesian(first=8, candidates=12, generations=3, parents=4)
    search.inform(TASK)
    search.setup(TASK.space.cardinalities, seed=seed)
    waiting, found = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            search.update([waiting.popleft()])
        row = search.propose(1)[0]
        judgement = judge(TASK, row)
        status = judgement.status or "trained"
        accuracy = reward = None
        if status == "trained":
            accuracy = 0.5 + 0.05 * row[:3].sum()
            reward = float(TASK.reward(np.array([accuracy]), judgement.metrics)[0])
        found.append((row, judgement, reward))
        waiting.append(
            Trial(number, tuple(row.tolist()), status, accuracy, *judgement.costs,
                  reward, status == "trained", judgement.violation)
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
    for seed in range(2):
        assert max(reward or 0 for *_, reward in drive(60, seed)) == pytest.approx(best)


def test_a_study_is_continued_as_if_unbroken(tmp_path: Path):
    def run(folder, trials):
        chooses = Bayesian(first=6, candidates=8, generations=2, parents=4)
        return toy_study.run(folder, trials, controller=chooses)

    unbroken = outcomes(run(None, 30))
    run(tmp_path, 14)
    assert outcomes(run(tmp_path, 30)) == unbroken


@pytest.mark.parametrize("wrong", [{"first": 0}, {"parents": 0}, {"candidates": 1.5}])
def test_wrong_settings(wrong):
    with pytest.raises(ValueError, match=r"must be an integer.*bayesian"):
        Bayesian(**wrong)
