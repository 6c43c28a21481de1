"""Repair: the accelerator of the grid nearest to one that cannot run a network."""

from functools import reduce

import numpy as np

from nahas.accelerator.grid import GRID, accelerator_at, grid_shape
from nahas.accelerator.grid_model import evaluate_axes
from nahas.accelerator.sweep import grid_axes
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Workload


def nearest_feasible(
    workload: Workload, accelerator: Accelerator, platform: Platform | None = None
) -> Accelerator | None:
    """The point of the grid with the fewest steps of its knobs that can run a network.

    A step is from one value of a knob to the next; a point between two values is a part
    of a step from each. Of several nearest points it is the smallest in area, the first
    of the grid of those. All 50,000 points are checked.

    Args:
        workload: One network.
        accelerator: What cannot run it.
        platform: What surrounds the accelerator.

    Returns:
        None where no point of the grid can run it: what is refused is refused anywhere.
    """
    metrics = evaluate_axes(workload, grid_axes(), platform)
    steps = [
        np.abs(np.arange(len(values)) - _place(values, getattr(accelerator, knob)))
        for knob, values in GRID.items()
    ]
    distance = reduce(np.add.outer, steps).reshape(-1)
    reachable = np.flatnonzero(metrics.feasible)
    if not len(reachable):
        return None
    keys = (metrics.area_mm2[reachable], distance[reachable])
    best = reachable[np.lexsort(keys)[0]]
    return accelerator_at(tuple(int(i) for i in np.unravel_index(best, grid_shape())))


def _place(values: tuple[float, ...], value: float) -> float:
    """Where a value lies among a knob's, in steps; beyond them at the end."""
    return float(np.interp(value, values, np.arange(len(values))))
