import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.accelerator.metrics import Metrics
from nahas.controller.reward import (
    Least,
    Limits,
    Reward,
    absolute,
    multiplicative,
    single_sided,
)

FORMS = ("multiplicative", "absolute", "single_sided")
accuracies = st.floats(0.01, 1.0)
costs = st.floats(1e-3, 1e3)


def metrics(latency_ms, energy_mj=1.0, area_mm2=1.0) -> Metrics:
    latency = np.atleast_1d(np.array(latency_ms, float))
    count = len(latency)
    return Metrics(
        latency_ms=latency,
        energy_mj=np.full(count, energy_mj, float),
        area_mm2=np.full(count, area_mm2, float),
        utilization=np.full(count, 0.5),
        io_bytes=np.ones(count, np.int64),
        feasible=np.ones(count, bool),
        limit=np.zeros(count, np.int8),
        excess_bytes=np.zeros(count, np.int64),
        operator=np.full(count, -1),
        operator_names=("stem",),
    )


# Counted by hand.


def test_an_infinite_limit_is_none():
    assert Limits(max_area_mm2=float("inf")) == Limits()


def test_multiplicative():
    accuracy = np.array([0.8, 0.8, 0.6])
    ratios = np.array([[0.5, 2.0, 1.0], [1.0, 4.0, 2.0]])
    hard = multiplicative(accuracy, ratios, p=0.0, q=-1.0)
    np.testing.assert_allclose(hard, [0.8, 0.8 / 8, 0.3])
    mixed = multiplicative(accuracy, ratios, p=-1.0, q=-2.0)
    np.testing.assert_allclose(mixed, [1.6, 0.8 / 64, 0.15])


def test_soft_is_a_power_on_both_sides():
    reward = Reward(latency_ms=1.0, p=-0.07, q=-0.07)
    found = reward([0.5, 0.5], metrics([0.25, 4.0]))
    np.testing.assert_allclose(found, [0.5 * 2**0.14, 0.5 * 2**-0.14])


def test_absolute():
    accuracy = np.array([0.8, 0.8, 0.8])
    ratios = np.array([[0.5, 1.0, 2.0]])
    np.testing.assert_allclose(absolute(accuracy, ratios, -0.1), [0.75, 0.8, 0.7])


def test_single_sided():
    accuracy = np.array([0.8, 0.8, 0.8])
    ratios = np.array([[0.5, 1.0, 2.0], [3.0, 0.1, 2.0]])
    np.testing.assert_allclose(single_sided(accuracy, ratios, -0.1), [0.6, 0.8, 0.6])


def test_all_targets_count():
    reward = Reward(latency_ms=0.5, energy_mj=2.0, area_mm2=10.0)
    found = reward(np.array([0.8]), metrics(1.0, energy_mj=8.0, area_mm2=5.0))
    np.testing.assert_allclose(found, [0.8 / 2 / 4])


@pytest.mark.parametrize("form", FORMS)
def test_without_targets_it_is_the_accuracy(form):
    found = Reward(form=form)([0.3, 0.9], metrics([1.0, 5.0]))
    np.testing.assert_array_equal(found, [0.3, 0.9])


def test_infinite_latency_is_worth_nothing():
    assert Reward(latency_ms=1.0)([0.9], metrics(np.inf))[0] == 0.0
    assert Least("latency")([0.9], metrics(np.inf))[0] == 0.0


def test_a_power_target():
    """3 mJ in 2 ms is 1.5 W: half as much again as 1 W."""
    found = Reward(power_mw=1000.0)([0.9], metrics(2.0, energy_mj=3.0))
    np.testing.assert_allclose(found, [0.6])


def test_the_least_costs():
    found = metrics([2.0, 0.5], energy_mj=3.0, area_mm2=4.0)
    one = Least("edap", exponent=-1.0)
    np.testing.assert_allclose(one([0.1, 0.9], found), [1 / 24, 1 / 6])
    np.testing.assert_allclose(Least("edp")([0.1, 0.9], found), [6**-0.07, 1.5**-0.07])
    weighed = Least("latency=2,area=0.5", exponent=-1.0)
    np.testing.assert_allclose(weighed([0.1, 0.9], found), [1 / 8, 2.0])


# Laws.


