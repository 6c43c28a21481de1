"""Warm start: the given rows first, then the inner controller, as ever repeatable."""

from collections import deque

import numpy as np
import pytest
import toy_study
from toy_study import outcomes

from nahas.controller import CONTROLLERS
from nahas.controller.controller import Controller, Informed
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.local_search import LocalSearch
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.random_search import RandomSearch
from nahas.controller.rows import StudyError
from nahas.controller.trial import Trial
from nahas.controller.warm_start import Adopting, WarmStart

CARDINALITIES = np.array([4, 3, 5])
ROWS = ((3, 2, 4), (0, 0, 0), (3, 2, 3))


def outcome(number: int, choices: tuple[int, ...]) -> Trial:
    """Feasible unless the choices sum to a multiple of four; better with their sum."""
    reward = sum(choices) / 20 if sum(choices) % 4 else None
    kind = "trained" if reward is not None else "rejected"
    violation = 0.0 if reward is not None else 0.5
    costs = (1.0, 1.0, 1.0, 1.0)
    return Trial(number, choices, kind, reward, *costs, reward, reward is not None,
                 violation)  # fmt: skip


def drive(controller: Controller, trials: int, window: int = 4) -> list[tuple]:
    controller.setup(CARDINALITIES, seed=3)
    waiting, proposed = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            controller.update([waiting.popleft()])
        row = tuple(controller.propose(1)[0].tolist())
        waiting.append(outcome(number, row))
        proposed.append(row)
    return proposed


BLIND = {n: make for n, make in CONTROLLERS.items() if not isinstance(make(), Informed)}


@pytest.mark.parametrize("name", BLIND)
def test_the_rows_come_first_and_any_run_repeats_itself(name):
    made = [drive(WarmStart(BLIND[name](), ROWS), 60) for _ in range(2)]
    assert made[0] == made[1]
    assert tuple(made[0][:3]) == ROWS
    assert drive(WarmStart(BLIND[name](), ROWS), 20) == made[0][:20]
    again = WarmStart(BLIND[name](), ROWS)
    drive(again, 30)
    assert drive(again, 60) == made[0]  # setup forgets everything


@pytest.mark.parametrize("name", BLIND)
def test_a_batch_across_the_last_row_equals_single_proposals(name):
    one, many = (WarmStart(BLIND[name](), ROWS) for _ in range(2))
    for controller in (one, many):
        controller.setup(CARDINALITIES, seed=1)
    singles = [one.propose(1)[0].tolist() for _ in range(8)]
    assert many.propose(8).tolist() == singles
    assert many.propose(0).shape == (0, 3)


def test_all_registered_controllers_but_random_search_learn_from_the_rows():
    deaf = {name for name, make in CONTROLLERS.items() if not hasattr(make(), "adopt")}
    assert deaf == {"random"}
    assert not isinstance(RandomSearch(), Adopting)


def test_the_inner_controller_counts_its_own_trials_from_one():
    class Recorder:
        def __init__(self):
            self.told = []

        def setup(self, cardinalities, *, seed):
            pass

        def propose(self, n):
            return np.zeros((n, 3), np.int64)

        def adopt(self, trials):
            self.told += [("adopt", trial.number) for trial in trials]

        def update(self, trials):
            self.told += [("update", trial.number) for trial in trials]

    inner = Recorder()
    drive(WarmStart(inner, ROWS), 8, window=2)
    assert inner.told == [("adopt", 1), ("adopt", 2), ("adopt", 3), ("update", 1),
                          ("update", 2), ("update", 3)]  # fmt: skip


def test_a_climb_begins_at_the_best_row():
    proposed = drive(WarmStart(LocalSearch(), ROWS), 12, window=1)
    best = np.array(ROWS[0])  # the sum 9; the third has 8, a multiple of four
    for row in proposed[3:6]:
        assert (np.array(row) != best).sum() <= 1


def test_rows_replace_random_members_of_a_population():
    rows = tuple((3, 2, i) for i in range(5)) + ((2, 2, 4),) * 3
    controller = WarmStart(RegularizedEvolution(population=8, tournament=8), rows)
    proposed = drive(controller, 30, window=1)
    # After the 8th row comes back all are children: one knob beside a member.
    members = [np.array(row) for row in proposed[:9]]
    for row in proposed[9:]:
        assert min((np.array(row) != member).sum() for member in members) <= 1
        members.append(np.array(row))


def test_a_policy_moves_towards_good_rows_and_away_from_bad_ones():
    good, bad = outcome(1, (3, 2, 4)), outcome(2, (0, 0, 1))
    controller = PPO(batch=2)
    controller.setup(CARDINALITIES, seed=0)
    controller.adopt([bad, good])
    likely = controller.probabilities
    for knob, (high, low) in enumerate(zip(good.choices, bad.choices, strict=True)):
        assert likely[knob, high] > 1 / CARDINALITIES[knob] > likely[knob, low]


@pytest.mark.parametrize("rows", [(), ((1, 2), (1,))])
def test_rows_are_checked_when_made(rows):
    with pytest.raises(ValueError, match="`rows` must be choices of one length"):
        WarmStart(RandomSearch(), rows)


@pytest.mark.parametrize("row", [(4, 0, 0), (0, -1, 0), (0, 0)])
def test_rows_are_checked_against_the_space(row):
    with pytest.raises(ValueError, match="`rows` must be choices of the space"):
        WarmStart(RandomSearch(), (row,)).setup(CARDINALITIES, seed=0)


def first_rows() -> tuple[tuple[int, ...], ...]:
    return ((1, 1, 1, 2, 2, 1), (0, 3, 2, 1, 1, 2), (2, 0, 0, 0, 0, 0))


def warm(rows=None) -> WarmStart:
    inner = RegularizedEvolution(population=6, tournament=3)
    return WarmStart(inner, rows or first_rows())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_study_begins_with_the_rows_and_is_continued(workers, tmp_path):
    unbroken = toy_study.run(None, 30, controller=warm())
    assert tuple(t.choices for t in unbroken.trials()[:3]) == first_rows()
    for trials in (2, 10, 30):  # stopped among the rows, and after
        study = toy_study.run(tmp_path, trials, workers, controller=warm())
    assert outcomes(study) == outcomes(unbroken)
    kept = study.config["controller"]
    assert kept["class"] == "nahas.controller.warm_start:WarmStart"
    assert kept["rows"] == [list(row) for row in first_rows()]
    assert kept["inner"]["population"] == 6
    with pytest.raises(StudyError, match=r"controller\.rows was"):
        toy_study.run(tmp_path, 40, controller=warm(first_rows()[:2]))


def test_an_informed_controller_is_told_the_task_through_the_wrapper():
    inner = PredictorGuided(first=4, candidates=3, generations=1, parents=2)
    study = toy_study.run(None, 12, controller=WarmStart(inner, first_rows()))
    assert tuple(t.choices for t in study.trials()[:3]) == first_rows()
    assert isinstance(WarmStart(inner, first_rows()), Informed)
