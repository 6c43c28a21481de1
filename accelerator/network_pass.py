"""The pass over a network in running order: memory, I/O and what they cost.

`cost_model.py` says what is modelled; this is the arithmetic, in integers.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from nahas.accelerator import mapping
from nahas.accelerator.compiled import compiled
from nahas.accelerator.metrics import Limit
from nahas.accelerator.workload import Kind, Workload

# Columns of a pair's totals and, the first five, of an operator's row.
CYCLES, PORT_BYTES, RF_BYTES, LINK_BYTES, IO_BYTES = range(5)
LIMIT, EXCESS, OPERATOR = range(5, 8)
TOTALS = 8
SPILLED, LIVE, MAPPING, BOUND_BY = range(5, 9)
ROW = 9

_MICRO = 1_000_000
"""What is fetched ahead is counted in millionths of a byte: nothing is rounded away."""

BY_CHIP, BY_IO, BY_DISPATCH, BY_FUSION = range(4)
"""What bounds an operator: its mapping, the I/O, its dispatch, or nothing at all."""

_M_CYCLES, _M_TILE, _M_COPIES = mapping.CYCLES, mapping.TILE_BYTES, mapping.COPIES
_M_PORT, _M_RF, _M_LINK = mapping.PORT_BYTES, mapping.RF_BYTES, mapping.LINK_BYTES
_M_CODE, _UNMAPPED = mapping.CODE, int(mapping.UNMAPPED)
_MEMORY, _REGISTERS = int(Limit.LOCAL_MEMORY), int(Limit.REGISTER_FILE)
_REFUSED = int(Limit.REFUSED)


def weight_bytes(workload: Workload) -> NDArray[np.int64]:
    """[N] bytes of int8 weights and int32 biases."""
    ops = workload.operators
    biases: NDArray[np.int64] = ops["filters"] * (ops["kind"] <= Kind.DENSE)
    return workload.parameters + 3 * biases


def output_bytes(workload: Workload) -> NDArray[np.int64]:
    """[N] bytes of each operator's output."""
    ops = workload.operators
    size: NDArray[np.int64] = ops["out_height"] * ops["out_width"] * ops["filters"]
    return size


def peak_live_bytes(workload: Workload) -> NDArray[np.int64]:
    """[K] the most bytes of activations alive at once, each from birth to last use."""
    size = output_bytes(workload)
    change = np.zeros(len(workload) + 1, dtype=np.int64)
    np.add.at(change, np.arange(len(workload)), size)
    np.add.at(change, workload.last_use + 1, -size)
    return np.maximum.reduceat(np.cumsum(change)[:-1], workload.starts[:-1])


@compiled(inline="always")
def _ceil(a, b):
    return (a + b - 1) // b


@compiled()
def _reserve(
    first, last, distinct, entry, table, x, y, memory, registers, treatment, ops, total
):  # fmt: skip
    """Bytes of a PE's memory set aside for tiles; notes what cannot run in `total`."""
    reserve = memory // 4
    for i in range(first, last):
        limit, excess = 0, 0
        chosen = table[entry[distinct[i]], x, y]
        if treatment[ops[i].kind] < 0:
            limit = _REFUSED
        elif chosen[_M_CYCLES] == _UNMAPPED:
            limit, excess = _REGISTERS, chosen[_M_RF] - registers
        else:
            reserve = max(reserve, chosen[_M_TILE])
            if chosen[_M_TILE] > memory:
                limit, excess = _MEMORY, chosen[_M_TILE] - memory
        if limit > total[LIMIT]:
            total[LIMIT], total[EXCESS], total[OPERATOR] = limit, excess, i
    return min(reserve, memory)


@compiled()
def _read_again(weights, copies, spilled, room):
    """I/O bytes for weights and spilled inputs that do not all fit in `room`."""
    held = weights * copies
    if spilled == 0 or held <= room:
        return weights + spilled
    room = max(room, 1)
    return min(
        weights + spilled * _ceil(held, room),
        spilled + weights * _ceil(spilled, room),
    )


