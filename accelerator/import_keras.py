"""Keras models as workloads. The model is read, never run."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from nahas.accelerator.sole_input import sole_input
from nahas.accelerator.workload import Kind, Workload

ACTIVATIONS: Mapping[str, Kind | str] = {
    "linear": IDENTITY,
    **dict.fromkeys(("relu", "relu6", "hard_sigmoid", "hard_tanh"), CLAMP),
    "sigmoid": Kind.SIGMOID,
    **dict.fromkeys(("silu", "swish"), Kind.SWISH),
    **dict.fromkeys(("hard_silu", "hard_swish"), Kind.HSWISH),
    **dict.fromkeys(
        ("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "leaky_relu",
         "log_sigmoid", "log_softmax", "mish", "selu", "soft_shrink", "softmax",
         "softplus", "softsign", "sparse_plus", "squareplus", "tanh", "tanh_shrink",
         "threshold"),
        Kind.LOOKUP,
    ),
}  # fmt: skip
"""What the machine does for an activation: work of its own only where it is a table."""


def import_keras(model: Any) -> Workload:
    """The workload of a Keras model, at the input shape that it was built with.

    Raises:
        UnsupportedError: If a layer cannot be costed, a shape is not fixed, or there
            are several inputs.
    """
    source = sole_input(_inputs(model), model.name)
    graph = Graph(_shape(source.shape, model.name))
    reader = _Reader(graph)
    outputs = reader.model(model, [INPUT], model.name)
    graph.outputs = [number for number in outputs if number != INPUT]
    return fold(graph)


def _inputs(model: Any) -> list[Any]:
    tensors = getattr(model, "inputs", None)
    if not tensors:
        raise UnsupportedError(
            f"Model {getattr(model, 'name', model)!r} must be functional or sequential "
            "and built with an input shape: a subclassed model does not say what it "
            "is made of."
        )
    return list(tensors)


def _shape(shape: Sequence[int | None], where: str) -> Shape:
    """Rows, columns and channels of a tensor's shape without its batch."""
    sizes = tuple(shape)[1:]
    if len(sizes) > 3:
        raise UnsupportedError(
            f"Tensors must have at most rows, columns and channels beside their batch. "
            f"Received {tuple(shape)} (in {where})."
        )
    if None in sizes:
        raise UnsupportedError(
            f"Tensors must have fixed shapes. Received {tuple(shape)} (in {where}); "
            "build the model with an input shape."
        )
    full = (1,) * (3 - len(sizes)) + sizes
    return full[0], full[1], full[2]  # type: ignore[return-value]


