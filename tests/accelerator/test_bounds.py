"""Lower bounds: counts by hand, limits, and defects that go below them."""

from dataclasses import fields, replace

import numpy as np
import pytest

from nahas.accelerator.bounds import lower_bounds
from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE, accelerator_at, grid_shape
from nahas.accelerator.template import Accelerator, Capabilities, Platform
from nahas.accelerator.workload import Kind, Operator, workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

TINY = Accelerator(1, 1, 16, 1, 0.5, 8.0, 20.0)
"""One lane of 16 units; at 800 MHz 20 GB/s are 25 bytes a cycle."""

ENDLESS = 1e6


def conv(size, channels, filters, kernel=1, stride=1, groups=1, inputs=(-1,)):
    kind = Kind.DEPTHWISE if groups == channels == filters > 1 else Kind.CONV
    out = -(-size // stride)
    return Operator("conv", kind, inputs, size, size, channels, out, out, filters,
                    kernel, kernel, stride, stride, groups)  # fmt: skip


def dense(channels, filters, inputs=(-1,)):
    return Operator("fc", Kind.DENSE, inputs, 1, 1, channels, 1, 1, filters)


def element_wise(kind, size, channels, maps=1):
    return Operator(kind.name.lower(), kind, (-1,), size, size, maps * channels, size,
                    size, channels)  # fmt: skip


def cycles(operators, accelerator=TINY, **platform):
    """The bound of a network, in cycles."""
    platform = Platform(**platform)
    found = lower_bounds(workload([operators]), [accelerator], platform)
    return round(found.latency_ms[0] * platform.clock_mhz * 1e3)


def on_chip(op, accelerator=TINY, **platform):
    found = lower_bounds(workload([[op]]), [accelerator], Platform(**platform))
    return np.ceil(found.on_chip_cycles[0, 0])


def test_dense_layer_by_hand():
    op = dense(2048, 1000)
    # All 2,048,000 weights over one link of 32 bytes a cycle.
    assert on_chip(op) == 64_000
    # Else 63 groups of 16 filters, 512 words each: words, weights and results through
    # the port of local memory.
    port = -(-(4 * 63 * 512 + 2_048_000 + 1000) // 64)
    assert on_chip(op, link_bytes=10**6) == port
    # Else the lane port reads a word of 4 bytes a step, and last come the steps.
    wide = {"link_bytes": 10**6, "local_port_bytes": 10**6}
    assert on_chip(op, **wide, lane_port_bytes=2) == 2 * 63 * 512
    assert on_chip(op, **wide) == 63 * 512
    # Weights, biases, input and output at 25 bytes a cycle, and the dispatch.
    read = 2_048_000 + 4000 + 2048 + 1000
    assert cycles([op]) == -(-read // 25) + 1000


def test_pointwise_convolution_by_hand():
    """The example of docs/machine.md: 64 positions x 4 words x 1 group of filters."""
    assert on_chip(conv(8, 16, 16)) == 256
    assert cycles([conv(8, 16, 16)]) == 1256
    # 17 filters are two groups of 16 units, or 64 positions are four.
    assert on_chip(conv(8, 16, 17)) == 17 * 4 * 4
    # Two PEs halve three columns to 2 and 1, or 64 filters to 32; channels of a single
    # word they cannot halve.
    pair = replace(TINY, pes_x=2)
    assert on_chip(conv(3, 4, 16), pair) == 3 * 2
    assert on_chip(conv(3, 4, 64), pair) == 3 * 3 * 2


def test_depthwise_convolution_by_hand():
    """Units spread over positions read 8 bytes a cycle, whatever their number."""
    op = conv(32, 8, 8, kernel=3, groups=8)
    macs = 32 * 32 * 8 * 9
    assert on_chip(op) == macs / 8
    assert on_chip(op, replace(TINY, simd_units=128)) == macs / 8
    assert cycles([op]) == macs / 8 + 1000
    # With a wider port a row of 3 taps is a word that 16 positions share.
    wide = {"lane_port_bytes": 10**6, "local_port_bytes": 10**6}
    assert on_chip(op, **wide) == 8 * 3 * 64


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (element_wise(Kind.ADD, 16, 64, maps=2), 2 * 16 * 16 * 64 / 8),
        (element_wise(Kind.SWISH, 16, 64), 16 * 16 * 64 / 8),
        (element_wise(Kind.MOVE, 16, 64), 16 * 16 * 64 / 8),
        (replace(conv(8, 8, 8, 2, 2, 8), kind=Kind.POOL), 4 * 4 * 8 * 4 / 8),
        (replace(conv(8, 8, 8, 2, 2, 8), kind=Kind.AVERAGE), 4 * 4 * 8 * 4 / 8),
    ],
)
def test_operators_without_weights_by_hand(op, expected):
    assert on_chip(op) == expected


def test_table_links_and_port_bound_them_too():
    swish, move = element_wise(Kind.SWISH, 16, 64), element_wise(Kind.MOVE, 16, 64)
    elements = 16 * 16 * 64
    assert on_chip(swish, lookup_elements=4) == elements / 4
    assert on_chip(move, link_bytes=4) == elements / 4
    assert on_chip(swish, local_port_bytes=8) == 2 * elements / 8


def test_a_network_by_hand_is_bound_by_its_bytes_or_its_operators():
    operators = [conv(8, 16, 16), replace(dense(1024, 1000), inputs=(0,))]
    weights = 256 + 64, 1_024_000 + 4000
    # Read first: input and first weights; then the rest, all the while. The output
    # ends before the last dispatch, which overlaps with none of its operator's bytes.
    moved = 1024 + sum(weights) + 1000
    assert cycles(operators) == -(-moved // 25) + 1000
    wide = replace(TINY, io_bandwidth_gbps=ENDLESS)
    assert cycles(operators, wide) == 256 + 1000 + 32_000 + 1000
    assert cycles(operators, host_ms=1.0) == -(-moved // 25) + 1000 + 800_000


def test_memory_limits_what_comes_ahead_of_a_slow_operator():
    slow = conv(32, 64, 64, kernel=3)
    half = replace(TINY, io_bandwidth_gbps=10.0)  # 12.5 bytes a cycle
    alone = cycles([slow], half)
    assert alone == 32 * 32 * 144 * 4 + 1000
    last = replace(dense(65_536, 16), inputs=(0,))
    weights = 65_536 * 16 + 64
    assert (alone - 1000) * 12.5 > 65_536 + weights
    # Three quarters of the memory, beside the weights of the slow one.
    room = 512 * 1024 * 3 // 4 - 64 * (576 + 4)
    rest = weights - room + 16
    assert cycles([slow, last], half) == alone + np.ceil(rest / 12.5) + 1000
    # With room for all, it only waits for its own turn on chip.
    roomy = replace(half, local_memory_mib=4)
    assert cycles([slow, last], roomy) == alone + 65_536 * 16 / 32 + 1000


def test_activations_that_cannot_fit_cross_the_io():
    """256x256x32 bytes for two readers: written once, read twice, but for the room."""
    first = conv(256, 4, 32)
    readers = [conv(256, 32, 1, inputs=(0,)), conv(256, 32, 1, inputs=(0,))]
    slow = replace(TINY, io_bandwidth_gbps=2.0)  # 2.5 bytes a cycle
    spilled = 256 * 256 * 32 - 512 * 1024 * 3 // 4
    ends = 256 * 256 * (4 + 1 + 1)
    weights = 4 * 32 + 4 * 32  # the first operator's: nothing ran before it
    expected = np.ceil((ends + weights + 3 * spilled) / 2.5) + 3000
    assert cycles([first, *readers], slow) == expected
    found = evaluate(workload([[first, *readers]]), [slow]).latency_ms[0]
    assert expected <= found * 800e3 <= 1.01 * expected
    # A lone reader that follows can take turns, and nothing need be spilled.
    # 32 filters take two passes of 16 units; one filter's inputs the lane's port.
    computed = 256 * 256 * 2, 256 * 256 * 32 // 8
    assert cycles([first, readers[0]], slow) == sum(computed) + 2000


def test_kept_weights_need_not_come_and_a_first_inference_reads_them():
    op = dense(2048, 1000)
    room = {"accelerator": replace(TINY, local_memory_mib=8), "link_bytes": 10**6}
    kept = cycles([op], weights="kept", **room)
    assert kept == on_chip(op, **room) + 1000
    assert cycles([op], weights="first", **room) == cycles([op], **room)
    assert cycles([op], weights="resident", **room) == kept
    beside = Platform(weights="kept", parameter_memory_mib=1.0)
    read = 2_048_000 + 4000 - 2**20 + 2048 + 1000
    found = lower_bounds(workload([[op]]), [TINY], beside).operator_cycles[0, 0]
    assert found == max(-(-read // 25), 64_000) + 1000


def test_platform_settings_by_hand():
    op, read = conv(8, 16, 16), 256 + 64 + 1024 + 1024
    assert cycles([op], dispatch_cycles=300) == 256 + 300
    assert cycles([op], instruction_bytes=5000) == 1256 + 200
    assert cycles([op], overlap=False) == 1256 + -(-read // 25)
    slow = Capabilities(slow=((Kind.CONV, 10),))
    assert cycles([op], capabilities=slow) == 2560 + 1000
    fused = Capabilities(fused=(Kind.CONV,))
    assert cycles([op], capabilities=fused) == -(-read // 25)


def test_units_without_room_in_the_register_file_idle():
    # 64 bytes hold two times a word and a sum for 4 of 16 units.
    small = replace(TINY, register_file_kib=1 / 16)
    assert on_chip(conv(8, 16, 16), small) == 4 * on_chip(conv(8, 16, 16))


def test_pairs_of_a_batch_are_bound_as_if_alone():
    rng = np.random.default_rng(0)
    machines = [accelerator_at(tuple(rng.integers(grid_shape()))) for _ in range(4)]
    networks = [[conv(7 + i, 8, 8 * i, 3), conv(7 + i, 8 * i, 24, inputs=(0,))]
                for i in range(1, 4)]  # fmt: skip
    networks.append(networks[0][:1])
    together = lower_bounds(workload(networks), machines)
    assert together.operator_cycles[3, 1] == together.on_chip_cycles[3, 1] == 0
    for i, (operators, machine) in enumerate(zip(networks, machines, strict=True)):
        alone = lower_bounds(workload([operators]), [machine])
        assert alone.latency_ms[0] == together.latency_ms[i]
        found = together.operator_cycles[i, : len(operators)]
        assert (alone.operator_cycles[0] == found).all()
    many = lower_bounds(workload(networks[:1]), machines).latency_ms
    assert many[0] == together.latency_ms[0]
    one = lower_bounds(workload(networks), machines[:1]).latency_ms
    assert one[0] == together.latency_ms[0]
    with pytest.raises(ValueError, match="Received 2 for 4 networks"):
        lower_bounds(workload(networks), machines[:2])


@pytest.mark.parametrize("weights", ["streamed", "resident"])
def test_published_networks_keep_their_bounds_on_many_machines(weights):
    rng = np.random.default_rng(1)
    machines = [accelerator_at(tuple(rng.integers(grid_shape()))) for _ in range(12)]
    platform = Platform(weights=weights)
    work = lower([PUBLISHED["MobileNetV2"]])
    bound = lower_bounds(work, machines, platform).latency_ms
    latency = evaluate(work, machines, platform).latency_ms
    assert (bound <= latency).all()
    assert np.median(latency / bound) < 1.1


DEFECTS = {
    "depthwise convolution is free": (
        conv(32, 8, 8, 3, groups=8), {}, {"lane_port_bytes": 10**6},
    ),
    "tables cost nothing": (
        element_wise(Kind.SWISH, 16, 64), {"lookup_elements": 4},
        {"lookup_elements": 10**6},
    ),
    "links cost nothing": (dense(2048, 1000), {}, {"link_bytes": 10**6}),
    "ports cost nothing": (
        element_wise(Kind.ADD, 16, 64, maps=2), {"local_port_bytes": 8},
        {"local_port_bytes": 10**6},
    ),
    "operators start at once": (conv(8, 16, 16), {}, {"dispatch_cycles": 0}),
    "a second PE": (conv(8, 64, 32, 3), {}, {"pes_x": 2}),
    "four more units": (conv(8, 64, 20, 3), {}, {"simd_units": 20}),
    "I/O costs nothing": (
        dense(2048, 1000), {"io_bandwidth_gbps": 20.0}, {},
    ),
    "weights need not come": (
        dense(2048, 1000), {"io_bandwidth_gbps": 20.0, "local_memory_mib": 8.0},
        {"weights": "kept"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_cost_model_that_forgets_a_cost_goes_below(defect):
    """So a bound that holds says something."""
    op, true, false = DEFECTS[defect]
    work = workload([[op]])
    bound = lower_bounds(work, *pair(true)).latency_ms[0]
    assert bound <= evaluate(work, *pair(true)).latency_ms[0]
    wrong = true | false if false else {}
    assert bound > evaluate(work, *pair(wrong)).latency_ms[0]


def pair(knobs):
    """A machine with endless I/O and a platform, with so much else."""
    names = {spec.name for spec in fields(Accelerator)}
    of_machine = {"io_bandwidth_gbps": ENDLESS} | {
        name: value for name, value in knobs.items() if name in names
    }
    rest = {name: value for name, value in knobs.items() if name not in names}
    return [replace(TINY, **of_machine)], Platform(**rest)


@pytest.mark.parametrize(
    ("weights", "largest", "met"),
    [("streamed", 0.0014, 20), ("kept", 0.0014, 18), ("first", 0.0087, 20)],
)
def test_the_baseline_reaches_the_bounds_of_published_networks(weights, largest, met):
    """What no law gives: that the bound is near. results/bounds has these gaps."""
    platform = Platform(weights=weights)
    work = lower(list(PUBLISHED.values()))
    machines = [BASELINE] * work.networks
    bound = lower_bounds(work, machines, platform).latency_ms
    gaps = evaluate(work, machines, platform).latency_ms / bound - 1
    assert gaps.max() <= largest
    assert (gaps < 1e-9).sum() >= met
