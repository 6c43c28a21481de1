"""The pass over a network in running order: memory, I/O and what they cost.

docs/machine.md says what is modelled; this is the arithmetic, for vectors of machines
that differ in V kinds of lanes and W bandwidths and share all else. Bytes and cycles
are whole numbers in float64, as in `mapping.py`; what was fetched ahead may be a
fraction.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from nahas.accelerator import mapping
from nahas.accelerator.compiled import compiled
from nahas.accelerator.lane_use import ceil
from nahas.accelerator.metrics import Limit
from nahas.accelerator.workload import Kind, Workload

# What is summed over a network for each kind of lanes, and the first four for each of
# its operators; then why a pair cannot run.
IO_BYTES, PORT_BYTES, LINK_BYTES, RF_BYTES = range(4)
LIMIT, EXCESS, OPERATOR = range(4, 7)
SUMS = 7
CYCLES, SPILLED, LIVE, FUSED, BOUND_BY, ROW_OF_TABLE, ON_CHIP, DISPATCH = range(4, 12)
ROW = 12

BY_CHIP, BY_IO, BY_DISPATCH, BY_FUSION = range(4)
"""What bounds an operator: its mapping, the I/O, its dispatch, or nothing at all."""

STREAMED, KEPT, FIRST = range(3)
"""Weights cross the I/O each time, or once; the first of the latter inferences."""

_MEMORY, _REGISTERS = int(Limit.LOCAL_MEMORY), int(Limit.REGISTER_FILE)
_REFUSED = int(Limit.REFUSED)
# Rows of the vectors over the kinds of lanes.
_CAPACITY, _KEPT, _TO_FETCH, _LIVE, _TILES, _CHAINED = range(6)
# The same of the operator at hand.
_SPILLED, _STREAMED, _IO, _ON_CHIP, _FOR_LATER, _IO_CYCLES, _TAKEN = range(6, 13)
_STATE = 13


def weight_bytes(workload: Workload) -> NDArray[np.float64]:
    """[N] bytes of int8 weights and int32 biases."""
    ops = workload.operators
    biases = ops["filters"] * (ops["kind"] <= Kind.DENSE)
    total: NDArray[np.float64] = (workload.parameters + 3 * biases).astype(np.float64)
    return total


@compiled(inline="always")
def _read_again(weights, spilled, room):
    """I/O bytes for weights and spilled inputs that do not all fit in `room`."""
    if spilled == 0.0 or weights <= room:
        return weights + spilled
    room = max(room, 1.0)
    return min(
        weights + spilled * ceil(weights, room),
        spilled + weights * ceil(spilled, room),
    )


@compiled()
def _check(first, last, ops, distinct, places, c, table, m, treatment, memory,
           parameter_memory, registers, state, sums):  # fmt: skip
    """Sets tile buffers aside; notes in `sums` what cannot run.

    The tile of activations gets an eighth of a memory, or more; weights, which a
    parameter memory holds where there is one, get another.
    """
    eighth = np.floor(memory / 8.0) if parameter_memory == 0.0 else 0.0
    for v in range(len(registers)):
        state[_TILES, v] = np.floor(memory / 8.0) + eighth
        sums[LIMIT, v], sums[EXCESS, v], sums[OPERATOR, v] = 0.0, 0.0, -1.0
        short = mapping.SMALLEST_REGISTER_FILE - registers[v]
        if short > 0.0:
            sums[LIMIT, v], sums[EXCESS, v] = _REGISTERS, short
            sums[OPERATOR, v] = first
    for i in range(first, last):
        refused = treatment[ops[i].kind] < 0
        tiles = table[places[distinct[i], c], mapping.TILE_BYTES, m]
        for v in range(len(registers)):
            state[_TILES, v] = max(state[_TILES, v], eighth + tiles[v])
            limit, excess = 0.0, 0.0
            if refused:
                limit = _REFUSED
            elif eighth + tiles[v] > memory:
                limit, excess = _MEMORY, eighth + tiles[v] - memory
            if limit > sums[LIMIT, v]:
                sums[LIMIT, v], sums[EXCESS, v], sums[OPERATOR, v] = limit, excess, i
    for v in range(len(registers)):
        state[_TILES, v] = min(state[_TILES, v], memory)


@compiled()
def _gather(i, first, ops, input_starts, inputs, at_hand, state):
    """Bytes of an operator's inputs that are not on chip, of the network's own too."""
    lanes = state.shape[1]
    outside, made = 0.0, 0.0
    state[_SPILLED] = 0.0
    for e in range(input_starts[i], input_starts[i + 1]):
        j = inputs[e]
        if j < 0:
            outside = float(ops[i].height) * ops[i].width * ops[i].channels
        else:
            size = float(ops[j].out_height) * ops[j].out_width * ops[j].filters
            made += size
            for v in range(lanes):
                state[_SPILLED, v] += size - at_hand[j - first, v]
    for v in range(lanes):
        state[_SPILLED, v] += max(outside - made, 0.0)


@compiled()
def _release(j, resident, state):
    """Frees what an output takes of the memory."""
    for v in range(state.shape[1]):
        state[_LIVE, v] -= resident[j, v]
        resident[j, v] = 0.0


@compiled()
def _spend(rate, fixed, instructions, overlap, state, ahead, cycles):
    """Adds an operator's cycles [V] at one bandwidth; its spare I/O fetches ahead."""
    for v in range(len(cycles)):
        fetched = min(ahead[v], state[_STREAMED, v])
        pending = state[_IO, v] - fetched
        io_cycles = ceil(pending, rate)
        if overlap:
            taken = max(state[_ON_CHIP, v], io_cycles) + fixed
            spare = max(taken * rate - pending - instructions, 0.0)
            ahead[v] = min(ahead[v] - fetched + spare, state[_FOR_LATER, v])
        else:
            taken = state[_ON_CHIP, v] + io_cycles + fixed
        state[_IO_CYCLES, v], state[_TAKEN, v] = io_cycles, taken
        cycles[v] += taken


