"""Spaces: their sizes, codec, and what every choice of theirs builds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nahas.accelerator.grid import BASELINE, GRID, GRID_SIZE
from nahas.accelerator.presets import PRESETS
from nahas.search_space.joint import (
    Candidate,
    accelerator_choices,
    accelerator_knobs,
    accelerator_space,
    joint_space,
)
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES, s1, s2, s3
from nahas.search_space.published import PUBLISHED
from nahas.search_space.space import Knob, SearchSpace

SPACES = {name: make() for name, make in NETWORK_SPACES.items()} | {
    "accelerators": accelerator_space(),
    "joint": joint_space("s3"),
}


@pytest.mark.parametrize(
    ("name", "knobs", "size"),
    [
        ("s1", 34, 6**17),
        ("s2", 32, 6**16),
        ("s3", 80, (2 * 3 * 2 * 5 * 3) ** 16),
        ("b0", 28, (3 * 2 * 3 * 2) ** 6 * (3 * 2 * 4 * 2)),
        ("accelerators", 7, GRID_SIZE),
        ("joint", 87, 180**16 * GRID_SIZE),
    ],
)
def test_size_is_the_product_of_the_choices(name, knobs, size):
    space = SPACES[name]
    assert len(space.knobs) == knobs
    assert space.size == size
    assert f"{knobs} knobs, {size:,} candidates" in str(space)


@pytest.mark.parametrize("name", SPACES)
def test_random_choices_lie_inside_and_repeat_by_seed(name):
    space = SPACES[name]
    choices = space.random(np.random.default_rng(3), 200)
    assert choices.shape == (200, len(space.knobs))
    assert (space.check(choices) == choices).all()
    assert (choices == space.random(np.random.default_rng(3), 200)).all()
    assert {len(set(column)) for column in choices.T} == {*space.cardinalities}


@pytest.mark.parametrize("name", SPACES)
def test_pyglove_numbers_are_the_choices(name):
    space = SPACES[name]
    for choices in space.random(np.random.default_rng(0), 5):
        dna = space.to_dna(choices)
        assert dna.to_numbers() == choices.tolist()
        assert (space.from_dna(dna) == choices).all()


@pytest.mark.parametrize("name", SPACES)
def test_pyglove_knows_the_knobs_by_name(name):
    points = SPACES[name].dna_spec.decision_points
    assert [point.name for point in points] == [k.name for k in SPACES[name].knobs]


def test_names_that_differ_in_a_dot_stay_two_knobs():
    space = SearchSpace("near", (Knob("a.b", (1, 2)), Knob("a_b", (1, 2, 3))), dict)
    assert space.to_dna([1, 2]).to_numbers() == [1, 2]


def test_pyglove_counts_the_same_space():
    assert SPACES["s1"].dna_spec.space_size == 6**17


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_choice_of_s3_is_a_network_that_lowers(seed):
    [choices] = SPACES["s3"].random(np.random.default_rng(seed), 1)
    network = SPACES["s3"].decode(choices)
    assert Network.parse(str(network)) == network
    assert len(lower([network])) > 16
    assert network.proxy(28, 10, channels=1, width=0.25).resolution == 28


def test_s2_holds_efficientnet_b0_without_se_and_swish():
    space = s2()
    plain = [block.kernel for block in PUBLISHED["EfficientNetB0"].blocks]
    choices = [
        knob.values.index(6 if "expansion" in knob.name else plain[i // 2])
        for i, knob in enumerate(space.knobs)
    ]
    network = space.decode(choices)
    assert [block.kernel for block in network.blocks] == plain
    assert {block.se for block in network.blocks} == {0.0}
    assert {block.activation for block in network.blocks} == {"relu6"}


def test_s1_is_mobilenet_v2s_backbone():
    network = s1().decode(s1().random(np.random.default_rng(0), 1)[0])
    published = PUBLISHED["MobileNetV2"]
    assert [b.filters for b in network.blocks] == [b.filters for b in published.blocks]
    assert [b.stride for b in network.blocks] == [b.stride for b in published.blocks]


def test_s3_multiplies_filters_and_halves_groups_that_do_not_divide():
    space = s3()
    values = {
        knob.name.split(".")[1]: knob.values.index(value)
        for knob, value in zip(space.knobs[:5], ("ibn", 3, 3, 0.5, 4), strict=True)
    }
    choices = [values[knob.name.split(".")[1]] for knob in space.knobs]
    network = space.decode(choices)
    assert network.blocks[0].filters == 8
    assert network.blocks[2].filters == 16  # 24 x 0.5 = 12, rounded to 16
    assert all(c % b.groups == 0 for b, c in network.with_channels())


@pytest.mark.parametrize("name", NETWORK_SPACES)
def test_spaces_take_resolution_width_and_classes(name):
    space = NETWORK_SPACES[name](resolution=96, width=0.5, classes=10)
    network = space.decode([0] * len(space.knobs))
    assert (network.resolution, network.classes) == (96, 10)
    assert network.stem_filters == 16


def test_a_pair_goes_through_json():
    space = joint_space("s2")
    pair = space.decode([0] * len(space.knobs))
    assert Candidate.from_json(pair.to_json()) == pair
    with pytest.raises(ValueError, match="A pair must have `network` and `accel"):
        Candidate.from_json({"network": "x"})
    with pytest.raises(ValueError, match="`accelerator` must have pes_x"):
        Candidate.from_json({"network": "x", "accelerator": {"pes_x": 1}})


def test_accelerator_knobs_are_the_grids():
    space = accelerator_space()
    assert [k.name.removeprefix("accelerator.") for k in space.knobs] == list(GRID)
    assert space.decode([2, 2, 2, 2, 2, 2, 3]) == BASELINE


def test_wrong_choices_are_refused_with_the_knob():
    space = s2()
    inside = np.zeros((1, 32), dtype=int)
    with pytest.raises(ValueError, match=r"shape \[B, 32\].*Received shape \[1, 3\]"):
        space.check([[0, 0, 0]])
    with pytest.raises(ValueError, match="must be integers"):
        space.check(inside + 0.5)
    inside[0, 5] = 2
    with pytest.raises(ValueError, match=r"'block2\.expansion' must be an index"):
        space.decode(inside[0])


def test_spaces_without_meaning_are_refused():
    for values in [(3, 3), (), ([1], [2])]:
        with pytest.raises(ValueError, match="distinct, hashable, and at least one"):
            Knob("kernel", values)
    with pytest.raises(ValueError, match="distinct names"):
        SearchSpace("twice", (Knob("a", (1,)), Knob("a", (2,))), dict)
    with pytest.raises(ValueError, match="one of s1, s2, s3"):
        joint_space("s9")
    with pytest.raises(ValueError, match="Settings go with a space's name"):
        joint_space(s2(), width=0.5)


def test_a_space_of_ones_own():
    def build(values):
        return PUBLISHED[values["model"]]

    space = joint_space(SearchSpace("mine", (Knob("model", tuple(PUBLISHED)),), build))
    assert space.size == len(PUBLISHED) * GRID_SIZE
    pair = space.decode([0, 2, 2, 2, 2, 2, 2, 3])
    assert pair == Candidate(PUBLISHED["MobileNetV2"], BASELINE)


BACKBONES = {"s1": "MobileNetV2", "s2": "EfficientNetLite0", "s3": "EfficientNetLite0"}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_reference_is_published_but_for_a_first_block_that_the_space_lacks(name):
    space, published = SPACES[name], PUBLISHED[BACKBONES[name]]
    found = space.decode(space.reference)
    first, *rest = published.blocks
    assert first.expansion == 1
    assert found == replace(published, blocks=(replace(first, expansion=3), *rest))


def test_the_reference_of_b0_is_published():
    space = SPACES["b0"]
    assert space.decode(space.reference) == PUBLISHED["EfficientNetB0"]


def test_the_reference_of_a_joint_space_is_on_the_baseline():
    space = SPACES["joint"]
    network = SPACES["s3"].decode(SPACES["s3"].reference)
    assert space.decode(space.reference) == Candidate(network, BASELINE)
    unknown = SearchSpace("mine", (Knob("kernel", (3, 5)),), lambda values: network)
    assert joint_space(unknown).reference is None


def test_a_reference_outside_its_space_is_refused():
    with pytest.raises(ValueError, match=r"index from 0 to 1\. Received 2"):
        SearchSpace("odd", (Knob("kernel", (3, 5)),), dict, (2,))


def test_an_accelerator_beside_the_grid_adds_its_values():
    chip = PRESETS["coral"].accelerator
    space = joint_space("s2", also=chip)
    choices = np.array(space.reference)
    choices[accelerator_knobs(space)] = accelerator_choices(space, chip)
    assert space.decode(choices).accelerator == chip
    assert space.decode(space.reference).accelerator == BASELINE
    # Memory, registers and bandwidth are not the grid's.
    assert space.size == 6**16 * (GRID_SIZE // 5**3) * 6**3
    with pytest.raises(
        ValueError, match=r"Its local_memory_mib is 0\.1875, among 0\.5"
    ):
        accelerator_choices(SPACES["joint"], chip)


def test_knobs_of_the_accelerator_are_found_wherever_they_are():
    knobs = SPACES["joint"].knobs
    space = SearchSpace("turned", knobs[::-1], dict)
    assert [space.knobs[d].name for d in accelerator_knobs(space)] == [
        f"accelerator.{name}" for name in GRID
    ]
    for part, lacks in ((knobs[:-1], "io_bandwidth_gbps"), (knobs[80:], "knobs of")):
        with pytest.raises(ValueError, match=f"lacks .*{lacks}"):
            accelerator_knobs(SearchSpace("part", part, dict))