@compiled()
def _run(
    first, last, ops, input_starts, inputs, last_use, weights, treatment, settings,
    peak, x, y, memory, registers, rate, distinct, entry, table, resident, total, rows,
):  # fmt: skip
    """One pair: adds to `total` [TOTALS] and fills `rows` [N, ROW] where it has rows.

    `resident` [N] is scratch: bytes of each output that are on chip.
    """
    pes = x * y
    reserve = _reserve(
        first,
        last,
        distinct,
        entry,
        table,
        x - 1,
        y - 1,
        memory,
        registers,
        treatment,
        ops,
        total,
    )
    if total[LIMIT] > _MEMORY:
        return
    capacity = pes * (memory - reserve)
    kept = 0
    if settings[1]:
        kept = max(capacity - peak, 0)
    to_fetch = 0
    for i in range(first, last):
        to_fetch += weights[i]
    # Weights stay where they are first come, first served.
    kept = min(kept, to_fetch)
    to_fetch -= kept
    capacity -= kept
    live, ahead = 0, 0
    for i in range(first, last):
        op = ops[i]
        factor = treatment[op.kind]
        chosen = table[entry[distinct[i]], x - 1, y - 1]
        spilled = 0
        for e in range(input_starts[i], input_starts[i + 1]):
            j = inputs[e]
            if j < 0:
                spilled += op.height * op.width * op.channels
            else:
                size = ops[j].out_height * ops[j].out_width * ops[j].filters
                spilled += size - resident[j - first]
        out = op.out_height * op.out_width * op.filters
        fits = min(out, max(capacity - live, 0))
        resident[i - first] = fits
        live += fits
        free = max(capacity - live, 0)
        stays = min(kept, weights[i])
        kept -= stays
        streamed = weights[i] - stays
        copies = chosen[_M_COPIES]
        io_bytes = _read_again(streamed, copies, spilled, free + pes * reserve)
        io_bytes += out if i == last - 1 else out - fits
        fetched = min(ahead, streamed * _MICRO)
        pending = io_bytes * _MICRO - fetched
        io_cycles = _ceil(pending, rate)
        on_chip = chosen[_M_CYCLES] * factor
        dispatch = settings[0] if factor > 0 else 0
        cycles = max(on_chip, io_cycles) + dispatch
        # Whatever I/O time is left fetches the weights of later operators.
        to_fetch -= streamed
        room = min(max(free - streamed * copies, 0), to_fetch) * _MICRO
        ahead = min(ahead - fetched + cycles * rate - pending, room)
        arriving = io_bytes + streamed * (copies - 1)
        total[CYCLES] += cycles
        total[IO_BYTES] += io_bytes
        total[PORT_BYTES] += arriving
        if factor > 0:
            total[PORT_BYTES] += chosen[_M_PORT]
            total[RF_BYTES] += chosen[_M_RF]
            total[LINK_BYTES] += chosen[_M_LINK]
        if len(rows):
            row = rows[i - first]
            row[CYCLES], row[IO_BYTES] = cycles, io_bytes
            row[PORT_BYTES] = arriving
            if factor > 0:
                row[PORT_BYTES] += chosen[_M_PORT]
                row[RF_BYTES], row[LINK_BYTES] = chosen[_M_RF], chosen[_M_LINK]
            row[SPILLED], row[LIVE] = out - fits, live
            row[MAPPING] = chosen[_M_CODE]
            row[BOUND_BY] = BY_CHIP
            if factor == 0:
                row[BOUND_BY] = BY_FUSION
            elif dispatch > max(on_chip, io_cycles):
                row[BOUND_BY] = BY_DISPATCH
            elif io_cycles > on_chip:
                row[BOUND_BY] = BY_IO
        for e in range(input_starts[i], input_starts[i + 1]):
            j = inputs[e]
            if j >= 0 and last_use[j] == i:
                live -= resident[j - first]
                resident[j - first] = 0
        if last_use[i] == i:
            live -= resident[i - first]
            resident[i - first] = 0


@compiled(parallel=True)
def run_all(
    ops, input_starts, inputs, starts, last_use, weights, treatment, settings, peak,
    network, compute, memory, rate, distinct, lane, entry, table, totals,
):  # fmt: skip
    """Fills `totals` [B, TOTALS], pairs in parallel."""
    no_rows = np.empty((0, ROW), dtype=np.int64)
    for b in prange(len(network)):
        first, last = starts[network[b]], starts[network[b] + 1]
        resident = np.zeros(last - first, dtype=np.int64)
        _run(
            first, last, ops, input_starts, inputs, last_use, weights, treatment,
            settings, peak[network[b]], compute[b, 0], compute[b, 1], memory[b],
            compute[b, 4], rate[b], distinct, entry[:, lane[b]], table, resident,
            totals[b], no_rows,
        )  # fmt: skip


@compiled()
def run_rows(
    ops, input_starts, inputs, starts, last_use, weights, treatment, settings, peak,
    network, compute, memory, rate, distinct, lane, entry, table, rows,
):  # fmt: skip
    """Fills `rows` [N, ROW] of a single pair."""
    total = np.zeros(TOTALS, dtype=np.int64)
    resident = np.zeros(len(ops), dtype=np.int64)
    _run(
        starts[0], starts[1], ops, input_starts, inputs, last_use, weights, treatment,
        settings, peak[0], compute[0, 0], compute[0, 1], memory[0], compute[0, 4],
        rate[0], distinct, entry[:, lane[0]], table, resident, total, rows,
    )  # fmt: skip
