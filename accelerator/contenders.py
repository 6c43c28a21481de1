"""Contenders: the accelerators that can still be the best for a network.

For one network, an accelerator beats another if it is no worse in latency, energy, area
and power. Whatever is asked that falls or stays with each of these costs, under any
upper limits on them, is then answered as well without the beaten one: where that keeps
the limits so does the one that beats it, and it scores no less. To beat is transitive
and the grid finite, so each beaten accelerator is beaten by one that is kept, and

    max over all accelerators within limits = max over the contenders within limits.

So is the Pareto front of any of the costs, as a set of values. Power needs its own
place beside energy and latency, whose ratio it is: a limit on it may rule out the
accelerator that is better in both.
"""

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.compiled import compiled
from nahas.accelerator.metrics import Metrics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def contenders(metrics: Metrics) -> Ints:
    """[n] the accelerators of B that none before them beats, in order of their areas.

    Those of equal area keep their order, so that of equals the first is kept; one that
    only a later one of its own area beats is kept too, which costs room and no truth.

    Args:
        metrics: [B] of one network; those that cannot run it are none.
    """
    by_area = np.argsort(metrics.area_mm2, kind="stable")
    able = by_area[metrics.feasible[by_area]]
    costs = np.stack([metrics.latency_ms, metrics.energy_mj, metrics.power_mw], axis=1)
    kept: Ints = able[_unbeaten(np.ascontiguousarray(costs[able]))]
    return kept


@compiled()
def _unbeaten(costs: Floats) -> NDArray[np.bool_]:
    """[n] which rows [n, 3] no row before is at most equal to in all three."""
    kept = np.zeros(len(costs), dtype=np.bool_)
    best = np.empty(costs.shape)
    count = 0
    for i in range(len(costs)):
        a, b, c = costs[i]
        beaten = False
        for j in range(count):
            if best[j, 0] <= a and best[j, 1] <= b and best[j, 2] <= c:
                # Who beats one beats many: it moves half way to the front.
                for m in range(3):
                    best[j, m], best[j // 2, m] = best[j // 2, m], best[j, m]
                beaten = True
                break
        if not beaten:
            best[count] = costs[i]
            kept[i] = True
            count += 1
    return kept
