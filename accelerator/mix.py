"""Mix: several networks that one accelerator serves, each with a share of inferences.

Of K networks with weights w_k, network k has the share s_k = w_k / (w_1 + ... + w_K) of
all inferences. An inference of the mix costs, in the mean,

    latency = sum of s_k latency_k        energy = sum of s_k energy_k

its power is the one over the other, that of back-to-back inferences in these shares,
and its utilization is over time: the MACs done over the peak MACs of the latency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.metrics import Metrics, power_mw

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs of an inference, of a network or in the mean of a mix, on B accelerators.

    Attributes:
        latency_ms: [B].
        energy_mj: [B].
        area_mm2: [B].
        utilization: [B] MACs done over the peak MACs of the latency.
        feasible: [B] whether the accelerator can run every network.
    """

    latency_ms: Floats
    energy_mj: Floats
    area_mm2: Floats
    utilization: Floats
    feasible: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for spec in fields(self):
            getattr(self, spec.name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.latency_ms)

    @classmethod
    def of(cls, metrics: Metrics) -> "Costs":
        """A single network's."""
        return cls(*(getattr(metrics, spec.name) for spec in fields(cls)))

    @property
    def power_mw(self) -> Floats:
        """[B] mean power of back-to-back inferences; infinite where one cannot run."""
        return power_mw(self.energy_mj, self.latency_ms)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Costs":
        """The costs at the given rows."""
        return Costs(*(getattr(self, spec.name)[rows] for spec in fields(self)))


def shares(weights: Sequence[float]) -> Floats:
    """[K] shares of the inferences, which sum to 1.

    >>> shares([3, 1])
    array([0.75, 0.25])

    Raises:
        ValueError: If there are no weights, one is negative or not finite, or all are
            0.
    """
    wrong = [w for w in weights if not (isfinite(w) and w >= 0)]
    if wrong or not isfinite(sum(weights)) or not sum(weights) > 0:
        raise ValueError(
            "`weights` must be finite numbers of at least 0, one of them above 0. "
            f"Received {', '.join(f'{w:g}' for w in weights) or 'none'}."
        )
    given: Floats = np.array(weights, dtype=np.float64)
    parts: Floats = given / given.sum()
    return parts


def mean_costs(networks: Sequence[Costs], shares: Floats) -> Costs:
    """Costs of a mix, in the mean over its K networks.

    A network without a share counts for nothing, so it need not run either.

    Args:
        networks: K times costs [B] on the same accelerators.
        shares: [K] that sum to 1.
    """
    served = [
        (network, share)
        for network, share in zip(networks, shares.tolist(), strict=True)
        if share > 0
    ]
    latency = _mean([(network.latency_ms, share) for network, share in served])
    utilization = served[0][0].utilization
    if len(served) > 1:  # of one network, x * y / y need not be x
        runs = np.isfinite(latency)
        work = [
            (n.utilization[runs] * n.latency_ms[runs], share) for n, share in served
        ]
        utilization = np.zeros(len(latency))
        utilization[runs] = _mean(work) / latency[runs]
    return Costs(
        latency_ms=latency,
        energy_mj=_mean([(network.energy_mj, share) for network, share in served]),
        area_mm2=networks[0].area_mm2,
        utilization=utilization,
        feasible=np.logical_and.reduce([network.feasible for network, _ in served]),
    )


def _mean(values: Sequence[tuple[Floats, float]]) -> Floats:
    """Weighted mean, exact where all values are equal; infinite where one is.

    It adds to the values of the largest share how far the others are from them.
    """
    base, _ = max(values, key=lambda pair: pair[1])
    finite = np.logical_and.reduce([np.isfinite(value) for value, _ in values])
    mean = np.where(finite, base, np.inf)
    for value, share in values:
        if value is not base:
            mean[finite] += share * (value[finite] - base[finite])
    return mean
