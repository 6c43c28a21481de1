"""Mappings counted by hand, and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator import mapping, mapping_code
from nahas.accelerator.cost_model import ports
from nahas.accelerator.mapping_table import map_pairs
from nahas.accelerator.template import Platform
from nahas.accelerator.workload import Kind, Operator, workload

PORTS = ports(Platform())


def conv(size, channels, filters, kernel=1, stride=1, groups=1):
    kind = Kind.DEPTHWISE if groups == channels == filters > 1 else Kind.CONV
    out = -(-size // stride)
    return Operator("op", kind, (-1,), size, size, channels, out, out, filters,
                    kernel, kernel, stride, stride, groups)  # fmt: skip


def best(
    op, x=1, y=1, units=16, lanes=1, register_file=8192, memory=2**21, rates=PORTS
):
    machines = np.array([[x, y, units, lanes, register_file, memory]])
    network = np.zeros(1, dtype=np.int64)
    found, _ = map_pairs(workload([[op]]), machines, network, rates)
    return found.table[0, :, 0, 0]


def test_dense_convolution_counted_by_hand():
    # 8x8 positions, 16 channels in 4 words, 16 filters on 16 units: 64 * 4 cycles.
    found = best(conv(8, 16, 16))
    assert found[mapping.CYCLES] == 256
    # A word of 4 activations a cycle, the weights once, the outputs.
    assert found[mapping.PORT_BYTES] == 4 * 256 + 16 * 16 + 64 * 16
    # Weight stationary: each of 16 units reads its 4 weights a cycle.
    assert found[mapping.RF_BYTES] == 4 * 16 * 256
    # One PE holds the whole input; only the weights come over the link.
    assert found[mapping.LINK_BYTES] == 16 * 16


def test_depthwise_runs_at_the_lane_read_port():
    found = best(conv(32, 8, 8, kernel=3, groups=8))
    macs = 32 * 32 * 8 * 9
    assert found[mapping.CYCLES] == macs // 8
    assert mapping_code.bound(found[mapping.CODE]) == "lane port"
    wider = best(
        conv(32, 8, 8, kernel=3, groups=8),
        rates=ports(Platform(lane_port_bytes=16)),
    )
    assert wider[mapping.CYCLES] == macs // 16


def test_depthwise_gains_nothing_from_more_units():
    narrow = best(conv(32, 8, 8, kernel=3, groups=8), units=16)
    wide = best(conv(32, 8, 8, kernel=3, groups=8), units=128)
    assert narrow[mapping.CYCLES] == wide[mapping.CYCLES]


def test_group_size_lies_between_depthwise_and_dense():
    """MACs a cycle rise as fewer groups share more."""
    rates = []
    for groups in (64, 16, 4, 1):
        op = conv(28, 64, 64, kernel=3, groups=groups)
        found = best(op, x=2, y=2, units=64, lanes=2, register_file=32768)
        macs = 28 * 28 * 64 * 9 * 64 // groups
        rates.append(macs / found[mapping.CYCLES])
    assert rates == sorted(rates)
    assert rates[-1] > 8 * rates[0]


def test_small_register_file_reads_operands_again():
    # 1,024 reduction words of 64 units cannot stay; few positions hold few sums.
    op = conv(16, 512, 64, kernel=3)
    small = best(op, units=64, register_file=2048)
    large = best(op, units=64, register_file=131072)
    assert small[mapping.PORT_BYTES] > large[mapping.PORT_BYTES]


def test_input_channels_split_over_pes_cost_a_reduction():
    # A 1x1 map of 4 filters leaves only the 4,096 channels to split over 8 PEs.
    found = best(conv(1, 4096, 4), x=8, units=16, register_file=32768)
    text = mapping_code.describe(found[mapping.CODE])
    assert "channels" in text
    weights, received = 4096 * 4, 0
    sums = 8 * (4 * 4 * 7 // 8)  # 4-byte sums of 4 filters, 7 of 8 parts leave each PE
    assert found[mapping.LINK_BYTES] == weights + received + sums


def test_positions_split_over_pes_copy_weights_and_exchange_halos():
    found = best(conv(32, 4, 4, kernel=3), x=1, y=4, units=16, register_file=32768)
    text = mapping_code.describe(found[mapping.CODE])
    assert "rows" in text
    assert found[mapping.COPIES] == 4
    rows_held, rows_needed = 8, 10
    halo = (rows_needed - rows_held) * 32 * 4
    assert found[mapping.LINK_BYTES] == 4 * (halo + 4 * 4 * 9)


def test_a_small_register_file_leaves_units_idle():
    # 16 units need 8 bytes each in either half; 64 bytes hold 4 of them.
    full, small = best(conv(8, 16, 16)), best(conv(8, 16, 16), register_file=64)
    assert small[mapping.CYCLES] == 4 * full[mapping.CYCLES]


@pytest.mark.parametrize(
    ("kind", "per_element"), [(Kind.ADD, 2), (Kind.SWISH, 1), (Kind.MULTIPLY, 1)]
)
def test_element_wise_operators_move_their_bytes(kind, per_element):
    op = Operator("op", kind, (-1,), 16, 16, 64 * per_element, 16, 16, 64)
    found = best(op, x=2, y=2, lanes=2)
    elements = 16 * 16 * 64
    lane = elements * per_element // (4 * 2) // 8
    lookup = elements // 4 // 16 if kind is Kind.SWISH else 0
    assert found[mapping.CYCLES] == max(lane, lookup)
    assert found[mapping.PORT_BYTES] == elements * (per_element + 1)


operators = st.builds(
    lambda size, channels, filters, kernel, stride, groups: conv(
        size, channels * groups, filters * groups, kernel, stride, groups
    ),
    st.integers(1, 40),
    st.integers(1, 48),
    st.integers(1, 48),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2, 4, 16]),
)


@settings(max_examples=60, deadline=None)
@given(operators, st.integers(1, 6), st.integers(1, 6))
def test_more_pes_are_never_slower(op, x, y):
    here = best(op, x, y)[mapping.CYCLES]
    assert best(op, x + 1, y)[mapping.CYCLES] <= here
    assert best(op, x, y + 1)[mapping.CYCLES] <= here


@settings(max_examples=60, deadline=None)
@given(operators, st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 2, 4]))
def test_no_mapping_beats_the_peak(op, x, y, lanes):
    found = best(op, x, y, lanes=lanes)
    macs = workload([[op]]).macs[0]
    assert found[mapping.CYCLES] * x * y * lanes * 16 * 4 >= macs


@settings(max_examples=40, deadline=None)
@given(operators, st.sampled_from([8192, 16384, 65536]))
def test_larger_register_files_are_never_slower(op, register_file):
    smaller = best(op, 2, 2, register_file=register_file)
    larger = best(op, 2, 2, register_file=2 * register_file)
    assert larger[mapping.CYCLES] <= smaller[mapping.CYCLES]
