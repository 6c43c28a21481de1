"""Least cycles on chip of an operator: no mapping of docs/machine.md goes below.

A mapping problem with fewer terms than `mapping.py`'s. All that may be split over PEs,
lanes and SIMD units is tried, smaller arrays too, with the shares rounded up as whole
work demands; of each, every byte counts once. Left out, as other mappings of the same
split may do without it:

- what a register file too small for sums or weights makes cross the port again;
- what a local memory too small for weights or inputs makes cross the link again;
- the preference for mappings with small tiles;
- input rows and columns that may be padding at the map's rim;
- the units that a last, incomplete group of filters leaves idle.

The event model's counts are no smaller than these either. Cycles are not rounded: a
slow operator's are multiplied first.
"""

import numpy as np
from numba import prange

from nahas.accelerator.compiled import compiled
from nahas.accelerator.workload import Kind

_DENSE, _RESIZE = int(Kind.DENSE), int(Kind.RESIZE)
_POOL, _AVERAGE = int(Kind.POOL), int(Kind.AVERAGE)
_SIGMOID, _LOOKUP = int(Kind.SIGMOID), int(Kind.LOOKUP)
_REDUCE, _MOVE = int(Kind.REDUCE), int(Kind.MOVE)
# Places of the rates in `ports`, and what a level of the machine may split.
_LOCAL, _LANE, _LINK, _TABLE = range(4)
_POSITIONS, _FILTERS, _CHANNELS = range(3)


@compiled(inline="always")
def _share(size, parts):
    return np.ceil(size / parts)


@compiled()
def _rows_read(share, stride, reach, size, out_size):
    """Least rows (or columns) of input of a PE that makes `share` rows of output.

    Of a window that reaches over the map's rim, at most the padding of one side is not
    read: what lies over the other belongs to another PE, or `share` is all.
    """
    padding = max((out_size - 1.0) * stride + reach - size, 0.0)
    needed = (share - 1.0) * stride + reach - np.ceil(padding / 2.0)
    return max(min(needed, size), 1.0)


@compiled()
def _of_split(op, x, y, row, column, units, lanes, ports):
    """Least cycles where y rows of PEs split `row` and x columns split `column`."""
    group_filters = float(op.filters // op.groups)
    taps = float(op.kernel_height * op.kernel_width)
    down = y if row == _POSITIONS else 1.0
    along = x if column == _POSITIONS else 1.0
    parts_f = (y if row == _FILTERS else 1.0) * (x if column == _FILTERS else 1.0)
    parts_c = (y if row == _CHANNELS else 1.0) * (x if column == _CHANNELS else 1.0)
    rows, columns = _share(op.out_height, down), _share(op.out_width, along)
    filters = _share(op.filters, parts_f)
    channels = _share(op.channels // op.groups, parts_c)
    positions, outputs = rows * columns, rows * columns * filters
    words = _share(channels * op.kernel_width, 4.0) * op.kernel_height
    if op.dilation > 1:
        words = _share(channels, 4.0) * taps
    weights = filters * channels * taps

    reach_rows = (op.kernel_height - 1.0) * op.dilation + 1.0
    reach_columns = (op.kernel_width - 1.0) * op.dilation + 1.0
    read = _rows_read(rows, op.stride_height, reach_rows, op.height, op.out_height)
    read *= _rows_read(columns, op.stride_width, reach_columns, op.width, op.out_width)
    read *= min(_share(filters, group_filters) * channels, op.channels)
    own = np.floor(float(op.height) * op.width * op.channels / (x * y))
    sums = np.floor(4.0 * outputs * (parts_c - 1.0) / parts_c)
    link = (max(read - own, 0.0) + weights + sums) / ports[_LINK]
    out_bytes = outputs if parts_c == 1.0 else 9.0 * outputs

    best = np.inf
    for lanes_split_filters in (True, False):
        own_filters, own_positions, apart = filters, positions, 1.0
        if lanes_split_filters:
            own_filters, apart = _share(filters, lanes), lanes
        else:
            own_positions = _share(positions, lanes)
        # Lanes whose filters are all of one group read the same activations.
        readers = lanes
        if lanes_split_filters and filters <= group_filters:
            readers = 1.0
        own_weights = own_filters * channels * taps * apart
        # Broadcast: units differ in filter, a word of activations goes to all.
        whole_groups = np.floor(own_filters / group_filters)
        rest = own_filters - whole_groups * group_filters
        passes = whole_groups * _share(group_filters, units) + _share(rest, units)
        steps = passes * own_positions * words
        through_port = 4.0 * steps * readers + own_weights + out_bytes
        cycles = max(steps, 4.0 * steps / ports[_LANE])
        best = min(best, max(cycles, through_port / ports[_LOCAL]))
        # Spread: units differ in position and share a word of weights.
        steps = own_filters * words * _share(own_positions, units)
        seen = _share(own_filters, group_filters) * channels * taps * own_positions
        through_port = seen * readers + 4.0 * steps * apart + out_bytes
        cycles = max(steps, seen / ports[_LANE])
        best = min(best, max(cycles, through_port / ports[_LOCAL]))
    return max(best, link)


@compiled()
def _of_move(op, pes, lanes, ports):
    """Least cycles of an operator without weights: each byte once, all PEs at work."""
    out = float(op.out_height) * op.out_width * op.filters
    read = float(op.height) * op.width * op.channels
    if op.kind == _POOL or op.kind == _AVERAGE or op.kind == _RESIZE:
        read = out * op.kernel_height * op.kernel_width
    cycles = max(
        read / (pes * lanes * ports[_LANE]),
        (read + out) / (pes * ports[_LOCAL]),
    )
    if op.kind == _MOVE or op.kind == _REDUCE:
        cycles = max(cycles, read / (pes * ports[_LINK]))
    if _SIGMOID <= op.kind <= _LOOKUP:
        cycles = max(cycles, read / (pes * ports[_TABLE]))
    return cycles


@compiled()
def _of_operator(op, across, down, units, lanes, ports):
    if op.kind > _DENSE:
        return _of_move(op, float(across * down), lanes, ports)
    depth = float(op.channels // op.groups) * op.kernel_height * op.kernel_width
    macs = float(op.out_height) * op.out_width * op.filters * depth
    best = np.inf
    for x in range(across, 0, -1):
        for y in range(down, 0, -1):
            # So few PEs cannot do the MACs in the time.
            if macs > best * 4.0 * units * lanes * (x * y):
                break
            for row in range(3):
                for column in range(3):
                    found = _of_split(
                        op, float(x), float(y), row, column, units, lanes, ports
                    )
                    best = min(best, found)
    return best


@compiled(parallel=True)
def fill(operators, machines, wanted, ports, table):
    """Fills `table` [rows] with the least cycles of operators on machines.

    Args:
        operators: [U] records of `OPERATOR_DTYPE`.
        machines: [C, 4] columns and rows of PEs, units of a lane that its register file
            has room for, lanes.
        wanted: [rows, 2] which operator on which machine.
        ports: [4] local port, lane port, link and look-ups, a cycle.
        table: [rows] to be filled.
    """
    for i in prange(len(wanted)):
        machine = machines[wanted[i, 1]]
        table[i] = _of_operator(
            operators[wanted[i, 0]], machine[0], machine[1], float(machine[2]),
            float(machine[3]), ports,
        )  # fmt: skip
