"""Mapping: how one operator is spread over PEs, lanes and SIMD units.

An operator that multiplies (convolution, depthwise, dense) is mapped by choosing

- for the PE rows: output rows, filters or input channels; for the PE columns: output
  columns, filters or input channels. Positions split over PEs replicate the weights and
  exchange halos, filters multicast the activations, input channels cost a reduction of
  int32 partial sums over the interconnect;
- for the lanes of a PE: filters or output positions;
- for the SIMD units of a lane: *broadcast*, one word of 4 input channels feeds units
  that differ in filter; or *spread*, units differ in output position, share a weight
  word, and each needs a word of its own through the lane's read port;
- for the register file, double-buffered: *output stationary* (partial sums of as many
  positions as fit; weights are read again for each such tile) or *weight stationary*
  (weights of as much of the reduction as fits; partial sums leave and return for each
  further piece).

Depthwise convolution has no input that filters share, so broadcast keeps one unit in
`simd_units` busy and spread is bound by the read port: it runs at `lane_port_bytes`
MACs a cycle and lane. Other operators only move bytes, spread over all PEs and lanes.

Every figure is an integer, so that one pair and a batch agree to the bit. The fastest
mapping may leave PEs idle: more PEs are never slower.
"""

import numpy as np

from nahas.accelerator.compiled import compiled
from nahas.accelerator.workload import Kind

# Columns of a mapping's record, in the order in which ties are broken.
CYCLES, PORT_BYTES, RF_BYTES, LINK_BYTES, TILE_BYTES, COPIES, CODE = range(7)
COLUMNS = 7

SMALL_TILE = 65536
"""Bytes of a PE's tile below which a mapping need not shrink further.

The fastest mapping among those with a tile this small is taken, else the one with the
smallest tile: with 0.25 MiB of local memory or more, tiles then leave most of it to the
activations, and the choice does not depend on the memory."""

UNMAPPED = np.iinfo(np.int64).max
"""Cycles of an operator for which no mapping was found.

Its record then holds under `RF_BYTES` the register file that a mapping would need."""

# What bounds a mapping, its code's remainder by 8.
COMPUTE, LANE_PORT, LOCAL_PORT, LINK, LOOKUP = range(5)
BOUNDS = ("compute", "lane port", "local memory port", "interconnect", "table look-up")

_ROWS = ("rows", "filters", "channels")
_COLUMNS = ("columns", "filters", "channels")
_POSITIONS, _FILTERS, _CHANNELS = range(3)
_BROADCAST_OUTPUT, _BROADCAST_WEIGHT, _SPREAD = range(3)
_STYLES = ("broadcast, output stationary", "broadcast, weight stationary", "spread")

_LOOKUPS = (int(Kind.SIGMOID), int(Kind.SWISH), int(Kind.HSWISH))
_SIGMOID, _SWISH, _HSWISH = _LOOKUPS
_DENSE, _POOL, _ADD = int(Kind.DENSE), int(Kind.POOL), int(Kind.ADD)


def describe(code: int) -> tuple[str, str]:
    """What a mapping's code means: its choices, and what bounds it.

    >>> describe(0)
    ('PE rows x columns, lanes on filters, broadcast, output stationary', 'compute')
    """
    mapping, bound = divmod(int(code), 8)
    mapping, style = divmod(mapping, 3)
    mapping, lane = divmod(mapping, 2)
    column, row = divmod(mapping, 3)
    lanes = ("filters", "positions")[lane]
    pes = f"PE {_ROWS[row]} x {_COLUMNS[column]}"
    return f"{pes}, lanes on {lanes}, {_STYLES[style]}", BOUNDS[bound]


@compiled(inline="always")
def _ceil(a, b):
    return (a + b - 1) // b


@compiled()
def offer(best, cycles, port, rf, link, tile, copies, code):
    """Keeps a mapping where it beats the record; ties fall to the next column."""
    shrunk, held = max(tile, SMALL_TILE), max(best[TILE_BYTES], SMALL_TILE)
    if shrunk > held:
        return
    record = (cycles, port, rf, link, tile, copies, code)
    better = shrunk < held
    if not better:
        for c in range(COLUMNS):
            if record[c] != best[c]:
                better = record[c] < best[c]
                break
    if better:
        for c in range(COLUMNS):
            best[c] = record[c]


