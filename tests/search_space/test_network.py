"""Networks: their text, their proxies, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.accelerator.workload import Kind, Operator, workload
from nahas.search_space.lower import lower
from nahas.search_space.network import ACTIVATIONS, KINDS, Block, Network, scale
from nahas.search_space.published import PUBLISHED

blocks = st.builds(
    Block,
    kind=st.sampled_from(KINDS),
    kernel=st.sampled_from([1, 3, 5, 7]),
    expansion=st.integers(1, 8),
    filters=st.integers(1, 40).map(lambda n: 8 * n),
    stride=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 2, 4, 8]),
    se=st.sampled_from([0.0, 0.25, 0.5, 1 / 3]),
    activation=st.sampled_from(ACTIVATIONS),
    skip=st.booleans(),
)
networks = st.builds(
    Network,
    blocks=st.lists(blocks, min_size=1, max_size=6).map(tuple),
    stem_filters=st.integers(1, 8).map(lambda n: 8 * n),
    head_filters=st.integers(1, 2000),
    resolution=st.integers(1, 600),
    classes=st.integers(1, 1000),
    channels=st.integers(1, 4),
    stem_kernel=st.sampled_from([1, 3, 7]),
    stem_stride=st.sampled_from([1, 2, 4]),
    activation=st.sampled_from(ACTIVATIONS),
)


def head_rows(network):
    work = lower([network])
    return work.operators[work.names.index("head")]["out_height"]


@given(networks)
def test_text_goes_both_ways(network):
    assert Network.parse(str(network)) == network
    assert "\n" not in str(network)


@given(networks, networks)
def test_one_text_a_network(one, other):
    assert (str(one) == str(other)) == (one == other)


def test_equal_networks_have_one_text_however_written():
    block = Block("ibn", 3, 6, 24, se=1.0)
    for same in (replace(block, se=1), replace(block, se=np.float64(1))):
        assert same == block
        assert str(same) == str(block)
    explicit = "r8x3_c9 stem_k3_s2_f8_relu ibn_k3_e6_f8_s1_g1_se0_relu head_f8_relu"
    short = "r8_c9 stem_k3_s2_f8_relu ibn_k3_e6_f8_relu head_f8_relu"
    assert str(Network.parse(explicit)) == short


@given(networks, st.sampled_from([8, 14, 16, 28, 32, 64]))
def test_proxies_keep_the_choices_and_end_at_4x4_where_they_can(network, resolution):
    proxy = network.proxy(resolution, 10, channels=1, width=0.25)
    for block, small in zip(network.blocks, proxy.blocks, strict=True):
        kept = replace(small, filters=block.filters, stride=block.stride)
        assert replace(kept, groups=block.groups) == block
    last_map = head_rows(proxy)
    strides = [proxy.stem_stride, *(block.stride for block in proxy.blocks)]
    assert last_map >= 4 or set(strides) == {1}
    # Strides go from the front: after one that is kept, all are kept.
    originals = [network.stem_stride, *(block.stride for block in network.blocks)]
    dropped = [s != o for s, o in zip(strides, originals, strict=True)]
    kept = [s == o > 1 for s, o in zip(strides, originals, strict=True)]
    assert not any(drop for i, drop in enumerate(dropped) if any(kept[:i]))


def test_a_proxy_of_efficientnet_at_28_keeps_its_last_strides():
    proxy = PUBLISHED["EfficientNetB0"].proxy(28, 10, channels=1, width=0.25)
    strides = [proxy.stem_stride, *(b.stride for b in proxy.blocks)]
    # 28 -> 14 -> 7 -> 4: three of five strides of 2 are left.
    assert strides.count(2) == 3
    assert head_rows(proxy) == 4


def test_macs_and_parameters_counted_by_hand():
    network = Network(
        blocks=(
            Block("ibn", 3, 2, 8, stride=2, se=0.25, activation="swish"),
            Block("fused_ibn", 3, 4, 8, groups=2),
        ),
        stem_filters=4, head_filters=16, resolution=8, classes=10, stem_stride=1,
    )  # fmt: skip
    work = lower([network])
    rows = dict(
        zip(work.names, zip(work.macs, work.parameters, strict=True), strict=True)
    )
    assert rows == {
        "stem": (64 * 27 * 4, 27 * 4 + 4),
        "block0/expand": (64 * 4 * 8, 4 * 8 + 8),
        "block0/expand/swish": (0, 0),
        "block0/depthwise": (16 * 9 * 8, 9 * 8 + 8),
        "block0/depthwise/swish": (0, 0),
        "block0/se/pool": (0, 0),
        "block0/se/reduce": (8, 8 + 1),
        "block0/se/reduce/swish": (0, 0),
        "block0/se/expand": (8, 8 + 8),
        "block0/se/expand/sigmoid": (0, 0),
        "block0/se/scale": (0, 0),
        "block0/project": (16 * 8 * 8, 8 * 8 + 8),
        "block1/fused": (16 * 9 * 4 * 32, 9 * 4 * 32 + 32),
        "block1/project": (16 * 32 * 8, 32 * 8 + 8),
        "block1/add": (0, 0),
        "head": (16 * 8 * 16, 8 * 16 + 16),
        "pool": (0, 0),
        "classifier": (16 * 10, 16 * 10 + 10),
    }


@given(st.lists(networks, min_size=1, max_size=4))
def test_a_lowered_batch_is_each_network_alone_and_passes_all_checks(several):
    together = lower(several)
    alone = [lower([network]) for network in several]
    assert together.names == sum((one.names for one in alone), ())
    rebuilt = workload([rows_of(one) for one in alone])
    for name in ("operators", "input_starts", "inputs", "starts"):
        assert (getattr(together, name) == getattr(rebuilt, name)).all()


def rows_of(work):
    """The operators of a workload of one network, each checked as it is made."""
    bounds = zip(work.input_starts[:-1], work.input_starts[1:], strict=True)
    for name, row, (start, stop) in zip(
        work.names, work.operators, bounds, strict=True
    ):
        kind, *sizes = row.item()
        inputs = tuple(work.inputs[start:stop].tolist())
        yield Operator(name, Kind(kind), inputs, *sizes)


@given(networks)
def test_each_operator_reads_the_maps_that_its_producers_write(network):
    rows = list(rows_of(lower([network])))
    for i, row in enumerate(rows):
        if row.inputs == (-1,):
            assert i == 0
            assert (row.height, row.channels) == (network.resolution, network.channels)
        elif row.kind == Kind.MULTIPLY:
            wide, gate = (rows[j] for j in row.inputs)
            assert wide.filters == gate.filters == row.channels
            assert (wide.out_height, gate.out_height) == (row.height, 1)
        else:
            assert {rows[j].out_height for j in row.inputs} == {row.height}
            assert sum(rows[j].filters for j in row.inputs) == row.channels


def test_the_scale_reads_the_expanded_map_and_its_gate():
    work = lower([PUBLISHED["EfficientNetB0"]])
    row = work.names.index("block0/se/scale")
    inputs = work.inputs[work.input_starts[row] : work.input_starts[row + 1]]
    assert [work.names[i] for i in inputs] == [
        "block0/depthwise/swish",
        "block0/se/expand/sigmoid",
    ]


def test_expansion_1_leaves_convolutions_out():
    plain = Network((Block("ibn", 3, 1, 16),), stem_filters=32, head_filters=64)
    names = lower([plain]).names
    assert "block0/expand" not in names
    fused = Network((Block("fused_ibn", 3, 1, 16),), stem_filters=32, head_filters=64)
    assert "block0/project" not in lower([fused]).names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "mbconv"}, "`kind` must be one of ibn, fused_ibn. Received 'mbconv'"),
        ({"kernel": 4}, "`kernel` must be odd. Received 4"),
        ({"filters": 0}, "`filters` must be a positive integer. Received 0"),
        ({"stride": 1.5}, "`stride` must be a positive integer. Received 1.5"),
        ({"se": 2}, "`se` must be between 0 and 1. Received 2"),
        ({"se": "half"}, "`se` must be between 0 and 1. Received 'half'"),
        ({"skip": 1}, "`skip` must be True or False. Received 1"),
        ({"activation": "gelu"}, "`activation` must be one of relu"),
    ],
)
def test_blocks_without_meaning_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(Block("ibn", 3, 6, 24), **change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name its input, stem, blocks and head"),
        ("r224_c10 stem_k3_s2_f32_relu6 ibn_k3 head_f8_relu6", "Word 3 .* 'ibn_k3'"),
        ("r224_c10 stem_k3_s2_f32_relu6 ibn_k4_e6_f8_relu6 head_f8_relu6",
         "`kernel` must be odd. Received 4. .in word 3 of .* 'ibn_k4_e6_f8_relu6'"),
        ("r224_c10 stem_k3_s2_f32_relu6 ibn_k3_e6_f8_se--_relu6 head_f8_relu6",
         "Word 3 .*se--"),
        ("r0_c10 stem_k3_s2_f32_relu6 ibn_k3_e6_f8_relu6 head_f8_relu6", "Word 1"),
        ("r_c10 stem_k3_s2_f32_relu6 ibn_k3_e6_f8_relu6 head_f8_relu6", "Word 1"),
        ("r8_c10 stem_k3_s2_f32_relu6 ibn_k3_e6_f8_relu6 head_f8_relu", "one activ"),
        ("r8_c10 stem_k3_s2_f6_relu6 fused-ibn_k3_e6_f8_g4_relu6 head_f8_relu6",
         r"`groups` must divide the 6 channels .*blocks\[0\].groups"),
    ],
)  # fmt: skip
def test_texts_without_meaning_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Network.parse(text)


@pytest.mark.parametrize("given_blocks", [(), [Block("ibn", 3, 6, 24)], ("ibn",)])
def test_only_a_tuple_of_blocks_makes_a_network(given_blocks):
    with pytest.raises(ValueError, match=r"`blocks(\[0\])?` must be a"):
        Network(given_blocks, stem_filters=32, head_filters=64)


@pytest.mark.parametrize("width", [0, -1.0, float("nan"), float("inf")])
def test_widths_without_meaning_are_refused(width):
    with pytest.raises(ValueError, match="`width` must be positive and finite"):
        scale(32, width)


@given(st.integers(8, 2000), st.floats(0.1, 3))
def test_scaled_filters_are_multiples_that_lose_at_most_a_tenth(filters, width):
    scaled = scale(filters, width)
    if width != 1:
        assert scaled % 8 == 0
    assert scaled >= 0.9 * filters * width or scaled == 8
