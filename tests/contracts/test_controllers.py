"""Every registered controller obeys the contract of `Controller`."""

from collections import deque
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator.template import Accelerator, Platform
from nahas.controller import CONTROLLERS as REGISTERED
from nahas.controller.bayesian import Bayesian
from nahas.controller.controller import Controller, Informed, mode_of
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.fixed_accelerator import FixedAccelerator
from nahas.controller.judgement import Task
from nahas.controller.local_search import LocalSearch
from nahas.controller.nested import Nested
from nahas.controller.nsga2 import NSGA2
from nahas.controller.phases import Phases
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.random_search import RandomSearch
from nahas.controller.reinforce import Reinforce
from nahas.controller.reward import Limits, Reward
from nahas.controller.trial import Trial
from nahas.search_space.joint import PREFIX, Candidate
from nahas.search_space.network import Block, Network
from nahas.search_space.space import Knob, SearchSpace

CARDINALITIES = np.array([6, 1, 3, 4, 2, 5])
WINDOW, TRIALS = 16, 120


ACCELERATOR = {
    "pes_x": (1, 4),
    "pes_y": (2,),
    "simd_units": (64,),
    "compute_lanes": (4,),
    "local_memory_mib": (0.5, 2.0),
    "register_file_kib": (32.0,),
    "io_bandwidth_gbps": (20.0,),
}


def joined(cardinalities) -> SearchSpace:
    """Knobs of a network with those cardinalities, and four accelerators."""

    def build(values):
        chosen = [v for name, v in values.items() if not name.startswith(PREFIX)]
        if sum(chosen) % 7 == 6:
            raise ValueError("no network")
        block = Block("ibn", 3, 2, 8 * (1 + sum(chosen) % 5), stride=2)
        network = Network((block,), resolution=32, stem_filters=8, head_filters=16)
        return Candidate(
            network, Accelerator(*(values[PREFIX + n] for n in ACCELERATOR))
        )

    counts = np.asarray(cardinalities).tolist()
    network = [Knob(f"k{d}", tuple(range(n))) for d, n in enumerate(counts)]
    accelerator = [Knob(PREFIX + name, values) for name, values in ACCELERATOR.items()]
    knobs = (*network, *accelerator)
    return SearchSpace("joined", knobs, build, reference=(0,) * len(knobs))


def start(controller: Controller, cardinalities, *, seed: int):
    """Set a controller up, after telling it the task if it asks; the cardinalities.

    One that asks gets a space in which these are the network's, beside accelerators.
    """
    if isinstance(controller, Informed):
        space, limits = joined(cardinalities), Limits(max_area_mm2=11.0)
        reward = Reward(latency_ms=0.009)
        controller.inform(Task(space, Platform(), limits, reward, "none"))
        cardinalities = space.cardinalities
    controller.setup(cardinalities, seed=seed)
    return cardinalities


# The contract does not depend on how many candidates are simulated, its time does.
FEW = {"candidates": 3, "generations": 2, "parents": 3}
QUICK = {
    "guided": partial(PredictorGuided, **FEW),
    "bayesian": partial(Bayesian, first=90, **FEW),
    "sweep-guided": lambda: ExactSweep(PredictorGuided(**FEW)),
    "sweep-bayesian": lambda: ExactSweep(Bayesian(first=90, **FEW)),
}
CHIP = Accelerator(4, 2, 64, 4, 2.0, 32.0, 20.0)  # of the space above
# 120 trials see several searches of 20, and both phases.
MODES = {
    "fixed": lambda: FixedAccelerator(PPO(), CHIP),
    "fixed-guided": lambda: FixedAccelerator(QUICK["guided"](), CHIP),
    "phases": lambda: Phases(RegularizedEvolution(), LocalSearch(), first=40),
    "phases-guided": lambda: Phases(NSGA2(), QUICK["guided"](), first=20),
    "nested": lambda: Nested(Reinforce(), RegularizedEvolution(8, 4), inner=20),
    "nested-guided": lambda: Nested(RandomSearch(), QUICK["guided"](), inner=30),
}
CONTROLLERS = REGISTERED | QUICK | MODES


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
    start(controller, CARDINALITIES if space is None else space, seed=seed)
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
    space = start(controller, CARDINALITIES, seed=0)
    choices = controller.propose(3)
    assert choices.shape == (3, len(space))
    assert choices.dtype == np.int64
    proposed = np.array(drive(make(), TRIALS))
    assert (proposed >= 0).all()
    assert (proposed < space).all()


def test_no_proposals_are_an_empty_batch(make):
    controller = make()
    space = start(controller, CARDINALITIES, seed=0)
    assert controller.propose(0).shape == (0, len(space))


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
    start(one, CARDINALITIES, seed=0)
    start(many, CARDINALITIES, seed=0)
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
        start(controller, CARDINALITIES, seed=9)
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
    space = start(controller, CARDINALITIES, seed=0)
    for number in range(1, 101):
        choices = tuple(controller.propose(1)[0].tolist())
        violation = {"rejected": 0.3, "infeasible": np.inf, "failed": 1.0}[kind]
        controller.update([Trial(number, choices, kind, *[None] * 6, False, violation)])
    assert (controller.propose(1) < space).all()


@pytest.mark.parametrize("space", [[1], [1, 1, 1], [2], [300]])
def test_degenerate_spaces(make, space):
    proposed = drive(make(), 60, window=4, space=np.array(space))
    assert np.array(proposed)[:, : len(space)].max() < max(space)


def test_the_caller_keeps_its_arrays(make):
    """Neither side may change what the other holds."""
    controller, space = make(), CARDINALITIES.copy()
    known = start(controller, space, seed=0).copy()
    first = controller.propose(1)
    trial = outcome(1, tuple(first[0].tolist()))
    first[:] = 99
    space[:] = 99
    controller.update([trial])
    assert (controller.propose(50) < known).all()


def test_a_mode_lies_in_the_space_and_disturbs_nothing(make):
    asked, plain = make(), make()
    space = start(asked, CARDINALITIES, seed=0)
    start(plain, CARDINALITIES, seed=0)
    for number in range(1, TRIALS + 1):
        mode = mode_of(asked)
        assert mode is None or ((mode >= 0) & (mode < space)).all()
        (row,) = asked.propose(1).tolist()
        assert [row] == plain.propose(1).tolist()
        for controller in (asked, plain):
            controller.update([outcome(number, tuple(row))])


@pytest.mark.parametrize("wrong", [[], [[2, 2]], [2, 0], [2.0, 3.0]])
def test_wrong_cardinalities(make, wrong):
    with pytest.raises(ValueError, match=r"`cardinalities` must be a row of positive"):
        make().setup(np.array(wrong), seed=0)


INFORMED = [name for name, make in CONTROLLERS.items() if isinstance(make(), Informed)]


@pytest.mark.parametrize("name", INFORMED)
def test_one_that_asks_for_the_task_does_not_start_without(name):
    controller = CONTROLLERS[name]()
    with pytest.raises(ValueError, match="must be told the task by `inform`"):
        controller.setup(CARDINALITIES, seed=0)
    start(controller, CARDINALITIES, seed=0)
    with pytest.raises(ValueError, match="must be those of the space"):
        controller.setup(CARDINALITIES, seed=0)
