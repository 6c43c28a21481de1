"""Exhaustive search of the grid: every accelerator for one network."""

from dataclasses import dataclass
from functools import cache
from math import inf
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.cost_model import evaluate_axes
from nahas.accelerator.grid import GRID, GRID_SIZE, accelerator_at, grid_shape
from nahas.accelerator.machines import Axes
from nahas.accelerator.metrics import Metrics
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Workload

OBJECTIVES = ("latency", "energy", "edp", "edap")
"""What a sweep minimises; EDP is energy x latency, EDAP that x area."""


@dataclass(frozen=True, eq=False)
class SweepResult:
    """The best of the grid.

    Attributes:
        objective: What was minimised.
        checked: Accelerators simulated.
        runnable: Those that can run the network.
        allowed: Those of them within the limits.
        seconds: From the workload in memory to this answer.
        best: The T best accelerators, best first; empty if none is allowed.
        metrics: [T] their costs.
        scores: [T] their objective.
    """

    objective: str
    checked: int
    runnable: int
    allowed: int
    seconds: float
    best: tuple[Accelerator, ...]
    metrics: Metrics
    scores: NDArray[np.float64]

    @property
    def evaluations_per_second(self) -> float:
        """Pairs simulated a second, mapping search included."""
        return self.checked / self.seconds


def score(metrics: Metrics, objective: str) -> NDArray[np.float64]:
    """[B] what `objective` minimises.

    Raises:
        ValueError: If `objective` is not one of `OBJECTIVES`.
    """
    if objective == "latency":
        return metrics.latency_ms
    if objective == "energy":
        return metrics.energy_mj
    if objective == "edp":
        return metrics.energy_mj * metrics.latency_ms
    if objective == "edap":
        return metrics.energy_mj * metrics.latency_ms * metrics.area_mm2
    raise ValueError(
        f"`objective` must be one of {', '.join(OBJECTIVES)}. Received {objective!r}."
    )


@cache
def grid_axes() -> Axes:
    """The grid, the last knob changing fastest."""
    return Axes.of(list(GRID.values()))


def sweep(
    workload: Workload,
    *,
    objective: str = "latency",
    max_latency_ms: float = inf,
    max_energy_mj: float = inf,
    max_area_mm2: float = inf,
    max_power_mw: float = inf,
    platform: Platform | None = None,
    top: int = 10,
) -> SweepResult:
    """Checks every accelerator of the grid for one network.

    Equal scores keep the order of the grid, so the answer is the same every time.

    Raises:
        ValueError: If the workload holds several networks or `objective` is unknown.
    """
    if workload.networks != 1:
        raise ValueError(
            f"`workload` must be a single network. Received {workload.networks}."
        )
    start = perf_counter()
    metrics = evaluate_axes(workload, grid_axes(), platform)
    scores = score(metrics, objective)
    allowed = (
        metrics.feasible
        & (metrics.latency_ms <= max_latency_ms)
        & (metrics.energy_mj <= max_energy_mj)
        & (metrics.area_mm2 <= max_area_mm2)
        & (metrics.power_mw <= max_power_mw)
    )
    candidates = np.flatnonzero(allowed)
    order = candidates[np.argsort(scores[candidates], kind="stable")][:top]
    places = np.stack(np.unravel_index(order, grid_shape()), axis=1)
    return SweepResult(
        objective=objective,
        checked=GRID_SIZE,
        runnable=int(metrics.feasible.sum()),
        allowed=len(candidates),
        seconds=perf_counter() - start,
        best=tuple(accelerator_at(tuple(place)) for place in places.tolist()),
        metrics=metrics.take(order),
        scores=scores[order],
    )
