"""ONNX models as workloads. The file is read, never run.

ONNX lays maps out as (batch, channels, rows, columns); a transpose to channels last and
back is a change of view, which the reader follows and the machine never sees.
"""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from nahas.accelerator import onnx_file
from nahas.accelerator.graph import (
    AFFINE,
    CLAMP,
    IDENTITY,
    INPUT,
    PAD,
    SCALE,
    Graph,
    Shape,
    Step,
    UnsupportedError,
    add_transposed,
    fold,
)
from nahas.accelerator.onnx_file import check_node, check_size, label_of
from nahas.accelerator.sole_input import sole_input
from nahas.accelerator.workload import Kind, Workload

_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def import_onnx(path: Path) -> Workload:
    """The workload of an ONNX file.

    Raises:
        UnsupportedError: If the file is damaged, its shapes are not fixed, an operator
            cannot be costed, it has several inputs, or the package `onnx` is missing.
    """
    return _Reader(onnx_file.load_onnx(path), path.name).workload()


class _Reader:
    """Adds the nodes of a model to a `Graph`."""

    def __init__(self, model: Any, name: str) -> None:
        from onnx import numpy_helper

        self.name = name
        self.nodes = list(model.graph.node)
        graph = model.graph
        self.constants = onnx_file.constants(graph)
        self.to_array = numpy_helper.to_array
        self.dims = {
            value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
            for value in (*graph.input, *graph.value_info, *graph.output)
        }
        constants = {label: t.dims for label, t in self.constants.items()}
        for label, dims in (constants | self.dims).items():
            check_size(label, dims, self.name)
        self.last: set[str] = set()  # values seen with their channels last
        inputs = [v.name for v in graph.input if v.name not in self.constants]
        source = sole_input(inputs, name)
        self.values = {source: INPUT}
        sizes = self.dims.get(source, [])
        if len(sizes) == 4 and sizes[3] <= 4 < sizes[1]:  # images, channels last
            self.last.add(source)
        self.graph = Graph(self.shape(source))
        self.outputs = [v.name for v in graph.output]

    def workload(self) -> Workload:
        made = {"", *self.values, *self.constants}
        for node in self.nodes:
            check_node(node, made, self.name)
            made.update(node.output)
            # Shapes are constants, and so is what is made of constants alone.
            computed = any(name in self.values for name in node.input)
            if node.op_type == "Shape" or not computed:
                continue
            add = _OPERATORS.get(node.op_type)
            if add is None:
                raise UnsupportedError(
                    f"Node {label_of(node)} of type {node.op_type} in {self.name} "
                    "cannot be costed: the machine has no model of it."
                )
            if any(name in self.last for name in node.input):
                self.last.update(node.output)
            try:
                number = add(self, node)
            except (AttributeError, IndexError, KeyError, TypeError) as error:
                raise UnsupportedError(
                    f"Node {label_of(node)} of type {node.op_type} in {self.name} "
                    "must have the inputs and attributes of its type as constants. "
                    f"Received {list(node.input)}."
                ) from error
            for output in node.output:
                self.values.setdefault(output, number)
        for name in self.outputs:
            if self.values.get(name, INPUT) != INPUT:
                self.graph.outputs.append(self.values[name])
        return fold(self.graph)

    def shape(self, name: str) -> Shape:
        """Rows, columns and channels of a value."""
        sizes = self.dims.get(name)
        if sizes is None or any(size < 1 for size in sizes):
            raise UnsupportedError(
                f"Value {name} in {self.name} must have a fixed shape. Received "
                f"{['?' if s < 1 else s for s in sizes or ['?']]}; export the model "
                "with a fixed input shape."
            )
        if len(sizes) == 4 and name not in self.last:
            return sizes[0] * sizes[2], sizes[3], sizes[1]
        sizes = [1] * (4 - len(sizes)) + sizes
        return prod(sizes[:-2]), sizes[-2], sizes[-1]

    def sizes(self, name: str) -> list[int]:
        """The shape of a constant."""
        return list(self.constants[name].dims)

    def attribute(self, node: Any, name: str, default: Any = None) -> Any:
        """An attribute's integers, number or text."""
        import onnx

        for attribute in node.attribute:
            if attribute.name == name and attribute.type:
                value = onnx.helper.get_attribute_value(attribute)
                return list(value) if hasattr(value, "__len__") else value
        return default

    def read(self, node: Any) -> tuple[int, ...]:
        """The steps that a node reads; constants are left out."""
        return tuple(self.values[name] for name in node.input if name in self.values)

    def add(self, node: Any, does: Kind | str, **details: Any) -> int:
        """Adds a step that reads all that the node reads."""
        shape = self.shape(node.output[0])
        inputs = details.pop("inputs", self.read(node))
        return self.graph.add(Step(label_of(node), does, inputs, shape, **details))


