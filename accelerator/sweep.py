"""Exhaustive search of the grid: every accelerator for one network, or for a mix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import GRID, accelerator_at, grid_shape
from nahas.accelerator.grid_model import evaluate_axes
from nahas.accelerator.machines import Axes
from nahas.accelerator.mix import Costs, mean_costs, shares
from nahas.accelerator.objective import exponents, score
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Workload


@dataclass(frozen=True, eq=False)
class SweepResult:
    """The best of the grid of G accelerators for K networks.

    Attributes:
        objective: What was minimised, as `objective.exponents` reads it.
        shares: [K] of all inferences.
        limits: The largest latency_ms, energy_mj, area_mm2 and power_mw allowed.
        limits_for_each: Whether each network must keep them, not just their mean.
        seconds: From the workloads in memory to this answer.
        networks: K times costs [G] of a network alone.
        costs: [G] costs of the mix, in the mean.
        kept: [G] which accelerators can run all networks within the limits.
        places: [T] the T best of them in the grid, best first; empty if none is kept.
        scores: [T] their objective.
        names: The networks' names, where they have any.
    """

    objective: str
    shares: NDArray[np.float64]
    limits: Mapping[str, float]
    limits_for_each: bool
    seconds: float
    networks: tuple[Costs, ...]
    costs: Costs
    kept: NDArray[np.bool_]
    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    names: tuple[str, ...] = ()

    @property
    def checked(self) -> int:
        """Accelerators simulated: all."""
        return len(self.costs)

    @property
    def runnable(self) -> int:
        """Those that can run every network with a share."""
        return int(self.costs.feasible.sum())

    @property
    def allowed(self) -> int:
        """Those of them within the limits."""
        return int(self.kept.sum())

    @property
    def best(self) -> tuple[Accelerator, ...]:
        """The T best, best first."""
        return accelerators_at(self.places)

    @property
    def metrics(self) -> Costs:
        """[T] costs of the best."""
        return self.costs.take(self.places)

    @property
    def evaluations_per_second(self) -> float:
        """Pairs simulated a second, mapping search included."""
        return self.checked * len(self.networks) / self.seconds


@cache
def grid_axes() -> Axes:
    """The grid, the last knob changing fastest."""
    return Axes.of(list(GRID.values()))


def accelerators_at(places: NDArray[np.int64]) -> tuple[Accelerator, ...]:
    """The accelerators at [T] places of the grid, in which the last knob is fastest."""
    choices = np.stack(np.unravel_index(places, grid_shape()), axis=1)
    return tuple(accelerator_at(tuple(row)) for row in choices.tolist())


def sweep(
    workloads: Workload | Sequence[Workload],
    *,
    weights: Sequence[float] | None = None,
    objective: str = "latency",
    max_latency_ms: float = inf,
    max_energy_mj: float = inf,
    max_area_mm2: float = inf,
    max_power_mw: float = inf,
    limits_for_each: bool = False,
    platform: Platform | None = None,
    top: int = 10,
) -> SweepResult:
    """Checks every accelerator of the grid for one network, or for a mix of K.

    Of equal scores the least latency comes first, then energy, area and the grid's
    order: the answer is the same every time, and no accelerator within the limits is
    better than the best in one of these costs and no worse in the others.

    Args:
        workloads: A network, or K of them.
        weights: [K] in proportion to the networks' shares of inferences; None for
            equal ones.
        objective: As `objective.exponents` reads it; of a mix its mean costs.
        max_latency_ms: Limit on the latency of an inference, of a mix its mean.
        max_energy_mj: Limit on the energy of an inference, of a mix its mean.
        max_area_mm2: Limit on the area.
        max_power_mw: Limit on the power of back-to-back inferences.
        limits_for_each: Whether each network with a share must keep them alone.
        platform: What surrounds the accelerators.
        top: T, how many of the best to tell.

    Raises:
        ValueError: If a workload holds several networks, `objective` is unknown, or
            the weights are not as many as the networks or no weights.
    """
    singles = [workloads] if isinstance(workloads, Workload) else list(workloads)
    for single in singles:
        if single.networks != 1:
            raise ValueError(
                "Each of `workloads` must be a single network. Received "
                f"{single.networks}."
            )
    part = shares([1.0] * len(singles) if weights is None else weights)
    if len(part) != len(singles):
        raise ValueError(
            f"`weights` must be as many as the {len(singles)} networks. Received "
            f"{len(part)}."
        )
    exponents(objective)  # before the work, not after it
    limits = {
        "latency_ms": max_latency_ms,
        "energy_mj": max_energy_mj,
        "area_mm2": max_area_mm2,
        "power_mw": max_power_mw,
    }
    start = perf_counter()
    networks = tuple(
        Costs.of(evaluate_axes(single, grid_axes(), platform)) for single in singles
    )
    costs = mean_costs(networks, part)
    kept = costs.feasible.copy()
    bound = [n for n, share in zip(networks, part, strict=True) if share > 0]
    for limited in bound if limits_for_each else [costs]:
        kept &= within(limited, limits)
    scores = score(costs, objective)
    places = best_places(costs, scores, kept, top)
    return SweepResult(
        objective=objective,
        shares=part,
        limits=limits,
        limits_for_each=limits_for_each,
        seconds=perf_counter() - start,
        networks=networks,
        costs=costs,
        kept=kept,
        places=places,
        scores=scores[places],
    )


def within(costs: Costs, limits: Mapping[str, float]) -> NDArray[np.bool_]:
    """[B] which accelerators can run the network or mix, and keep all limits."""
    kept = costs.feasible.copy()
    for name, limit in limits.items():
        if limit < inf:
            kept &= getattr(costs, name) <= limit
    return kept


def best_places(
    costs: Costs, scores: NDArray[np.float64], kept: NDArray[np.bool_], top: int
) -> NDArray[np.int64]:
    """The `top` best places that are kept, least score first.

    Equal scores come by latency, energy, area and their order.
    """
    places = np.flatnonzero(kept)
    if 0 < top < len(places):  # sorts no more than may be told
        last = np.partition(scores[places], top - 1)[top - 1]
        places = places[scores[places] <= last]
    near = costs.take(places)
    keys = near.area_mm2, near.energy_mj, near.latency_ms, scores[places]
    return places[np.lexsort(keys)][:top]  # lexsort's last key counts first
