"""Metrics: what a batch of B (network, accelerator) pairs costs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Limit(IntEnum):
    """Which limit of the machine a pair breaks."""

    NONE = 0
    LOCAL_MEMORY = 1
    REGISTER_FILE = 2
    REFUSED = 3


def power_mw(
    energy_mj: NDArray[np.float64], latency_ms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean power of back-to-back inferences (1 mJ/ms = 1 W), in the costs' shape.

    >>> power_mw(np.array([0.5, np.inf]), np.array([0.25, np.inf]))
    array([2000.,   inf])
    """
    power = np.full(latency_ms.shape, np.inf)
    # Energy and latency are infinite together: their ratio is no number.
    runs = np.isfinite(latency_ms)
    np.divide(1000.0 * energy_mj, latency_ms, out=power, where=runs)
    return power


@dataclass(frozen=True, eq=False)
class Metrics:
    """Costs of B pairs; arrays are [B] and all costs are to be minimised.

    `evaluate_all` gives [K, B]: row k, `take(k)`, holds network k's costs.

    Attributes:
        latency_ms: Steady latency of one inference, batch 1.
        energy_mj: Energy of one inference, leakage and I/O included.
        area_mm2: Area of the accelerator.
        utilization: MACs done over the peak MACs of the latency.
        io_bytes: Bytes between DRAM and the chip.
        feasible: Whether the accelerator can run the network at all.
        limit: Codes of `Limit`.
        excess_bytes: By how much the limit is exceeded.
        operator: Row of the first operator that breaks it; -1 where feasible.
        operator_names: Names of the workload's operators.
    """

    latency_ms: NDArray[np.float64]
    energy_mj: NDArray[np.float64]
    area_mm2: NDArray[np.float64]
    utilization: NDArray[np.float64]
    io_bytes: NDArray[np.int64]
    feasible: NDArray[np.bool_]
    limit: NDArray[np.int8]
    excess_bytes: NDArray[np.int64]
    operator: NDArray[np.int64]
    operator_names: tuple[str, ...]

    def __post_init__(self) -> None:
        for spec in fields(self)[:-1]:
            getattr(self, spec.name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.latency_ms)

    @property
    def power_mw(self) -> NDArray[np.float64]:
        """[B] mean power of back-to-back inferences; infinite where one cannot run."""
        return power_mw(self.energy_mj, self.latency_ms)

    def take(self, rows: int | Sequence[int] | NDArray[np.int64]) -> "Metrics":
        """The metrics of the given rows."""
        picked = {s.name: getattr(self, s.name)[rows] for s in fields(self)[:-1]}
        return replace(self, **picked)

    def reshape(self, *shape: int) -> "Metrics":
        """The same pairs in arrays of another shape."""
        split: dict[str, Any] = {
            s.name: getattr(self, s.name).reshape(shape) for s in fields(self)[:-1]
        }
        return replace(self, **split)

    def beside(self, others: Sequence["Metrics"]) -> "Metrics":
        """These metrics and others of the same workload, along the last axis."""
        if not others:
            return self
        joined: dict[str, Any] = {
            s.name: np.concatenate(
                [getattr(part, s.name) for part in (self, *others)], axis=-1
            )
            for s in fields(self)[:-1]
        }
        return replace(self, **joined)

    def where(self, mask: NDArray[np.bool_], other: "Metrics") -> "Metrics":
        """These metrics where `mask` [B] is true, another's elsewhere."""
        picked = {
            s.name: np.where(mask, getattr(self, s.name), getattr(other, s.name))
            for s in fields(self)[:-1]
        }
        return replace(self, **picked)

    def reason(self, i: int | tuple[int, int]) -> str:
        """Why pair `i`, of [K, B] (k, b), cannot run, in a line; empty where it can."""
        if self.feasible[i]:
            return ""
        where = self.operator_names[self.operator[i]]
        limit = Limit(int(self.limit[i]))
        if limit is Limit.REFUSED:
            return f"operator {where} is refused by the accelerator"
        part = limit.name.lower().replace("_", " ")
        return f"{part} exceeded by {int(self.excess_bytes[i]):,} bytes at {where}"
