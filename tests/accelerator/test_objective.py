import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.accelerator.mix import Costs
from nahas.accelerator.objective import exponents, score

COSTS = Costs(
    latency_ms=np.array([4.0, 9.0, 1.0]),
    energy_mj=np.array([2.0, 1.0, 16.0]),
    area_mm2=np.array([10.0, 20.0, 30.0]),
    utilization=np.full(3, 0.5),
    feasible=np.ones(3, dtype=bool),
)


def test_objectives_by_hand():
    assert score(COSTS, "latency").tolist() == [4, 9, 1]
    assert score(COSTS, "energy").tolist() == [2, 1, 16]
    assert score(COSTS, "edp").tolist() == [8, 9, 16]
    assert score(COSTS, "edap").tolist() == [80, 180, 480]
    assert score(COSTS, "latency=0.5").tolist() == [2, 3, 1]
    assert score(COSTS, "energy=2, latency=0.5").tolist() == [8, 3, 256]


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("latency", "latency=1"),
        ("energy", "energy=1,area=0"),
        ("edp", "latency=1,energy=1"),
        ("edap", "area=1,latency=1,energy=1"),
    ],
)
def test_the_named_objectives_are_weights_of_one(name, weights):
    assert score(COSTS, name).tolist() == score(COSTS, weights).tolist()


@given(st.lists(st.floats(0.01, 3), min_size=3, max_size=3), st.floats(1e-3, 1e3))
def test_units_change_no_ranking(weights, unit):
    objective = "latency={},energy={},area={}".format(*weights)
    other = Costs(COSTS.latency_ms * unit, COSTS.energy_mj, COSTS.area_mm2,
                  COSTS.utilization, COSTS.feasible)  # fmt: skip
    ratio = score(other, objective) / score(COSTS, objective)
    assert ratio == pytest.approx(unit ** weights[0], rel=1e-9)


@pytest.mark.parametrize(
    "objective",
    ["", "speed", "latency=", "latency=a", "latency=nan", "latency=-1", "latency=1e9",
     "latency=inf", "latency=0", "latency=0,area=0", "latency=1,latency=2",
     "power=1", "latency=1,", "latency:1", "Latency"],
)  # fmt: skip
def test_what_is_no_objective_is_refused(objective):
    with pytest.raises(ValueError, match="`objective`"):
        exponents(objective)
