"""Costs by operator: where a network's latency and energy go on one accelerator."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import network_pass
from nahas.accelerator.cost_model import dynamic_energy_pj, pass_arguments, ports
from nahas.accelerator.machines import Machines, leakage_mw
from nahas.accelerator.mapping import describe
from nahas.accelerator.mapping_table import map_all
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Kind, Workload

_BOUND_NAMES = ("", "I/O", "dispatch", "fused")


@dataclass(frozen=True, eq=False)
class OperatorCosts:
    """What each of the N operators of one network costs on one accelerator.

    Attributes:
        cycles: [N] of its latency, dispatch included.
        energy_mj: [N] leakage over its own latency included.
        macs: [N].
        utilization: [N] MACs over the peak MACs of its cycles.
        io_bytes: [N] over the I/O, at its turn or fetched ahead.
        spilled_bytes: [N] of its output that do not fit on chip.
        live_bytes: [N] of activations on chip while it runs.
        bound: What bounds each.
        mapping: How each is spread.
    """

    cycles: NDArray[np.int64]
    energy_mj: NDArray[np.float64]
    macs: NDArray[np.int64]
    utilization: NDArray[np.float64]
    io_bytes: NDArray[np.int64]
    spilled_bytes: NDArray[np.int64]
    live_bytes: NDArray[np.int64]
    bound: tuple[str, ...]
    mapping: tuple[str, ...]


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
    machines = Machines.of([accelerator])
    network = np.zeros(1, dtype=np.int64)
    mapped = map_all(workload, machines.compute, network, ports(platform))
    rows = np.zeros((len(workload), network_pass.ROW), dtype=np.int64)
    network_pass.run_rows(
        *pass_arguments(workload, machines, network, platform), *mapped, rows
    )
    cycles = rows[:, network_pass.CYCLES]
    dynamic = dynamic_energy_pj(
        rows, workload.macs, machines.memory, machines.compute[:, 4], platform
    )
    latency_ms = cycles / (platform.clock_mhz * 1e3)
    leakage = leakage_mw(machines, platform) * latency_ms * 1e6
    codes = [describe(code) for code in rows[:, network_pass.MAPPING]]
    multiplies = workload.operators["kind"] <= Kind.DENSE
    return OperatorCosts(
        cycles=cycles,
        energy_mj=(dynamic + leakage) * 1e-9,
        macs=workload.macs,
        utilization=workload.macs
        / (np.maximum(cycles, 1) * accelerator.macs_per_cycle),
        io_bytes=rows[:, network_pass.IO_BYTES],
        spilled_bytes=rows[:, network_pass.SPILLED],
        live_bytes=rows[:, network_pass.LIVE],
        bound=tuple(
            _BOUND_NAMES[by] if by else codes[i][1]
            for i, by in enumerate(rows[:, network_pass.BOUND_BY])
        ),
        mapping=tuple(
            code[0] if weighted else "spread over all PEs and lanes"
            for code, weighted in zip(codes, multiplies, strict=True)
        ),
    )
