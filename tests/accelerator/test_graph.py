"""What folding does to imported steps, rule by rule."""

from dataclasses import replace

import pytest

from nahas.accelerator.fold import fold
from nahas.accelerator.graph import (
    AFFINE,
    CLAMP,
    IDENTITY,
    INPUT,
    PAD,
    SCALE,
    Graph,
    Step,
    UnsupportedError,
    add_transposed,
    one_dilation,
)
from nahas.accelerator.workload import Kind, Operator, workload

SHAPE = (8, 8, 16)


def built(*rows, outputs=()):
    """The folded kinds and names of steps: (does, inputs) each, of one shape."""
    graph = Graph(SHAPE, outputs=list(outputs))
    for i, (does, inputs) in enumerate(rows):
        window = (3, 3) if does in (Kind.CONV, Kind.POOL) else (1, 1)
        graph.add(Step(f"{i}", does, inputs, SHAPE, window))
    work = fold(graph)
    return [(Kind(row["kind"]).name, name) for row, name in zip(
        work.operators, work.names, strict=True)]  # fmt: skip


CONV, ADD, MUL = (Kind.CONV, (INPUT,)), Kind.ADD, Kind.MULTIPLY


def test_batch_norm_and_relu_after_a_convolution_cost_nothing():
    assert built(CONV, (SCALE, (0,)), (CLAMP, (1,))) == [("CONV", "0")]


def test_batch_norm_that_follows_nothing_is_one_multiplication():
    rows = built(CONV, (ADD, (0, INPUT)), (SCALE, (1,)), (SCALE, (2,)), (CLAMP, (3,)))
    assert rows == [("CONV", "0"), ("ADD", "1"), ("MULTIPLY", "2")]


def test_batch_norm_of_a_value_that_others_read_is_not_absorbed():
    rows = built(CONV, (SCALE, (0,)), (ADD, (0, 1)))
    assert [kind for kind, _ in rows] == ["CONV", "MULTIPLY", "ADD"]


def test_a_relu_of_a_value_that_others_read_is_a_copy():
    rows = built(CONV, (CLAMP, (0,)), (ADD, (0, 1)))
    assert [kind for kind, _ in rows] == ["CONV", "LOOKUP", "ADD"]


def test_the_models_input_comes_scaled():
    assert built((AFFINE, (INPUT,)), (SCALE, (0,)), (Kind.CONV, (1,))) == [
        ("CONV", "2")
    ]


def test_windows_absorb_a_pad_and_nothing_else_does():
    assert built((PAD, (INPUT,)), (Kind.CONV, (0,))) == [("CONV", "1")]
    rows = built(CONV, (PAD, (0,)), (ADD, (1, INPUT)))
    assert [kind for kind, _ in rows] == ["CONV", "MOVE", "ADD"]


def test_a_gate_of_the_value_itself_is_a_table():
    swish = built(CONV, (Kind.SIGMOID, (0,)), (MUL, (0, 1)))
    assert swish == [("CONV", "0"), ("SWISH", "2")]
    hswish = built(CONV, (AFFINE, (0,)), (CLAMP, (1,)), (AFFINE, (2,)), (MUL, (3, 0)))
    assert hswish == [("CONV", "0"), ("HSWISH", "4")]
    other = built(CONV, (Kind.LOOKUP, (0,)), (MUL, (1, 0)))
    assert other == [("CONV", "0"), ("LOOKUP", "2")]


def test_a_gate_that_others_read_stays():
    rows = built(CONV, (Kind.SIGMOID, (0,)), (MUL, (0, 1)), (ADD, (1, 2)))
    assert [kind for kind, _ in rows] == ["CONV", "SIGMOID", "MULTIPLY", "ADD"]


