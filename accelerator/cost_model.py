"""The analytical cost model: latency, energy and area of whole batches of pairs.

Each operator's best mapping (`mapping.py`) gives its cycles on chip; a pass over the
network in running order then adds what depends on memory and bandwidth:

    latency = sum over operators of max(on chip, I/O) + dispatch

- A quarter of each local memory (more where the smallest tile needs it) buffers tiles;
  the rest, pooled over the PEs, holds activations from their birth to their last use.
  What does not fit spills to DRAM: written once, read at each use.
- Streamed weights cross the I/O once an inference, fetched ahead while earlier
  operators run, as far as memory is free. Where inputs were spilled and the weights do
  not fit beside them, the cheaper of the two is read again for each piece of the other.
- Resident weights stay on chip, first come first served, in what the peak of the
  activations leaves; the rest is streamed.
- A network's input is read from DRAM and its output written there.

Left out: DRAM pages and refresh, contention on the interconnect beyond a PE's own link,
and fusion of chains of operators.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import network_pass
from nahas.accelerator.compiled import parallel
from nahas.accelerator.machines import Machines, area_mm2, leakage_mw
from nahas.accelerator.mapping_table import map_all
from nahas.accelerator.metrics import Limit, Metrics
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Kind, Workload

CHUNK = 256
"""Pairs of differing networks mapped at once, to bound the table of mappings."""


def evaluate(
    workload: Workload,
    accelerators: Sequence[Accelerator],
    platform: Platform | None = None,
) -> Metrics:
    """Costs of B pairs of a network and an accelerator.

    Args:
        workload: K networks.
        accelerators: As many accelerators, paired in order; or one of the two is a
            single one and meets all of the other.
        platform: Clock, rates and technology; the default platform where None.

    Returns:
        Metrics [B]; one pair and a batch agree to the bit.

    Raises:
        ValueError: If K and the number of accelerators differ and neither is 1.
    """
    return evaluate_machines(workload, Machines.of(accelerators), platform)


def evaluate_machines(
    workload: Workload, machines: Machines, platform: Platform | None = None
) -> Metrics:
    """`evaluate` for accelerators that are arrays already."""
    networks, count = workload.networks, len(machines.memory)
    if not count or (networks != count and 1 not in (networks, count)):
        raise ValueError(
            "`accelerators` must be one, or as many as the workload's networks, or any "
            f"number for a single network. Received {count} for {networks} networks."
        )
    platform = platform or Platform()
    pairs = max(networks, count)
    if count < pairs:
        machines = machines.take(np.zeros(pairs, dtype=np.int64))
    if networks == 1:
        network = np.zeros(pairs, dtype=np.int64)
        totals = _totals(workload, machines, network, platform)
        return _metrics(workload, machines, totals, platform)
    chunks = [np.arange(i, min(i + CHUNK, pairs)) for i in range(0, pairs, CHUNK)]
    parts = [
        _totals(
            workload.part(chunk[0], chunk[-1] + 1),
            machines.take(chunk),
            chunk - chunk[0],
            platform,
        )
        for chunk in chunks
    ]
    # Rows of operators count within their chunk.
    for chunk, part in zip(chunks, parts, strict=True):
        part[:, network_pass.OPERATOR] += workload.starts[chunk[0]]
    return _metrics(workload, machines, np.concatenate(parts), platform)


def ports(platform: Platform) -> NDArray[np.int64]:
    """[4] local port, lane port and link, bytes a cycle, and look-ups a cycle."""
    return np.array(
        [platform.local_port_bytes, platform.lane_port_bytes, platform.link_bytes,
         platform.lookup_elements],
        dtype=np.int64,
    )  # fmt: skip


def _treatment(platform: Platform) -> NDArray[np.int64]:
    """Factor on the cycles of each kind: 0 where fused, -1 where refused."""
    factors = np.ones(len(Kind), dtype=np.int64)
    for kind, factor in platform.capabilities.slow:
        factors[kind] = factor
    factors[list(platform.capabilities.fused)] = 0
    factors[list(platform.capabilities.refused)] = -1
    return factors


def _totals(
    workload: Workload,
    machines: Machines,
    network: NDArray[np.int64],
    platform: Platform,
) -> NDArray[np.int64]:
    """[B, TOTALS] integer sums over each pair's network."""
    mapped = map_all(workload, machines.compute, network, ports(platform))
    totals = np.zeros((len(network), network_pass.TOTALS), dtype=np.int64)
    with parallel(len(network)):
        network_pass.run_all(
            *pass_arguments(workload, machines, network, platform), *mapped, totals
        )
    return totals


