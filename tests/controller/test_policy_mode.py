"""The mode of a recorded study's policy: its replay, its costs and its accuracy."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import toy_study

from nahas.accelerator.template import Platform
from nahas.controller.controller import HasMode
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.fixed_accelerator import FixedAccelerator
from nahas.controller.judgement import Task, judge
from nahas.controller.nested import Nested
from nahas.controller.phases import Phases
from nahas.controller.policy_mode import has_policy, policy_mode
from nahas.controller.ppo import PPO
from nahas.controller.reinforce import Reinforce
from nahas.controller.reward import Limits
from nahas.controller.rows import StudyError
from nahas.controller.study import argmax, best

TASK = Task(toy_study.space(), Platform(), toy_study.LIMITS, toy_study.REWARD, "none")


def unknown(network):
    return None


@dataclass
class Follower:
    """Proposes a row in turn; its mode is that of the last trial that it was told."""

    told: list = field(default_factory=list, init=False)

    def setup(self, cardinalities, *, seed):
        self.cardinalities, self.count, self.told = cardinalities, seed, []

    def propose(self, n):
        self.count += n
        counts = np.arange(self.count - n, self.count)
        return counts[:, None] % self.cardinalities

    def update(self, trials):
        self.told += [trial.number for trial in trials]
        self.last = trials[-1].choices

    def mode(self):
        return np.array(self.last)


@pytest.fixture(scope="module")
def study():
    return toy_study.run(None, 11, controller=Follower(), seed=0)


def of(study, controller, accuracy=unknown, task=TASK, window=4):
    return policy_mode(
        task, controller, study.trials(), accuracy, seed=0, window=window
    )


@pytest.mark.parametrize("window", [1, 4, 11, 30])
def test_all_trials_are_fed_back_once_and_in_order(study, window):
    chooses = Follower()
    found = of(study, chooses, window=window)
    assert chooses.told == list(range(1, 12))
    assert found.choices == study.trials()[-1].choices == (1, 2, 1, 1, 1, 1)
    assert found.trial == 11


def test_costs_are_simulated_and_the_reward_is_that_of_the_accuracy(study):
    asked = []

    def accuracy(network):
        asked.append(network)
        return 0.25

    found, [*_, last] = of(study, Follower(), accuracy), study.records()
    assert asked == [last.network]
    judged = judge(TASK, np.array(found.choices))
    assert found.judgement.costs == judged.costs
    assert found.accuracy == 0.25
    assert found.reward == TASK.reward([0.25], judged.metrics)[0]
    assert found.judgement.violation == 0


def test_without_an_accuracy_there_is_no_reward_but_there_are_costs(study):
    found = of(study, Follower())
    assert found.accuracy is found.reward is None
    assert found.judgement.costs.latency_ms > 0


def test_a_mode_that_breaks_a_limit_says_which_and_has_its_reward(study):
    tight = replace(TASK, limits=Limits(max_area_mm2=1.0))
    found = of(study, Follower(), lambda network: 0.5, tight)
    assert found.judgement.violation > 0
    assert "max_area_mm2" in found.judgement.reason
    assert found.reward is not None


def test_a_mode_that_cannot_run_has_no_reward(study):
    class Stuck(Follower):
        def mode(self):
            return np.array([0, 1, 0, 0, 0, 0])

    found = of(study, Stuck(), lambda network: 0.5)
    assert found.judgement.status == "infeasible"
    assert found.accuracy == 0.5
    assert found.reward is None


def test_other_proposals_than_the_recorded_ones_are_refused(study):
    with pytest.raises(StudyError, match="Trial 1 is not proposed again"):
        of(study, PPO())


def test_the_mode_is_that_of_the_policy_after_its_last_update():
    """The same calls by hand: PPO's own most probable choices."""
    chooses, window = PPO(batch=4), 4
    study = toy_study.run(None, 41, controller=PPO(batch=4), window=window)
    chooses.setup(toy_study.space().cardinalities, seed=0)
    trials = study.trials()
    for k in range(len(trials)):
        if k >= window:
            chooses.update([trials[k - window]])
        chooses.propose(1)
    chooses.update(trials[-window:])
    expected = tuple(chooses.probabilities.argmax(axis=1).tolist())
    assert of(study, PPO(batch=4)).choices == expected
    assert expected != (0,) * 6


def test_where_limits_are_not_taught_the_policy_is_followed_without_them():
    """What breaks one is trained, and told as if it broke none."""
    task = replace(TASK, reject="none", limits=Limits(max_area_mm2=1.0))
    study = toy_study.run(
        None, 30, controller=PPO(batch=4), reject="none", limits=task.limits
    )
    found = of(study, PPO(batch=4), lambda network: 0.5, task)
    assert found.judgement.violation > 0
    assert study.argmax() is not None
    assert study.best() is None


def test_a_controller_without_a_policy_has_no_mode_and_is_not_replayed(study):
    assert of(study, RegularizedEvolution()) is None
    assert of(study, FixedAccelerator(RegularizedEvolution())) is None


def test_a_policy_is_found_inside_others():
    assert has_policy(PPO())
    assert has_policy(Reinforce())
    assert has_policy(ExactSweep(PPO()))
    assert has_policy(FixedAccelerator(PPO()))
    assert has_policy(Phases(RegularizedEvolution(), PPO()))
    assert not has_policy(Phases())
    assert not has_policy(ExactSweep())
    assert not has_policy(Nested(PPO(), PPO()))
    assert isinstance(PPO(), HasMode)


def test_the_highest_reward_may_break_a_limit_and_the_best_may_not(study):
    first, second = (replace(t, reward=None) for t in study.trials()[:2])
    kept = replace(first, reward=0.4, feasible=True, violation=0.0)
    broken = replace(second, reward=0.9, feasible=False, violation=0.2)
    assert best([kept, broken]) == kept
    assert argmax([kept, broken]) == broken
    assert argmax([replace(kept, number=3), kept]) == kept
    assert best([broken]) is None
    assert argmax([first]) is None