@given(accuracies, costs, costs, costs, costs)
def test_hard_form_is_the_accuracy_within_the_targets(a, latency, area, more, most):
    reward = Reward(latency_ms=latency + more, area_mm2=area + most)
    assert reward.of([a], [[latency], [area]])[0] == a


@given(st.sampled_from(FORMS), accuracies, accuracies, costs, costs)
def test_monotone_in_accuracy(form, a, b, cost, target):
    low, high = sorted([a, b])
    found = Reward(latency_ms=target, form=form).of([low, high], [[cost, cost]])
    assert found[0] <= found[1]


@given(
    st.sampled_from(["multiplicative", "single_sided"]),
    accuracies,
    costs,
    costs,
    costs,
    st.floats(-2, 0),
    st.floats(-2, 0),
)
def test_costs_never_help(form, a, x, y, target, p, q):
    low, high = sorted([x, y])
    reward = Reward(energy_mj=target, form=form, p=p, q=q)
    found = reward.of([a, a], [[low, high]])
    assert found[0] >= found[1] - 1e-12 * abs(found[1])


@given(accuracies, costs, costs, costs)
def test_absolute_prefers_the_nearer_to_the_target(a, target, x, y):
    near, far = sorted([x, y])
    reward = Reward(latency_ms=target, form="absolute")
    found = reward.of([a, a], [[target + near, target + far]])
    assert found[0] >= found[1]


@given(
    st.sampled_from(["latency", "energy", "edp", "edap"]),
    accuracies, accuracies, costs, costs, costs,
)  # fmt: skip
def test_the_least_costs_have_the_highest_reward(objective, a, b, x, y, z):
    costs = metrics([x, x * 1.01], energy_mj=y, area_mm2=z)
    energy = metrics(x, energy_mj=y * 1.01, area_mm2=z)
    reward = Least(objective)
    small, large = reward([a, b], costs)
    other = reward([b], energy)[0]
    assert small > large or (objective == "energy" and small == large)
    assert small > other or (objective == "latency" and small == other)


@given(st.sampled_from(FORMS), accuracies, costs, st.floats(-2, 0), st.floats(-2, 0))
def test_continuous_at_the_target(form, a, target, p, q):
    reward = Reward(area_mm2=target, form=form, p=p, q=q)
    around = [target * (1 - 1e-9), target, target * (1 + 1e-9)]
    np.testing.assert_allclose(reward.of([a] * 3, [around]), a, rtol=1e-7)


# The value.


def test_reward_is_a_plain_value():
    reward = Reward(latency_ms=np.float32(0.5), area_mm2=31)
    assert reward == Reward(latency_ms=0.5, area_mm2=31.0)
    assert hash(reward) == hash(Reward(latency_ms=0.5, area_mm2=31.0))
    assert Reward(**json.loads(json.dumps(asdict(reward)))) == reward
    limits = Limits(max_latency_ms=1, max_power_mw=np.float64(3), min_accuracy=1)
    assert Limits(**json.loads(json.dumps(asdict(limits)))) == limits
    least = Least("edp", exponent=-1)
    assert Least(**json.loads(json.dumps(asdict(least)))) == least


@pytest.mark.parametrize("wrong", [0, -1.0, np.inf, np.nan, "1", True])
@pytest.mark.parametrize("name", ["latency_ms", "energy_mj", "area_mm2", "power_mw"])
def test_wrong_targets(name, wrong):
    with pytest.raises(
        ValueError, match=rf"`{name}` must be a positive .* \(in reward.{name}\)"
    ):
        Reward(**{name: wrong})


@pytest.mark.parametrize("wrong", [0.1, np.nan, -np.inf, "1", True, None])
@pytest.mark.parametrize("name", ["p", "q", "beta"])
def test_wrong_exponents(name, wrong):
    with pytest.raises(ValueError, match=rf"`{name}` must be a number of at most 0"):
        Reward(**{name: wrong})


@pytest.mark.parametrize("wrong", [0.0, 0.1, np.nan, -np.inf, "1", True])
def test_wrong_exponents_of_the_least(wrong):
    with pytest.raises(ValueError, match=r"`exponent` must be a number below 0"):
        Least(exponent=wrong)


def test_unknown_objectives():
    with pytest.raises(ValueError, match=r"`objective` must be .* Received 'speed'"):
        Least("speed")


