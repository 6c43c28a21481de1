"""Discounts: a reward and its limits, as factors and terms of one cost at a time.

For all rewards of `reward.py` that never rise with a cost, and within the limits,

    R(a, costs) = a * product of m_c(cost_c) + sum of t_c(cost_c),

m_c >= 0 and t_c falling or constant in their cost: of the multiplicative form t = 0, of
the single-sided one m = 1. Beyond a limit t = -inf. So R at least costs and greatest
accuracy bounds R from above.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.controller.reward import Limits, Reward

Floats = NDArray[np.float64]

MONOTONE = ("multiplicative", "single_sided")


class Discount(NamedTuple):
    """What costs [B] of one kind do to a reward.

    Attributes:
        factor: [B] of the accuracy.
        term: [B] added to it; -inf beyond the limit.
    """

    factor: Floats
    term: Floats


def check_monotone(reward: object) -> Reward:
    """The reward, if it never rises with a cost.

    Raises:
        ValueError: If it may, or if it gains from a power below its target, of which
            there is no bound: power is no sum over operators.
    """
    if isinstance(reward, Reward) and reward.power_mw is not None and reward.p < 0:
        raise ValueError(
            "`p` must be 0 where power has a target: bounds know none of power, so it "
            f"must not add to the reward. Received {reward.p!r} (in reward.p)."
        )
    if isinstance(reward, Reward) and (
        reward.form in MONOTONE or not reward.targets or reward.beta == 0
    ):
        return reward
    form = reward.form if isinstance(reward, Reward) else type(reward).__name__
    raise ValueError(
        f"`reward` must be of form {' or '.join(MONOTONE)}: bounds need a reward that "
        f"never rises with a cost. Received {form!r} (in reward.form)."
    )


def discount(reward: Reward, limits: Limits, name: str, costs: Floats) -> Discount:
    """The discount by costs [B] of a name such as "latency_ms".

    Args:
        reward: One that `check_monotone` accepts.
        limits: What must be kept.
        name: Of the cost.
        costs: [B], at least 0.
    """
    factor, term = np.ones(len(costs)), np.zeros(len(costs))
    target = reward.targets.get(name)
    if target is not None:
        alone = Reward(
            **{name: target}, form=reward.form, p=reward.p, q=reward.q, beta=reward.beta
        )
        with np.errstate(divide="ignore"):  # 0 ** -0.07 bounds as well
            if reward.form == "multiplicative":
                factor = alone.of(np.ones(len(costs)), costs[None])
            else:
                term = alone.of(np.zeros(len(costs)), costs[None])
    limit = getattr(limits, f"max_{name}", None)
    if limit is not None:  # as `Limits.violation` has it
        term = np.where(costs / limit - 1.0 > 0.0, -np.inf, term)
    return Discount(factor, term)
