"""The least of a cost above an accuracy: what a search of it records and finds."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import toy_study
from toy_study import fraction, outcomes

from nahas.accelerator.template import Platform
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.judgement import Task, judge
from nahas.controller.nsga2 import NSGA2
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.reward import Least, Limits

FLOOR = 0.6
LIMITS = Limits(max_area_mm2=45.0, min_accuracy=FLOOR)


def run(folder, trials, **more):
    settings = {"reward": Least("energy"), "limits": LIMITS} | more
    return toy_study.run(folder, trials, **settings)


def test_a_trial_below_the_floor_is_trained_and_not_feasible():
    study = run(None, 60)
    below = [t for t in study.trials() if t.accuracy and t.accuracy < FLOOR]
    above = [t for t in study.trials() if t.accuracy and t.accuracy >= FLOOR]
    assert below
    assert above
    assert {t.status for t in below} == {"trained", "reused"}
    for trial in below:
        assert not trial.feasible
        assert trial.violation == pytest.approx(1 - trial.accuracy / FLOOR)
        assert trial.reason == LIMITS.shortfall_reason(trial.accuracy) != ""
        assert trial.reward == pytest.approx(trial.energy_mj**-0.07)
    assert all(t.feasible and not t.violation and not t.reason for t in above)


def test_the_best_is_the_least_above_the_floor():
    study = run(None, 60)
    rewards = {t.number: t.reward for t in study.trials() if t.reward is not None}
    best = study.best()
    assert best.accuracy >= FLOOR
    # A cheaper pair was trained, and is below the floor.
    assert max(rewards.values()) > best.reward
    feasible = [t for t in study.trials() if t.feasible]
    assert best.energy_mj == min(t.energy_mj for t in feasible)


def test_progress_counts_the_feasible_ones_reward():
    seen = []
    study = run(None, 40, progress=seen.append)
    assert seen[-1].best_reward == study.best().reward


def test_no_trial_above_an_unreachable_floor():
    study = run(None, 20, limits=Limits(min_accuracy=1.0))
    assert study.best() is None
    assert study.counts()["trained"] > 0


def least_energy() -> float:
    """Of all 972 pairs of the toy space that train, one by one."""
    space = toy_study.space()
    task = Task(space, Platform(), LIMITS, Least("energy"), "none")
    found = []
    for choices in product(*map(range, space.cardinalities)):
        judgement = judge(task, np.array(choices))
        accuracy = fraction(judgement.network)
        if judgement.status is None and accuracy >= FLOOR:
            found.append(judgement.costs.energy_mj)
    return min(found)


def test_predictor_guided_search_finds_the_least_of_all():
    study = run(None, 150, controller=PredictorGuided(candidates=16, parents=4))
    assert study.best().energy_mj == pytest.approx(least_energy())


@pytest.mark.parametrize(
    "make",
    [PPO, NSGA2, lambda: PredictorGuided(first=6, candidates=8, generations=2)],
    ids=["ppo", "nsga2", "guided"],
)
def test_a_study_with_a_floor_is_continued_as_if_unbroken(tmp_path: Path, make):
    unbroken = outcomes(run(None, 30, controller=make()))
    run(tmp_path, 13, controller=make())
    assert outcomes(run(tmp_path, 30, controller=make())) == unbroken


def test_a_swept_network_below_the_floor_teaches_the_inner_controller():
    """Its constraint domination does the rest: a trial above the floor beats it."""
    from test_exact_sweep import space

    chooses = ExactSweep(RegularizedEvolution(3, 2))
    study = run(None, 12, controller=chooses, space=space(), limits=LIMITS)
    assert {t.status for t in study.trials()} <= {"trained", "reused", "failed"}
