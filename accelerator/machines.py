"""Machines: accelerators as arrays, and what depends on nothing but the accelerator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.template import Accelerator, Platform


@dataclass(frozen=True, eq=False)
class Machines:
    """B accelerators as integers: arrays [B], memories in bytes.

    Attributes:
        compute: [B, 5] pes_x, pes_y, SIMD units, lanes, register file bytes.
        memory: [B] bytes of a PE's local memory.
        bandwidth: [B] GB/s.
    """

    compute: NDArray[np.int64]
    memory: NDArray[np.int64]
    bandwidth: NDArray[np.float64]

    @classmethod
    def of(cls, accelerators: Sequence[Accelerator]) -> "Machines":
        """The accelerators as arrays."""
        compute = [
            (
                a.pes_x,
                a.pes_y,
                a.simd_units,
                a.compute_lanes,
                round(a.register_file_kib * 1024),
            )
            for a in accelerators
        ]
        memory = [round(a.local_memory_mib * 2**20) for a in accelerators]
        bandwidth = [a.io_bandwidth_gbps for a in accelerators]
        return cls(
            np.array(compute, dtype=np.int64),
            np.array(memory, dtype=np.int64),
            np.array(bandwidth, dtype=np.float64),
        )

    def take(self, rows: NDArray[np.int64]) -> "Machines":
        """The accelerators at `rows`."""
        return Machines(self.compute[rows], self.memory[rows], self.bandwidth[rows])

    @property
    def pes(self) -> NDArray[np.int64]:
        """[B] PEs."""
        return self.compute[:, 0] * self.compute[:, 1]


def area_mm2(
    accelerators: Sequence[Accelerator] | Machines, platform: Platform | None = None
) -> NDArray[np.float64]:
    """[B] area: MACs, register files, local memories, interconnect and I/O."""
    machines = (
        accelerators
        if isinstance(accelerators, Machines)
        else Machines.of(accelerators)
    )
    sram, logic = _areas(machines, platform or Platform())
    return sram + logic


def _areas(
    machines: Machines, platform: Platform
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[B] area of the memories and of everything else, mm2."""
    technology = platform.technology
    lanes = machines.pes * machines.compute[:, 3]
    sram = machines.pes * technology.sram.area(machines.memory / 1024)
    sram = sram + lanes * technology.sram.area(machines.compute[:, 4] / 1024)
    macs = lanes * machines.compute[:, 2] * 4
    logic = macs * technology.mac_area.value * 1e-6
    logic = logic + machines.pes * technology.link_area.value
    return sram, logic + machines.bandwidth * technology.io_area.value


def leakage_mw(machines: Machines, platform: Platform) -> NDArray[np.float64]:
    """[B] leakage of memories and logic, and the I/O's idle power."""
    technology = platform.technology
    lanes = machines.pes * machines.compute[:, 3]
    sram_bytes = machines.pes * machines.memory + lanes * machines.compute[:, 4]
    return (
        sram_bytes / 2**20 * technology.sram_leakage.value
        + _areas(machines, platform)[1] * technology.logic_leakage.value
        + machines.bandwidth * technology.io_idle.value
    )
