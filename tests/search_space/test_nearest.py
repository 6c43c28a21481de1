"""The nearest point of a space: exact where the network is in it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.search_space.b0 import choices_of
from nahas.search_space.joint import joint_space
from nahas.search_space.nearest import distance, nearest_choices, sized_as
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.published import PUBLISHED

B0 = PUBLISHED["EfficientNetB0"]


def zeros(space):
    return np.zeros(len(space.knobs), np.int64)


def test_the_distance_by_hand():
    block = B0.blocks[3]
    other = replace(block, kernel=block.kernel + 2, se=0.0)
    blocks = (*B0.blocks[:3], other, *B0.blocks[4:])
    step = 2 / (block.kernel + 2)
    assert distance(B0, replace(B0, blocks=blocks)) == pytest.approx(step + 1.0)
    # A block less costs the gap, the number of a block's fields.
    shorter = replace(B0, blocks=B0.blocks[:-1])
    assert distance(B0, shorter) == distance(shorter, B0) == 10.0
    assert distance(B0, replace(B0, activation="relu6")) == 1.0
    assert distance(B0, replace(B0, resolution=32, classes=10)) == 0.0


@pytest.mark.parametrize("name", NETWORK_SPACES)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_network_of_the_space_is_found(name, seed):
    space = NETWORK_SPACES[name](resolution=64)
    [choices] = space.random(np.random.default_rng(seed), 1)
    network = space.decode(choices)
    found = nearest_choices(space, network, zeros(space))
    assert space.decode(found) == network


def test_efficientnet_b0_is_in_the_space_of_its_skeleton():
    space = NETWORK_SPACES["b0"]()
    found = nearest_choices(space, B0, zeros(space))
    assert space.decode(found) == B0
    assert found.tolist() == choices_of(B0).tolist()


def test_mobilenet_v2_has_a_neighbour_in_s1_that_differs_where_the_space_does():
    space = NETWORK_SPACES["s1"]()
    mine = PUBLISHED["MobileNetV2"]
    found = space.decode(nearest_choices(space, mine, zeros(space)))
    first, *rest = found.blocks
    assert first == replace(mine.blocks[0], expansion=3)  # 1 is not among 3 and 6
    assert tuple(rest) == mine.blocks[1:]


def test_knobs_of_an_accelerator_stay_as_they_are():
    space = joint_space("b0")
    start = zeros(space)
    start[-7:] = 1
    found = nearest_choices(space, B0, start)
    assert found[-7:].tolist() == [1] * 7
    assert space.decode(found).network == B0


def test_only_the_sizes_are_another_s():
    small = NETWORK_SPACES["s2"](resolution=64, classes=10).decode([0] * 32)
    found = sized_as(B0, small)
    assert (found.resolution, found.classes) == (64, 10)
    assert found.blocks == B0.blocks