@compiled()
def _note(row, out, place, need, passes, ends, factor, fixed, instructions, records,
          at_hand, state):  # fmt: skip
    """Fills the row [ROW] of an operator that has just run on a single machine."""
    io, on_chip = state[_IO, 0], state[_ON_CHIP, 0]
    copies = records[mapping.COPIES, 0]
    row[CYCLES], row[ON_CHIP], row[DISPATCH] = state[_TAKEN, 0], on_chip, fixed
    row[IO_BYTES] = io + instructions
    row[PORT_BYTES] = io + state[_STREAMED, 0] * (copies - 1.0)
    if factor > 0:
        row[PORT_BYTES] += records[mapping.PORT_BYTES, 0]
        row[LINK_BYTES] = records[mapping.LINK_BYTES, 0]
        row[RF_BYTES] = records[mapping.RF_BYTES, 0]
    row[SPILLED] = out if ends else out - at_hand
    runs = state[_CHAINED, 0] if need > 0.0 else 0.0
    row[LIVE] = state[_LIVE, 0] + runs * need
    row[FUSED] = runs if passes else 0.0
    row[ROW_OF_TABLE] = place
    row[BOUND_BY] = BY_CHIP
    if factor == 0:
        row[BOUND_BY] = BY_FUSION
    elif fixed > max(on_chip, state[_IO_CYCLES, 0]):
        row[BOUND_BY] = BY_DISPATCH
    elif state[_IO_CYCLES, 0] > on_chip:
        row[BOUND_BY] = BY_IO


