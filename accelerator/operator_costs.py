"""Costs by operator: where a network's latency and energy go on one accelerator."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import network_pass
from nahas.accelerator.cost_model import (
    dynamic_energy_pj,
    evaluate,
    io_rate,
    pass_arguments,
    ports,
)
from nahas.accelerator.machines import Machines, leakage_mw
from nahas.accelerator.mapping import CODE
from nahas.accelerator.mapping_code import bound, describe
from nahas.accelerator.mapping_table import Mappings, map_pairs
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Kind, Workload

_BOUND_NAMES = ("", "I/O", "dispatch", "fused")


@dataclass(frozen=True, eq=False)
class OperatorCosts:
    """What each of the N operators of one network costs on one accelerator.

    Attributes:
        cycles: [N] of its latency, dispatch included.
        on_chip_cycles: [N] of them with its mapping at work.
        dispatch_cycles: [N] of them before that; what is left waits for the I/O.
        energy_mj: [N] leakage over its own latency included.
        macs: [N].
        utilization: [N] MACs over the peak MACs of its cycles.
        io_bytes: [N] over the I/O, at its turn or fetched ahead.
        spilled_bytes: [N] of its output that go to DRAM: what does not fit on chip, and
            all of an output of the network.
        live_bytes: [N] of activations on chip while it runs, and what its chain has for
            itself: stripes and weights.
        fused: [N] whether it takes turns with the next, stripe by stripe, so that its
            output never is whole.
        bound: What bounds each.
        bound_on_chip: What bounds its mapping.
        mapping: How each is spread.
    """

    cycles: NDArray[np.int64]
    on_chip_cycles: NDArray[np.int64]
    dispatch_cycles: NDArray[np.int64]
    energy_mj: NDArray[np.float64]
    macs: NDArray[np.int64]
    utilization: NDArray[np.float64]
    io_bytes: NDArray[np.int64]
    spilled_bytes: NDArray[np.int64]
    live_bytes: NDArray[np.int64]
    fused: NDArray[np.bool_]
    bound: tuple[str, ...]
    bound_on_chip: tuple[str, ...]
    mapping: tuple[str, ...]


def codes(
    workload: Workload, accelerator: Accelerator, platform: Platform | None = None
) -> NDArray[np.float64]:
    """[N] codes (`mapping_code.choices`) of the mappings chosen for a network."""
    mappings = _mappings(workload, Machines.of([accelerator]), platform or Platform())
    chosen: NDArray[np.float64] = mappings.table[
        mappings.places[mappings.distinct, 0], CODE, 0, 0
    ]
    return chosen


def _mappings(workload: Workload, machines: Machines, platform: Platform) -> Mappings:
    network = np.zeros(1, dtype=np.int64)
    columns = np.column_stack([machines.compute, machines.memory])
    return map_pairs(workload, columns, network, ports(platform))[0]


def per_operator(
    workload: Workload, accelerator: Accelerator, platform: Platform | None = None
) -> OperatorCosts:
    """Costs of each operator; they sum to `evaluate`'s.

    Raises:
        ValueError: If the workload holds several networks.
    """
    if workload.networks != 1:
        raise ValueError(
            f"`workload` must be a single network. Received {workload.networks}."
        )
    platform = platform or Platform()
    if platform.weights == "resident":
        kept, streamed = (replace(platform, weights=w) for w in ("kept", "streamed"))
        sooner = [evaluate(workload, [accelerator], p).latency_ms[0]
                  for p in (kept, streamed)]  # fmt: skip
        platform = kept if sooner[0] <= sooner[1] else streamed
    machines = Machines.of([accelerator])
    mappings = _mappings(workload, machines, platform)
    rows = np.zeros((len(workload), network_pass.ROW))
    network_pass.run_rows(
        *pass_arguments(workload, platform),
        *mappings,
        machines.pes.astype(np.float64),
        machines.memory.astype(np.float64),
        machines.compute[:, 4:5].astype(np.float64),
        io_rate(machines.bandwidth[:, None], platform),
        rows,
    )
    cycles = rows[:, network_pass.CYCLES].astype(np.int64)
    dynamic = dynamic_energy_pj(
        rows, workload.macs, machines.memory, machines.compute[:, 4], platform
    )
    latency_ms = cycles / (platform.clock_mhz * 1e3)
    leakage = leakage_mw(machines, platform) * latency_ms * 1e6
    chosen = mappings.table[rows[:, network_pass.ROW_OF_TABLE].astype(int), :, 0, 0]
    mapped = chosen[:, CODE]
    multiplies = workload.operators["kind"] <= Kind.DENSE
    return OperatorCosts(
        cycles=cycles,
        on_chip_cycles=rows[:, network_pass.ON_CHIP].astype(np.int64),
        dispatch_cycles=rows[:, network_pass.DISPATCH].astype(np.int64),
        energy_mj=(dynamic + leakage) * 1e-9,
        macs=workload.macs,
        utilization=workload.macs
        / (np.maximum(cycles, 1) * accelerator.macs_per_cycle),
        io_bytes=rows[:, network_pass.IO_BYTES].astype(np.int64),
        spilled_bytes=rows[:, network_pass.SPILLED].astype(np.int64),
        live_bytes=rows[:, network_pass.LIVE].astype(np.int64),
        fused=rows[:, network_pass.FUSED] > 0,
        bound=tuple(
            _BOUND_NAMES[int(by)] if by else bound(code)
            for by, code in zip(rows[:, network_pass.BOUND_BY], mapped, strict=True)
        ),
        bound_on_chip=tuple(map(bound, mapped)),
        mapping=tuple(
            describe(code) if weighted else "spread over all PEs and lanes"
            for code, weighted in zip(mapped, multiplies, strict=True)
        ),
    )
