"""What networks share, and what each is within it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nahas.search_space.network import Block, Network, expanded
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.skeleton import (
    ADDS,
    CHANNELS,
    FILTERS,
    GROUPS,
    OPTION,
    WIDE,
    Skeleton,
)

SPACES = ("s1", "s2", "s3", "nas-bench-macro")
SMALL = {
    name: NETWORK_SPACES[name](resolution=32, width=0.25, classes=10) for name in SPACES
}


def drawn(name, count=500, seed=0):
    space = SMALL[name]
    return [
        space.decode(row) for row in space.random(np.random.default_rng(seed), count)
    ]


SKELETONS = {name: Skeleton.of(drawn(name)) for name in SPACES}


@given(st.sampled_from(SPACES), st.integers(1, 500))
def test_codes_say_all_of_a_network(name, seed):
    """The blocks can be read from them."""
    [network] = drawn(name, 1, seed)
    skeleton = SKELETONS[name]
    blocks = []
    for slot, code in zip(skeleton.slots, skeleton.codes(network), strict=True):
        if code[OPTION] == 0:
            assert slot.empty
            continue
        kind, kernel, expansion = slot.options[code[OPTION] - 1]
        single = kind == "fused_ibn" and kernel == 1
        block = Block(
            kind, kernel, expansion, int(code[FILTERS]), slot.stride,
            int(code[GROUPS]), activation=slot.activation, skip=not single,
        )  # fmt: skip
        assert (
            code[WIDE]
            == expanded(block, code[CHANNELS])
            <= slot.wide((kind, kernel, expansion))
        )
        assert code[ADDS] == block.adds(code[CHANNELS])
        blocks.append(block)
    assert tuple(blocks) == network.blocks


def test_slots_of_the_known_spaces():
    assert [len(SKELETONS[name].slots) for name in SPACES] == [17, 16, 16, 8]
    assert {len(slot.options) for slot in SKELETONS["s2"].slots} == {6}
    assert {len(slot.options) for slot in SKELETONS["s3"].slots} == {12}
    macro = SKELETONS["nas-bench-macro"]
    assert macro.stages == (2, 3, 3)
    first = [0, 2, 5]
    assert [i for i, slot in enumerate(macro.slots) if not slot.empty] == first
    assert not any(slot.varied or slot.grouped for slot in macro.slots)
    assert all(slot.varied and slot.grouped for slot in SKELETONS["s3"].slots)


@pytest.mark.parametrize("name", SPACES)
def test_a_skeleton_survives_json(name):
    skeleton = SKELETONS[name]
    stored = json.loads(json.dumps(skeleton.to_dict()))
    assert Skeleton.from_dict(stored) == skeleton


A, B = Block("ibn", 3, 2, 8), Block("ibn", 3, 2, 16, stride=2)


def net(*blocks, **more):
    return Network(blocks, 8, 8, **more)


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        ([], "at least one network"),
        ([net(A), net(A, classes=3)], "must share stem, head, input and classes"),
        ([net(A), net(A, B)], "must have as many stages. Received 1 and 2"),
        ([net(A), net(B)], "Received stride 1, 2"),
        ([net(Block("ibn", 3, 2, 8, se=0.25))], "Received se 0.25"),
        ([net(Block("fused_ibn", 3, 2, 8, late=True))], "Received late True"),
    ],
)
def test_what_one_model_cannot_hold(networks, said):
    with pytest.raises(ValueError, match=said):
        Skeleton.of(networks)


@pytest.mark.parametrize(
    "network",
    [
        net(A, A),
        net(B),
        net(Block("ibn", 5, 2, 8)),
        net(Block("ibn", 3, 2, 16)),
        net(A, classes=3),
        net(Block("ibn", 3, 2, 8, groups=2)),
    ],
)
def test_networks_of_another_space_have_no_codes(network):
    with pytest.raises(ValueError, match="must be of the space that the one-shot"):
        Skeleton.of([net(A)]).codes(network)
