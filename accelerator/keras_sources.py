"""Where Keras models come from: `.keras` files and the names of Keras Applications."""

import json
import zipfile
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from nahas.accelerator.graph import LARGEST, UnsupportedError
from nahas.accelerator.quiet import quiet_import


def read_keras(path: Path) -> Any:
    """The model of a `.keras` file; nothing in it is executed.

    Raises:
        UnsupportedError: If the file is not such a model.
    """
    with quiet_import():
        import keras

    if not zipfile.is_zipfile(path):
        raise UnsupportedError(f"{path} is no Keras model: it is no zip archive.")
    _check_layers(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever a damaged file makes Keras raise
        text = " ".join(str(error).split())[:200]
        raise UnsupportedError(f"{path} is no Keras model: {text}") from error


def applications() -> dict[str, Callable[[], Any]]:
    """Makers of the models of Keras Applications, with random weights, by name."""
    with quiet_import():
        import keras

    def maker(function: Callable[..., Any]) -> Callable[[], Any]:
        def make() -> Any:
            model = function(weights=None)
            if None in model.inputs[0].shape[1:]:  # MobileNetV3: of any size
                model = function(weights=None, input_shape=(224, 224, 3))
            return model

        return make

    found = vars(keras.applications).items()
    return {
        name: maker(function)
        for name, function in found
        if name[0].isupper() and callable(function)
    }


def _check_layers(path: Path) -> None:
    """Names the first layer that Keras should not be asked to build.

    One whose code a `.keras` file does not hold: Keras's own message would print the
    whole model. And one so large that it cannot be true: Keras would fill its weights.
    """
    import keras

    try:
        with zipfile.ZipFile(path) as archive:
            layers = list(_layers(json.loads(archive.read("config.json"))))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        return  # no model at all, which Keras says in words
    for table in layers:
        kind, module = str(table.get("class_name")), str(table.get("module"))
        known = keras.saving.get_registered_object(table.get("registered_name"))
        name = table["config"].get("name")
        where = f"Layer {name}" if name else "The model"
        if kind == "Lambda" or (not module.startswith("keras") and known is None):
            raise UnsupportedError(
                f"{where} of class {kind} in {path.name} cannot be costed: its code is "
                "not in the file. Convert the model to TFLite or ONNX instead."
            )
        if (weights := _weights(table)) > LARGEST:
            raise UnsupportedError(
                f"{where} of class {kind} in {path.name} must have at most "
                f"{LARGEST:,} weights. Received {weights:,}."
            )


def _weights(table: dict[str, Any]) -> int:
    """Weights of a dense layer or a convolution; 0 for any other layer."""
    config = table["config"]
    shape = dict(table.get("build_config") or {}).get("input_shape")
    channels = shape[-1] if shape and isinstance(shape, list) else None
    filters = config.get("units") or config.get("filters")
    kernel = config.get("kernel_size") or [1]
    sizes = [channels, filters, *(kernel if isinstance(kernel, list) else [kernel])]
    return prod(sizes) if all(isinstance(size, int) for size in sizes) else 0


def _layers(value: Any) -> Iterator[dict[str, Any]]:
    """All tables of a JSON value that describe a layer or model, inner ones first."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _layers(item)
        built = "build_config" in value or "inbound_nodes" in value
        if built and isinstance(value.get("config"), dict):
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _layers(item)
