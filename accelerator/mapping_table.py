"""Mappings of every distinct operator on every distinct compute array of a batch.

A mapping depends on five of the seven knobs, and networks repeat their operators, so a
sweep of 50,000 accelerators needs few mappings. For each (operator, SIMD units, lanes,
register file) one table holds the best mapping for every array of up to X x Y PEs; that
of an array starts from those of its smaller neighbours, which is how PEs may stay idle.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from nahas.accelerator.compiled import compiled, parallel
from nahas.accelerator.mapping import (
    COLUMNS,
    map_move,
    map_multiply,
    offer,
    reset,
)
from nahas.accelerator.workload import Kind, Workload

_DENSE = int(Kind.DENSE)
_FEW = 4
"""Arrays of one (operator, lane) up to which each is searched by itself."""


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
    across, down = int(compute[:, 0].max()), int(compute[:, 1].max())
    wanted = np.zeros((len(kinds), len(lanes), across, down), dtype=np.bool_)
    _mark(distinct, workload.starts, network, lane, compute, wanted)
    rows = np.argwhere(wanted.any(axis=(2, 3)))
    entry = np.full(wanted.shape[:2], -1, dtype=np.int64)
    entry[rows[:, 0], rows[:, 1]] = np.arange(len(rows))
    operators = kinds.reshape(-1).view(workload.operators.dtype)
    table = np.empty((len(rows), across, down, COLUMNS), dtype=np.int64)
    with parallel(len(network)):
        _fill(operators, lanes, rows, wanted, ports, table)
    return distinct, lane, entry, table


@compiled()
def _mark(distinct, starts, network, lane, compute, wanted):
    """Marks the arrays on which each (operator, lane) is wanted."""
    for b in range(len(network)):
        for i in range(starts[network[b]], starts[network[b] + 1]):
            wanted[distinct[i], lane[b], compute[b, 0] - 1, compute[b, 1] - 1] = True


@compiled(parallel=True)
def _fill(operators, lanes, rows, wanted, ports, table):
    for r in prange(len(rows)):
        op = operators[rows[r, 0]]
        lane = lanes[rows[r, 1]]
        arrays = wanted[rows[r, 0], rows[r, 1]]
        if op.kind > _DENSE or arrays.sum() > _FEW:
            _fill_all(op, lane, ports, table[r])
            continue
        for x in range(arrays.shape[0]):
            for y in range(arrays.shape[1]):
                if arrays[x, y]:
                    _search(op, lane, x + 1, y + 1, ports, table[r, x, y])


@compiled()
def _fill_all(op, lane, ports, cells):
    """The best mappings for all arrays, each from its smaller neighbours'."""
    units, count, register_file = lane
    for x in range(1, cells.shape[0] + 1):
        for y in range(1, cells.shape[1] + 1):
            best = cells[x - 1, y - 1]
            reset(best)
            if op.kind > _DENSE:
                map_move(op, x * y, count, ports, best)
                continue
            if x > 1:
                _inherit(best, cells[x - 2, y - 1])
            if y > 1:
                _inherit(best, cells[x - 1, y - 2])
            map_multiply(op, x, y, units, count, register_file, ports, best)


@compiled()
def _search(op, lane, pes_x, pes_y, ports, best):
    """The best mapping for one array; from large to small, few sizes can still win."""
    units, count, register_file = lane
    reset(best)
    for x in range(pes_x, 0, -1):
        for y in range(pes_y, 0, -1):
            map_multiply(op, x, y, units, count, register_file, ports, best)


@compiled()
def _inherit(best, old):
    offer(best, old[0], old[1], old[2], old[3], old[4], old[5], old[6])
