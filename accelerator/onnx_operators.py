"""ONNX's operators, each as the steps that it adds to a graph."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from nahas.accelerator.graph import (
    AFFINE,
    CLAMP,
    IDENTITY,
    PAD,
    SCALE,
    Pair,
    Step,
    UnsupportedError,
    add_normalized,
    add_transposed,
    one_dilation,
)
from nahas.accelerator.onnx_file import label_of, place_of
from nahas.accelerator.onnx_reader import OnnxReader
from nahas.accelerator.workload import Kind

_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]

Add = Callable[[OnnxReader, Any], int]


def _simple(does: Kind | str) -> Add:
    def add(reader: OnnxReader, node: Any) -> int:
        return reader.add(node, does, inputs=reader.read(node)[:1])

    return add


def _pair(values: list[int] | None) -> Pair:
    values = [1, *(values or [1, 1])][-2:]
    return values[0], values[1]


def _check_map(reader: OnnxReader, node: Any) -> None:
    rank = len(reader.dims.get(node.input[0], []))
    if rank != 4:
        raise UnsupportedError(
            f"{place_of(node, reader.name)} must read a batch of maps of rows and "
            f"columns. Received {rank} axes."
        )


def _convolution(reader: OnnxReader, node: Any) -> int:
    weights = reader.weights(node)
    _check_map(reader, node)
    window = _pair(weights[2:])
    dilations = _pair(reader.attribute(node, "dilations"))
    dilation = one_dilation(place_of(node, reader.name), window, dilations)
    return reader.add(
        node, Kind.CONV, inputs=(reader.values[node.input[0]],), window=window,
        strides=_pair(reader.attribute(node, "strides")),
        groups=reader.attribute(node, "group", 1),
        dilation=dilation, weights=node.input[1],
    )  # fmt: skip


def _transposed(reader: OnnxReader, node: Any) -> int:
    weights = reader.weights(node)
    _check_map(reader, node)
    if max(_pair(reader.attribute(node, "dilations"))) > 1:
        raise UnsupportedError(
            f"{place_of(node, reader.name)} cannot be costed: it is dilated."
        )
    return add_transposed(
        reader.graph, label_of(node), reader.values[node.input[0]],
        reader.shape(node.output[0]), _pair(weights[2:]),
        _pair(reader.attribute(node, "strides")), reader.attribute(node, "group", 1),
        weights=node.input[1],
    )  # fmt: skip


def _dense(reader: OnnxReader, node: Any) -> int:
    """A product with constant weights: a dense layer, or one of each position."""
    *_, width, filters = reader.weights(node)
    if reader.attribute(node, "transB", 0):
        width, filters = filters, width
    source, shape = reader.values[node.input[0]], reader.shape(node.output[0])
    before = reader.graph.shape_of(source)
    positions = prod(before) // width
    kind, out = Kind.DENSE if positions == 1 else Kind.CONV, shape
    if (before[2], shape[2]) != (width, filters):  # its channels are no map's
        out, view = (1, positions, filters), (1, positions, width)
        source = reader.graph.add(Step(label_of(node), IDENTITY, (source,), view))
    step = Step(label_of(node), kind, (source,), out, weights=node.input[1])
    number = reader.graph.add(step)
    return reader.graph.add(Step(label_of(node), IDENTITY, (number,), shape))


def _kind_of_pool(node: Any) -> Kind:
    return Kind.POOL if "Max" in node.op_type else Kind.AVERAGE


def _pool(reader: OnnxReader, node: Any) -> int:
    _check_map(reader, node)
    return reader.add(
        node, _kind_of_pool(node), window=_pair(reader.attribute(node, "kernel_shape")),
        strides=_pair(reader.attribute(node, "strides")),
        groups=reader.shape(node.output[0])[2],
    )  # fmt: skip


def _global_pool(reader: OnnxReader, node: Any) -> int:
    _check_map(reader, node)
    rows, columns, channels = reader.shape(node.input[0])
    return reader.graph.add(Step(
        label_of(node), _kind_of_pool(node), reader.read(node), (1, 1, channels),
        (rows, columns), groups=channels,
    ))  # fmt: skip


def _reduce(reader: OnnxReader, node: Any) -> int:
    axes = reader.attribute(node, "axes")
    if axes is None and len(node.input) > 1:
        axes = reader.to_array(reader.constants[node.input[1]]).tolist()
    rank = len(reader.dims[node.input[0]])
    spatial = [1, 2] if node.input[0] in reader.last else [2, 3]
    if rank == 4 and sorted(axis % rank for axis in axes or []) == spatial:
        return _global_pool(reader, node)
    return reader.add(node, Kind.REDUCE, inputs=reader.read(node)[:1])


def _combine(does: Kind, scalar: str = AFFINE) -> Add:
    """Two maps combined, or one and a constant."""

    def add(reader: OnnxReader, node: Any) -> int:
        inputs, shape = reader.read(node), reader.shape(node.output[0])
        step = Step(label_of(node), does, inputs, shape)
        if len(inputs) > 1:
            return reader.graph.add_pairs(step)
        kind: Kind | str = does
        held = reader.held(node)
        if not held:
            kind = scalar
        elif held == shape[2] == _channels(reader, node):
            kind = SCALE
        return reader.graph.add(replace(step, does=kind, constants=held))

    return add


def _divide(reader: OnnxReader, node: Any) -> int:
    """By a constant a scale; a constant by a map is a table."""
    by_map = node.input[0] not in reader.values
    add = _with_constants(Kind.LOOKUP) if by_map else _combine(Kind.MULTIPLY)
    return add(reader, node)


def _channels(reader: OnnxReader, node: Any) -> int:
    """Elements along the channels' axis of the constants that a node reads."""
    axis = -1
    if len(reader.dims[node.output[0]]) == 4 and node.output[0] not in reader.last:
        axis = -3
    [constant, *_] = (name for name in node.input if name not in reader.values)
    return ([1, 1, 1, *reader.sizes(constant)])[axis]