@compiled()
def _too_small(best, used):
    """Notes in a record without a mapping the least register file that would do.

    A weight word and a partial sum of 4 bytes each for every unit used, twice.
    """
    if best[CYCLES] == UNMAPPED:
        best[RF_BYTES] = min(best[RF_BYTES], 16 * used)


@compiled()
def _bound(compute, lane, port, link):
    cycles = max(max(compute, lane), max(port, link))
    if cycles == compute:
        return cycles, COMPUTE
    if cycles == lane:
        return cycles, LANE_PORT
    if cycles == port:
        return cycles, LOCAL_PORT
    return cycles, LINK


@compiled()
def _peak_rate(group_filters, group_channels, units, lane_port):
    """MACs a cycle and lane that no mapping exceeds."""
    word = min(group_channels, 4)
    broadcast = word * min(units, group_filters)
    spread = min(word * units, group_filters * lane_port)
    return max(broadcast, spread)


@compiled()
def map_multiply(op, pes_x, pes_y, units, lanes, rf_bytes, ports, best):
    """Offers `best` [COLUMNS] every mapping that uses all of pes_x x pes_y PEs.

    `ports` is (local port, lane port, link, look-ups), a cycle.
    """
    local_port, lane_port, link_port = ports[0], ports[1], ports[2]
    group_filters = op.filters // op.groups
    group_channels = op.channels // op.groups
    taps = op.kernel_height * op.kernel_width
    macs = op.out_height * op.out_width * op.filters * group_channels * taps
    rate = _peak_rate(group_filters, group_channels, units, lane_port)
    soonest = _ceil(macs, pes_x * pes_y * lanes * rate)
    if soonest > best[CYCLES] and best[TILE_BYTES] <= SMALL_TILE:
        return
    half = rf_bytes // 2  # double-buffered
    share = op.height * op.width * op.channels // (pes_x * pes_y)
    for row in range(3):
        for column in range(3):
            split_rows = pes_y if row == _POSITIONS else 1
            split_columns = pes_x if column == _POSITIONS else 1
            split_filters, split_channels = 1, 1
            if row == _FILTERS:
                split_filters *= pes_y
            elif row == _CHANNELS:
                split_channels *= pes_y
            if column == _FILTERS:
                split_filters *= pes_x
            elif column == _CHANNELS:
                split_channels *= pes_x
            if split_channels > group_channels:
                continue
            rows = _ceil(op.out_height, split_rows)
            columns = _ceil(op.out_width, split_columns)
            filters = _ceil(op.filters, split_filters)
            channels = _ceil(group_channels, split_channels)
            positions = rows * columns
            depth = _ceil(channels, 4) * taps
            groups = _ceil(filters, group_filters)
            in_rows = min((rows - 1) * op.stride + op.kernel_height, op.height)
            in_columns = min((columns - 1) * op.stride + op.kernel_width, op.width)
            need = in_rows * in_columns * min(groups * channels, op.channels)
            weights = filters * channels * taps
            received = max(need - share, 0) + weights
            outputs = positions * filters
            sums = 0
            if split_channels > 1:
                sums = 4 * outputs * (split_channels - 1) // split_channels
            link = received + sums
            link_cycles = _ceil(link, link_port)
            copies = split_rows * split_columns
            pes = pes_x * pes_y
            output_bytes = outputs if split_channels == 1 else outputs + 8 * outputs
            for lane in range(2):
                lane_filters = _ceil(filters, lanes) if lane == 0 else filters
                lane_positions = positions if lane == 0 else _ceil(positions, lanes)
                in_group = min(lane_filters, group_filters)
                lane_groups = _ceil(lane_filters, group_filters)
                shared = lane == 0 and filters <= group_filters
                streams = 1 if shared else lanes
                weight_streams = lanes if lane == 0 else 1
                lane_weights = lane_filters * channels * taps
                base = ((column * 3 + row) * 2 + lane) * 3
                in_row = min(op.kernel_height, in_rows) * in_columns

                # Units differ in filter; one word of 4 channels a cycle is broadcast.
                passes = _ceil(in_group, units)
                used = _ceil(in_group, passes)
                compute = lane_groups * passes * lane_positions * depth
                beaten = compute > best[CYCLES] and best[TILE_BYTES] <= SMALL_TILE
                held = half // (4 * used) - 1
                if held < 1:
                    _too_small(best, used)
                elif not beaten:
                    words = 4 * compute
                    lane_cycles = _ceil(words, lane_port)
                    tile_channels = _ceil(used, group_filters) * channels
                    tile = 2 * (in_row * tile_channels + used * channels * taps
                                + columns * used)  # fmt: skip
                    rereads = _ceil(lane_positions, min(held, lane_positions))
                    port = (words * streams + lane_weights * weight_streams * rereads
                            + output_bytes)  # fmt: skip
                    cycles, bound = _bound(
                        compute, lane_cycles, _ceil(port, local_port), link_cycles
                    )
                    offer(
                        best, cycles, port * pes, 8 * used * compute * lanes * pes,
                        link * pes, tile, copies,
                        (base + _BROADCAST_OUTPUT) * 8 + bound,
                    )  # fmt: skip
                    pieces = _ceil(depth, min(held, depth))
                    port = (words * streams + lane_weights * weight_streams
                            + 8 * outputs * (pieces - 1) + output_bytes)  # fmt: skip
                    cycles, bound = _bound(
                        compute, lane_cycles, _ceil(port, local_port), link_cycles
                    )
                    offer(
                        best, cycles, port * pes, 4 * used * compute * lanes * pes,
                        link * pes, tile, copies,
                        (base + _BROADCAST_WEIGHT) * 8 + bound,
                    )  # fmt: skip

                # Units differ in position; each reads words of its own.
                passes = _ceil(lane_positions, units)
                used = _ceil(lane_positions, passes)
                held = half // (4 * used) - 1
                if held < 1:
                    _too_small(best, used)
                    continue
                compute = lane_filters * depth * passes
                read = (lane_groups * channels * taps * lane_positions
                        * _ceil(in_group, min(held, in_group)))  # fmt: skip
                tile_filters = min(filters, lanes)
                tile_channels = _ceil(tile_filters, group_filters) * channels
                tile = 2 * (in_row * tile_channels + tile_filters * channels * taps
                            + columns * tile_filters)  # fmt: skip
                port = read * streams + 4 * compute * weight_streams + output_bytes
                cycles, bound = _bound(
                    compute, _ceil(read, lane_port), _ceil(port, local_port),
                    link_cycles,
                )  # fmt: skip
                offer(
                    best, cycles, port * pes, 8 * used * compute * lanes * pes,
                    link * pes, tile, copies, (base + _SPREAD) * 8 + bound,
                )  # fmt: skip


