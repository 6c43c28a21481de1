"""Trained models as files that other tools run: int8 TFLite and ONNX.

Inputs of the files are standardized images, as the model's own are.
"""

import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.quiet import quiet_import
from nahas.search_space.network import Network
from nahas.train.model import build_model

Floats = NDArray[np.float32]

_AT_ONCE = 64  # images that an interpreter is given


class ExportError(Exception):
    """A model that cannot be written in a format, or not here."""


def deployed(network: Network, weights: Sequence[Any]) -> Any:
    """A trained network as a model of Keras' own layers, to be read without nahas.

    Args:
        network: What was trained.
        weights: Of the model that was.
    """
    import keras

    model = build_model(network)
    model.set_weights(weights)
    return _regrouped(model, keras.layers.Conv2D)


def _regrouped(model: Any, kind: Any) -> Any:
    """The same model, its grouped convolutions of another class of layers."""
    import keras

    def clone(layer: Any) -> Any:
        grouped = isinstance(layer, keras.layers.Conv2D) and layer.groups > 1
        return (kind if grouped else type(layer)).from_config(layer.get_config())

    again = keras.models.clone_model(model, clone_function=clone)
    again.set_weights(model.get_weights())
    return again


def to_tflite(model: Any, examples: Floats) -> bytes:
    """An int8 TFLite file, inputs and outputs int8 too, quantized after the training.

    Weights are quantized channel by channel, activations by the ranges that they have
    on the examples: TensorFlow's own converter.

    Args:
        model: `keras.Model` of one input and one output.
        examples: [N, H, W, C] inputs that are typical.

    Raises:
        ExportError: If Keras runs on another backend, or the converter refuses.
    """
    with quiet_import():
        import keras
        import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "A TFLite file must be written on Keras's TensorFlow backend. Received "
            f"{keras.backend.backend()}: set KERAS_BACKEND=tensorflow; a .keras file "
            "reads alike on all of them."
        )

    def typical() -> Any:
        for example in examples:
            yield [example[None]]

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorFlow, about TensorFlow
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = typical
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        try:
            return bytes(converter.convert())
        except Exception as error:  # of many kinds, with many lines
            text = str(error).strip().splitlines() or [type(error).__name__]
            raise ExportError(
                f"TensorFlow's converter refuses the model: {text[0]}"
            ) from error


def run_tflite(content: bytes, inputs: Floats, threads: int = 1) -> Floats:
    """Outputs [N, classes] of an int8 TFLite file, in the model's units.

    Args:
        content: Of the file.
        inputs: [N, H, W, C] standardized images.
        threads: Of the interpreter.
    """
    with quiet_import():
        import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the interpreter will move
        runner = tf.lite.Interpreter(model_content=content, num_threads=threads)
    taken, given = runner.get_input_details()[0], runner.get_output_details()[0]
    scale, zero = taken["quantization"]
    whole = np.clip(np.rint(inputs / scale) + zero, -128, 127).astype(np.int8)
    found = []
    for start in range(0, len(whole), _AT_ONCE):
        part = whole[start : start + _AT_ONCE]
        runner.resize_tensor_input(taken["index"], part.shape)
        runner.allocate_tensors()
        runner.set_tensor(taken["index"], part)
        runner.invoke()
        found.append(runner.get_tensor(given["index"]))
    scale, zero = given["quantization"]
    outputs: Floats = (np.concatenate(found).astype(np.float32) - zero) * scale
    return outputs


def write_onnx(model: Any, path: Path) -> None:
    """Writes a float32 ONNX file.

    Raises:
        ExportError: If the packages that write it are not installed.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise ExportError(
            f"An ONNX file needs the package {error.name}, which is not installed. "
            "Install it with: pip install 'nahas[onnx]'"
        ) from error
    del onnx, tf2onnx
    import keras

    if keras.backend.backend() == "tensorflow":
        model = _regrouped(model, _direct_conv2d())
    model(np.zeros((1, *model.input_shape[1:]), np.float32))  # which Keras asks for
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(path, format="onnx", verbose=False)


@cache
def _direct_conv2d() -> Any:
    """`keras.layers.Conv2D` whose groups are an attribute of one operator.

    Keras hands them to XLA in a function, which the converter cannot see into.
    """
    import keras
    import tensorflow as tf

    class DirectConv2D(keras.layers.Conv2D):
        """A convolution, "same" or "valid"."""

        def convolution_op(self, inputs: Any, kernel: Any) -> Any:
            """Convolves [B, H, W, C]."""
            strides, padding = list(self.strides), self.padding.upper()
            return tf.nn.convolution(inputs, kernel, strides, padding)

    return DirectConv2D