def _with_constants(does: Kind) -> Add:
    def add(reader: OnnxReader, node: Any) -> int:
        return reader.add(node, does, constants=reader.held(node))

    return add


def _batch_norm(reader: OnnxReader, node: Any) -> int:
    """A scale and a shift by channel, whatever they are made of."""
    constants = 2 * reader.shape(node.output[0])[2]
    return reader.add(node, SCALE, inputs=reader.read(node)[:1], constants=constants)


def _transpose(reader: OnnxReader, node: Any) -> int:
    perm, source, target = reader.attribute(node, "perm"), node.input[0], node.output[0]
    if perm == _TO_LAST and source not in reader.last:
        reader.last.add(target)
    elif perm == _TO_FIRST and source in reader.last:
        reader.last.discard(target)
    else:
        return reader.add(node, Kind.MOVE)
    return reader.add(node, IDENTITY)


def _reshape(reader: OnnxReader, node: Any) -> int:
    """No work; the channels of a flat value are its last axis."""
    if len(reader.dims.get(node.output[0], [])) == 4:
        reader.last.discard(node.output[0])
    return reader.add(node, IDENTITY, inputs=reader.read(node)[:1])


def _norm(reader: OnnxReader, node: Any) -> int:
    """The moments of each position, or of groups of channels."""
    [value] = reader.read(node)
    rows, columns, channels = reader.shape(node.output[0])
    moments = (rows, columns, 2)
    if node.op_type != "LayerNormalization":
        moments = (1, 1, 2 * reader.attribute(node, "num_groups", channels))
    return add_normalized(
        reader.graph, label_of(node), value, moments, reader.held(node)
    )


_INTERPOLATED = {b"nearest": 1, b"linear": 2, b"bilinear": 2, b"cubic": 4}
"""Rows and columns that make an element of a resized map."""


def _resize(reader: OnnxReader, node: Any) -> int:
    mode = reader.attribute(node, "mode", b"nearest")
    taps = _INTERPOLATED[bytes(mode)]
    window = (taps, taps)
    return reader.add(node, Kind.RESIZE, inputs=reader.read(node)[:1], window=window)


def _parts(reader: OnnxReader, node: Any) -> int:
    """A copy of each part of a value."""
    [*_, last] = (
        reader.values.setdefault(
            output,
            reader.graph.add(
                Step(f"{label_of(node)}/{output}", Kind.MOVE,
                     reader.read(node)[:1], reader.shape(output))
            ),
        )
        for output in node.output
    )  # fmt: skip
    return last


def _every(words: str, add: Add) -> dict[str, Add]:
    return dict.fromkeys(words.split(), add)


OPERATORS: Mapping[str, Add] = {
    "ConvTranspose": _transposed,
    "Concat": _with_constants(Kind.CONCAT),
    "PRelu": _with_constants(Kind.LOOKUP),
    "Split": _parts,
    "Transpose": _transpose,
    "BatchNormalization": _batch_norm,
    "Sigmoid": _simple(Kind.SIGMOID),
    "HardSwish": _simple(Kind.HSWISH),
    "Pad": _simple(PAD),
    **_every("Conv ConvInteger", _convolution),
    **_every("Gemm MatMul", _dense),
    **_every("MaxPool AveragePool LpPool", _pool),
    **_every("GlobalAveragePool GlobalMaxPool", _global_pool),
    **_every("ReduceMean ReduceSum ReduceMax ReduceMin ReduceL2", _reduce),
    **_every("Add Sub Sum Mean", _combine(Kind.ADD)),
    **_every("Max Min", _combine(Kind.ADD, CLAMP)),
    "Mul": _combine(Kind.MULTIPLY),
    "Div": _divide,
    **_every("Relu Clip HardSigmoid", _simple(CLAMP)),
    **_every("Reshape Flatten Squeeze Unsqueeze", _reshape),
    **_every(
        "Cast DequantizeLinear Dropout DynamicQuantizeLinear Identity QuantizeLinear",
        _simple(IDENTITY),
    ),
    **_every("LayerNormalization InstanceNormalization GroupNormalization", _norm),
    **_every("Resize Upsample", _resize),
    **_every(
        "Abs Celu Elu Erf Exp Gelu LeakyRelu Log LogSoftmax Mish Neg Pow "
        "Reciprocal Selu Softmax Softplus Softsign Sqrt Tanh",
        _simple(Kind.LOOKUP),
    ),
    **_every("DepthToSpace Expand Gather Slice SpaceToDepth Tile", _simple(Kind.MOVE)),
    **_every("ArgMax ArgMin TopK", _simple(Kind.REDUCE)),
}
"""ONNX's operators by type."""
