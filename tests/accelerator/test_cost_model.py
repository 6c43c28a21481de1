"""The cost model against hand counts, its laws, and the ten effects of the machine."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator import liveness
from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE, GRID, accelerator_at, grid_shape
from nahas.accelerator.grid_model import evaluate_axes, evaluate_each
from nahas.accelerator.machines import Axes, area_mm2
from nahas.accelerator.operator_costs import per_operator
from nahas.accelerator.sweep import accelerators_at, grid_axes
from nahas.accelerator.template import Accelerator, Capabilities, Platform
from nahas.accelerator.workload import Kind, Operator, workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

TINY = Accelerator(1, 1, 16, 1, 0.5, 8.0, 20.0)


def conv(size, channels, filters, kernel=1, stride=1, groups=1, inputs=(-1,)):
    kind = Kind.DEPTHWISE if groups == channels == filters > 1 else Kind.CONV
    out = -(-size // stride)
    return Operator(f"conv{kernel}", kind, inputs, size, size, channels, out, out,
                    filters, kernel, kernel, stride, stride, groups)  # fmt: skip


def element_wise(kind, size, channels, inputs):
    read = channels * (2 if kind is Kind.ADD else 1)
    return Operator(kind.name.lower(), kind, inputs, size, size, read, size, size,
                    channels)  # fmt: skip


def inverted_bottleneck(size, channels, kernel=3, expansion=6):
    wide = channels * expansion
    return [
        conv(size, channels, channels),
        conv(size, channels, wide, inputs=(0,)),
        conv(size, wide, wide, kernel, groups=wide, inputs=(1,)),
        conv(size, wide, channels, inputs=(2,)),
        element_wise(Kind.ADD, size, channels, (3, 0)),
    ]


def plain_and_fused(size, channels, kernel=3, expansion=6):
    wide = channels * expansion
    plain = [
        conv(size, channels, wide),
        conv(size, wide, wide, kernel, groups=wide, inputs=(0,)),
        conv(size, wide, channels, inputs=(1,)),
    ]
    fused = [
        conv(size, channels, wide, kernel),
        conv(size, wide, channels, inputs=(0,)),
    ]
    return plain, fused


BLOCK = workload([inverted_bottleneck(28, 32)])


def latency(operators, accelerator=BASELINE, **platform):
    metrics = evaluate(workload([operators]), [accelerator], Platform(**platform))
    return metrics.latency_ms[0]


def test_one_convolution_counted_by_hand():
    # On chip 256 cycles (see test_mapping), I/O (256 weights + 16 int32 biases + 1,024
    # in + 1,024 out) / 25 bytes a cycle, dispatch 1,000.
    metrics = evaluate(workload([[conv(8, 16, 16)]]), [TINY])
    assert metrics.latency_ms[0] == 1256 / 800e3
    assert metrics.io_bytes[0] == 256 + 4 * 16 + 1024 + 1024
    assert metrics.utilization[0] == 64 * 16 * 16 / (1256 * 64)
    sram = TINY_SRAM_PJ
    io = metrics.io_bytes[0]
    dynamic = (
        16384 * 0.1 + 256 * 0.1 + io * 64
        + (4 * 256 + 256 + 1024 + io) * sram[0] + 4 * 16 * 256 * sram[1]
    )  # fmt: skip
    leak_mw = (0.5 + 8 / 1024) * 0.5 + (64 * 200e-6 + 0.05 + 20 * 0.15) * 2 + 20 * 5
    expected = dynamic * 1e-9 + leak_mw * (1256 / 800e3) * 1e-3
    assert metrics.energy_mj[0] == pytest.approx(expected, rel=1e-12)


TINY_SRAM_PJ = (1.1639, 0.1450)  # the table's rows for 512 KiB and 8 KiB


def test_baseline_area_by_hand():
    expected = 16 * 1.9382 + 64 * 0.02758 + 16384 * 200e-6 + 16 * 0.05 + 20 * 0.15
    assert area_mm2([BASELINE])[0] == pytest.approx(expected, rel=1e-12)


def test_spilled_activations_are_written_once_and_read_by_each_reader():
    # 256x256x32 bytes that two convolutions read are 2 MiB; 3/4 of 0.5 MiB are free.
    first = conv(256, 4, 32)
    readers = [conv(256, 32, 1, inputs=(0,)), conv(256, 32, 1, inputs=(0,))]
    operators = [first, *readers]
    held = 512 * 1024 * 3 // 4
    middle = 256 * 256 * 32
    weights = (4 * 32 + 4 * 32) + 2 * (32 + 4)
    ends = 256 * 256 * (4 + 1 + 1)
    costs = per_operator(workload([operators]), TINY)
    assert costs.spilled_bytes[0] == middle - held
    metrics = evaluate(workload([operators]), [TINY])
    assert metrics.io_bytes[0] == weights + ends + 3 * (middle - held)
    roomy = replace(TINY, local_memory_mib=4)
    metrics = evaluate(workload([operators]), [roomy])
    assert metrics.io_bytes[0] == weights + ends


def test_the_networks_input_is_read_once_in_whatever_order_a_sum_has_it():
    image, weights = 16 * 16 * 8, (8 + 4) * 8
    for order in ((-1, 0), (0, -1)):
        operators = [conv(16, 8, 8), element_wise(Kind.ADD, 16, 8, order)]
        io_bytes = per_operator(workload([operators]), BASELINE).io_bytes
        assert io_bytes.tolist() == [image + weights, image + image]


def test_a_skip_stays_alive_until_its_last_use():
    # Two 8x8x128 maps and the skip: 3 x 8 KiB; without the skip 2 x 8 KiB. The sum
    # takes the place of one of its terms. Weights of 16 KiB are too many for a chain.
    convs = [conv(8, 128, 128)] + [conv(8, 128, 128, inputs=(i,)) for i in range(2)]
    plain = [*convs, element_wise(Kind.ADD, 8, 128, (2, 2))]
    skip = [*convs, element_wise(Kind.ADD, 8, 128, (2, 0))]
    live = [per_operator(workload([ops]), BASELINE).live_bytes for ops in (plain, skip)]
    assert live[0].tolist() == [n * 8 * 8 * 128 for n in (1, 2, 2, 1)]
    assert live[1].tolist() == [n * 8 * 8 * 128 for n in (1, 2, 3, 2)]


def test_what_works_by_element_writes_over_what_nobody_reads_after_it():
    first = conv(32, 128, 128)
    swish = element_wise(Kind.SWISH, 32, 128, (0,))
    later = element_wise(Kind.ADD, 32, 128, (1, 0))
    over = liveness.overwritten(workload([[first, swish, later], [first, swish]]))
    assert over.tolist() == [-1, -1, 0, -1, 3]
    # A map and a number for each channel: only the map has the output's size.
    gate = conv(1, 128, 128)
    scaled = element_wise(Kind.MULTIPLY, 32, 128, (1, 0))
    assert liveness.overwritten(workload([[first, gate, scaled]]))[2] == 0
    # A window reads what its neighbours still need.
    pool = replace(conv(32, 128, 128, inputs=(0,)), kind=Kind.POOL, groups=128)
    assert liveness.overwritten(workload([[first, pool]]))[1] == -1


def test_without_overlap_the_io_and_the_lanes_take_turns():
    operators = [conv(56, 64, 64), conv(56, 64, 64, inputs=(0,))]
    weights, map_bytes = 64 * 64 + 4 * 64, 56 * 56 * 64
    chip = BASELINE.io_bandwidth_gbps * 1e3
    rate, dispatch = chip / 800, Platform().dispatch_cycles
    fast = latency(operators, replace(BASELINE, io_bandwidth_gbps=1e6)) * 8e5
    apart = latency(operators, overlap=False) * 8e5
    io = 2 * np.ceil((weights + map_bytes) / rate)
    # The fast one's I/O hides behind its lanes, so it shows what these take.
    assert apart == pytest.approx(fast + io, abs=1e-6)
    assert fast > 2 * dispatch


def test_streamed_weights_bound_latency_from_below():
    dense = [Operator("fc", Kind.DENSE, (-1,), 1, 1, 2048, 1, 1, 1000)]
    nbytes = 2048 * 1000 + 4 * 1000
    assert latency(dense) >= nbytes / 20e9 * 1e3
    resident = latency(dense, weights="resident")
    assert resident < 0.2 * latency(dense)


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        # The convolution's 4,096 cycles and its dispatch leave the I/O time for 5,096 x
        # 6.25 - 16,704 = 15,146 bytes. Of 32,776 of weights and 2 of outputs 17,632 are
        # left, 2,822 cycles: the dense layer's 4,096 words of 4 channels take longer.
        (2, 4096),
        # Of 49,164 and 3 bytes 34,021 are left.
        (3, 5444),
    ],
)
def test_weights_are_fetched_while_an_earlier_operator_runs(filters, taken):
    first = conv(32, 16, 16)
    dense = Operator("fc", Kind.DENSE, (0,), 1, 1, 32 * 32 * 16, 1, 1, filters)
    slow = replace(TINY, io_bandwidth_gbps=5.0)
    costs = per_operator(workload([[first, dense]]), slow)
    assert costs.cycles.tolist() == [1000 + 4096, 1000 + taken]
    # What the I/O does at its turn is all of it where nothing ran before.
    alone = per_operator(workload([[replace(dense, inputs=(-1,))]]), slow).cycles
    everything = 32 * 32 * 16 * (1 + filters) + 4 * filters + filters
    assert alone[0] == 1000 + np.ceil(everything / 6.25)


def test_fused_blocks_win_early_and_lose_late():
    """The reason for fused bottlenecks, and why they stop deep in a network."""

    def ratio(size, channels):
        plain, fused = plain_and_fused(size, channels)
        return latency(fused) / latency(plain)

    assert ratio(112, 16) < 1
    assert ratio(14, 192) > 1
    assert ratio(56, 16) < ratio(56, 64) < ratio(56, 160)


@pytest.mark.parametrize(
    ("setting", "better", "operator"),
    [
        ("local_port_bytes", 256, conv(112, 16, 96)),
        ("lane_port_bytes", 16, conv(56, 64, 64, 3, groups=64)),
        ("link_bytes", 128, conv(4, 512, 512, 3)),
        ("lookup_elements", 64, element_wise(Kind.SIGMOID, 56, 64, (-1,))),
        ("dispatch_cycles", 300, conv(7, 8, 8)),
        ("clock_mhz", 1066, conv(7, 8, 8)),
    ],
)
def test_every_rate_of_the_platform_counts(setting, better, operator):
    # A wide I/O, so that it hides nothing.
    wide = replace(BASELINE, io_bandwidth_gbps=1e6)
    default = latency([operator], wide)
    assert latency([operator], wide, **{setting: better}) < default


@pytest.mark.parametrize("kind", list(Kind))
def test_no_operator_is_free(kind):
    if kind <= Kind.DENSE:
        size = 1 if kind is Kind.DENSE else 8
        op = replace(conv(size, 8, 8), kind=kind)
    else:
        op = element_wise(kind, 8, 8, (-1,))
    costs = per_operator(workload([[op]]), BASELINE)
    assert costs.cycles[0] > Platform().dispatch_cycles
    assert costs.energy_mj[0] > 0


def test_capabilities_fuse_slow_and_refuse():
    operators = [conv(28, 32, 32), element_wise(Kind.SWISH, 28, 32, (0,))]
    fused = Capabilities(fused=(Kind.SWISH,))
    assert latency(operators, capabilities=fused) == latency(operators[:1])
    # 28 x 28 x 32 elements by 16 PEs of 16 look-ups: 98 cycles.
    slow = Platform(capabilities=Capabilities(slow=((Kind.SWISH, 50),)))
    cycles = per_operator(workload([operators]), BASELINE, slow).cycles
    assert cycles[1] == 1000 + 50 * 98
    whole = evaluate(workload([operators]), [BASELINE], slow).latency_ms[0]
    assert cycles.sum() / 800e3 == whole
    refused = Platform(capabilities=Capabilities(refused=(Kind.SWISH,)))
    metrics = evaluate(workload([operators]), [BASELINE], refused)
    assert not metrics.feasible[0]
    assert metrics.latency_ms[0] == np.inf
    assert metrics.reason(0) == "operator swish is refused by the accelerator"


def test_a_row_too_wide_for_local_memory_is_infeasible_with_its_reason():
    wide = Operator("wide", Kind.CONV, (-1,), 8, 60_000, 16, 8, 60_000, 16, 3, 3)
    metrics = evaluate(workload([[conv(8, 16, 16), wide]]), [TINY])
    assert not metrics.feasible[0]
    assert metrics.operator[0] == 1
    assert metrics.excess_bytes[0] > 0
    assert "local memory exceeded by" in metrics.reason(0)
    assert metrics.reason(0).endswith("at wide")
    assert np.isfinite(metrics.latency_ms[0])


def test_a_register_file_too_small_is_infeasible():
    nothing = replace(TINY, register_file_kib=1 / 128)
    metrics = evaluate(workload([[conv(8, 16, 16)]]), [nothing])
    # One unit needs a weight word and a sum of 4 bytes each, twice: 16 bytes, not 8.
    assert metrics.reason(0) == "register file exceeded by 8 bytes at conv1"
    assert metrics.latency_ms[0] == metrics.energy_mj[0] == np.inf


def test_parameter_memory_keeps_weights_and_leaves_activations_their_room():
    """[1x1 conv] twice, 64 to 64: 4,352 bytes of weights and biases each."""
    work = workload([[conv(8, 64, 64), conv(8, 64, 64, inputs=(0,))]])
    streamed = Platform(parameter_memory_mib=6000 / 2**20)
    kept = replace(streamed, weights="kept")
    saved = [evaluate(work, [TINY], p).io_bytes[0] for p in (streamed, kept)]
    assert saved[0] - saved[1] == 6000
    live = [per_operator(work, TINY, p).live_bytes.max() for p in (streamed, kept)]
    assert live[0] == live[1]


def test_instructions_cross_the_io_before_each_operator():
    work = workload([[conv(8, 16, 16), conv(8, 16, 16, inputs=(0,))]])
    plain, told = Platform(), Platform(instruction_bytes=5000)
    before, after = (evaluate(work, [TINY], p) for p in (plain, told))
    assert after.io_bytes[0] - before.io_bytes[0] == 10_000
    # 25 bytes a cycle: 200 cycles an operator, at 800 MHz.
    assert after.latency_ms[0] - before.latency_ms[0] == pytest.approx(400 / 800e3)
    rows = per_operator(work, TINY, told)
    assert rows.io_bytes.sum() == after.io_bytes[0]
    assert rows.cycles.sum() / 800e3 == pytest.approx(after.latency_ms[0])


def test_the_host_adds_to_every_inference():
    work = workload([[conv(8, 16, 16)]])
    slow = evaluate(work, [TINY], Platform(host_ms=0.5))
    quick = evaluate(work, [TINY])
    assert slow.latency_ms[0] - quick.latency_ms[0] == pytest.approx(0.5)
    assert slow.utilization[0] < quick.utilization[0]


def test_operators_sum_to_the_network():
    metrics = evaluate(BLOCK, [BASELINE])
    costs = per_operator(BLOCK, BASELINE)
    assert costs.cycles.sum() / 800e3 == metrics.latency_ms[0]
    assert costs.energy_mj.sum() == pytest.approx(metrics.energy_mj[0], rel=1e-12)
    assert costs.io_bytes.sum() == metrics.io_bytes[0]


def test_one_pair_and_any_batch_agree_to_the_bit():
    rng = np.random.default_rng(0)
    machines = [accelerator_at(tuple(rng.integers(grid_shape()))) for _ in range(300)]
    blocks = [inverted_bottleneck(14 + i % 5, 8 * (1 + i % 7)) for i in range(300)]
    batch = evaluate(workload(blocks), machines)
    for i in range(0, 300, 29):
        alone = evaluate(workload([blocks[i]]), [machines[i]])
        assert alone.latency_ms[0] == batch.latency_ms[i]
        assert alone.energy_mj[0] == batch.energy_mj[i]
        assert alone.area_mm2[0] == batch.area_mm2[i]
    grid = evaluate_axes(workload([blocks[0]]), grid_axes())
    flat = np.ravel_multi_index((2, 2, 2, 2, 2, 2, 3), grid_shape())
    assert (
        grid.latency_ms[flat]
        == evaluate(workload([blocks[0]]), [BASELINE]).latency_ms[0]
    )
    many = evaluate(workload(blocks), [BASELINE])
    assert many.latency_ms[0] == grid.latency_ms[flat]


def test_a_grid_may_name_its_memories_in_any_order():
    """An operator whose links carry what the small memory cannot hold once more."""
    work = workload([[conv(56, 64, 256, 5)]])
    platform, memories = Platform(link_bytes=1), (4.0, 0.05, 1.0, 0.05)
    axes = Axes.of([(2, 4), (1, 3), (64,), (4,), memories, (32.0,), (1000.0,)])
    alone = [
        evaluate(work, [Accelerator(x, y, 64, 4, mib, 32.0, 1000.0)], platform)
        for x in (2, 4) for y in (1, 3) for mib in memories
    ]  # fmt: skip
    grid = evaluate_axes(work, axes, platform)
    assert grid.latency_ms.tolist() == [one.latency_ms[0] for one in alone]
    assert grid.energy_mj.tolist() == [one.energy_mj[0] for one in alone]
    assert len({*grid.latency_ms}) > 4


@pytest.mark.parametrize("weights", ["streamed", "resident"])
def test_networks_on_the_grid_in_turn_cost_what_each_costs_alone(weights):
    platform = Platform(weights=weights)
    blocks = [inverted_bottleneck(14 + i % 2, 8 * (1 + i % 3)) for i in range(4)]
    places = np.random.default_rng(0).integers(np.prod(grid_shape()), size=20)
    machines = accelerators_at(places)
    for block, grid in zip(
        blocks, evaluate_each(workload(blocks), grid_axes(), platform), strict=True
    ):
        alone = evaluate(workload([block]), machines, platform)
        assert (grid.latency_ms[places] == alone.latency_ms).all()
        assert (grid.energy_mj[places] == alone.energy_mj).all()
        assert (grid.utilization[places] == alone.utilization).all()


@pytest.mark.parametrize("knob", ["pes_x", "pes_y", "compute_lanes",
                                  "local_memory_mib", "io_bandwidth_gbps"])  # fmt: skip
def test_more_of_a_resource_is_never_slower_anywhere_on_the_grid(knob):
    metrics = evaluate_axes(BLOCK, grid_axes())
    latency_ms = metrics.latency_ms.reshape(grid_shape())
    assert (np.diff(latency_ms, axis=list(GRID).index(knob)) <= 0).all()


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0", "EfficientNetB4"])
def test_more_is_never_slower_for_published_networks(name):
    """All knobs but the SIMD units, more of which hold fewer sums each."""
    work = lower([PUBLISHED[name]])
    streamed = evaluate_axes(work, grid_axes()).latency_ms
    resident = evaluate_axes(work, grid_axes(), Platform(weights="resident")).latency_ms
    assert (resident <= streamed).all()
    for latency_ms in (streamed, resident):
        for axis, knob in enumerate(GRID):
            rises = np.diff(latency_ms.reshape(grid_shape()), axis=axis)
            assert (rises <= 0).all() or knob == "simd_units"


@pytest.mark.parametrize("knob", list(GRID))
def test_every_knob_costs_area(knob):
    area = area_mm2(grid_axes().machines).reshape(grid_shape())
    assert (np.diff(area, axis=list(GRID).index(knob)) > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 49_999), st.integers(7, 56), st.integers(1, 12))
def test_costs_are_positive_and_bounded_by_the_peak(index, size, width):
    machine = accelerator_at(tuple(np.unravel_index(index, grid_shape())))
    metrics = evaluate(workload([inverted_bottleneck(size, 8 * width)]), [machine])
    assert metrics.feasible[0]
    assert 0 < metrics.utilization[0] <= 1
    assert metrics.energy_mj[0] > 0
    bandwidth = metrics.io_bytes[0] / machine.io_bandwidth_gbps * 1e-6
    assert metrics.latency_ms[0] >= bandwidth * (1 - 1e-9)


def test_mismatched_batches_are_refused():
    two = workload([inverted_bottleneck(8, 8)] * 2)
    with pytest.raises(ValueError, match=r"Received 3 for 2 networks"):
        evaluate(two, [BASELINE] * 3)
    with pytest.raises(ValueError, match=r"single network. Received 2"):
        per_operator(two, BASELINE)
