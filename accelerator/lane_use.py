"""Lane use: how one PE works off its share of an operator, for V kinds of lanes.

The lanes take filters or positions, their SIMD units filters (broadcast) or positions
(spread), their register files sums or weights; docs/machine.md says what each costs.
"""

import numpy as np

from nahas.accelerator.compiled import compiled
from nahas.accelerator.mapping_code import COMPUTE_BOUND, LANE_BOUND, LOCAL_BOUND

SMALL_TILE = 65536.0
"""Bytes of a PE's tile below which a mapping need not shrink further.

The fastest mapping among those with a tile this small is taken, else the one with the
smallest tile: with 0.25 MiB of local memory or more, tiles then leave most of it to the
activations."""

# Ports, a cycle.
LOCAL_PORT, LANE_PORT, LINK, LOOKUPS = range(4)

# Columns of the scratch: the best use of the lanes for one way of splitting over PEs.
CYCLES, PORT, RF, TILE, CODE = range(5)
# Groups of filters that work at a time, bytes of their weights, and how often all
# weights are read where positions come first.
GROUPS, GROUP_BYTES, SWEEPS = range(5, 8)
SCRATCH = 8


@compiled(inline="always")
def ceil(a, b):
    """The quotient, rounded up."""
    return np.ceil(a / b)


@compiled()
def use_lanes(
    lane, filters, positions, columns, channels, depth, taps, group_filters, outputs,
    out_bytes, in_row, code, units, lanes, halves, ports, scratch,
):  # fmt: skip
    """Keeps in `scratch` the best use of the lanes of a PE with the given share."""
    local_port, lane_port = ports[LOCAL_PORT], ports[LANE_PORT]
    one_group = filters <= group_filters
    for v in range(len(units)):
        count, half = lanes[v], halves[v]
        lane_filters = ceil(filters, count) if lane == 0 else filters
        lane_positions = positions if lane == 0 else ceil(positions, count)
        in_group = min(lane_filters, group_filters)
        lane_groups = ceil(lane_filters, group_filters)
        streams = 1.0 if lane == 0 and one_group else count
        weight_streams = count if lane == 0 else 1.0
        lane_weights = lane_filters * channels * taps
        # Units whose weight word and sum find no place stay idle.
        working = max(min(units[v], np.floor(half / 8.0)), 1.0)

        # Units differ in filter; one word of activations a cycle is broadcast.
        passes = ceil(in_group, working)
        used = ceil(in_group, passes)
        compute = lane_groups * passes * lane_positions * depth
        held = max(np.floor(half / (4.0 * used)) - 1.0, 1.0)
        words = 4.0 * compute
        tile_channels = ceil(used, group_filters) * channels
        tile = 2.0 * (in_row * tile_channels + columns * used)
        least = max(compute, ceil(words, lane_port))
        shared = words * streams + lane_weights * weight_streams + out_bytes
        rereads = ceil(lane_positions, min(held, lane_positions))
        output_port = shared + lane_weights * weight_streams * (rereads - 1.0)
        pieces = ceil(depth, min(held, depth))
        weight_port = shared + 8.0 * outputs * (pieces - 1.0)
        by_output = weight_port >= output_port
        port = min(output_port, weight_port)
        cycles = max(least, ceil(port, local_port))
        register = (8.0 if by_output else 4.0) * used * compute * count
        bound = LOCAL_BOUND if cycles > least else LANE_BOUND
        bound = COMPUTE_BOUND if cycles == compute else bound
        choice = (0.0 if by_output else 24.0) + bound
        group_bytes = used * weight_streams * channels * taps
        group_bytes = group_bytes if by_output else np.inf
        sweeps = rereads if by_output else np.inf
        group_count = lane_groups * passes

        # Units differ in position; each reads activations of its own.
        s_passes = ceil(lane_positions, working)
        s_used = ceil(lane_positions, s_passes)
        s_held = max(np.floor(half / (4.0 * s_used)) - 1.0, 1.0)
        s_compute = lane_filters * depth * s_passes
        read = (lane_groups * channels * taps * lane_positions
                * ceil(in_group, min(s_held, in_group)))  # fmt: skip
        row_filters = min(filters, count)
        s_tile = 2.0 * (
            in_row * ceil(row_filters, group_filters) * channels + columns * row_filters
        )
        s_port = read * streams + 4.0 * s_compute * weight_streams + out_bytes
        s_least = max(s_compute, ceil(read, lane_port))
        s_cycles = max(s_least, ceil(s_port, local_port))
        s_bound = LOCAL_BOUND if s_cycles > s_least else LANE_BOUND
        s_bound = COMPUTE_BOUND if s_cycles == s_compute else s_bound
        s_register = 8.0 * s_used * s_compute * count

        size, s_size = max(tile, SMALL_TILE), max(s_tile, SMALL_TILE)
        spread = s_size < size or (
            s_size == size
            and (s_cycles < cycles or (s_cycles == cycles and s_port < port))
        )
        cycles = s_cycles if spread else cycles
        port = s_port if spread else port
        register = s_register if spread else register
        tile = s_tile if spread else tile
        choice = 48.0 + s_bound if spread else choice
        group_count = lane_filters if spread else group_count
        group_bytes = weight_streams * channels * taps if spread else group_bytes
        sweeps = s_passes if spread else sweeps
        size = s_size if spread else size
        old = max(scratch[TILE, v], SMALL_TILE)
        better = size < old or (
            size == old
            and (
                cycles < scratch[CYCLES, v]
                or (cycles == scratch[CYCLES, v] and port < scratch[PORT, v])
            )
        )
        scratch[CYCLES, v] = cycles if better else scratch[CYCLES, v]
        scratch[PORT, v] = port if better else scratch[PORT, v]
        scratch[RF, v] = register if better else scratch[RF, v]
        scratch[TILE, v] = tile if better else scratch[TILE, v]
        scratch[CODE, v] = code + choice if better else scratch[CODE, v]
        scratch[GROUPS, v] = group_count if better else scratch[GROUPS, v]
        scratch[GROUP_BYTES, v] = group_bytes if better else scratch[GROUP_BYTES, v]
        scratch[SWEEPS, v] = sweeps if better else scratch[SWEEPS, v]
