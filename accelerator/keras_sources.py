"""Where Keras models come from: `.keras` files and the names of Keras Applications."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nahas.accelerator.graph import UnsupportedError
from nahas.accelerator.quiet import quiet_import


def read_keras(path: Path) -> Any:
    """The model of a `.keras` file; nothing in it is executed.

    Raises:
        UnsupportedError: If the file is not such a model.
    """
    with quiet_import():
        import keras

    _refuse_foreign_layers(path)
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


def _refuse_foreign_layers(path: Path) -> None:
    """Names the first layer whose code a `.keras` file does not hold.

    Keras's own message would print the whole model.
    """
    import keras

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        return  # no model at all, which Keras says in words
    for table in _tables(config):
        if "build_config" not in table and "inbound_nodes" not in table:
            continue  # no layer
        kind, module = str(table.get("class_name")), str(table.get("module"))
        known = keras.saving.get_registered_object(table.get("registered_name"))
        if kind == "Lambda" or (not module.startswith("keras") and known is None):
            name = dict(table.get("config") or {}).get("name")
            where = f"Layer {name}" if name else "The model"
            raise UnsupportedError(
                f"{where} of class {kind} in {path.name} cannot be costed: its code is "
                "not in the file. Convert the model to TFLite or ONNX instead."
            )


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    """All tables of a JSON value, the inner ones first."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _tables(item)
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _tables(item)
