"""The analytical cost model: latency, energy and area of whole batches of pairs.

docs/machine.md describes the machine. Each operator's best mapping (`mapping.py`) gives
its cycles on chip; a pass over the network in running order (`network_pass.py`) adds
what depends on memory and bandwidth:

    latency = host + sum over operators of max(on chip, I/O) + dispatch
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import network_pass
from nahas.accelerator.chains import chains
from nahas.accelerator.compiled import parallel
from nahas.accelerator.liveness import overwritten, peak_live_bytes
from nahas.accelerator.machines import (
    Machines,
    area_mm2,
    by_size,
    check_pairs,
    leakage_mw,
)
from nahas.accelerator.mapping_table import Mappings, map_pairs
from nahas.accelerator.metrics import Limit, Metrics
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Kind, Workload

_USES = {
    "streamed": network_pass.STREAMED,
    "kept": network_pass.KEPT,
    "first": network_pass.FIRST,
}

_CHUNK = 256
"""Pairs of differing networks mapped at once, to bound the table of mappings."""
_PAIRS, _MAPPINGS = 2**19, 2**20
"""Pairs and mappings, at most, of a chunk where all networks meet all machines: some
100 MB of scratch. A chunk holds one machine at least."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    check_pairs(networks, count)
    platform = platform or Platform()
    if 1 in (networks, count):
        return _all_machines(workload, machines, platform).reshape(-1)
    if platform.weights == "resident":
        return _at_best(evaluate_machines, workload, machines, platform)
    parts = []
    for start in range(0, count, _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, count))
        part = workload.part(chunk[0], chunk[-1] + 1)
        cycles, sums = _run_pairs(part, machines.take(chunk), chunk - start, platform)
        # Rows of operators count within their chunk.
        sums[:, network_pass.OPERATOR] += workload.starts[start]
        parts.append((cycles, sums))
    return to_metrics(
        workload,
        Figures.of(machines, platform),
        np.arange(networks),
        np.concatenate([cycles for cycles, _ in parts]),
        np.concatenate([sums for _, sums in parts]),
        platform,
    )


def evaluate_all(
    workload: Workload,
    accelerators: Sequence[Accelerator],
    platform: Platform | None = None,
) -> Metrics:
    """Costs of each of K networks on each of B accelerators.

    Beyond its answer it takes a bounded room, whatever B. A distinct operator is mapped
    once for all networks that hold it.

    Args:
        workload: K networks.
        accelerators: B accelerators.
        platform: Clock, rates and technology; the default platform where None.

    Returns:
        Metrics [K, B], to the bit those of `evaluate` for each pair alone.

    Raises:
        ValueError: If there are no accelerators.
    """
    if not accelerators:
        raise ValueError("`accelerators` must be at least one. Received none.")
    machines = Machines.of(accelerators)
    return _all_machines(workload, machines, platform or Platform())


