"""Keras's layers and operations, each as the steps that it adds to a graph."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from nahas.accelerator.graph import (
    AFFINE,
    CLAMP,
    IDENTITY,
    PAD,
    SCALE,
    Graph,
    Pair,
    Shape,
    Step,
    UnsupportedError,
    add_normalized,
    add_transposed,
    one_dilation,
)
from nahas.accelerator.workload import Kind

ACTIVATIONS: Mapping[str, Kind | str] = {
    "linear": IDENTITY,
    **dict.fromkeys(("relu", "relu6", "hard_sigmoid", "hard_tanh"), CLAMP),
    "sigmoid": Kind.SIGMOID,
    **dict.fromkeys(("silu", "swish"), Kind.SWISH),
    **dict.fromkeys(("hard_silu", "hard_swish"), Kind.HSWISH),
    **dict.fromkeys(
        ("celu", "elu", "exponential", "gelu", "hard_shrink", "leaky_relu",
         "log_sigmoid", "log_softmax", "mish", "selu", "soft_shrink", "softmax",
         "softplus", "softsign", "sparse_plus", "squareplus", "tanh", "tanh_shrink",
         "threshold"),
        Kind.LOOKUP,
    ),
}  # fmt: skip
"""What the machine does for an activation: work of its own only where it is a table."""


class Call(NamedTuple):
    """A use of a layer.

    Attributes:
        layer: The layer or operation.
        inputs: The steps that it reads.
        shape: Of its output.
        rank: Axes of its output, the batch among them.
        arguments: What it is called with by position, tensors and constants.
    """

    layer: Any
    inputs: tuple[int, ...]
    shape: Shape
    rank: int
    arguments: tuple[Any, ...]


Add = Callable[[Graph, Call], int]


def _pair(value: Any) -> Pair:
    """Rows and columns of a size; a single number is that of the columns."""
    sizes = tuple(value) if isinstance(value, Sequence) else (value,)
    return (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _elements(layer: Any) -> int:
    """Elements of a layer's own weights."""
    return sum(prod(weight.shape) for weight in getattr(layer, "weights", ()))


def _axes(call: Call, axes: Any) -> set[int]:
    found = axes if isinstance(axes, Sequence) else [axes]
    return {axis % call.rank for axis in found}


def _of_last_axis(call: Call) -> None:
    """Checks that what a layer does, it does along or for each of the channels."""
    layer = call.layer
    if _axes(call, layer.axis) != {call.rank - 1}:
        raise UnsupportedError(
            f"Layer {layer.name} of class {type(layer).__name__} must have the last "
            f"axis for its own. Received axis {layer.axis}."
        )


def _simple(does: Kind | str) -> Add:
    """One step, with the layer's weights as its constants."""

    def add(graph: Graph, call: Call) -> int:
        layer = call.layer
        return graph.add(
            Step(layer.name, does, call.inputs, call.shape,
                 constants=_elements(layer), weights=id(layer))
        )  # fmt: skip

    return add


def _batch_norm(graph: Graph, call: Call) -> int:
    """A scale and a shift by channel, whatever they are made of."""
    _of_last_axis(call)
    constants = 2 * call.shape[2]
    return graph.add(
        Step(call.layer.name, SCALE, call.inputs, call.shape, constants=constants,
             weights=id(call.layer))
    )  # fmt: skip


def _softmax(graph: Graph, call: Call) -> int:
    _of_last_axis(call)
    return graph.add(Step(call.layer.name, Kind.LOOKUP, call.inputs, call.shape))


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


def _activation(graph: Graph, call: Call) -> int:
    return _activated(graph, call.layer, call.inputs[0])


def _window(layer: Any) -> tuple[Pair, Pair, int]:
    """Kernel, strides and dilation of a convolution."""
    kernel = _pair(layer.kernel_size)
    name = f"Layer {layer.name} of class {type(layer).__name__}"
    dilation = one_dilation(name, kernel, _pair(layer.dilation_rate))
    return kernel, _pair(layer.strides), dilation


def _convolution(graph: Graph, call: Call) -> int:
    layer = call.layer
    kernel, strides, dilation = _window(layer)
    step = Step(layer.name, Kind.CONV, call.inputs, call.shape, kernel, strides,
                layer.groups, dilation, weights=id(layer))  # fmt: skip
    return _activated(graph, layer, graph.add(step))


def _depthwise(graph: Graph, call: Call) -> int:
    layer = call.layer
    channels = graph.shape_of(call.inputs[0])[2]
    kernel, strides, dilation = _window(layer)
    step = Step(layer.name, Kind.DEPTHWISE, call.inputs, call.shape, kernel, strides,
                channels, dilation, weights=id(layer))  # fmt: skip
    return _activated(graph, layer, graph.add(step))


def _separable(graph: Graph, call: Call) -> int:
    layer, (rows, columns, _) = call.layer, call.shape
    channels = graph.shape_of(call.inputs[0])[2]
    shape = (rows, columns, channels * layer.depth_multiplier)
    kernel, strides, dilation = _window(layer)
    depthwise = graph.add(
        Step(f"{layer.name}/depthwise", Kind.DEPTHWISE, call.inputs, shape, kernel,
             strides, channels, dilation, weights=(id(layer), "depthwise"))
    )  # fmt: skip
    pointwise = Step(f"{layer.name}/pointwise", Kind.CONV, (depthwise,), call.shape,
                     weights=(id(layer), "pointwise"))  # fmt: skip
    return _activated(graph, layer, graph.add(pointwise))