def test_unknown_form():
    with pytest.raises(ValueError, match=r"`form` must be one of .*'cubic'"):
        Reward(form="cubic")


# Limits.


def test_violation_sums_relative_excess():
    limits = Limits(max_latency_ms=0.5, max_energy_mj=2.0, max_area_mm2=1.0)
    found = limits.violation(metrics([0.5, 0.75, 0.1], energy_mj=3.0))
    np.testing.assert_allclose(found, [0.5, 1.0, 0.5])


def test_power_is_energy_over_latency():
    limits = Limits(max_power_mw=1000.0)
    # 3 mJ in 2 ms is 1.5 W
    np.testing.assert_allclose(limits.violation(metrics(2.0, energy_mj=3.0)), [0.5])


def test_no_limits_no_violation():
    found = Limits().violation(metrics([1.0, np.inf]))
    np.testing.assert_array_equal(found, [0.0, 0.0])
    assert Limits().reason(metrics(np.inf), 0) == ""


def test_an_infinite_cost_breaks_its_limit():
    limits = Limits(max_latency_ms=1.0)
    assert limits.violation(metrics(np.inf))[0] == np.inf
    expected = "latency inf ms > 1.00 ms (max_latency_ms)"
    assert limits.reason(metrics(np.inf), 0) == expected


def test_reason_names_every_broken_limit():
    limits = Limits(max_latency_ms=0.5, max_energy_mj=9.0, max_area_mm2=31.0)
    found = metrics([0.1, 0.61], area_mm2=31.25)
    assert limits.reason(found, 1) == (
        "latency 0.61 ms > 0.50 ms (max_latency_ms); "
        "area 31.25 mm2 > 31.00 mm2 (max_area_mm2)"
    )
    assert limits.reason(metrics(0.1), 0) == ""


def test_reason_tells_close_numbers_apart():
    found = Limits(max_latency_ms=0.5).reason(metrics(0.50004), 0)
    assert found == "latency 0.50004 ms > 0.50000 ms (max_latency_ms)"


@given(costs, costs)
def test_reason_and_violation_agree(latency, limit):
    limits = Limits(max_latency_ms=limit)
    found = metrics(latency)
    assert (limits.reason(found, 0) != "") == (limits.violation(found)[0] > 0)


def test_shortfall_is_relative():
    limits = Limits(min_accuracy=0.8)
    found = limits.shortfall([0.8, 0.6, 1.0, 0.0, np.nan])
    np.testing.assert_allclose(found, [0.0, 0.25, 0.0, 1.0, 0.0])
    assert limits.violation(metrics(np.inf))[0] == 0.0
    np.testing.assert_array_equal(Limits().shortfall([0.0, 0.5]), [0.0, 0.0])


def test_a_floor_of_nothing_is_none():
    assert Limits(min_accuracy=0) == Limits(min_accuracy=0.0) == Limits()


def test_reason_of_a_shortfall():
    limits = Limits(min_accuracy=0.65)
    assert limits.shortfall_reason(0.6) == (
        "accuracy 60.00 % < 65.00 % (min_accuracy)"
    )  # fmt: skip
    assert limits.shortfall_reason(0.65) == limits.shortfall_reason(np.nan) == ""
    assert Limits().shortfall_reason(0.0) == ""


@given(accuracies, accuracies)
def test_reason_and_shortfall_agree(accuracy, floor):
    limits = Limits(min_accuracy=floor)
    short = limits.shortfall([accuracy])[0]
    assert (limits.shortfall_reason(accuracy) != "") == (short > 0)
    below = np.nextafter(floor, 0)
    assert limits.shortfall([floor])[0] == 0 < limits.shortfall([below])[0]


@pytest.mark.parametrize("wrong", [-0.1, 1.01, 65, np.nan, np.inf, "0.7", True, False])
def test_wrong_floors(wrong):
    with pytest.raises(ValueError, match=r"`min_accuracy` must be .*limits.min_acc"):
        Limits(min_accuracy=wrong)


@pytest.mark.parametrize("wrong", [0, -1, np.nan, -np.inf, "3", False])
def test_wrong_limits(wrong):
    with pytest.raises(
        ValueError, match=r"`max_area_mm2` must be a positive number or None"
    ):
        Limits(max_area_mm2=wrong)