def _all_machines(
    workload: Workload, machines: Machines, platform: Platform
) -> Metrics:
    """`evaluate_all` for accelerators that are arrays already."""
    if platform.weights == "resident":
        return _at_best(_all_machines, workload, machines, platform)
    networks, count = workload.networks, len(machines.memory)
    at_once = max(1, min(_PAIRS // networks, _MAPPINGS // len(workload)))
    parts = []
    for start in range(0, count, at_once):
        chunk = np.arange(start, min(start + at_once, count))
        network = np.repeat(np.arange(networks), len(chunk))
        pairs = machines.take(np.tile(chunk, networks))
        cycles, sums = _run_pairs(workload, pairs, network, platform)
        figures = Figures.of(pairs, platform)
        costs = to_metrics(workload, figures, network, cycles, sums, platform)
        parts.append(costs.reshape(networks, len(chunk)))
    return parts[0].beside(parts[1:])


def _at_best(
    evaluate_with: Callable[[Workload, Machines, Platform], Metrics],
    workload: Workload,
    machines: Machines,
    platform: Platform,
) -> Metrics:
    """Weights stay on chip where that is sooner: they take the room to fetch ahead."""
    kept = evaluate_with(workload, machines, replace(platform, weights="kept"))
    streamed = evaluate_with(workload, machines, replace(platform, weights="streamed"))
    return sooner(kept, streamed)


def sooner(kept: Metrics, streamed: Metrics) -> Metrics:
    """Of each pair the costs with kept weights, unless it is sooner without."""
    return kept.where(kept.latency_ms <= streamed.latency_ms, streamed)


def ports(platform: Platform) -> Floats:
    """[4] local port, lane port and link, bytes a cycle, and look-ups a cycle."""
    return np.array(
        [platform.local_port_bytes, platform.lane_port_bytes, platform.link_bytes,
         platform.lookup_elements],
        dtype=np.float64,
    )  # fmt: skip


def _run_pairs(
    workload: Workload, machines: Machines, network: Ints, platform: Platform
) -> tuple[Floats, Floats]:
    """Cycles [B] and sums [B, SUMS] of pairs."""
    columns = np.column_stack([machines.compute, machines.memory])
    mappings, classes = map_pairs(workload, columns, network, ports(platform))
    cycles, sums = run_bundles(
        workload,
        mappings,
        network,
        classes,
        np.zeros(len(network), dtype=np.int64),
        machines.pes,
        machines.memory,
        machines.compute[:, 4:5],
        machines.bandwidth[:, None],
        platform,
    )
    return cycles[:, 0, 0], sums[:, :, 0]


def run_bundles(
    workload: Workload,
    mappings: Mappings,
    network: Ints,
    classes: Ints,
    memory_of: Ints,
    pes: Ints,
    memory: Ints,
    registers: Ints,
    bandwidths: Floats,
    platform: Platform,
) -> tuple[Floats, Floats]:
    """Cycles [S, W, V] and sums [S, SUMS, V] of S bundles."""
    bundles, lanes = registers.shape
    cycles = np.empty((bundles, bandwidths.shape[1], lanes))
    sums = np.empty((bundles, network_pass.SUMS, lanes))
    with parallel(bundles):
        network_pass.run_all(
            *pass_arguments(workload, platform),
            *mappings,
            network,
            classes,
            memory_of,
            pes.astype(np.float64),
            memory.astype(np.float64),
            registers.astype(np.float64),
            io_rate(bandwidths, platform),
            cycles,
            sums,
        )
    return cycles, sums


def io_rate(bandwidth_gbps: Floats, platform: Platform) -> Floats:
    """Bytes of I/O a cycle."""
    rate: Floats = bandwidth_gbps * 1e3 / platform.clock_mhz
    return rate


def pass_arguments(
    workload: Workload, platform: Platform
) -> tuple[NDArray[np.generic], ...]:
    """What the pass needs of a workload and a platform, in its arguments' order."""
    settings = np.array(
        [platform.dispatch_cycles, _USES[platform.weights], platform.instruction_bytes,
         platform.parameter_memory_bytes, platform.overlap],
        dtype=np.float64,
    )  # fmt: skip
    weights = network_pass.weight_bytes(workload)
    return (
        workload.operators, workload.input_starts, workload.inputs, workload.starts,
        workload.last_use, overwritten(workload), weights,
        *chains(workload, weights, platform), treatment(platform), settings,
        peak_live_bytes(workload).astype(np.float64),
    )  # fmt: skip


def treatment(platform: Platform) -> Floats:
    """Factor on the cycles of each kind: 0 where fused, -1 where refused."""
    factors = np.ones(len(Kind))
    for kind, factor in platform.capabilities.slow:
        factors[kind] = factor
    factors[list(platform.capabilities.fused)] = 0
    factors[list(platform.capabilities.refused)] = -1
    return factors


def dynamic_energy_pj(
    sums: Floats, macs: Ints, memory: Ints, register_file: Ints, platform: Platform
) -> Floats:
    """[B] energy of what is done, without leakage; `sums` are [B, at least 4]."""
    access = platform.technology.sram.energy
    by_byte = by_size(access, memory), by_size(access, register_file)
    return _energy_pj(sums, macs, *by_byte, platform)


def _energy_pj(
    sums: Floats, macs: Ints, local_pj: Floats, file_pj: Floats, platform: Platform
) -> Floats:
    technology = platform.technology
    energy: Floats = (
        macs * technology.mac_energy.value
        + sums[:, network_pass.PORT_BYTES] * local_pj
        + sums[:, network_pass.RF_BYTES] * file_pj
        + sums[:, network_pass.LINK_BYTES] * technology.link_energy.value
        + sums[:, network_pass.IO_BYTES] * technology.dram_energy.value
    )
    return energy


class Figures(NamedTuple):
    """What the costs on B machines need of these alone, whatever network runs.

    Attributes:
        area_mm2: [B].
        leakage_mw: [B].
        local_pj: [B] energy of a byte of local memory.
        file_pj: [B] energy of a byte of a register file.
        peak: [B] MACs a cycle.
    """

    area_mm2: Floats
    leakage_mw: Floats
    local_pj: Floats
    file_pj: Floats
    peak: Ints

    @classmethod
    def of(cls, machines: Machines, platform: Platform) -> "Figures":
        """The figures of machines on a platform."""
        access = platform.technology.sram.energy
        return cls(
            area_mm2(machines, platform),
            leakage_mw(machines, platform),
            by_size(access, machines.memory),
            by_size(access, machines.compute[:, 4]),
            machines.compute[:, :4].prod(axis=1) * 4,
        )


def to_metrics(
    workload: Workload,
    machines: Figures,
    network: Ints,
    cycles: Floats,
    sums: Floats,
    platform: Platform,
) -> Metrics:
    """Turns cycles [B] and sums [B, SUMS] into units, once."""
    macs = workload.per_network(workload.macs)[network]
    cycles = cycles + platform.host_cycles
    limit = sums[:, network_pass.LIMIT].astype(np.int8)
    finite = limit <= Limit.LOCAL_MEMORY
    latency_ms = np.where(finite, cycles / (platform.clock_mhz * 1e3), np.inf)
    dynamic = _energy_pj(sums, macs, machines.local_pj, machines.file_pj, platform)
    leakage_pj = np.where(finite, machines.leakage_mw * latency_ms, 0) * 1e6
    energy_mj = np.where(finite, (dynamic + leakage_pj) * 1e-9, np.inf)
    peaks = np.maximum(cycles, 1) * machines.peak
    utilization = np.where(finite, macs / peaks, 0.0)
    return Metrics(
        latency_ms=latency_ms,
        energy_mj=energy_mj,
        area_mm2=machines.area_mm2,
        utilization=utilization,
        io_bytes=sums[:, network_pass.IO_BYTES].astype(np.int64),
        feasible=limit == Limit.NONE,
        limit=limit,
        excess_bytes=sums[:, network_pass.EXCESS].astype(np.int64),
        operator=sums[:, network_pass.OPERATOR].astype(np.int64),
        operator_names=workload.names,
    )
