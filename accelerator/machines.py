"""Machines: accelerators as arrays, and what depends on nothing but the accelerator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nahas.accelerator.distinct import distinct_rows
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
        counts = [
            (a.pes_x, a.pes_y, a.simd_units, a.compute_lanes) for a in accelerators
        ]
        files = _bytes([a.register_file_kib for a in accelerators], 2**10)
        compute = np.array(counts, dtype=np.int64).reshape(-1, 4)
        return cls(
            np.concatenate([compute, files[:, None]], axis=1),
            _bytes([a.local_memory_mib for a in accelerators], 2**20),
            np.array([a.io_bandwidth_gbps for a in accelerators], dtype=np.float64),
        )

    def take(self, rows: NDArray[np.int64]) -> "Machines":
        """The accelerators at `rows`."""
        return Machines(self.compute[rows], self.memory[rows], self.bandwidth[rows])

    @property
    def pes(self) -> NDArray[np.int64]:
        """[B] PEs."""
        return self.compute[:, 0] * self.compute[:, 1]


def _bytes(sizes: ArrayLike, unit: int) -> NDArray[np.int64]:
    """Sizes in a unit of so many bytes, to the nearest byte."""
    return np.rint(np.asarray(sizes, dtype=np.float64) * unit).astype(np.int64)


def check_pairs(networks: int, machines: int) -> None:
    """Raises ValueError unless networks and machines pair up, or one is single."""
    if not machines or (networks != machines and 1 not in (networks, machines)):
        raise ValueError(
            "`accelerators` must be one, or as many as the workload's networks, or any "
            f"number for a single network. Received {machines} for {networks} networks."
        )


@dataclass(frozen=True, eq=False)
class Axes:
    """A grid of machines: arrays of PEs x kinds of lanes x memories x bandwidths.

    Attributes:
        shape: Number of values of each knob, in the order of `Accelerator`'s fields.
        arrays: [C, 2] columns and rows of PEs.
        lanes: [V, 3] SIMD units, lanes, bytes of register file.
        memories: [M] bytes of a PE's local memory.
        bandwidths: [W] GB/s.
        machines: All of them, the last knob changing fastest.
    """

    shape: tuple[int, ...]
    arrays: NDArray[np.int64]
    lanes: NDArray[np.int64]
    memories: NDArray[np.int64]
    bandwidths: NDArray[np.float64]
    machines: Machines

    @classmethod
    def of(cls, values: Sequence[Sequence[float]]) -> "Axes":
        """The grid of the knobs' values, in the order of `Accelerator`'s fields."""
        xs, ys, units, lanes, mib, kib, gbps = values
        knobs = [
            axis.reshape(-1)
            for axis in np.meshgrid(
                *(np.asarray(v, dtype=np.float64) for v in values), indexing="ij"
            )
        ]
        compute = np.stack([*knobs[:4], _bytes(knobs[5], 2**10)], axis=1)
        return cls(
            shape=tuple(map(len, values)),
            arrays=_product(xs, ys),
            lanes=_product(units, lanes, _bytes(kib, 2**10).tolist()),
            memories=_bytes(mib, 2**20),
            bandwidths=np.array(gbps, dtype=np.float64),
            machines=Machines(
                compute.astype(np.int64), _bytes(knobs[4], 2**20), knobs[6]
            ),
        )

    def ordered(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[B, n] in the machines' order, from [C * M, W, V, n]."""
        xs, ys, units, lanes, memories, files, widths = self.shape
        split = values.reshape(xs, ys, memories, widths, units, lanes, files, -1)
        return split.transpose(0, 1, 4, 5, 2, 6, 3, 7).reshape(
            len(self.machines.memory), -1
        )


def _product(*values: Sequence[float]) -> NDArray[np.int64]:
    """All combinations [n, knobs], the last changing fastest."""
    grids = np.meshgrid(*(np.asarray(v) for v in values), indexing="ij")
    return np.stack([grid.reshape(-1) for grid in grids], axis=1).astype(np.int64)


def area_mm2(
    accelerators: Sequence[Accelerator] | Machines, platform: Platform | None = None
) -> NDArray[np.float64]:
    """[B] area: MACs, register files, local memories, interconnect and I/O."""
    machines = (
        accelerators
        if isinstance(accelerators, Machines)
        else Machines.of(accelerators)
    )
    platform = platform or Platform()
    area = platform.technology.sram.area
    lanes = machines.pes * machines.compute[:, 3]
    sram = machines.pes * by_size(area, machines.memory)
    sram = sram + lanes * by_size(area, machines.compute[:, 4])
    if platform.parameter_memory_mib:  # a part of it in each PE
        share = platform.parameter_memory_mib * 1024 / machines.pes
        sram = sram + machines.pes * area(share)
    total: NDArray[np.float64] = sram + _logic_mm2(machines, platform)
    return total


def by_size(
    of_kib: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    sizes: NDArray[np.int64],
) -> NDArray[np.float64]:
    """[B] a figure of memories of so many bytes, computed once for each size."""
    if len(sizes) == 1:
        return of_kib(sizes / 1024)
    first, places = distinct_rows(sizes[:, None])
    return of_kib(sizes[first] / 1024)[places]


def _logic_mm2(machines: Machines, platform: Platform) -> NDArray[np.float64]:
    """[B] area of all but the memories."""
    technology = platform.technology
    macs = machines.pes * machines.compute[:, 3] * machines.compute[:, 2] * 4
    logic = macs * technology.mac_area.value * 1e-6
    logic = logic + machines.pes * technology.link_area.value
    total: NDArray[np.float64] = logic + machines.bandwidth * technology.io_area.value
    return total


def leakage_mw(machines: Machines, platform: Platform) -> NDArray[np.float64]:
    """[B] leakage of memories and logic, and the I/O's idle power."""
    technology = platform.technology
    lanes = machines.pes * machines.compute[:, 3]
    sram_bytes = machines.pes * machines.memory + lanes * machines.compute[:, 4]
    sram_bytes = sram_bytes + platform.parameter_memory_mib * 2**20
    return (
        sram_bytes / 2**20 * technology.sram_leakage.value
        + _logic_mm2(machines, platform) * technology.logic_leakage.value
        + machines.bandwidth * technology.io_idle.value
    )
