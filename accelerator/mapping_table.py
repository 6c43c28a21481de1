"""Mappings of every distinct operator on every distinct compute array of a batch.

A mapping depends on five of the seven knobs, and networks repeat their operators, so a
sweep of 50,000 accelerators needs few mappings. For each (operator, SIMD units, lanes,
register file) one table holds the best mapping for every array of up to X x Y PEs; that
of an array starts from those of its smaller neighbours, which is how PEs may stay idle.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from nahas.accelerator.compiled import PARALLEL, compiled
from nahas.accelerator.mapping import (
    COLUMNS,
    map_move,
    map_multiply,
    offer,
    reset,
)
from nahas.accelerator.workload import Kind, Workload

_DENSE = int(Kind.DENSE)


def map_all(
    workload: Workload,
    compute: NDArray[np.int64],
    network: NDArray[np.int64],
    ports: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Maps what B pairs need.

    Args:
        workload: K networks.
        compute: [B, 5] pes_x, pes_y, SIMD units, lanes, register file bytes.
        network: [B] which network each pair runs.
        ports: Local port, lane port, link and look-ups, a cycle.

    Returns:
        distinct [N]: each operator's number among the distinct ones, U; lane [B]: each
        pair's number among the distinct lanes, C; entry [U, C]: row of the table;
        table [entries, X, Y, COLUMNS] of mappings for each number of PEs.
    """
    flat = workload.operators.view(np.int64).reshape(len(workload), -1)
    kinds, distinct = np.unique(flat, axis=0, return_inverse=True)
    lanes, lane = np.unique(compute[:, 2:], axis=0, return_inverse=True)
    distinct, lane = distinct.reshape(-1), lane.reshape(-1)
    extent = np.zeros((len(kinds), len(lanes), 2), dtype=np.int64)
    _mark(distinct, workload.starts, network, lane, compute, extent)
    needed = extent[:, :, 0] > 0
    entry = np.full(needed.shape, -1, dtype=np.int64)
    entry[needed] = np.arange(needed.sum())
    rows = np.argwhere(needed)
    operators = kinds.reshape(-1).view(workload.operators.dtype)
    across, down = extent[needed].max(axis=0)
    table = np.empty((len(rows), across, down, COLUMNS), dtype=np.int64)
    with PARALLEL:
        _fill(operators, lanes, rows, extent[needed], ports, table)
    return distinct, lane, entry, table


@compiled()
def _mark(distinct, starts, network, lane, compute, extent):
    """Notes the largest array on which each (operator, lane) is needed."""
    for b in range(len(network)):
        for i in range(starts[network[b]], starts[network[b] + 1]):
            largest = extent[distinct[i], lane[b]]
            largest[0] = max(largest[0], compute[b, 0])
            largest[1] = max(largest[1], compute[b, 1])


@compiled(parallel=True)
def _fill(operators, lanes, rows, extent, ports, table):
    for r in prange(len(rows)):
        op = operators[rows[r, 0]]
        units, count, register_file = lanes[rows[r, 1]]
        for x in range(1, extent[r, 0] + 1):
            for y in range(1, extent[r, 1] + 1):
                best = table[r, x - 1, y - 1]
                reset(best)
                if op.kind > _DENSE:
                    map_move(op, x * y, count, ports, best)
                    continue
                if x > 1:
                    _inherit(best, table[r, x - 2, y - 1])
                if y > 1:
                    _inherit(best, table[r, x - 1, y - 2])
                map_multiply(op, x, y, units, count, register_file, ports, best)


@compiled()
def _inherit(best, old):
    offer(best, old[0], old[1], old[2], old[3], old[4], old[5], old[6])
