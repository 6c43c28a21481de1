"""What folding does to imported steps, rule by rule."""

import pytest

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
    fold,
)
from nahas.accelerator.workload import Kind

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