def pass_arguments(
    workload: Workload,
    machines: Machines,
    network: NDArray[np.int64],
    platform: Platform,
) -> tuple[NDArray[np.generic], ...]:
    """What the pass needs besides the mappings, in the order of its arguments."""
    # Bytes a million cycles: an integer, so that I/O cycles stay exact.
    rate = np.round(machines.bandwidth * 1e9 / platform.clock_mhz).astype(np.int64)
    settings = np.array(
        [platform.dispatch_cycles, platform.weights == "resident"], dtype=np.int64
    )
    return (
        workload.operators, workload.input_starts, workload.inputs, workload.starts,
        workload.last_use, network_pass.weight_bytes(workload), _treatment(platform),
        settings, network_pass.peak_live_bytes(workload), network, machines.compute,
        machines.memory, rate,
    )  # fmt: skip


def dynamic_energy_pj(
    totals: NDArray[np.int64],
    macs: NDArray[np.int64],
    memory: NDArray[np.int64],
    register_file: NDArray[np.int64],
    platform: Platform,
) -> NDArray[np.float64]:
    """[B] energy of what is done, without leakage."""
    technology = platform.technology
    port = totals[:, network_pass.PORT_BYTES] * technology.sram.energy(memory / 1024)
    registers = technology.sram.energy(register_file / 1024)
    energy: NDArray[np.float64] = (
        macs * technology.mac_energy.value
        + port
        + totals[:, network_pass.RF_BYTES] * registers
        + totals[:, network_pass.LINK_BYTES] * technology.link_energy.value
        + totals[:, network_pass.IO_BYTES] * technology.dram_energy.value
    )
    return energy


def _metrics(
    workload: Workload,
    machines: Machines,
    totals: NDArray[np.int64],
    platform: Platform,
) -> Metrics:
    """Turns integer sums [B, TOTALS] into units, once."""
    macs = np.broadcast_to(workload.per_network(workload.macs), len(totals))
    limit = totals[:, network_pass.LIMIT]
    finite = limit <= Limit.LOCAL_MEMORY
    cycles = totals[:, network_pass.CYCLES]
    latency_ms = np.where(finite, cycles / (platform.clock_mhz * 1e3), np.inf)
    dynamic = dynamic_energy_pj(
        totals, macs, machines.memory, machines.compute[:, 4], platform
    )
    leakage_pj = np.where(finite, leakage_mw(machines, platform) * latency_ms, 0) * 1e6
    energy_mj = np.where(finite, (dynamic + leakage_pj) * 1e-9, np.inf)
    peak = machines.compute[:, :4].prod(axis=1) * 4
    utilization = np.where(finite, macs / (np.maximum(cycles, 1) * peak), 0.0)
    return Metrics(
        latency_ms=latency_ms,
        energy_mj=energy_mj,
        area_mm2=area_mm2(machines, platform),
        utilization=utilization,
        io_bytes=totals[:, network_pass.IO_BYTES].copy(),
        feasible=limit == Limit.NONE,
        limit=limit.astype(np.int8),
        excess_bytes=totals[:, network_pass.EXCESS].copy(),
        operator=np.where(limit == Limit.NONE, -1, totals[:, network_pass.OPERATOR]),
        operator_names=workload.names,
    )
