"""The modes: what each search inside sees and proposes, counted by hand."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import toy_study
from toy_study import outcomes

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.template import Accelerator, Platform
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.fixed_accelerator import FixedAccelerator
from nahas.controller.judgement import Task, judge
from nahas.controller.nested import Nested
from nahas.controller.phases import Phases
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.random_search import RandomSearch
from nahas.controller.reward import Limits, Reward
from nahas.controller.trial import Trial
from nahas.search_space.joint import accelerator_choices, accelerator_knobs, joint_space
from nahas.search_space.network import Block, Network
from nahas.search_space.space import Knob, SearchSpace

REFERENCE = (1, 0)


def networks(reference=REFERENCE) -> SearchSpace:
    """Six networks; reference k5 with 16 filters."""

    def build(values):
        block = Block("ibn", values["kernel"], 3, values["filters"], stride=2)
        return Network((block,), resolution=64, stem_filters=8, head_filters=64)

    knobs = (Knob("kernel", (3, 5, 7)), Knob("filters", (16, 32)))
    return SearchSpace("six", knobs, build, reference)


SPACE = joint_space(networks())
CHIPS = accelerator_knobs(SPACE)
TASK = Task(SPACE, Platform(), Limits(), Reward(), "none")


class Counted:
    """Proposes 0, 1, 2, ... at every knob, round and round, and keeps what it is told.

    `seeds` are those of its starts, `heard` what was told since the last.
    """

    def __init__(self) -> None:
        self.seeds, self.told = [], []

    def setup(self, cardinalities, *, seed):
        self.cardinalities, self.count = cardinalities, 0
        self.seeds.append(seed)
        self.told.append([])

    def propose(self, n):
        self.count += n
        counts = np.arange(self.count - n, self.count)
        return counts[:, None] % self.cardinalities

    def update(self, trials):
        self.told[-1] += trials


def trial(number, choices, reward=None, violation=0.0):
    return Trial(number, tuple(choices), "trained" if reward else "rejected", reward,
                 1.0, 1.0, 1.0, 0.5, reward=reward, feasible=reward is not None,
                 violation=violation)  # fmt: skip


def drive(controller, trials, rewards, window):
    """The choices [trials, D] of a study whose k-th trial has the reward rewards(k)."""
    controller.inform(TASK)
    controller.setup(SPACE.cardinalities, seed=7)
    waiting, proposed = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            controller.update([waiting.popleft()])
        [row] = controller.propose(1).tolist()
        proposed.append(row)
        waiting.append(trial(number, row, rewards(number)))
    return np.array(proposed)


def test_fixed_moves_the_network_alone():
    inner = Counted()
    found = drive(FixedAccelerator(inner), 7, float, window=2)
    np.testing.assert_array_equal(found[:, 0], [0, 1, 2, 0, 1, 2, 0])
    np.testing.assert_array_equal(found[:, 1], [0, 1, 0, 1, 0, 1, 0])
    assert (found[:, CHIPS] == accelerator_choices(SPACE, BASELINE)).all()
    assert inner.cardinalities.tolist() == [3, 2, 1, 1, 1, 1, 1, 1, 1]
    assert [t.choices[:2] for t in inner.told[0]] == [(0, 0), (1, 1), (2, 0), (0, 1),
                                                     (1, 0)]  # fmt: skip
    assert all(t.choices[2:] == (0,) * 7 for t in inner.told[0])
    assert SPACE.decode(found[0]).accelerator == BASELINE


def test_fixed_on_another_accelerator():
    chip = Accelerator(1, 8, 16, 8, 4.0, 8.0, 5.0)
    found = drive(FixedAccelerator(RandomSearch(), chip), 20, float, window=2)
    assert {SPACE.decode(row).accelerator for row in found} == {chip}
    assert len({SPACE.decode(row).network for row in found}) > 3


def test_an_accelerator_outside_the_space_is_refused():
    chip = Accelerator(3, 4, 64, 4, 2.0, 32.0, 20.0)
    with pytest.raises(ValueError, match="Its pes_x is 3, among 1, 2, 4, 6, 8"):
        FixedAccelerator(RandomSearch(), chip).inform(TASK)


def test_a_guided_search_keeps_the_limits_on_the_fixed_accelerator():
    """Told the task, it simulates its candidates where they are to run."""
    every = [
        judge(TASK, np.array([k, f, *accelerator_choices(SPACE, BASELINE)]))
        for k in range(3)
        for f in range(2)
    ]
    middle = sorted(j.costs.latency_ms for j in every)[2] * 1.0001
    task = Task(SPACE, Platform(), Limits(max_latency_ms=middle), Reward(), "none")
    chooses = FixedAccelerator(PredictorGuided(first=3))
    chooses.inform(task)
    chooses.setup(SPACE.cardinalities, seed=0)
    rows = chooses.propose(3)
    assert [judge(task, row).status for row in rows] == [None] * 3
    assert (rows[:, CHIPS] == accelerator_choices(SPACE, BASELINE)).all()


def test_phases_search_the_accelerator_for_the_reference_then_the_network_on_it():
    chips, nets = Counted(), Counted()
    # Trial 3 of the first phase is the best of 1..5, all that have come back by then;
    # the better one 6 comes back too late.
    chooses = Phases(chips, nets, first=6)
    found = drive(chooses, 12, {3: 9.0, 5: 8.0, 6: 11.0}.get, window=2)
    np.testing.assert_array_equal(found[:6, :2], [REFERENCE] * 6)
    np.testing.assert_array_equal(found[:6, CHIPS[0]], [0, 1, 2, 3, 4, 0])
    assert (found[6:, CHIPS] == found[2, CHIPS]).all()
    np.testing.assert_array_equal(found[6:, 0], [0, 1, 2, 0, 1, 2])
    assert chooses.split == 6
    assert chips.cardinalities[:2].tolist() == [1, 1]
    assert nets.cardinalities.tolist() == [3, 2, 1, 1, 1, 1, 1, 1, 1]
    # Numbers start again; of the first phase's late trials neither hears.
    assert [t.number for t in chips.told[0]] == [1, 2, 3, 4, 5]
    assert [t.number for t in nets.told[0]] == [1, 2, 3, 4]
    assert [t.choices[0] for t in nets.told[0]] == [0, 1, 2, 0]
    assert chips.seeds == nets.seeds == [7]


def test_the_first_phase_goes_on_until_a_trial_has_come_back():
    chooses = Phases(Counted(), Counted(), first=2)
    found = drive(chooses, 9, float, window=5)
    assert (found[:5, :2] == REFERENCE).all()
    assert chooses.split == 5  # before the sixth proposal the first trial is known
    assert (found[5:, CHIPS] == found[0, CHIPS]).all()


def test_without_a_feasible_trial_the_least_violation_decides():
    chooses = Phases(Counted(), Counted(), first=3)
    chooses.inform(TASK)
    chooses.setup(SPACE.cardinalities, seed=0)
    rows = chooses.propose(3)
    chooses.update([trial(k + 1, rows[k], None, v) for k, v in enumerate((3, 1, 2))])
    assert chooses.split is None
    assert (chooses.propose(1)[0][CHIPS] == rows[1][CHIPS]).all()


def test_of_equal_rewards_the_least_latency_then_energy_then_area_decides():
    chooses = Phases(Counted(), Counted(), first=6)
    chooses.inform(TASK)
    chooses.setup(SPACE.cardinalities, seed=0)
    rows = chooses.propose(6)
    costs = [(2.0, 1.0, 1.0), (1.0, 3.0, 1.0), (1.0, 2.0, 2.0), (1.0, 2.0, 1.5),
             (0.5, 0.5, 0.5), (1.0, 2.0, 1.5)]  # fmt: skip
    rewards = [0.7, 0.7, 0.7, 0.7, 0.6, 0.7]
    names = ("latency_ms", "energy_mj", "area_mm2")
    for k, row in enumerate(rows):
        told = trial(k + 1, row, rewards[k])
        chooses.update([replace(told, **dict(zip(names, costs[k], strict=True)))])
    assert (chooses.propose(1)[0][CHIPS] == rows[3][CHIPS]).all()


def test_the_mode_of_phases_is_that_of_the_present_one():
    chooses = Phases(PPO(), PPO(), first=3)
    chooses.inform(TASK)
    chooses.setup(SPACE.cardinalities, seed=0)
    assert tuple(chooses.mode()[:2]) == REFERENCE
    rows = chooses.propose(3)
    chooses.update([trial(k + 1, row, 0.5 + k) for k, row in enumerate(rows)])
    chooses.propose(1)
    assert (chooses.mode()[CHIPS] == rows[2][CHIPS]).all()


def test_phases_need_a_reference():
    task = Task(joint_space(networks(None)), Platform(), Limits(), Reward(), "none")
    with pytest.raises(ValueError, match="must have a reference network"):
        Phases().inform(task)


def test_a_sweep_as_the_first_phase_finds_the_best_accelerator_at_once():
    task = Task(SPACE, Platform(), Limits(max_area_mm2=20.0),
                Reward(latency_ms=0.001), "none")  # fmt: skip
    chooses, alone = Phases(ExactSweep(), RandomSearch(), first=1), ExactSweep()
    for controller in (chooses, alone):
        controller.inform(task)
        controller.setup(SPACE.cardinalities, seed=0)
    [row] = chooses.propose(1)
    assert tuple(row[:2]) == REFERENCE
    rows = alone.propose(20)
    [same] = np.unique(rows[(rows[:, :2] == REFERENCE).all(axis=1)], axis=0)
    np.testing.assert_array_equal(row, same)


def test_nested_judges_each_accelerator_by_the_best_of_its_search():
    chips, nets = Counted(), Counted()
    rewards = {1: 3.0, 2: 4.0, 3: 1.0, 6: 5.0, 7: 2.0}  # none of 4, 5, 8, 9
    chooses = Nested(chips, nets, inner=3)
    found = drive(chooses, 11, rewards.get, window=2)
    np.testing.assert_array_equal(found[:, CHIPS[0]], [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3])
    np.testing.assert_array_equal(found[:, 0], [0, 1, 2] * 3 + [0, 1])
    assert chips.cardinalities[:2].tolist() == [1, 1]
    # Trials 1..9 have come back: three searches whole, the best of each a trial.
    assert [(t.number, t.reward) for t in chips.told[0]] == [(1, 4.0), (2, 5.0),
                                                            (3, 2.0)]  # fmt: skip
    assert [t.choices for t in chips.told[0]] == [
        (0, 0, k, k, k, k, k, k, k) for k in range(3)
    ]
    # Each search of networks starts anew, and hears of its own trials alone.
    assert len(set(nets.seeds)) == len(nets.seeds) == 4
    assert [[t.number for t in told] for told in nets.told] == [[1, 2]] * 3 + [[]]


def test_an_accelerator_without_a_feasible_network_counts_by_its_least_violation():
    chips = Counted()
    chooses = Nested(chips, Counted(), inner=3)
    chooses.inform(TASK)
    chooses.setup(SPACE.cardinalities, seed=0)
    rows = chooses.propose(3)
    chooses.update([trial(k + 1, rows[k], None, v) for k, v in enumerate((3, 1, 2))])
    [told] = chips.told[0]
    assert (told.feasible, told.violation, told.number) == (False, 1, 1)


@pytest.mark.parametrize("made", [
    (lambda: Phases(first=0), "`first` must be an integer"),
    (lambda: Nested(inner=0), "`inner` must be an integer"),
    (lambda: Nested(PredictorGuided()), "not told the task. Received PredictorGuided"),
    (lambda: Nested(*[RandomSearch()] * 2), "must be two controllers"),
    (lambda: Phases(*[PPO()] * 2), "must be two controllers. Received one PPO"),
])  # fmt: skip
def test_what_cannot_be_is_refused(made):
    make, message = made
    with pytest.raises(ValueError, match=message):
        make()


CHOOSE = {
    "fixed": lambda: FixedAccelerator(RegularizedEvolution(3, 2)),
    "phases": lambda: Phases(PPO(batch=2), RegularizedEvolution(3, 2), first=8),
    "nested": lambda: Nested(RegularizedEvolution(2, 2), RandomSearch(), inner=5),
}


@pytest.mark.parametrize("mode", CHOOSE)
def test_a_study_is_continued_as_if_unbroken(mode, tmp_path):
    def run(folder, trials):
        return toy_study.run(folder, trials, controller=CHOOSE[mode](), space=SPACE)

    unbroken = outcomes(run(None, 30))
    for trials in (6, 11, 25):
        assert outcomes(run(tmp_path, trials)) == unbroken[:trials]
    assert outcomes(run(tmp_path, 30)) == unbroken


def test_the_reference_is_trained_once(trained):
    study = toy_study.run(None, 20, controller=CHOOSE["phases"](), space=SPACE)
    text = str(networks().decode(REFERENCE))
    assert [r.network for r in study.records()[:8]] == [text] * 8
    assert trained().count(text) == 1
    first = [t for t in study.trials()[:8] if t.status in ("trained", "reused")]
    assert len({t.accuracy for t in first}) == 1


def test_a_mode_proposes_what_a_joint_search_could():
    """All modes search one space: their records can be compared."""
    for make in CHOOSE.values():
        controller = make()
        rows = drive(controller, 25, lambda k: 1.0 + k % 7, window=4)
        assert SPACE.check(rows).shape == (25, 9)


def test_on_a_fixed_accelerator_a_warm_start_is_learned_from():
    class Listening(Counted):
        adopted = ()

        def adopt(self, trials):
            self.adopted = [(one.number, one.choices) for one in trials]

    inner = Listening()
    controller = FixedAccelerator(inner, BASELINE)
    controller.inform(TASK)
    controller.setup(SPACE.cardinalities, seed=0)
    own = SPACE.reference
    controller.adopt([trial(1, own)])
    [(number, choices)] = inner.adopted
    assert number == 1
    assert tuple(np.delete(choices, CHIPS)) == tuple(np.delete(own, CHIPS))
    assert not np.array(choices)[CHIPS].any()
