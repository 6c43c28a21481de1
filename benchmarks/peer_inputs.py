"""Networks in the formats that peers read, written from our own table of operators.

So that all of them cost the same loop nests: ONNX for ZigZag, CSV for SCALE-Sim. Vela
reads TFLite, which TensorFlow's converter makes of the Keras model.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from nahas.accelerator.workload import Kind, Workload
from nahas.models import resolve
from nahas.search_space.published import PUBLISHED
from nahas.train.model import build_model

NETWORKS = {
    "MobileNetV2": "MobileNetV2",
    "EfficientNet-B0": "EfficientNetB0",
    "ResNet-50": None,
}
"""The networks of every comparison, at 224x224: a published one of ours, or Keras's."""

POOLS = (Kind.POOL, Kind.AVERAGE)


def network(name: str) -> Workload:
    """The operators of one of `NETWORKS`."""
    published = NETWORKS[name]
    return resolve(published or keras_model(name)).workload


def keras_model(name: str) -> Any:
    """One of `NETWORKS` as a Keras model with random weights, without the softmax."""
    published = NETWORKS[name]
    if published:
        return build_model(PUBLISHED[published])
    from keras.applications import ResNet50

    return ResNet50(weights=None, classifier_activation=None)


def layers(workload: Workload) -> Workload:
    """Each multiplication as a network of its own, with its input from outside."""
    rows = workload.operators[workload.operators["kind"] <= Kind.DENSE]
    names = (
        name
        for name, kind in zip(workload.names, workload.operators["kind"], strict=True)
        if kind <= Kind.DENSE
    )
    starts = np.arange(len(rows) + 1)
    return Workload(rows, starts.copy(), np.full(len(rows), -1), starts, tuple(names))


def padding(size: int, out: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a side of a map, the odd one after.

    >>> padding(224, 112, 3, 2)
    (0, 1)
    """
    both = max((out - 1) * stride + kernel - size, 0)
    return both // 2, both - both // 2


def write_onnx(workload: Workload, path: Path) -> Path:
    """Writes a network as ONNX; its weights have shapes and no values.

    A dense layer is a convolution of a 1x1 map, and the ReLU family, which a workload
    has no rows for, is left out: no reader here costs it.
    """
    nodes: list[Any] = []
    weights: list[Any] = []
    values: list[Any] = []
    first = workload.operators[0]
    shape = [1, int(first["channels"]), int(first["height"]), int(first["width"])]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    for i, name in enumerate(workload.names):
        op = workload.operators[i]
        read = workload.inputs[workload.input_starts[i] : workload.input_starts[i + 1]]
        inputs = ["image" if j < 0 else workload.names[j] for j in read]
        for node in _nodes(Kind(op["kind"]), name, inputs, op, weights):
            nodes.append(node)
            shape = [1, *(int(op[f]) for f in ("filters", "out_height", "out_width"))]
            values.append(
                helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, shape)
            )
    graph = helper.make_graph(
        nodes, path.stem, [image], values[-1:], weights, value_info=values[:-1]
    )
    onnx.save(helper.make_model(graph), path)
    return path


def _nodes(
    kind: Kind, name: str, inputs: list[str], op: np.void, weights: list[Any]
) -> Iterator[Any]:
    kernel = [int(op["kernel_height"]), int(op["kernel_width"])]
    if kind <= Kind.DENSE:
        sides = (
            padding(int(op[side]), int(op[f"out_{side}"]), int(op[f"kernel_{side}"]),
                    int(op[f"stride_{side}"]))
            for side in ("height", "width")
        )  # fmt: skip
        before, after = zip(*sides, strict=True)
        weights.append(
            TensorProto(
                name=f"{name}/weights",
                data_type=TensorProto.FLOAT,
                dims=[op["filters"], op["channels"] // op["groups"], *kernel],
                data_location=TensorProto.EXTERNAL,
            )
        )
        yield helper.make_node(
            "Conv",
            [*inputs, f"{name}/weights"],
            [name],
            name,
            kernel_shape=kernel,
            strides=[int(op["stride_height"]), int(op["stride_width"])],
            pads=[*before, *after],
            group=int(op["groups"]),
        )
    elif kind in POOLS and op["out_height"] == op["out_width"] == 1:
        yield helper.make_node("GlobalAveragePool", inputs, [name], name)
    elif kind in POOLS:
        before, after = padding(
            int(op["height"]), int(op["out_height"]), kernel[0],
            int(op["stride_height"]),
        )  # fmt: skip
        strides = [int(op["stride_height"]), int(op["stride_width"])]
        yield helper.make_node(
            "MaxPool", inputs, [name], name, kernel_shape=kernel, strides=strides,
            pads=[before, before, after, after],
        )  # fmt: skip
    elif kind is Kind.SWISH:
        yield helper.make_node("Sigmoid", inputs, [f"{name}/gate"], f"{name}/gate")
        yield helper.make_node("Mul", [*inputs, f"{name}/gate"], [name], name)
    elif kind in _NAMES:
        yield helper.make_node(_NAMES[kind], inputs, [name], name)
    else:
        raise ValueError(f"`{name}` must be an operator that peers read: {kind.name}.")


_NAMES = {Kind.ADD: "Add", Kind.MULTIPLY: "Mul", Kind.SIGMOID: "Sigmoid"}


def write_topology(workload: Workload, path: Path) -> Path:
    """Writes the multiplications of a network as SCALE-Sim's CSV.

    It knows no groups: a depthwise convolution is a single filter over all channels,
    which has as many MACs and reads as much.
    """
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ("Layer", "IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width",
             "Channels", "Num Filter", "Strides", "")
        )  # fmt: skip
        for name, op in zip(workload.names, workload.operators, strict=True):
            if op["kind"] > Kind.DENSE:
                continue
            sides = [
                max(op[s], (op[f"out_{s}"] - 1) * op[f"stride_{s}"] + op[f"kernel_{s}"])
                for s in ("height", "width")
            ]
            filters = op["filters"] // op["groups"]
            writer.writerow(
                (name.replace("/", "_"), *sides, op["kernel_height"],
                 op["kernel_width"], op["channels"], filters, op["stride_height"], "")
            )  # fmt: skip
    return path


def write_tflite(name: str, path: Path) -> Path:
    """Writes one of `NETWORKS` as an int8 TFLite model with random weights.

    The weights do not matter to a cost, but the converter needs some, and a batch of
    images to calibrate on.
    """
    import tensorflow as tf

    images = np.random.default_rng(0).random((4, 1, 224, 224, 3), dtype=np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model(name))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    return path


def main() -> None:
    """Writes the TFLite file of a network: a process of its own, as converters talk."""
    name, file = sys.argv[1:]
    write_tflite(name, Path(file))
    print(json.dumps({"file": file}))


if __name__ == "__main__":
    main()