Add = Callable[[_Reader, Any], int]


def _simple(does: Kind | str) -> Add:
    def add(reader: _Reader, node: Any) -> int:
        return reader.add(node, does, inputs=reader.read(node)[:1])

    return add


def _pair(values: list[int] | None) -> tuple[int, int]:
    values = [1, *(values or [1, 1])][-2:]
    return values[0], values[1]


def _convolution(reader: _Reader, node: Any) -> int:
    source, weights = node.input[0], _weights(reader, node)
    groups = reader.attribute(node, "group", 1)
    down, along = _pair(reader.attribute(node, "dilations"))
    if down != along and min(down, along) > 1:
        raise UnsupportedError(
            f"Node {label_of(node)} must be dilated alike both ways. "
            f"Received {down} x {along}."
        )
    return reader.add(
        node, Kind.CONV, inputs=(reader.values[source],), window=_pair(weights[2:]),
        strides=_pair(reader.attribute(node, "strides")), groups=groups,
        dilation=max(down, along),
    )  # fmt: skip


def _weights(reader: _Reader, node: Any) -> list[int]:
    """The shape of a convolution's weights."""
    name = node.input[1]
    if node.input[0] not in reader.values or name in reader.values:
        raise UnsupportedError(
            f"Node {label_of(node)} of type {node.op_type} in {reader.name} cannot "
            "be costed: it must multiply a computed value by constant weights."
        )
    return reader.sizes(name) if name in reader.constants else reader.dims[name]


def _transposed(reader: _Reader, node: Any) -> int:
    weights = _weights(reader, node)
    if max(_pair(reader.attribute(node, "dilations"))) > 1:
        raise UnsupportedError(
            f"Node {label_of(node)} of type {node.op_type} in {reader.name} cannot "
            "be costed: it is dilated."
        )
    return add_transposed(
        reader.graph, label_of(node), reader.values[node.input[0]],
        reader.shape(node.output[0]), _pair(weights[2:]),
        _pair(reader.attribute(node, "strides")), reader.attribute(node, "group", 1),
    )  # fmt: skip


def _dense(reader: _Reader, node: Any) -> int:
    """A product with constant weights: a dense layer, or one of each position."""
    inputs = reader.read(node)
    if len(inputs) != 1:
        raise UnsupportedError(
            f"Node {label_of(node)} of type {node.op_type} in {reader.name} cannot "
            "be costed: it multiplies two computed values."
        )
    shape = reader.shape(node.output[0])
    positions = shape[0] * shape[1]
    return reader.add(node, Kind.DENSE if positions == 1 else Kind.CONV)


def _kind_of_pool(node: Any) -> Kind:
    return Kind.POOL if "Max" in node.op_type else Kind.AVERAGE


def _pool(reader: _Reader, node: Any) -> int:
    return reader.add(
        node, _kind_of_pool(node), window=_pair(reader.attribute(node, "kernel_shape")),
        strides=_pair(reader.attribute(node, "strides")),
        groups=reader.shape(node.output[0])[2],
    )  # fmt: skip