def test_functions_of_one_element_are_one_table():
    rows = built(CONV, (Kind.SIGMOID, (0,)), (AFFINE, (1,)), (Kind.LOOKUP, (2,)))
    assert [kind for kind, _ in rows] == ["CONV", "LOOKUP"]
    assert built(CONV, (AFFINE, (0,)), (Kind.SIGMOID, (1,))) == [
        ("CONV", "0"), ("SIGMOID", "2"),
    ]  # fmt: skip


def test_a_value_taken_twice():
    assert [k for k, _ in built(CONV, (ADD, (0, 0)))] == ["CONV"]
    assert [k for k, _ in built(CONV, (MUL, (0, 0)))] == ["CONV", "LOOKUP"]


def test_what_nobody_needs_is_left_out():
    rows = built(CONV, (Kind.CONV, (0,)), (Kind.POOL, (0,)), outputs=[1])
    assert [name for _, name in rows] == ["0", "1"]


def test_an_output_is_not_folded_away():
    rows = built(CONV, (CLAMP, (0,)), (Kind.CONV, (1,)), outputs=[0, 2])
    assert [kind for kind, _ in rows] == ["CONV", "LOOKUP", "CONV"]


def test_a_model_without_work_is_refused():
    with pytest.raises(UnsupportedError, match="no operator that takes time"):
        built((IDENTITY, (INPUT,)))


def test_a_map_too_large_to_be_true_is_refused():
    with pytest.raises(UnsupportedError, match="100000 x 100000 x 10"):
        Step("huge", Kind.MOVE, (INPUT,), (100_000, 100_000, 10))


def test_a_transposed_convolution_multiplies_no_zeros():
    graph = Graph((8, 8, 16))
    add_transposed(graph, "up", INPUT, (16, 16, 4), (2, 2), (2, 2))
    work = fold(graph)
    assert [Kind(k).name for k in work.operators["kind"]] == ["CONV", "MOVE"]
    assert work.macs.sum() == 16 * 16 * 4 * 16


def test_the_same_step_is_taken_once():
    graph = Graph(SHAPE)
    conv = graph.add(Step("conv", Kind.CONV, (INPUT,), SHAPE))
    clamps = [
        graph.once(Step(name, CLAMP, (conv,), SHAPE), function)
        for name, function in (("a", "relu"), ("b", "relu"), ("c", "relu6"))
    ]
    assert clamps[0] == clamps[1] != clamps[2]


def test_a_reshaped_map_is_read_in_its_new_shape():
    """A dense layer of 8 rows of 256: 8 * 256 * 32 MACs, not 8 * 16 * 16 * 32."""
    graph = Graph((8, 16, 16))
    move = graph.add(Step("turn", Kind.MOVE, (INPUT,), (8, 16, 16)))
    view = graph.add(Step("view", IDENTITY, (move,), (1, 8, 256)))
    graph.add(Step("dense", Kind.CONV, (view,), (1, 8, 32)))
    work = fold(graph)
    assert work.macs.sum() == 8 * 256 * 32
    row = work.operators[1]
    assert (row["height"], row["width"], row["channels"]) == (1, 8, 256)


def test_a_padded_window_reads_the_map_and_not_the_padding():
    graph = Graph(SHAPE)
    pad = graph.add(Step("pad", PAD, (INPUT,), (10, 10, 16)))
    graph.add(Step("conv", Kind.CONV, (pad,), SHAPE, (3, 3)))
    assert fold(graph).operators["height"].tolist() == [8]


def test_a_change_of_view_keeps_the_elements():
    graph = Graph(SHAPE)
    with pytest.raises(UnsupportedError, match=r"windows must leave the batch alone"):
        graph.add(Step("windows", IDENTITY, (INPUT,), (4, 4, 16)))


@pytest.mark.parametrize(
    ("window", "dilations", "one"),
    [
        ((3, 3), (2, 2), 2),
        ((1, 3), (4, 2), 2),
        ((3, 1), (4, 2), 4),
        ((1, 1), (4, 2), 1),
    ],
)
def test_the_dilation_of_a_window_of_one_row_is_that_along_it(window, dilations, one):
    assert one_dilation("conv", window, dilations) == one


