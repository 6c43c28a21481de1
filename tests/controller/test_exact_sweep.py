"""The accelerator that is proposed is the best there is, found by judging every one."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import toy_study
from toy_study import outcomes

from nahas.accelerator.template import Accelerator, Platform
from nahas.controller.bayesian import Bayesian
from nahas.controller.best_accelerator import BestAccelerator
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.judgement import Task, judge
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.reward import Least, Limits, Reward
from nahas.controller.trial import Trial
from nahas.search_space.joint import PREFIX, Candidate, joint_space
from nahas.search_space.network import Block, Network
from nahas.search_space.space import Knob, SearchSpace

GRID = {  # 48 accelerators, of which some cannot run some networks
    "pes_x": (1, 4),
    "pes_y": (1, 4),
    "simd_units": (16, 64),
    "compute_lanes": (2,),
    "local_memory_mib": (0.002, 0.5, 2.0),
    "register_file_kib": (32.0,),
    "io_bandwidth_gbps": (5.0, 20.0),
}
NETWORKS = list(product(range(2), range(2)))
FORMS = [
    Reward(latency_ms=0.03),
    Reward(latency_ms=0.03, energy_mj=0.01, area_mm2=10.0, p=-0.07, q=-0.5),
    Reward(latency_ms=0.03, area_mm2=10.0, form="absolute", beta=-0.3),
    Reward(latency_ms=0.01, energy_mj=0.01, form="single_sided", beta=-0.1),
    Least("energy"),
    Least("latency=0.5,energy=0.3,area=0.2"),
]


def space() -> SearchSpace:
    """Knobs of the network between those of the accelerator."""

    def build(values):
        block = Block("ibn", values["kernel"], 3, values["filters"], stride=2)
        network = Network((block,), resolution=64, stem_filters=8, head_filters=64)
        return Candidate(network, Accelerator(*(values[PREFIX + n] for n in GRID)))

    chips = [Knob(PREFIX + name, values) for name, values in GRID.items()]
    knobs = (
        *chips[:2],
        Knob("kernel", (3, 7)),
        *chips[:1:-1],
        Knob("filters", (16, 32)),
    )
    return SearchSpace("mixed", knobs, build)


def task(reward=FORMS[0], limits=None) -> Task:
    return Task(space(), Platform(), limits or Limits(), reward, "none")


def all_judged(asked: Task, best: BestAccelerator, network) -> list:
    """(choices, judgement) of every accelerator for a network."""
    counts = asked.space.cardinalities[best.accelerator_knobs]
    found = []
    for chip in product(*map(range, counts)):
        choices = np.zeros(len(asked.space.knobs), np.int64)
        choices[best.network_knobs] = network
        choices[best.accelerator_knobs] = chip
        found.append((choices, judge(asked, choices)))
    return found


@pytest.mark.parametrize("reward", FORMS, ids=repr)
@pytest.mark.parametrize("limit", [None, 12.0])
def test_it_is_the_best_at_every_accuracy(reward, limit):
    asked = task(reward, Limits(max_area_mm2=limit))
    best = BestAccelerator(asked)
    for network in NETWORKS:
        judged = all_judged(asked, best, network)
        allowed = [j.metrics for _, j in judged if j.status is None]
        assert 0 < len(allowed) < len(judged)
        chosen = judge(asked, best.complete(np.array(network)))
        assert chosen.status is None
        for accuracy in (0.01, 0.3, 0.9):
            rewards = [reward([accuracy], metrics)[0] for metrics in allowed]
            assert reward([accuracy], chosen.metrics)[0] == max(rewards)


@pytest.mark.parametrize("reward", FORMS, ids=repr)
def test_a_floor_under_the_accuracy_changes_no_accelerator(reward):
    bound = Limits(max_area_mm2=12.0)
    free = BestAccelerator(task(reward, bound))
    floored = BestAccelerator(task(reward, Limits(max_area_mm2=12.0, min_accuracy=0.9)))
    for network in map(np.array, NETWORKS):
        assert free.complete(network).tolist() == floored.complete(network).tolist()


def test_equal_rewards_are_decided_by_the_costs():
    """Within its target a cost is free: of these the soonest, then the frugal."""
    asked = task(Reward(latency_ms=1000.0))
    best = BestAccelerator(asked)
    for network in NETWORKS:
        judged = all_judged(asked, best, network)
        costs = [j.costs[:3] for _, j in judged if j.status is None]
        assert judge(asked, best.complete(np.array(network))).costs[:3] == min(costs)


@pytest.mark.parametrize("limits", [Limits(max_area_mm2=0.5), Limits(1e-4, 1e-4)])
def test_where_none_keeps_the_limits_it_is_the_least_violating(limits):
    asked = task(limits=limits)
    best = BestAccelerator(asked)
    for network in NETWORKS:
        violations = [j.violation for _, j in all_judged(asked, best, network)]
        chosen = judge(asked, best.complete(np.array(network)))
        assert chosen.status is not None
        assert chosen.violation == min(violations) > 0


def test_the_network_is_the_inner_controllers():
    sweep, alone = ExactSweep(RegularizedEvolution()), RegularizedEvolution()
    sweep.inform(task())
    sweep.setup(space().cardinalities, seed=5)
    alone.setup(np.array([2, 2]), seed=5)
    best = BestAccelerator(task())
    np.testing.assert_array_equal(
        sweep.propose(20)[:, best.network_knobs], alone.propose(20)
    )


def test_a_study_is_continued_as_if_unbroken(tmp_path: Path):
    def run(folder, trials):
        chooses = ExactSweep(RegularizedEvolution(3, 2))
        return toy_study.run(folder, trials, controller=chooses, space=space())

    unbroken = outcomes(run(None, 20))
    run(tmp_path, 9)
    assert outcomes(run(tmp_path, 20)) == unbroken


def test_a_space_without_accelerators_is_refused():
    with pytest.raises(ValueError, match=r"'toy' lacks accelerator.pes_x, .* apart"):
        ExactSweep().inform(
            Task(toy_study.space(), Platform(), Limits(), FORMS[0], "none")
        )


@pytest.mark.parametrize("make", [PredictorGuided, Bayesian])
def test_one_that_is_told_the_task_is_told_it_inside(make):
    """It is told of networks alone, each with its best accelerator."""
    inner = make(first=4, candidates=4, generations=1, parents=2)
    sweep, asked, learned = ExactSweep(inner), task(), []
    sweep.inform(asked)
    sweep.setup(asked.space.cardinalities, seed=0)
    inner.update = learned.extend
    best = BestAccelerator(asked)
    for row in sweep.propose(4):
        expected = best.complete(row[best.network_knobs])
        np.testing.assert_array_equal(row, expected)
    nothing = (None, None, None, None, None)
    trial = Trial(1, tuple(row.tolist()), "trained", *nothing, 0.5, True, 0.0)
    sweep.update([trial])
    network = tuple(row[best.network_knobs].tolist())
    assert learned == [replace(trial, choices=network)]


def test_a_space_of_swept_networks_holds_the_best_pairs():
    asked = task()
    best = BestAccelerator(asked)
    assert best.networks.size == 4
    for choices in np.ndindex(2, 2):
        expected = asked.space.decode(best.complete(np.array(choices)))
        assert best.networks.decode(choices) == expected


def test_a_whole_grid():
    """Of 50,000: no accelerator is both allowed and sooner than the one chosen."""

    def build(values):
        blocks = (Block("ibn", values["kernel"], 3, 24, stride=2),)
        return Network(blocks, resolution=32, stem_filters=8, head_filters=64)

    networks = SearchSpace("one", (Knob("kernel", (3, 5)),), build)
    asked = Task(
        joint_space(networks), Platform(), Limits(max_area_mm2=20.0),
        Reward(latency_ms=1e-3), "none",
    )  # fmt: skip
    best = BestAccelerator(asked)
    chosen = judge(asked, best.complete(np.array([1])))
    rng = np.random.default_rng(0)
    for choices in asked.space.random(rng, 200):
        choices[0] = 1
        other = judge(asked, choices)
        if other.status is None:
            assert other.costs.latency_ms >= chosen.costs.latency_ms
