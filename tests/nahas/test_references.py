from dataclasses import replace
from itertools import product
from math import sqrt

import numpy as np
import pytest
import toy_parts
from hypothesis import given
from hypothesis import strategies as st

from nahas.config import Config, load
from nahas.references import SMALLEST, compare, reference_networks, smallest
from nahas.search_space.joint import joint_space
from nahas.search_space.lower import lower


def test_the_interval_by_hand():
    # 100 images: 10 only the first gets right, 5 only the second, 80 both, 5 neither.
    first = np.array([True] * 90 + [False] * 10)
    second = np.array([False] * 10 + [True] * 85 + [False] * 5)
    found = compare(first, second)
    assert (found.accuracy, found.other, found.images) == (0.9, 0.85, 100)
    assert found.difference == pytest.approx(0.05)
    middle, half = 5 / 102, 1.959964 * sqrt(16 - 25 / 102) / 102
    assert found.low == pytest.approx(middle - half)
    assert found.high == pytest.approx(middle + half)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200))
def test_laws_of_the_comparison(pairs):
    first, second = map(np.array, zip(*pairs, strict=True))
    found, turned = compare(first, second), compare(second, first)
    assert found.low < found.high
    assert found.difference == pytest.approx(found.accuracy - found.other)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    same = compare(first, first)
    assert same.difference == 0
    assert same.low < 0 < same.high


def test_networks_on_other_images_are_refused():
    with pytest.raises(ValueError, match="one length"):
        compare(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


def test_the_smallest_network_by_brute_force():
    networks = toy_parts.space()
    counts = [range(len(knob.values)) for knob in networks.knobs]
    everyone = [networks.decode(np.array(choices)) for choices in product(*counts)]
    found = smallest(joint_space(networks))
    assert lower([found]).macs.sum() == min(
        lower([network]).macs.sum() for network in everyone
    )
    assert found in everyone


def test_the_smallest_of_s2_has_the_smallest_choices():
    found = smallest(joint_space("s2"))
    assert {(block.kernel, block.expansion) for block in found.blocks} == {(3, 3)}


def test_references_have_the_deployed_size():
    config: Config = load()
    config = replace(config, network=replace(config.network, resolution=160))
    found = reference_networks(config)
    assert list(found) == ["EfficientNetB0", "MobileNetV2", SMALLEST]
    assert {network.resolution for network in found.values()} == {160}