@compiled()
def map_move(op, pes, lanes, ports, best):
    """Records an operator without weights, spread over all PEs and lanes."""
    local_port, lane_port, lookups = ports[0], ports[1], ports[3]
    out = op.out_height * op.out_width * op.filters
    elements = op.height * op.width * op.channels
    if op.kind == _POOL:
        elements = out * op.kernel_height * op.kernel_width
    elif op.kind == _ADD:
        elements = 2 * out
    lane_cycles = _ceil(_ceil(elements, pes * lanes), lane_port)
    port_cycles = _ceil(_ceil(elements + out, pes), local_port)
    table_cycles = 0
    if op.kind == _SIGMOID or op.kind == _SWISH or op.kind == _HSWISH:
        table_cycles = _ceil(_ceil(elements, pes), lookups)
    cycles, bound = _bound(0, lane_cycles, port_cycles, 0)
    if table_cycles > cycles:
        cycles, bound = table_cycles, LOOKUP
    # One row of the map, 64 channels at a time.
    tile = 2 * (op.width + op.out_width) * min(max(op.channels, op.filters), 64)
    offer(best, cycles, elements + out, 0, 0, tile, 1, bound)


@compiled()
def reset(best):
    """Clears `best` [COLUMNS] before the first offer."""
    best[:] = UNMAPPED
