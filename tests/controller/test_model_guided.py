"""What guided controllers share: which of the points that were met is proposed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from nahas.accelerator.template import Platform
from nahas.controller.accuracy_model import AccuracyModel
from nahas.controller.bayesian import Bayesian
from nahas.controller.best_accelerator import BestAccelerator
from nahas.controller.front_guided import FrontGuided
from nahas.controller.judgement import Task, judge
from nahas.controller.known_accuracies import KnownAccuracies
from nahas.controller.model_guided import ModelGuided
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.random_search import RandomSearch
from nahas.controller.reward import Limits, Reward
from nahas.controller.trial import Trial
from nahas.search_space.joint import joint_space
from nahas.search_space.network import Block, Network
from nahas.search_space.space import Knob, SearchSpace


@dataclass(eq=False)
class Listed(ModelGuided):
    """Meets the points 0 to 5 in this order; 4 and 5 break a limit, 0, 1 and 4 teach
    nothing.
    """

    section: ClassVar[str] = "listed"
    first: int = 1
    candidates: int = 1
    generations: int = 1
    parents: int = 1

    @property
    def _ready(self):
        return True

    def _learn(self, trial, choices):
        pass

    def _expect(self, choices):
        pass

    def _violations(self, points):
        return np.zeros(len(points))

    def _met(self):
        points = np.arange(6)[:, None]
        self._needless = {points[row].tobytes() for row in (0, 1, 4)}
        return points, np.array([0, 0, 0, 0, 0.5, 0.7])


def one_network() -> Task:
    def build(values):
        block = Block("ibn", values["kernel"], 6, 24, stride=2)
        return Network((block,), resolution=64, stem_filters=16, head_filters=64)

    space = joint_space(SearchSpace("one", (Knob("kernel", (3,)),), build))
    limits, reward = Limits(max_area_mm2=30.0), Reward(latency_ms=0.001)
    return Task(space, Platform(), limits, reward, "none")


def test_first_what_teaches_then_what_keeps_limits_then_what_breaks_them():
    task = one_network()
    search = Listed(first=1)
    search.inform(task)
    search.setup(task.space.cardinalities, seed=0)
    search._proposed = 1
    search._cardinalities = np.array([6])
    search._knobs = np.array([0])
    order = [int(search.propose(1)[0, 0]) for _ in range(6)]
    assert order == [2, 3, 0, 1, 5, 4]


def test_failed_awaited_and_useless_networks_teach_nothing():
    known = KnownAccuracies(np.array([5]), 1.0)
    good, useless, failed, awaited, new = np.arange(5)[:, None]
    known.expect(awaited)
    for network in (good, useless, failed):
        known.expect(network)
    known.learn(good, 0.8, failed=False)
    known.learn(useless, 0.4, failed=False)
    known.learn(failed, None, failed=True)
    networks = np.array([good, useless, failed, awaited, new])
    gains = np.array([True, False, True, True, False])
    assert known.needless(networks, gains) == [1, 2, 3]
    # A limit says nothing of a network, and a later training that works does.
    known.learn(new, None, failed=False)
    known.learn(failed, 0.9, failed=False)
    assert known.needless(networks, np.full(5, True)) == [3]


def test_one_accuracy_is_enough_where_there_is_one_network():
    # 2**64 networks are 0 in 64 bits.
    for counts, enough in [([1, 1], 1), ([1, 2], 2), ([2] * 64, 2)]:
        cardinalities, sizes = np.array(counts), np.ones(3, np.int64)
        ridge, process = (
            KnownAccuracies(cardinalities, 1.0),
            AccuracyModel(cardinalities),
        )
        for number in range(enough):
            assert not ridge.ready
            assert not process.ready
            network = np.zeros(len(counts), np.int64)
            network[-1] = number
            ridge.learn(network, 0.5, failed=False)
            process.learn(network, sizes, 0.5, failed=False)
        assert ridge.ready
        assert process.ready


def best_found(search, task, trials):
    """The greatest reward of a study in which all networks have one accuracy."""
    if not isinstance(search, RandomSearch):
        search.inform(task)
    search.setup(task.space.cardinalities, seed=0)
    best = 0.0
    for number in range(1, trials + 1):
        row = search.propose(1)[0]
        judgement = judge(task, row)
        feasible = judgement.status is None
        reward = None
        if feasible:
            reward = float(task.reward(np.array([0.5]), judgement.metrics)[0])
            best = max(best, reward)
        search.update([
            Trial(number, tuple(row.tolist()), judgement.status or "trained",
                  0.5 if feasible else None, *judgement.costs, reward, feasible,
                  judgement.violation)
        ])  # fmt: skip
    return best


@pytest.mark.parametrize("make", [PredictorGuided, Bayesian, FrontGuided])
def test_accelerators_of_one_network_are_searched_by_their_exact_costs(make):
    """As the first phase of a search by phases has it: one accuracy says all."""
    task = one_network()
    choices = BestAccelerator(task).complete(np.array([0]))
    metrics = judge(task, choices).metrics
    optimum = float(task.reward(np.array([0.5]), metrics)[0])
    chance = best_found(RandomSearch(), task, 40)
    found = best_found(make(first=8), task, 40)
    assert chance < 0.99 * optimum
    # The front wants the least energy as well.
    assert found > (chance if make is FrontGuided else 0.99 * optimum)