def _transposed(graph: Graph, call: Call) -> int:
    layer = call.layer
    kernel, strides, dilation = _window(layer)
    if dilation > 1:
        raise UnsupportedError(
            f"Layer {layer.name} of class {type(layer).__name__} cannot be costed: it "
            "is dilated."
        )
    last = add_transposed(
        graph, layer.name, call.inputs[0], call.shape, kernel, strides,
        weights=id(layer),
    )  # fmt: skip
    return _activated(graph, layer, last)


def _dense(graph: Graph, call: Call) -> int:
    layer, (rows, columns, _) = call.layer, call.shape
    kind = Kind.DENSE if rows * columns == 1 else Kind.CONV  # of each position
    step = Step(layer.name, kind, call.inputs, call.shape, weights=id(layer))
    return _activated(graph, layer, graph.add(step))


def _kind_of_pool(layer: Any) -> Kind:
    return Kind.AVERAGE if "Average" in type(layer).__name__ else Kind.POOL


def _pool(graph: Graph, call: Call) -> int:
    layer = call.layer
    step = Step(
        layer.name, _kind_of_pool(layer), call.inputs, call.shape,
        _pair(layer.pool_size), _pair(layer.strides), call.shape[2],
    )  # fmt: skip
    return graph.once(step, type(layer).__name__)


def _global_pool(graph: Graph, call: Call) -> int:
    rows, columns, channels = graph.shape_of(call.inputs[0])
    out = (1, 1, channels)
    return graph.add(
        Step(call.layer.name, _kind_of_pool(call.layer), call.inputs, out,
             (rows, columns), groups=channels)
    )  # fmt: skip


def _combine(does: Kind, scalar: str = AFFINE) -> Add:
    """Maps combined two at a time, or one and a constant."""

    def add(graph: Graph, call: Call) -> int:
        layer, inputs, shape = call.layer, call.inputs, call.shape
        if len(inputs) == 1:
            [constant] = (a for a in call.arguments if not _is_computed(a))
            sizes = np.shape(constant)
            size = prod(sizes)
            by_channel = sizes[-1:] == (size,)
            kind = scalar if size == 1 else SCALE if by_channel else does
            held = 0 if size == 1 else size
            return graph.add(Step(layer.name, kind, inputs, shape, constants=held))
        return graph.add_pairs(Step(layer.name, does, inputs, shape))

    return add


def _divide(graph: Graph, call: Call) -> int:
    """By a constant a scale; a constant by a map is a table."""
    if len(call.inputs) > 1 or _is_computed(call.arguments[0]):
        return _combine(Kind.MULTIPLY)(graph, call)
    return _simple(Kind.LOOKUP)(graph, call)


def _is_computed(argument: Any) -> bool:
    return hasattr(argument, "_keras_history")


def _layer_norm(graph: Graph, call: Call) -> int:
    """The moments of each position, or of the whole map."""
    rows, columns, _ = call.shape
    axes = _axes(call, call.layer.axis)
    if axes == {*range(1, call.rank)}:
        return _normalized(graph, call, (1, 1, 2))
    _of_last_axis(call)
    return _normalized(graph, call, (rows, columns, 2))


def _group_norm(graph: Graph, call: Call) -> int:
    _of_last_axis(call)
    return _normalized(graph, call, (1, 1, 2 * call.layer.groups))


def _normalized(graph: Graph, call: Call, moments: Shape) -> int:
    layer = call.layer
    return add_normalized(
        graph, layer.name, call.inputs[0], moments, _elements(layer), id(layer)
    )


_INTERPOLATED = {
    "nearest": 1,
    "bilinear": 2,
    "bicubic": 4,
    "lanczos3": 6,
    "lanczos5": 10,
}
"""Rows and columns that make an element of a resized map."""


def _resize(graph: Graph, call: Call) -> int:
    layer = call.layer
    # A layer of one axis has no such choice: it repeats.
    how = getattr(layer, "interpolation", "nearest")
    if how not in _INTERPOLATED:
        raise UnsupportedError(
            f"Layer {layer.name} of class {type(layer).__name__} must interpolate by "
            f"one of {', '.join(_INTERPOLATED)}. Received {how!r}."
        )
    taps = _INTERPOLATED[how]
    return graph.add(
        Step(layer.name, Kind.RESIZE, call.inputs, call.shape, (taps, taps))
    )


def _relu(graph: Graph, call: Call) -> int:
    layer = call.layer
    does = Kind.LOOKUP if layer.negative_slope else CLAMP
    function = f"relu {layer.max_value} {layer.negative_slope} {layer.threshold}"
    return graph.once(Step(layer.name, does, call.inputs, call.shape), function)


LAYERS: Mapping[str, Add] = {
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
    "Softmax": _softmax,
    **dict.fromkeys(("BatchNormalization", "Normalization"), _batch_norm),
    "LayerScale": _simple(SCALE),
    "Rescaling": _simple(AFFINE),
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    **dict.fromkeys(("MaxPoolingnD", "AveragePoolingnD"), _pool),
    **dict.fromkeys(("GlobalMaxPoolingnD", "GlobalAveragePoolingnD"), _global_pool),
    **dict.fromkeys(("Add", "Subtract", "Average"), _combine(Kind.ADD)),
    **dict.fromkeys(("Maximum", "Minimum"), _combine(Kind.ADD, CLAMP)),
    "CustomScaleLayer": _simple(Kind.ADD),
    "Multiply": _combine(Kind.MULTIPLY),
    **dict.fromkeys(("Divide", "TrueDivide"), _divide),
    **dict.fromkeys(("Concatenate", "Stack"), _simple(Kind.CONCAT)),
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