def _global_pool(reader: _Reader, node: Any) -> int:
    rows, columns, channels = reader.shape(node.input[0])
    return reader.graph.add(Step(
        label_of(node), _kind_of_pool(node), reader.read(node), (1, 1, channels),
        (rows, columns), groups=channels,
    ))  # fmt: skip


def _reduce(reader: _Reader, node: Any) -> int:
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

    def add(reader: _Reader, node: Any) -> int:
        inputs, shape = reader.read(node), reader.shape(node.output[0])
        kind: Kind | str = does
        if len(inputs) == 1:
            others = [name for name in node.input if name not in reader.values]
            sizes = [
                prod(reader.sizes(name)) for name in others if name in reader.constants
            ]
            size = max(sizes, default=1)
            kind = scalar if size == 1 else SCALE if size == shape[2] else does
        return reader.add(node, kind, inputs=inputs)

    return add


def _transpose(reader: _Reader, node: Any) -> int:
    perm, source, target = reader.attribute(node, "perm"), node.input[0], node.output[0]
    if perm == _TO_LAST and source not in reader.last:
        reader.last.add(target)
    elif perm == _TO_FIRST and source in reader.last:
        reader.last.discard(target)
    else:
        return reader.add(node, Kind.MOVE)
    return reader.add(node, IDENTITY)


def _reshape(reader: _Reader, node: Any) -> int:
    """No work; the channels of a flat value are its last axis."""
    if len(reader.dims.get(node.output[0], [])) == 4:
        reader.last.discard(node.output[0])
    return reader.add(node, IDENTITY, inputs=reader.read(node)[:1])


def _norm(reader: _Reader, node: Any) -> int:
    [value] = reader.read(node)
    rows, columns, channels = reader.shape(node.output[0])
    label = label_of(node)
    moments = Step(f"{label}/moments", Kind.REDUCE, (value,), (rows, columns, 2))
    inputs = (value, reader.graph.add(moments))
    shape = (rows, columns, channels)
    return reader.graph.add(Step(label, Kind.MULTIPLY, inputs, shape))


def _resize(reader: _Reader, node: Any) -> int:
    mode = reader.attribute(node, "mode", b"nearest")
    nearest = bytes(mode) == b"nearest"
    return reader.add(
        node, Kind.RESIZE, inputs=reader.read(node)[:1],
        window=(1, 1) if nearest else (2, 2),
    )  # fmt: skip


def _parts(reader: _Reader, node: Any) -> int:
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


_OPERATORS: Mapping[str, Add] = {
    "ConvTranspose": _transposed,
    "Concat": _combine(Kind.CONCAT),
    "Split": _parts,
    "Transpose": _transpose,
    "BatchNormalization": _simple(SCALE),
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
    **_every("Mul Div", _combine(Kind.MULTIPLY)),
    **_every("Relu Clip HardSigmoid", _simple(CLAMP)),
    **_every("Reshape Flatten Squeeze Unsqueeze", _reshape),
    **_every(
        "Cast DequantizeLinear Dropout DynamicQuantizeLinear Identity QuantizeLinear",
        _simple(IDENTITY),
    ),
    **_every("LayerNormalization InstanceNormalization GroupNormalization", _norm),
    **_every("Resize Upsample", _resize),
    **_every(
        "Abs Celu Elu Erf Exp Gelu LeakyRelu Log LogSoftmax Mish Neg Pow PRelu "
        "Reciprocal Selu Softmax Softplus Softsign Sqrt Tanh",
        _simple(Kind.LOOKUP),
    ),
    **_every("DepthToSpace Expand Gather Slice SpaceToDepth Tile", _simple(Kind.MOVE)),
    **_every("ArgMax ArgMin TopK", _simple(Kind.REDUCE)),
}
"""ONNX's operators by type."""