class _Reader:
    """Adds the layers of models to a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def model(self, model: Any, inputs: Sequence[int], where: str) -> list[int]:
        """Adds a functional or sequential model that reads `inputs`."""
        functional = getattr(model, "_functional", None) or model
        if not hasattr(functional, "_nodes_by_depth"):
            raise UnsupportedError(
                f"Layer {where} of class {type(model).__name__} cannot be costed: it "
                "does not say what it is made of."
            )
        values = {
            id(tensor): number
            for tensor, number in zip(functional.inputs, inputs, strict=True)
        }
        for depth in sorted(functional._nodes_by_depth, reverse=True):
            for node in functional._nodes_by_depth[depth]:
                if not node.is_input:
                    self._node(node, values)
        return [values[id(tensor)] for tensor in functional.outputs]

    def _node(self, node: Any, values: dict[int, int]) -> None:
        layer = node.operation
        read = node.arguments.keras_tensors
        inputs = [values[id(tensor)] for tensor in read]
        if hasattr(layer, "layers"):
            outputs = self.model(layer, inputs, layer.name)
        else:
            name = type(layer).__name__
            add = _LAYERS.get(re.sub("[123]D", "nD", name))
            if add is None or len(node.outputs) != 1:
                raise UnsupportedError(
                    f"Layer {layer.name} of class {name} cannot be costed: the machine "
                    "has no model of it."
                )
            if getattr(layer, "data_format", None) == "channels_first":
                raise UnsupportedError(
                    f"Layer {layer.name} of class {name} must have its channels last. "
                    "Received data_format 'channels_first'."
                )
            shape = _shape(node.outputs[0].shape, layer.name)
            outputs = [add(self.graph, layer, inputs, shape)]
        for tensor, number in zip(node.outputs, outputs, strict=True):
            values[id(tensor)] = number


Add = Callable[[Graph, Any, list[int], Shape], int]


def _pair(value: Any) -> tuple[int, int]:
    """Rows and columns of a size; a single number is that of the columns."""
    sizes = tuple(value) if isinstance(value, Sequence) else (value,)
    return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _dilation(layer: Any) -> int:
    down, along = _pair(layer.dilation_rate)
    if down != along and down > 1:
        raise UnsupportedError(
            f"Layer {layer.name} must be dilated alike both ways. Received "
            f"{layer.dilation_rate}."
        )
    return along


def _simple(does: Kind | str) -> Add:
    def add(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
        return graph.add(Step(layer.name, does, tuple(inputs), shape))

    return add


def _activated(graph: Graph, layer: Any, number: int) -> int:
    """Adds a layer's activation, if it has one."""
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "linear")
    if name not in ACTIVATIONS:
        raise UnsupportedError(
            f"Activation {name!r} of layer {layer.name} cannot be costed: the machine "
            "has no model of it."
        )
    shape = graph.shape_of(number)
    step = Step(f"{layer.name}/{name}", ACTIVATIONS[name], (number,), shape)
    return graph.once(step, name)


