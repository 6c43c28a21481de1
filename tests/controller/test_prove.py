"""The proof is what brute force finds, on spaces small enough for both."""

from functools import cache

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from nahas.accelerator.template import Accelerator, Platform
from nahas.controller import prove as proving
from nahas.controller.additive import Additive
from nahas.controller.appraisal import appraise, reward_all
from nahas.controller.judgement import Task
from nahas.controller.proof import BoundError
from nahas.controller.prove import Search, prove
from nahas.controller.reward import Limits, Reward
from nahas.search_space.b0 import b0
from nahas.search_space.joint import PREFIX, Candidate
from nahas.search_space.network import Block, Network
from nahas.search_space.space import Knob, SearchSpace, product

MACHINES = {
    "pes_x": (2, 4),
    "pes_y": (4,),
    "simd_units": (16, 64),
    "compute_lanes": (2, 4),
    "local_memory_mib": (0.5, 2.0),
    "register_file_kib": (8.0, 32.0),
    "io_bandwidth_gbps": (5.0, 25.0),
}


def pairs(networks):
    def build(values):
        return Accelerator(**{n.removeprefix(PREFIX): v for n, v in values.items()})

    knobs = tuple(Knob(PREFIX + name, values) for name, values in MACHINES.items())
    machines = SearchSpace("machines", knobs, build)
    return product(f"{networks.name} pairs", (networks, machines), Candidate)


def two_blocks():
    """Twelve networks whose second stage knows the width of the first."""

    def build(values):
        blocks = (
            Block("ibn", 3, values["a.expansion"], values["a.filters"], stride=2),
            Block("ibn", values["b.kernel"], 4, 48, stride=2, activation="swish"),
        )
        return Network(blocks, stem_filters=16, head_filters=128, resolution=96)

    knobs = (
        Knob("a.expansion", (1, 4, 6)),
        Knob("a.filters", (16, 32)),
        Knob("b.kernel", (3, 5)),
    )
    return SearchSpace("two", knobs, build)


def part_of_b0():
    """144 networks: the last two stages of EfficientNet-B0's skeleton."""
    whole = b0(resolution=64)
    knobs = tuple(
        Knob(knob.name, knob.values[:2] if "layers" not in knob.name else (1, 3))
        for knob in whole.knobs
        if knob.name in ("stage4.expansion", "stage4.se", "stage5.expansion",
                         "stage5.kernel", "stage5.layers", "stage6.expansion")
    )  # fmt: skip
    rest = {knob.name: knob.values[0] for knob in whole.knobs}
    return SearchSpace("part", knobs, lambda values: whole.build(rest | dict(values)))


# Shrinking an example costs as much as many; its draws are printed as they are.
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)

SPACES = {"two": pairs(two_blocks()), "part": pairs(part_of_b0())}


def predictor(space, seed):
    sizes = [len(k.values) for k in space.knobs if not k.name.startswith(PREFIX)]
    rng = np.random.default_rng(seed)
    values = tuple(rng.normal(0, 0.03, size) for size in sizes)
    return Additive(0.6, values, "drawn at random", 0)


@cache
def simulated(name, platform):
    """All choices of a space, and their costs: every pair is simulated."""
    space = SPACES[name]
    task = Task(space, platform, Limits(), Reward(), "")
    choices = np.indices(space.cardinalities).reshape(len(space.knobs), -1).T
    return choices, appraise(task, choices).metrics


def brute_force(task, model):
    """The highest reward of all pairs."""
    name = next(name for name, space in SPACES.items() if space is task.space)
    choices, metrics = simulated(name, task.platform)
    rewards = task.reward(model(choices[:, : len(model.values)]), metrics)
    kept = metrics.feasible & (task.limits.violation(metrics) == 0)
    return np.where(kept, rewards, -np.inf).max()


def quantiles(name):
    """Costs that a tenth, half and nine tenths of all pairs keep."""
    _, found = simulated(name, Platform())
    names = ("latency_ms", "energy_mj", "area_mm2", "power_mw")
    return {n: np.quantile(getattr(found, n), [0.1, 0.5, 0.9]) for n in names}


COSTS = {name: quantiles(name) for name in SPACES}


