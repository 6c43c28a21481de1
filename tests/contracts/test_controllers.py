"""Every registered controller obeys the contract of `Controller`."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.controller import CONTROLLERS
from nahas.controller.controller import Controller
from nahas.controller.trial import Trial

CARDINALITIES = np.array([6, 1, 3, 4, 2, 5])
WINDOW, TRIALS = 16, 120


@pytest.fixture(params=CONTROLLERS.values(), ids=CONTROLLERS.keys())
def make(request):
    return request.param


def outcome(number: int, choices: tuple[int, ...]) -> Trial:
    """A pure function of the choices that is feasible, rejected or failed."""
    total = sum(choices)
    kind = ("trained", "trained", "rejected", "failed")[total % 4]
    trained = kind == "trained"
    violation = {"trained": 0.0, "rejected": 0.1 * total, "failed": 1.0}[kind]
    return Trial(
        number=number,
        choices=choices,
        status=kind,
        accuracy=total / 100 if trained else None,
        latency_ms=1.0,
        energy_mj=1.0,
        area_mm2=1.0,
        utilization=0.5,
        reward=total / 100 if trained else None,
        feasible=trained,
        violation=violation,
    )


def drive(controller: Controller, trials: int, *, seed=0, window=WINDOW, space=None):
    """The choices of a study: proposal i sees the trials 1..i-window."""
    controller.setup(CARDINALITIES if space is None else space, seed=seed)
    waiting, proposed = deque(), []
    for number in range(1, trials + 1):
        if len(waiting) == window:
            controller.update([waiting.popleft()])
        (row,) = controller.propose(1).tolist()
        waiting.append(outcome(number, tuple(row)))
        proposed.append(row)
    return proposed


def test_is_a_controller(make):
    assert isinstance(make(), Controller)


def test_proposals_lie_in_the_space(make):
    controller = make()
    controller.setup(CARDINALITIES, seed=0)
    choices = controller.propose(3)
    assert choices.shape == (3, 6)
    assert choices.dtype == np.int64
    proposed = np.array(drive(make(), TRIALS))
    assert (proposed >= 0).all()
    assert (proposed < CARDINALITIES).all()


def test_no_proposals_are_an_empty_batch(make):
    controller = make()
    controller.setup(CARDINALITIES, seed=0)
    assert controller.propose(0).shape == (0, 6)


def test_one_seed_one_study(make):
    assert drive(make(), TRIALS, seed=3) == drive(make(), TRIALS, seed=3)


def test_seeds_differ(make):
    assert drive(make(), 5, seed=3) != drive(make(), 5, seed=4)


def test_setup_forgets_everything(make):
    controller = make()
    drive(controller, TRIALS, seed=1)
    assert drive(controller, TRIALS, seed=2) == drive(make(), TRIALS, seed=2)


@pytest.mark.parametrize("window", [1, 7, WINDOW, 50])
def test_a_longer_study_extends_a_shorter_one(make, window):
    longer = drive(make(), TRIALS, window=window)
    for stop in (1, 16, 17, 71):
        assert drive(make(), stop, window=window) == longer[:stop]


def test_a_batch_equals_single_proposals(make):
    one, many = make(), make()
    one.setup(CARDINALITIES, seed=0)
    many.setup(CARDINALITIES, seed=0)
    number = 0
    for size in (3, 40, 1, 8, 20):
        batch = many.propose(size)
        singles = np.concatenate([one.propose(1) for _ in range(size)])
        np.testing.assert_array_equal(batch, singles)
        rows = enumerate(batch.tolist(), start=number + 1)
        trials = [outcome(k, tuple(row)) for k, row in rows]
        number += size
        many.update(trials)
        for trial in trials:
            one.update([trial])


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_interleaving_replays(data):
    """Whatever the order of calls, making them again gives the same proposals."""
    make = data.draw(st.sampled_from(list(CONTROLLERS.values())))
    calls = data.draw(st.lists(st.booleans(), min_size=1, max_size=60))

    def replay():
        controller = make()
        controller.setup(CARDINALITIES, seed=9)
        waiting, proposed = deque(), []
        for propose in calls:
            if propose or not waiting:
                (row,) = controller.propose(1).tolist()
                proposed.append(row)
                waiting.append(outcome(len(proposed), tuple(row)))
            else:
                controller.update([waiting.popleft()])
        return proposed

    assert replay() == replay()


@pytest.mark.parametrize("kind", ["rejected", "infeasible", "failed"])
def test_a_study_without_any_feasible_trial(make, kind):
    controller = make()
    controller.setup(CARDINALITIES, seed=0)
    for number in range(1, 101):
        choices = tuple(controller.propose(1)[0].tolist())
        violation = {"rejected": 0.3, "infeasible": np.inf, "failed": 1.0}[kind]
        controller.update([Trial(number, choices, kind, *[None] * 6, False, violation)])
    assert (controller.propose(1) < CARDINALITIES).all()


@pytest.mark.parametrize("space", [[1], [1, 1, 1], [2], [300]])
def test_degenerate_spaces(make, space):
    proposed = drive(make(), 60, window=4, space=np.array(space))
    assert np.array(proposed).max() < max(space)


def test_the_caller_keeps_its_arrays(make):
    """Neither side may change what the other holds."""
    controller, space = make(), CARDINALITIES.copy()
    controller.setup(space, seed=0)
    first = controller.propose(1)
    trial = outcome(1, tuple(first[0].tolist()))
    first[:] = 99
    space[:] = 99
    controller.update([trial])
    assert (controller.propose(50) < CARDINALITIES).all()


@pytest.mark.parametrize("wrong", [[], [[2, 2]], [2, 0], [2.0, 3.0]])
def test_wrong_cardinalities(make, wrong):
    with pytest.raises(ValueError, match=r"`cardinalities` must be a row of positive"):
        make().setup(np.array(wrong), seed=0)
