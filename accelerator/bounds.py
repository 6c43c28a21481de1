"""Lower bounds on latency: certificates of how much a better mapping could still win.

A bound holds for every mapping and schedule of the machine that docs/machine.md
describes, so for both cost models, whatever the platform. It comes from a problem with
fewer terms than theirs (a relaxation), never from their answers:

- each operator takes the least cycles of any mapping (`least_cycles.py`), its dispatch,
  and the I/O that cannot come ahead of its turn: the network's inputs and outputs, and
  weights beyond the memory that there is;
- all bytes that must cross the I/O do so one after another, ahead of their operator
  only as far as memory can hold them, and activations that cannot all fit cross it
  (`bound_pass.py`). That activations which come first have the memory first, and that
  spilled inputs or weights are read again lot by lot, counts nothing.

What the machine's rules fix is no choice and stays: the share of each memory that is
for tiles, which weights are kept, and that a spilled byte is written once and read by
each reader.

The roofline of Williams, Waterman and Patterson (CACM 52(4), 2009) bounds a kernel by
its peak rate and its bytes over the bandwidth; this is one for each operator with the
machine's own ceilings (lanes, ports, links, tables) and whole numbers of PEs and units,
joined to one of a network. Orojenesis (Huang et al., "Mind the Gap: Attainable Data
Movement and Operational Intensity Bounds for Tensor Algorithms", ISCA 2024) finds least
data movement by searching a simplified architecture's mappings; AccelForge
(pypi.org/project/accelforge) says that it maps optimally. Details of the latter two are
unconfirmed here, and nothing of them is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator import bound_pass, least_cycles, liveness, network_pass
from nahas.accelerator.compiled import parallel
from nahas.accelerator.cost_model import io_rate, ports, treatment
from nahas.accelerator.distinct import distinct_rows
from nahas.accelerator.machines import Machines, check_pairs
from nahas.accelerator.memory_needs import needs
from nahas.accelerator.template import Accelerator, Platform
from nahas.accelerator.workload import Workload

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lower bounds of B pairs of a network and an accelerator.

    Attributes:
        latency_ms: [B] of one inference, the host included.
        operator_cycles: [B, longest] of each operator by itself, dispatch included, by
            its place in its network; 0 beyond the network's end. They sum to no more
            than the network's.
        on_chip_cycles: [B, longest] of the mapping alone, as a quotient.
    """

    latency_ms: Floats
    operator_cycles: Floats
    on_chip_cycles: Floats

    def __post_init__(self) -> None:
        for array in (self.latency_ms, self.operator_cycles, self.on_chip_cycles):
            array.setflags(write=False)


def lower_bounds(
    workload: Workload,
    accelerators: Sequence[Accelerator] | Machines,
    platform: Platform | None = None,
) -> Bounds:
    """Lower bounds of B pairs, paired as `cost_model.evaluate` pairs them.

    They say nothing of whether a pair can run.

    Args:
        workload: K networks.
        accelerators: As many accelerators, or one of the two is a single one.
        platform: What surrounds the accelerators.

    Raises:
        ValueError: If K and the number of accelerators differ and neither is 1.
    """
    platform = platform or Platform()
    machines = (
        accelerators
        if isinstance(accelerators, Machines)
        else Machines.of(accelerators)
    )
    networks, count = workload.networks, len(machines.memory)
    check_pairs(networks, count)
    pairs = np.arange(max(networks, count))
    network = pairs if networks > 1 else np.zeros_like(pairs)
    machines = machines if count > 1 else machines.take(np.zeros_like(pairs))
    on_chip = _on_chip(workload, machines, network, platform)
    uses = ("kept", "streamed") if platform.weights == "resident" else (
        platform.weights,
    )  # fmt: skip
    found = [
        _join(workload, machines, network, on_chip, replace(platform, weights=use))
        for use in uses
    ]
    cycles = np.minimum.reduce([of_networks for _, of_networks in found])
    return Bounds(
        (cycles + platform.host_cycles) / (platform.clock_mhz * 1e3),
        np.minimum.reduce([of_operators for of_operators, _ in found]),
        on_chip,
    )


def _on_chip(
    workload: Workload, machines: Machines, network: Ints, platform: Platform
) -> Floats:
    """[B, longest] least cycles on chip; each operator and machine is met once."""
    flat = workload.operators.view(np.int64).reshape(len(workload), -1)
    first, which = distinct_rows(flat)
    across, down, units, lanes, register_file = machines.compute.T
    # A unit needs room for a word of weights and a sum, in half of its register file.
    working = np.maximum(np.minimum(units, register_file // 2 // 8), 1)
    columns = np.column_stack([across, down, working, lanes])
    some, of_pair = distinct_rows(columns)
    classes = columns[some]
    lengths = np.diff(workload.starts)[network]
    places = np.arange(lengths.max())
    inside = places < lengths[:, None]
    rows = np.where(inside, workload.starts[network][:, None] + places, 0)
    keys = which[rows] * len(classes) + of_pair[:, None]
    wanted, where = np.unique(keys, return_inverse=True)
    table = np.empty(len(wanted))
    with parallel(len(wanted)):
        least_cycles.fill(
            workload.operators[first],
            classes,
            np.column_stack(np.divmod(wanted, len(classes))),
            ports(platform),
            table,
        )
    return np.where(inside, table[where.reshape(keys.shape)], 0.0)


def _join(
    workload: Workload,
    machines: Machines,
    network: Ints,
    on_chip: Floats,
    platform: Platform,
) -> tuple[Floats, Floats]:
    """Cycles [B, longest] of operators and [B] of networks, without the host."""
    settings = [
        platform.dispatch_cycles,
        platform.instruction_bytes,
        platform.weights != "streamed",
        platform.weights == "kept",
        platform.parameter_memory_bytes,
        platform.overlap,
    ]
    of_operators, of_networks = np.zeros_like(on_chip), np.empty(len(network))
    with parallel(len(network)):
        bound_pass.run(
            workload.starts,
            network,
            on_chip,
            network_pass.weight_bytes(workload),
            outside_bytes(workload),
            treatment(platform),
            workload.operators["kind"],
            np.array(settings, dtype=np.float64),
            machines.pes.astype(np.float64),
            machines.memory.astype(np.float64),
            io_rate(machines.bandwidth, platform),
            liveness.peak_live_bytes(workload).astype(np.float64),
            *needs(workload, chains=platform.chains),
            of_operators,
            of_networks,
        )
    return of_operators, of_networks


def outside_bytes(workload: Workload) -> Floats:
    """[N] bytes that each operator reads from or writes to the world outside.

    The network's input is what an operator reads beyond the outputs of others.
    """
    ops = workload.operators
    made = liveness.output_bytes(workload)
    readers = np.repeat(np.arange(len(ops)), np.diff(workload.input_starts))
    inside = workload.inputs >= 0
    read = ops["height"] * ops["width"] * ops["channels"]
    np.subtract.at(read, readers[inside], made[workload.inputs[inside]])
    from_outside = np.isin(np.arange(len(ops)), readers[~inside])
    outside = np.where(from_outside, np.maximum(read, 0), 0)
    last = workload.last_use == np.arange(len(ops))
    total: Floats = (outside + np.where(last, made, 0)).astype(np.float64)
    return total