@pytest.mark.parametrize("dilations", [(1, 2), (2, 1)])
def test_a_window_dilated_two_ways_is_refused(dilations):
    with pytest.raises(UnsupportedError, match="Layer a must be dilated alike both wa"):
        one_dilation("Layer a", (3, 3), dilations)


def test_maps_are_combined_two_at_a_time():
    graph = Graph(SHAPE)
    small = graph.add(Step("pool", Kind.POOL, (INPUT,), (1, 1, 16), (8, 8), groups=16))
    convs = [graph.add(Step(name, Kind.CONV, (INPUT,), SHAPE)) for name in "ab"]
    graph.add_pairs(Step("sum", Kind.ADD, (small, *convs), SHAPE))
    work = fold(graph)
    assert work.names[-2:] == ("sum/1", "sum")
    assert work.operators["channels"][-2:].tolist() == [16, 32]
    assert work.operators["out_height"][-2:].tolist() == [8, 8]


def test_maps_that_do_not_fit_are_refused_by_name():
    graph = Graph(SHAPE)
    row = graph.add(Step("row", Kind.REDUCE, (INPUT,), (1, 1, 8)))
    with pytest.raises(UnsupportedError, match=r"sum must .* 8 x 8 x 16 and 1 x 1 x 8"):
        graph.add_pairs(Step("sum", Kind.ADD, (INPUT, row, INPUT), SHAPE))


def test_constants_go_where_their_step_goes():
    """A scale and a shift of 16 channels each; slopes of a table; none in a weight."""
    graph = Graph(SHAPE)
    conv = graph.add(Step("conv", Kind.CONV, (INPUT,), SHAPE))
    norm = graph.add(Step("norm", SCALE, (conv,), SHAPE, constants=32))  # in conv
    pool = graph.add(Step("pool", Kind.POOL, (norm,), SHAPE, (3, 3), groups=16))
    scale = graph.add(Step("scale", SCALE, (pool,), SHAPE, constants=16))
    shift = graph.add(Step("shift", SCALE, (scale,), SHAPE, constants=16))
    again = graph.add(Step("again", SCALE, (shift,), SHAPE, constants=16))
    slopes = graph.add(Step("slopes", Kind.LOOKUP, (again,), SHAPE, constants=16))
    graph.add(Step("tanh", Kind.LOOKUP, (slopes,), SHAPE))
    work = fold(graph)
    assert work.names == ("conv", "pool", "scale", "tanh")
    assert work.constants.tolist() == [[2, 32], [3, 16]]
    assert work.parameters.tolist() == [16 * 17, 0, 32, 16]


def test_weights_of_one_name_are_held_once_and_read_twice():
    graph = Graph(SHAPE)
    first = graph.add(Step("a", Kind.CONV, (INPUT,), SHAPE, weights="w"))
    second = graph.add(Step("b", Kind.CONV, (first,), SHAPE, weights="v"))
    graph.add(Step("c", Kind.CONV, (second,), SHAPE, weights="w"))
    work = fold(graph)
    assert work.shared.tolist() == [2]
    assert work.parameters.tolist() == [272, 272, 272]
    assert work.own_parameters.tolist() == [272, 272, 0]


def test_a_part_of_a_workload_keeps_its_constants_and_what_it_shares():
    def network(constants, shared):
        scale = Operator("scale", Kind.MULTIPLY, (-1,), 8, 8, 4, 8, 8, 4,
                         constants=constants)  # fmt: skip
        return [scale, replace(scale, inputs=(0,), shared=shared)]

    work = workload([network(3, False), network(5, True), network(7, True)])
    part = work.part(1, 3)
    assert part.constants.tolist() == [[0, 5], [1, 5], [2, 7], [3, 7]]
    assert part.shared.tolist() == [1, 3]
    assert work.per_network(work.own_parameters).tolist() == [6, 5, 7]
