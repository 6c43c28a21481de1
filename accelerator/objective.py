"""Objective: what a sweep minimises, a product of powers of three costs.

    score = energy^e * latency^l * area^a

A product has no units to reconcile: in other units, or relative to any chip, all
scores change by one factor and the ranking stays. Of a weighted sum neither is true.
With latency=0.5,energy=0.3 one percent of latency is worth 5/3 percent of energy.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

OBJECTIVES = ("latency", "energy", "edp", "edap")
"""The named ones; EDP is energy x latency, EDAP that x area."""

# In the order in which they are multiplied.
_COSTS = {"energy": "energy_mj", "latency": "latency_ms", "area": "area_mm2"}
_NAMED = {
    "latency": {"latency": 1.0},
    "energy": {"energy": 1.0},
    "edp": {"energy": 1.0, "latency": 1.0},
    "edap": {"energy": 1.0, "latency": 1.0, "area": 1.0},
}
_LARGEST = 100.0
"""A weight above this could overflow a float64."""


class Costed(Protocol):
    """Whatever has the three costs, arrays of one shape."""

    @property
    def latency_ms(self) -> NDArray[np.float64]:
        """Latency."""

    @property
    def energy_mj(self) -> NDArray[np.float64]:
        """Energy."""

    @property
    def area_mm2(self) -> NDArray[np.float64]:
        """Area."""


def exponents(objective: str) -> dict[str, float]:
    """The exponent of each cost that an objective weighs.

    >>> exponents("edp")
    {'energy': 1.0, 'latency': 1.0}
    >>> exponents("latency=0.5,energy=0.3")
    {'latency': 0.5, 'energy': 0.3}

    Args:
        objective: One of `OBJECTIVES`, or COST=WEIGHT,... of latency, energy and area.

    Raises:
        ValueError: If it is neither, or the weights are not from 0 to 100 with one
            above 0.
    """
    if objective in _NAMED:
        return dict(_NAMED[objective])
    weights = {}
    for part in objective.split(","):
        name, equals, text = part.strip().partition("=")
        if not equals or name not in _COSTS or name in weights:
            raise ValueError(
                f"`objective` must be one of {', '.join(OBJECTIVES)}, or weights such "
                "as latency=0.5,energy=0.3,area=0.2, each cost once. Received "
                f"{objective!r}."
            )
        weights[name] = _weight(text, objective)
    if not any(weights.values()):
        raise ValueError(
            f"`objective` must have a weight above 0. Received {objective!r}."
        )
    return weights


def _weight(text: str, objective: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight <= _LARGEST:  # NaN is neither
        raise ValueError(
            f"Weights of `objective` must be numbers from 0 to {_LARGEST:g}. Received "
            f"{text!r} in {objective!r}."
        )
    return weight


def score(costs: Costed, objective: str) -> NDArray[np.float64]:
    """The scores, in the costs' shape; the least is the best.

    Raises:
        ValueError: As `exponents` does.
    """
    chosen = exponents(objective)
    factors = [
        _power(getattr(costs, attribute), chosen[name])
        for name, attribute in _COSTS.items()
        if chosen.get(name)
    ]
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product


def _power(costs: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    return costs if exponent == 1.0 else costs**exponent