@settings(max_examples=24, deadline=None, phases=UNSHRUNK)
@given(data=st.data())
def test_the_proof_is_brute_forces_answer(data):
    name = data.draw(st.sampled_from(sorted(SPACES)))
    space, costs = SPACES[name], COSTS[name]

    def some(cost):
        return data.draw(st.sampled_from([None, *costs[cost].tolist()]), label=cost)

    form = data.draw(st.sampled_from(["multiplicative", "single_sided"]))
    p, q = data.draw(st.sampled_from([(0.0, -1.0), (-0.07, -0.07), (-0.5, -0.1)]))
    reward = Reward(
        some("latency_ms"), some("energy_mj"), some("area_mm2"), form=form, p=p, q=q
    )
    limits = Limits(
        some("latency_ms"), some("energy_mj"), some("area_mm2"), some("power_mw")
    )
    platform = Platform(
        weights=data.draw(st.sampled_from(["streamed", "resident"])),
        overlap=data.draw(st.booleans()),
    )
    task = Task(space, platform, limits, reward, "")
    model = predictor(space, data.draw(st.integers(0, 99)))
    found = prove(task, model)
    assert found.proven
    assert found.gap == 0
    assert found.reward == pytest.approx(brute_force(task, model), rel=1e-8)
    assert found.bound == pytest.approx(found.reward, rel=1e-8)
    assert found.screened + found.searched == found.accelerators == 64
    if found.choices is not None:
        own = model(found.choices[None, : len(model.values)])
        violations, rewards = reward_all(task, found.choices[None], own)
        assert violations[0] == 0
        assert rewards[0] == found.reward
        assert found.accuracy == own[0]


def hard(name, **changes):
    latency = COSTS[name]["latency_ms"][0]
    limits = Limits(max_latency_ms=latency, **changes)
    return Task(SPACES[name], Platform(), limits, Reward(), "")


@pytest.mark.parametrize("weights", ["kept", "resident"])
@pytest.mark.parametrize("overlap", [False, True])
def test_weights_that_may_be_kept_take_nothing_from_the_rest(weights, overlap):
    # More than all weights may be kept: what is taken off must not be cut at 0.
    task = hard("part")
    platform = Platform(weights=weights, overlap=overlap)
    task = Task(task.space, platform, task.limits, Reward(), "")
    model = predictor(SPACES["part"], 0)
    assert prove(task, model).reward == brute_force(task, model)


def test_the_same_proof_each_time():
    task, model = hard("part"), predictor(SPACES["part"], 1)
    one, other = prove(task, model), prove(task, model)
    assert one.choices.tolist() == other.choices.tolist()
    assert (one.nodes, one.simulated) == (other.nodes, other.simulated)


def test_that_no_pair_keeps_the_limits_is_proven_too():
    found = prove(hard("two", max_energy_mj=1e-9), predictor(SPACES["two"], 0))
    assert found.proven
    assert found.choices is None
    assert found.gap == 0


@pytest.mark.parametrize("nodes", [1, 5])
def test_a_search_goes_on_where_it_looked_at_the_clock(monkeypatch, nodes):
    monkeypatch.setattr(proving, "_DIVES", 0)  # which would leave nothing to search
    task, model = hard("part"), predictor(SPACES["part"], 1)
    whole, told = prove(task, model), []
    monkeypatch.setattr(proving, "_NODES", nodes)
    found = prove(task, model, progress=told.append)
    assert found.reward == whole.reward == brute_force(task, model)
    assert whole.nodes > 5
    assert len(told) >= found.nodes / nodes  # each look is one


def test_out_of_time_the_bound_is_above_the_optimum():
    open_ = 0
    for seed in range(12):
        task, model = hard("part"), predictor(SPACES["part"], seed)
        told = []
        found = prove(task, model, minutes=1e-9, progress=told.append)
        best = brute_force(task, model)
        assert found.reward <= best <= found.bound * (1 + 1e-8)
        assert all(best <= proof.bound * (1 + 1e-8) for proof in told)
        assert found.gap == (0 if found.proven else found.bound - found.reward)
        open_ += not found.proven
    assert open_  # not all of them are proven by the first ceilings alone


@pytest.mark.parametrize("row", [0, 1])
def test_a_planted_wrong_bound_is_caught(row):
    # Cycles or energy of all operators 30 times what the cost model has.
    task = Task(SPACES["part"], Platform(), Limits(), Reward(), "")
    search = Search(task, predictor(SPACES["part"], 0))
    planted = list(search._floors)
    planted[row] = planted[row] * np.float32(30)
    search._floors = tuple(planted)
    with pytest.raises(BoundError, match="A bound must be at most the cost"):
        search.run()


def test_a_bound_that_is_too_high_would_lose_the_optimum():
    # Brute force would tell: with the check off, planted cycles make a wrong answer.
    task, model = hard("part"), predictor(SPACES["part"], 3)
    search = Search(task, model)
    cycles, *rest = search._floors
    search._floors = (cycles * np.float32(30), *rest)
    search._check = lambda *_: None
    assert search.run().reward < brute_force(task, model)


def test_bounds_of_power():
    limits = proving._for_bounds(Limits(max_latency_ms=0.5, max_power_mw=2000))
    assert limits.max_energy_mj == pytest.approx(1.0)
    limits = proving._for_bounds(Limits(max_power_mw=2000))
    assert limits.max_energy_mj is None


def test_a_predictor_of_another_space_is_refused():
    with pytest.raises(ValueError, match="`predictor` must be of the 6 knobs"):
        prove(hard("part"), predictor(SPACES["two"], 0))
