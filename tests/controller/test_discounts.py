"""Discounts: their products and sums are the reward."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.controller.discounts import check_monotone, discount
from nahas.controller.reward import Limits, Reward

positive = st.floats(0.01, 10)


@given(
    form=st.sampled_from(("multiplicative", "single_sided")),
    targets=st.tuples(positive, positive, positive),
    costs=st.tuples(positive, positive, positive),
    p=st.floats(-2, 0),
    q=st.floats(-2, 0),
    accuracy=st.floats(0, 1),
)
def test_a_reward_is_its_discounts(form, targets, costs, p, q, accuracy):
    names = ("latency_ms", "energy_mj", "area_mm2")
    reward = Reward(*targets, form=form, p=p, q=q, beta=q)
    parts = [
        discount(reward, Limits(), name, np.array([cost]))
        for name, cost in zip(names, costs, strict=True)
    ]
    product = accuracy * np.prod([part.factor[0] for part in parts])
    whole = reward.of([accuracy], np.array(costs)[:, None])[0]
    assert product + sum(part.term[0] for part in parts) == pytest.approx(whole)


def test_beyond_a_limit_there_is_nothing_to_win():
    costs = np.array([0.3, 0.4, 0.4000001])
    found = discount(Reward(), Limits(max_latency_ms=0.4), "latency_ms", costs)
    assert found.term.tolist() == [0.0, 0.0, -np.inf]
    assert found.factor.tolist() == [1.0, 1.0, 1.0]


def test_a_reward_that_may_rise_with_a_cost_is_refused():
    with pytest.raises(ValueError, match="never rises with a cost"):
        check_monotone(Reward(latency_ms=1.0, form="absolute"))
    with pytest.raises(ValueError, match="Received 'function'"):
        check_monotone(lambda accuracy, metrics: accuracy)
    assert check_monotone(Reward(form="absolute")).targets == {}


def test_a_power_below_its_target_may_not_add_to_the_reward():
    with pytest.raises(ValueError, match="where power has a target"):
        check_monotone(Reward(power_mw=500.0, p=-0.07, q=-0.07))
    assert check_monotone(Reward(power_mw=500.0)).p == 0.0