@compiled()
def _run(
    first, last, ops, input_starts, inputs, last_use, over, weights, passes, needs,
    treatment, settings, peak, distinct, places, c, table, m, pes, memory, registers,
    rates, dispatch, state, resident, at_hand, ahead, cycles, sums, rows,
):  # fmt: skip
    """One network on V x W machines: fills `cycles` [W, V] and `sums` [SUMS, V].

    `dispatch` [W] includes the instructions' way over the I/O. `rows` [N, ROW] is
    filled too where it has rows; then V = W = 1. `state`, `resident`, `at_hand` [N, V]
    (bytes of each output that are alive, and that can be read, on chip) and `ahead`
    [W, V] are scratch.
    """
    use_of_weights, parameter_memory = settings[1], settings[3]
    overlap = settings[4] > 0.0
    lanes = len(registers)
    sums[:] = 0.0
    cycles[:] = 0.0
    ahead[:] = 0.0
    _check(first, last, ops, distinct, places, c, table, m, treatment, memory,
           parameter_memory, registers, state, sums)  # fmt: skip
    total = 0.0
    for i in range(first, last):
        total += weights[i]
    kept = 0.0 if use_of_weights == STREAMED else min(parameter_memory, total)
    beside = parameter_memory - kept
    for v in range(lanes):
        state[_CAPACITY, v] = pes * (memory - state[_TILES, v])
        if use_of_weights != STREAMED and parameter_memory == 0.0:
            kept = min(max(state[_CAPACITY, v] - peak, 0.0), total)
            state[_CAPACITY, v] -= kept
        state[_KEPT, v] = 0.0 if use_of_weights == FIRST else kept
        state[_TO_FETCH, v] = total - state[_KEPT, v]
        state[_LIVE, v] = 0.0
    for i in range(first, last):
        op, n = ops[i], i - first
        factor = treatment[op.kind]
        instructions = settings[2] if factor > 0 else 0.0
        row = places[distinct[i], c]
        records = table[row, :, m]
        out = float(op.out_height) * op.out_width * op.filters
        need, overwrites, ends = needs[i], over[i] - first, last_use[i] == i
        _gather(i, first, ops, input_starts, inputs, at_hand, state)
        if overwrites >= 0:
            _release(overwrites, resident, state)
        for v in range(lanes):
            beside_chain = state[_CAPACITY, v] - state[_LIVE, v] - need
            state[_CHAINED, v] = 1.0 if beside_chain >= 0.0 else 0.0
            room = max(beside_chain, 0.0)
            held = 0.0 if passes[i] else min(out, room)
            resident[n, v] = held
            at_hand[n, v] = out * state[_CHAINED, v] if passes[i] else held
            state[_LIVE, v] += held
            free = room - held
            stays = min(state[_KEPT, v], weights[i])
            state[_KEPT, v] -= stays
            streamed = weights[i] - stays
            lots = free + pes * state[_TILES, v]
            io = _read_again(streamed, state[_SPILLED, v], lots)
            io += out if ends else out - at_hand[n, v]  # what ends leaves the chip
            sums[IO_BYTES, v] += io + instructions
            sums[PORT_BYTES, v] += io + streamed * (records[mapping.COPIES, v] - 1.0)
            state[_ON_CHIP, v] = 0.0
            if factor > 0:
                state[_ON_CHIP, v] = records[mapping.CYCLES, v] * factor
                sums[PORT_BYTES, v] += records[mapping.PORT_BYTES, v]
                sums[LINK_BYTES, v] += records[mapping.LINK_BYTES, v]
                sums[RF_BYTES, v] += records[mapping.RF_BYTES, v]
            state[_IO, v], state[_STREAMED, v] = io, streamed
            # Whatever I/O time is left fetches the weights of later operators.
            state[_TO_FETCH, v] -= streamed
            waits = beside if parameter_memory > 0.0 else free
            later = min(max(waits - streamed, 0.0), state[_TO_FETCH, v])
            state[_FOR_LATER, v] = later
        fixed = 0.0
        for w in range(len(rates)):
            fixed = dispatch[w] if factor > 0 else 0.0
            _spend(rates[w], fixed, instructions, overlap, state, ahead[w], cycles[w])
        if len(rows):
            _note(rows[n], out, row, need, passes[i], ends, factor, fixed, instructions,
                  records, at_hand[n, 0], state)  # fmt: skip
        for e in range(input_starts[i], input_starts[i + 1]):
            if inputs[e] >= 0 and last_use[inputs[e]] == i:
                _release(inputs[e] - first, resident, state)
        if ends:
            _release(n, resident, state)


@compiled(parallel=True)
def run_all(
    ops, input_starts, inputs, starts, last_use, over, weights, passes, needs,
    treatment, settings, peak, distinct, places, table, network, classes, memory_of,
    pes, memory, registers, rates, cycles, sums,
):  # fmt: skip
    """Runs S bundles of a network and V x W machines, in parallel.

    After the workload and its mappings: for each bundle its network, its class of
    machines in `places`, its local memory in `table`; PEs [S], bytes of local memory
    [S] and register files [S, V], bytes of I/O a cycle [S, W]. Fills `cycles` [S, W, V]
    and `sums` [S, SUMS, V].
    """
    lanes, widths = registers.shape[1], rates.shape[1]
    no_rows = np.empty((0, ROW))
    for s in prange(len(network)):
        k = network[s]
        first, last = starts[k], starts[k + 1]
        resident = np.zeros((last - first, lanes))
        at_hand = np.zeros((last - first, lanes))
        state = np.empty((_STATE, lanes))
        ahead = np.empty((widths, lanes))
        _run(
            first, last, ops, input_starts, inputs, last_use, over, weights, passes,
            needs, treatment, settings, peak[k], distinct, places, classes[s], table,
            memory_of[s], pes[s], memory[s], registers[s], rates[s],
            settings[0] + np.ceil(settings[2] / rates[s]), state, resident, at_hand,
            ahead, cycles[s], sums[s], no_rows,
        )  # fmt: skip


@compiled()
def run_rows(
    ops, input_starts, inputs, starts, last_use, over, weights, passes, needs,
    treatment, settings, peak, distinct, places, table, pes, memory, registers, rates,
    rows,
):  # fmt: skip
    """Fills `rows` [N, ROW] of a single pair."""
    resident, at_hand = np.zeros((len(ops), 1)), np.zeros((len(ops), 1))
    state, ahead = np.empty((_STATE, 1)), np.empty((1, 1))
    cycles, sums = np.empty((1, 1)), np.empty((SUMS, 1))
    _run(
        starts[0], starts[1], ops, input_starts, inputs, last_use, over, weights,
        passes, needs, treatment, settings, peak[0], distinct, places, 0, table, 0,
        pes[0], memory[0], registers[0], rates[0],
        settings[0] + np.ceil(settings[2] / rates[0]), state, resident, at_hand,
        ahead, cycles, sums, rows,
    )  # fmt: skip
