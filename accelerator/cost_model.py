"""The analytical cost model: latency, energy and area of whole batches of pairs.

docs/machine.md describes the machine. Each operator's best mapping (`mapping.py`) gives
its cycles on chip; a pass over the network in running order (`network_pass.py`) adds
what depends on memory and bandwidth:

    latency = host + sum over operators of max(on chip, I/O) + dispatch
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import network_pass
from nahas.accelerator.chains import chains
from nahas.accelerator.compiled import parallel
from nahas.accelerator.liveness import overwritten, peak_live_bytes
from nahas.accelerator.machines import (
    Axes,
    Machines,
    area_mm2,
    by_size,
    check_pairs,
    leakage_mw,
)
from nahas.accelerator.mapping_table import Mappings, map_grid, map_pairs
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
    return _metrics(
        workload,
        machines,
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
        costs = _metrics(workload, pairs, network, cycles, sums, platform)
        parts.append(costs.reshape(networks, len(chunk)))
    return parts[0].beside(parts[1:])


def evaluate_axes(
    workload: Workload, axes: Axes, platform: Platform | None = None
) -> Metrics:
    """Costs of one network on every machine of a grid, in the order of `axes.machines`.

    The same figures as `evaluate`'s, much sooner.
    """
    platform = platform or Platform()
    if platform.weights == "resident":
        return _at_best(evaluate_axes, workload, axes, platform)
    memories, places = np.unique(axes.memories, return_inverse=True)
    mappings = map_grid(workload, axes.arrays, axes.lanes, memories, ports(platform))
    arrays = len(axes.arrays)
    classes = np.repeat(np.arange(arrays), len(places))
    memory_of = np.tile(places, arrays)
    cycles, sums = _run(
        workload,
        mappings,
        np.zeros(len(classes), dtype=np.int64),
        classes,
        memory_of,
        axes.arrays.prod(axis=1)[classes],
        memories[memory_of],
        np.broadcast_to(axes.lanes[:, 2], (len(classes), len(axes.lanes))),
        np.broadcast_to(axes.bandwidths, (len(classes), len(axes.bandwidths))),
        platform,
    )
    # From [arrays, memories, W, V] to the machines' order.
    cycles = axes.ordered(cycles[:, :, :, None])[:, 0]
    wide = np.broadcast_to(
        sums[:, None].transpose(0, 1, 3, 2),
        (len(classes), len(axes.bandwidths), len(axes.lanes), network_pass.SUMS),
    )
    network = np.zeros(len(cycles), dtype=np.int64)
    return _metrics(
        workload, axes.machines, network, cycles, axes.ordered(wide), platform
    )


def _at_best(
    evaluate_with: Callable[[Workload, Any, Platform], Metrics],
    workload: Workload,
    machines: Machines | Axes,
    platform: Platform,
) -> Metrics:
    """Weights stay on chip where that is sooner: they take the room to fetch ahead."""
    kept = evaluate_with(workload, machines, replace(platform, weights="kept"))
    streamed = evaluate_with(workload, machines, replace(platform, weights="streamed"))
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
    cycles, sums = _run(
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


def _run(
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
    technology = platform.technology
    access = technology.sram.energy
    energy: Floats = (
        macs * technology.mac_energy.value
        + sums[:, network_pass.PORT_BYTES] * by_size(access, memory)
        + sums[:, network_pass.RF_BYTES] * by_size(access, register_file)
        + sums[:, network_pass.LINK_BYTES] * technology.link_energy.value
        + sums[:, network_pass.IO_BYTES] * technology.dram_energy.value
    )
    return energy


def _metrics(
    workload: Workload,
    machines: Machines,
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
    dynamic = dynamic_energy_pj(
        sums, macs, machines.memory, machines.compute[:, 4], platform
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
        io_bytes=sums[:, network_pass.IO_BYTES].astype(np.int64),
        feasible=limit == Limit.NONE,
        limit=limit,
        excess_bytes=sums[:, network_pass.EXCESS].astype(np.int64),
        operator=sums[:, network_pass.OPERATOR].astype(np.int64),
        operator_names=workload.names,
    )
