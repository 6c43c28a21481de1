"""Stages: paths of segments are whole networks, and what is no path is refused."""

import numpy as np
import pytest

from nahas.search_space.lower import lower, piece_lengths
from nahas.search_space.network import Block, Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.space import Knob, SearchSpace
from nahas.search_space.stages import stages_of


def found(space):
    names = [knob.name for knob in space.knobs]
    return stages_of(names, space.cardinalities, space.decode)


def networks(values):
    blocks = [
        Block("ibn", values["a.kernel"], 3, values["a.filters"], stride=2),
        *[Block("ibn", 3, values["b.expansion"], 24)] * values["b.layers"],
    ]
    return Network(tuple(blocks), stem_filters=8, head_filters=32, resolution=32)


KNOBS = (
    Knob("a.kernel", (3, 5)),
    Knob("a.filters", (16, 24)),
    Knob("b.expansion", (1, 6)),
    Knob("b.layers", (1, 2, 3)),
)


def test_a_stage_has_a_segment_for_each_choice_and_map_before():
    stages = found(SearchSpace("two", KNOBS, networks))
    assert [len(options) for options in stages.options] == [4, 6]
    # Two widths behind stage a, so two states; behind stage b there are 24 channels.
    assert [len(own) for own in stages.after] == [1, 2]
    assert stages.after[0].tolist() == [[0, 1, 0, 1]]
    assert stages.after[1].tolist() == [[0] * 6, [0] * 6]
    assert len(stages.heads) == 1
    # k3 f16, k3 f24, k5 f16, k5 f24; six for each of two widths; a stem and a head.
    assert len(stages.segments) == 4 + 12 + 2
    assert stages.choices([3, 5]).tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize("name", ["b0", "s1", "s2", "nas-bench-macro", "b0-stages"])
def test_a_path_is_its_network(name):
    space = NETWORK_SPACES[name](resolution=64)
    stages = found(space)
    rng = np.random.default_rng(1)
    for _ in range(16):
        picks = [int(rng.integers(len(own))) for own in stages.options]
        load = lower([space.decode(stages.choices(picks))])
        parts = [stages.segments[i] for i in stages.path(picks)]
        rows = np.concatenate([part.operators for part in parts])
        flat = load.operators.view(np.int64).reshape(len(load), -1)
        assert (rows == flat).all()


def test_the_state_of_s3_is_what_the_block_before_puts_out():
    space = NETWORK_SPACES["s3"]()
    short = SearchSpace(
        "s3 of four",
        space.knobs[:20],
        lambda values: space.build({k.name: k.values[0] for k in space.knobs} | values),
    )
    stages = found(short)
    assert len(stages.after[0]) == 1
    assert max(len(own) for own in stages.after) <= 5


def test_a_space_whose_stages_know_of_each_other_is_refused():
    def tangled(values):
        kernel = 3 if values["a.kernel"] == values["b.layers"] else 5
        blocks = [Block("ibn", 3, 1, 8), *[Block("ibn", kernel, 1, 8)] * 2]
        return Network(tuple(blocks), stem_filters=8, head_filters=8, resolution=32)

    knobs = (Knob("a.kernel", (1, 3)), Knob("b.layers", (1, 3)))
    with pytest.raises(ValueError, match="`space` must be one of networks in stages"):
        found(SearchSpace("tangled", knobs, tangled))


def test_too_large_a_stage_is_refused():
    knobs = tuple(Knob(f"all.{i}", tuple(range(8))) for i in range(5))
    with pytest.raises(ValueError, match="at most 4,096 choices"):
        found(SearchSpace("large", knobs, networks))


def test_pieces_are_stem_blocks_and_head():
    network = networks(
        {"a.kernel": 3, "a.filters": 24, "b.expansion": 1, "b.layers": 1}
    )
    # conv; expand, depthwise, project; depthwise, project, add; conv, pool, dense.
    assert piece_lengths(network) == [1, 3, 3, 3]