def _activation(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    return _activated(graph, layer, inputs[0])


def _convolution(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    step = Step(layer.name, Kind.CONV, tuple(inputs), shape, _pair(layer.kernel_size),
                _pair(layer.strides), layer.groups, _dilation(layer))  # fmt: skip
    return _activated(graph, layer, graph.add(step))


def _depthwise(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    channels = graph.shape_of(inputs[0])[2]
    step = Step(layer.name, Kind.DEPTHWISE, tuple(inputs), shape,
                _pair(layer.kernel_size), _pair(layer.strides), channels,
                _dilation(layer))  # fmt: skip
    return _activated(graph, layer, graph.add(step))


def _separable(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    rows, columns, _ = shape
    channels = graph.shape_of(inputs[0])[2]
    wide = channels * layer.depth_multiplier
    depthwise = graph.add(
        Step(f"{layer.name}/depthwise", Kind.DEPTHWISE, tuple(inputs),
             (rows, columns, wide), _pair(layer.kernel_size), _pair(layer.strides),
             channels, _dilation(layer))
    )  # fmt: skip
    pointwise = Step(f"{layer.name}/pointwise", Kind.CONV, (depthwise,), shape)
    return _activated(graph, layer, graph.add(pointwise))


def _transposed(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    last = add_transposed(
        graph, layer.name, inputs[0], shape, _pair(layer.kernel_size),
        _pair(layer.strides),
    )  # fmt: skip
    return _activated(graph, layer, last)


def _dense(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    rows, columns, _ = shape
    kind = Kind.DENSE if rows * columns == 1 else Kind.CONV  # of each position
    return _activated(
        graph, layer, graph.add(Step(layer.name, kind, tuple(inputs), shape))
    )


def _kind_of_pool(layer: Any) -> Kind:
    return Kind.AVERAGE if "Average" in type(layer).__name__ else Kind.POOL


def _pool(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    step = Step(
        layer.name, _kind_of_pool(layer), tuple(inputs), shape,
        _pair(layer.pool_size), _pair(layer.strides), shape[2],
    )  # fmt: skip
    return graph.once(step, type(layer).__name__)


def _global_pool(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    rows, columns, channels = graph.shape_of(inputs[0])
    out = (1, 1, channels)
    return graph.add(
        Step(layer.name, _kind_of_pool(layer), tuple(inputs), out, (rows, columns),
             groups=channels)
    )  # fmt: skip


def _combine(does: Kind) -> Add:
    """Two maps combined; with a constant in place of one, a scalar scale or shift."""

    def add(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
        kind = does if len(inputs) > 1 else AFFINE
        return graph.add(Step(layer.name, kind, tuple(inputs), shape))

    return add


def _concatenate(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    return graph.add(Step(layer.name, Kind.CONCAT, tuple(inputs), shape))


def _layer_norm(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    """Sums and squares in one pass, then a scale by position and channel."""
    rows, columns, _ = shape
    [value] = inputs
    moments = Step(f"{layer.name}/moments", Kind.REDUCE, (value,), (rows, columns, 2))
    return graph.add(
        Step(layer.name, Kind.MULTIPLY, (value, graph.add(moments)), shape)
    )


def _resize(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    window = (1, 1) if layer.interpolation == "nearest" else (2, 2)
    return graph.add(Step(layer.name, Kind.RESIZE, tuple(inputs), shape, window))


def _relu(graph: Graph, layer: Any, inputs: list[int], shape: Shape) -> int:
    does = Kind.LOOKUP if layer.negative_slope else CLAMP
    function = f"relu {layer.max_value} {layer.negative_slope} {layer.threshold}"
    return graph.once(Step(layer.name, does, tuple(inputs), shape), function)


_LAYERS: dict[str, Add] = {
    **dict.fromkeys(("ConvnD", "GroupedConvnD"), _convolution),  # ours: train/model.py
    "DepthwiseConvnD": _depthwise,
    "SeparableConvnD": _separable,
    "ConvnDTranspose": _transposed,
    "Dense": _dense,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _simple(Kind.LOOKUP),
    "PReLU": _simple(Kind.LOOKUP),
    "ELU": _simple(Kind.LOOKUP),
    "Softmax": _simple(Kind.LOOKUP),
    "BatchNormalization": _simple(SCALE),
    "LayerScale": _simple(SCALE),
    "Normalization": _simple(SCALE),
    "Rescaling": _simple(AFFINE),
    "LayerNormalization": _layer_norm,
    **dict.fromkeys(("MaxPoolingnD", "AveragePoolingnD"), _pool),
    **dict.fromkeys(("GlobalMaxPoolingnD", "GlobalAveragePoolingnD"), _global_pool),
    **dict.fromkeys(("Add", "Subtract", "Maximum", "Minimum", "Average"),
                    _combine(Kind.ADD)),
    "CustomScaleLayer": _simple(Kind.ADD),
    **dict.fromkeys(("Multiply", "Divide", "TrueDivide"), _combine(Kind.MULTIPLY)),
    **dict.fromkeys(("Concatenate", "Stack"), _concatenate),
    **dict.fromkeys(("ZeroPaddingnD", "Pad"), _simple(PAD)),
    **dict.fromkeys(("CroppingnD", "Permute", "Transpose", "GetItem", "RepeatVector"),
                    _simple(Kind.MOVE)),
    **dict.fromkeys(("UpSamplingnD", "Resizing"), _resize),
    **dict.fromkeys(
        ("Dropout", "SpatialDropoutnD", "GaussianNoise", "GaussianDropout",
         "ActivityRegularization", "Identity", "StochasticDepth", "Flatten", "Reshape",
         "Squeeze", "ExpandDims"),
        _simple(IDENTITY)),
    **dict.fromkeys(("Relu", "Relu6", "HardSigmoid", "Clip"), _simple(CLAMP)),
    "Sigmoid": _simple(Kind.SIGMOID),
    "Silu": _simple(Kind.SWISH),
    "HardSilu": _simple(Kind.HSWISH),
    **dict.fromkeys(("Gelu", "Tanh", "Exp", "Sqrt", "Rsqrt", "Square", "Absolute"),
                    _simple(Kind.LOOKUP)),
}  # fmt: skip
"""Layers and operations by class, their dimension written n."""
