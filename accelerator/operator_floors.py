"""Operator floors: the part of a network's costs that its operators add one by one.

Of a network on a machine the cost model's latency and energy (`network_pass.py`) are

    T = host + sum over operators k of T_k,   T_k = max(on chip_k, wait_k) + fixed_k
    E = dynamic(MACs, bytes) + leakage * T

with on chip_k and the bytes on chip those of the operator's own mapping, which no other
operator changes, and fixed_k its dispatch. Only I/O couples operators: what is fetched
ahead, what memory holds, what spills. For every network, machine and platform then

1. T >= host + sum of max(on chip_k, o_k / rate) + fixed_k, where o_k are the bytes of
   maps that enter or leave the network at operator k: they are neither fetched ahead
   nor held, so that operator waits for them.
2. T >= host + (sum of w_k + o_k, less K) / rate, where w_k are the bytes of weights.
   All cross the I/O, but for at most K that the chip keeps; nothing comes before the
   first operator begins, and the I/O is never quicker than its rate.
3. T >= any mean of the two.
4. E >= the sum of the operators' MACs and bytes on chip, of the I/O bytes of 2 that
   cannot be kept, and leakage times the bound in 1.

What spills, waits for memory or is read again counts nothing. Where compute and I/O do
not overlap, T is at least the sum of both: 1 and 2 become that one.

All four are sums over operators and so over any parts of a network, whatever its other
parts are: the bounds of a partial network are what its parts add, and of the undecided
ones the least of their options. They are the model's own figures, not a relaxation of
its mappings as `bounds.py` has it, hence nearly tight wherever weights arrive in time
(docs/decisions/0006-operator-floors.md has figures).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import mapping
from nahas.accelerator.cost_model import Figures, io_rate, ports, treatment
from nahas.accelerator.machines import Axes
from nahas.accelerator.mapping_table import map_grid
from nahas.accelerator.network_pass import weight_bytes
from nahas.accelerator.template import Platform
from nahas.accelerator.workload import OPERATOR_DTYPE, Workload

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

_AT_ONCE = 128  # operators mapped together, which bounds the room


class MachineFloors(NamedTuple):
    """What the sums need of each of H machines.

    Attributes:
        kind: [H] row of `OperatorFloors.cycles`.
        rate: [H] bytes of I/O a cycle.
        dispatch: [H] cycles of an operator that is dispatched.
        leakage_mw: [H].
        outside_pj: [H] energy of a byte that enters or leaves the network.
        kept: [H] bytes of weights that the chip may keep, at most.
    """

    kind: Ints
    rate: Floats
    dispatch: Floats
    leakage_mw: Floats
    outside_pj: Floats
    kept: Floats


@dataclass(frozen=True, eq=False)
class OperatorFloors:
    """Sums' terms of U operators on the C kinds of machines of a grid.

    Machines of a kind differ in bandwidth alone. Rounded down to single precision.

    Attributes:
        cycles: [C, U] on chip, of the best mapping.
        energy_pj: [C, U] MACs, bytes on chip, and those weights' way over the I/O that
            are certain to cross it.
        dispatched: [U] whether an operator is dispatched, or part of its producer.
        machines: What the sums need of each machine, in the order of `Axes.machines`.
    """

    cycles: Singles
    energy_pj: Singles
    dispatched: NDArray[np.bool_]
    machines: MachineFloors


def operator_floors(
    operators: Ints, axes: Axes, platform: Platform | None = None
) -> OperatorFloors:
    """The floors of U distinct operators on all machines of a grid.

    Args:
        operators: [U, fields] records of `OPERATOR_DTYPE` as integers, without
            constants beside their weights.
        axes: The grid.
        platform: What surrounds the machines.
    """
    platform = platform or Platform()
    memories = np.unique(axes.memories)
    kinds = len(axes.arrays) * len(memories) * len(axes.lanes)
    cycles = np.empty((kinds, len(operators)), np.float32)
    energy = np.empty_like(cycles)
    figures = Figures.of(axes.machines, platform)
    machines = _machines(axes, memories, figures, platform)
    one = np.unique(machines.kind, return_index=True)[1]  # a machine of each kind
    factors = np.maximum(treatment(platform), 0.0)
    for start in range(0, len(operators), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        workload = _alone(operators[part])
        mapped = map_grid(workload, axes.arrays, axes.lanes, memories, ports(platform))
        # [n, arrays, COLUMNS, memories, lanes] -> [COLUMNS, kinds, n]
        table = mapped.table[mapped.places[mapped.distinct]]
        table = np.moveaxis(table, (2, 0), (0, 4)).reshape(mapping.COLUMNS, kinds, -1)
        factor = factors[workload.operators["kind"]]
        runs = factor > 0
        found = np.where(runs, table[mapping.CYCLES] * factor, 0.0)
        cycles[:, part] = _rounded_down(found)
        energy[:, part] = _rounded_down(
            _energy_pj(workload, table, runs, figures, one, platform)
        )
    return OperatorFloors(cycles, energy, (factors > 0)[operators[:, 0]], machines)


def _alone(operators: Ints) -> Workload:
    """Operators as a workload; which one reads which does not matter here."""
    count = len(operators)
    return Workload(
        np.ascontiguousarray(operators).view(OPERATOR_DTYPE)[:, 0],
        np.arange(count + 1),
        np.full(count, -1),
        np.array([0, count]),
        ("",) * count,
    )


def _machines(
    axes: Axes, memories: Ints, figures: Figures, platform: Platform
) -> MachineFloors:
    shape = (len(axes.arrays), len(memories), len(axes.lanes))
    numbers = np.arange(np.prod(shape)).reshape(shape)
    numbers = numbers[:, np.searchsorted(memories, axes.memories)]
    wide = np.broadcast_to(
        numbers[:, :, None, :],
        (shape[0], len(axes.memories), len(axes.bandwidths), shape[2]),
    ).reshape(-1, len(axes.bandwidths), shape[2])
    kind = axes.ordered(wide[..., None].astype(np.float64))[:, 0].astype(np.int64)
    rate = io_rate(axes.machines.bandwidth, platform)
    kept = np.zeros(len(kind))
    if not _all_cross(platform):
        # At least an eighth of each local memory is for tiles.
        own = axes.machines.pes * axes.machines.memory
        held = platform.parameter_memory_bytes
        kept = np.full(len(kind), float(held)) if held else own.astype(np.float64)
    dispatch = platform.dispatch_cycles + np.ceil(platform.instruction_bytes / rate)
    dram_pj = platform.technology.dram_energy.value
    return MachineFloors(
        kind, rate, dispatch, figures.leakage_mw, dram_pj + figures.local_pj, kept
    )


def _all_cross(platform: Platform) -> bool:
    """Whether all weights cross the I/O at each inference."""
    return platform.weights in ("streamed", "first")


def _energy_pj(
    workload: Workload,
    table: Floats,
    runs: NDArray[np.bool_],
    figures: Figures,
    one: Ints,
    platform: Platform,
) -> Floats:
    """[kinds, n] energy that an operator costs in any network."""
    technology = platform.technology
    local, file = figures.local_pj[one][:, None], figures.file_pj[one][:, None]
    on_chip = (
        table[mapping.PORT_BYTES] * local
        + table[mapping.RF_BYTES] * file
        + table[mapping.LINK_BYTES] * technology.link_energy.value
    )
    energy: Floats = np.where(runs, on_chip, 0.0)
    energy += workload.macs * technology.mac_energy.value
    if _all_cross(platform):
        weights = weight_bytes(workload)
        energy += weights * technology.dram_energy.value
        energy += weights * table[mapping.COPIES] * local
    return energy


def _rounded_down(values: Floats) -> Singles:
    """Single precision, not above the values; what is no number is infinite."""
    with np.errstate(over="ignore"):
        singles = np.nan_to_num(values, nan=np.inf, posinf=np.inf).astype(np.float32)
    return np.where(singles > values, np.nextafter(singles, np.float32(0)), singles)
