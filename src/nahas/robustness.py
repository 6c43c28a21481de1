"""Robustness: a pair's costs, and a comparison of two, over what is only assumed."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nahas.accelerator.technology import Constant
from nahas.accelerator.uncertainty import (
    Floats,
    SampledCosts,
    draw,
    interval,
    sample_costs,
    share_held,
    unknowns,
)
from nahas.costs import Simulation, finite

COSTS = {"latency_ms": "ms", "energy_mj": "mJ", "area_mm2": "mm2", "power_mw": "mW"}
"""Costs that are sampled, with their units."""

COMPARED = ("latency_ms", "energy_mj", "area_mm2")
"""Costs in which one pair may beat another."""

_ORDERS = {-1: "less", 0: "equal", 1: "more"}


@dataclass(frozen=True, eq=False)
class Robustness:
    """Costs of one pair, or of two that are compared, over N draws.

    Attributes:
        pairs: The pair, and the one that it is compared with, if any.
        samples: N.
        seed: Of the draws.
        ranges: The constants that were drawn, by name.
        costs: Of the pairs, [P, N] each.
    """

    pairs: tuple[Simulation, ...]
    samples: int
    seed: int
    ranges: dict[str, Constant]
    costs: SampledCosts

    def rows(self) -> list[dict[str, Any]]:
        """The first pair's costs: nominal, 5th, 50th and 95th percentile of the N."""
        summary = self.pairs[0].summary()
        return [
            {"cost": cost, "unit": unit, "nominal": summary[cost],
             **_percentiles(getattr(self.costs, cost)[0])}
            for cost, unit in COSTS.items()
        ]  # fmt: skip

    def comparison(self) -> list[dict[str, Any]]:
        """What the nominal costs say of the two, and in which share of draws it holds.

        `ratio_...` are percentiles of the first pair's cost over the second's.

        Raises:
            ValueError: If there is nothing to compare with.
        """
        if len(self.pairs) < 2:
            raise ValueError("`pairs` must be two to be compared. Received 1.")
        rows = []
        for cost in COMPARED:
            first, second = getattr(self.costs, cost)
            ours, theirs = (
                float(getattr(pair.metrics, cost)[0]) for pair in self.pairs
            )
            order = (ours > theirs) - (ours < theirs)
            ratios = _percentiles(first / second)
            rows.append(
                {"cost": cost, "unit": COSTS[cost], "this": finite(ours),
                 "that": finite(theirs), "this_is": _ORDERS[order],
                 "held": share_held(first, second, order),
                 **{f"ratio_{name}": ratio for name, ratio in ratios.items()}}
            )  # fmt: skip
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Everything but the draws, in JSON's types."""
        against = None
        if len(self.pairs) == 2:
            other = self.pairs[1]
            against = {
                "model": other.model.name,
                "accelerator": asdict(other.accelerator),
                "costs": self.comparison(),
            }
        return {
            "samples": self.samples,
            "seed": self.seed,
            "ranges": {
                name: {"low": constant.low, "high": constant.high}
                for name, constant in self.ranges.items()
            },
            "costs": self.rows(),
            "against": against,
        }


def robustness(
    simulation: Simulation,
    against: Simulation | None = None,
    *,
    samples: int = 200,
    seed: int = 0,
    given: Collection[str] = (),
) -> Robustness:
    """Samples what is assumed of one pair's platform, for it and for a rival.

    Args:
        simulation: The pair and its platform.
        against: Another, on the same platform.
        samples: N draws.
        seed: Of the draws.
        given: Names of constants that stay, such as "platform.link_bytes".

    Raises:
        ValueError: If a pair cannot run, or `samples` or `seed` is out of its
            range.
    """
    pairs = (simulation,) if against is None else (simulation, against)
    for pair in pairs:
        if not pair.metrics.feasible[0]:
            raise ValueError(
                f"{pair.model.name} cannot run: {pair.metrics.reason(0)}. Costs are "
                "sampled where a pair can run."
            )
    platforms = draw(simulation.platform, samples, seed, given)
    costs = sample_costs(
        [(pair.workload, pair.accelerator) for pair in pairs], platforms
    )
    ranges = unknowns(simulation.platform, given)
    return Robustness(pairs, samples, seed, ranges, costs)


def _percentiles(values: Floats) -> dict[str, float]:
    low, middle, high = interval(np.asarray(values))
    return {"p5": low, "p50": middle, "p95": high}
