"""Exports: a trained network as files for other tools, measured and read back.

Each export runs in a process of its own: what TensorFlow's converter says goes to the
training's log, and should it crash, nothing else does.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.template import Accelerator, Platform
from nahas.child import Failure, start
from nahas.closing import read_json, write, write_json
from nahas.costs import simulate
from nahas.final_queue import LOG, MODEL, RESULT, RIGHT, TUNED
from nahas.search_space.joint import Candidate
from nahas.search_space.network import Network

FORMATS = ("keras", "tflite", "onnx")
EXPORT = "export.json"
PAIR = "pair.json"
_EXAMPLES = 256
"""Training images that show the converter the ranges of activations."""
_AT_ONCE = 1_000  # test images in memory


class ExportingError(RuntimeError):
    """An export that failed; the training itself is sound."""


def export(
    training: Path,
    output: Path,
    accelerator: Accelerator,
    platform: Platform,
    formats: Sequence[str] = ("keras", "tflite"),
) -> dict[str, Any]:
    """Writes a finished training's network in formats, and what they are worth.

    Args:
        training: Its folder, as `nahas train` leaves it.
        output: Where the files go; made where it is not.
        accelerator: What runs it.
        platform: What surrounds that.
        formats: Of `FORMATS`. The `.tflite` is int8 and has its accuracy measured.

    Returns:
        Name, accuracies, costs on the accelerator, and for each file its path, bytes,
        and the MACs and latency that it has when it is read back.

    Raises:
        ValueError: If the folder holds no finished training, a format is unknown, or
            the output holds what was exported of another training.
        ExportingError: If a format cannot be written.
    """
    for name in formats:
        if name not in FORMATS:
            raise ValueError(
                f"Formats must be among {', '.join(FORMATS)}. Received {name!r}."
            )
    result = read_json(training / RESULT)
    if not isinstance(result, dict) or not (training / MODEL).exists():
        raise ValueError(
            "What is exported must be the folder of a finished training, such as "
            f"runs/final/NAME/seed0 of `nahas train`. Received {training}."
        )
    before = read_json(output / EXPORT)
    before = before if isinstance(before, dict) else {}
    of, own = before.get("training", str(training)), training.resolve()
    if own not in (output.resolve(), Path(str(of)).resolve()):
        raise ValueError(
            f"{output} must hold no export of another training. Received one of {of}. "
            "Choose another --output."
        )
    output.mkdir(parents=True, exist_ok=True)
    child = start(training / LOG, _write, training, output, tuple(formats))
    measured = child.receive()
    child.process.join()
    if isinstance(measured, Failure):
        raise ExportingError(
            f"{training} could not be exported: {measured.reason} (its words are in "
            f"{training / LOG})"
        )
    network = Network.parse(result["network"])
    costs = simulate(network, accelerator, platform).summary()
    files = []
    for name in formats:
        path = output / f"model.{name}"
        again = simulate(str(path), accelerator, platform).summary()
        files.append({
            "format": name, "file": str(path), "bytes": path.stat().st_size,
            "macs": again["macs"], "latency_ms": again["latency_ms"],
        })  # fmt: skip
    write_json(output / PAIR, Candidate(network, accelerator).to_json())
    found = {
        "name": result["name"], "seed": result["seed"], "training": str(training),
        "data": result["data"], "scaling": result["scaling"],
        "test_images": result["test_images"], "accuracy": result["accuracy"],
        **_still_true(before, result, output, formats), **measured,
        "accelerator": asdict(accelerator),
        **{key: costs[key] for key in ("latency_ms", "energy_mj", "area_mm2", "macs")},
        "files": files,
    }  # fmt: skip
    write_json(output / EXPORT, found)
    return found


def _still_true(
    before: Mapping[str, Any],
    result: Mapping[str, Any],
    output: Path,
    formats: Sequence[str],
) -> dict[str, Any]:
    """What an earlier export measured of an int8 file that is not written anew."""
    gone = "tflite" in formats or not (output / "model.tflite").exists()
    if gone or before.get("accuracy") != result["accuracy"]:
        return {}
    return {key: value for key, value in before.items() if key.startswith("int8_")}


def _write(
    send: Callable[[Any], None], training: Path, output: Path, formats: tuple[str, ...]
) -> None:
    """Runs in the child: writes the files, and sends what was measured of them."""
    from nahas.train import fit
    from nahas.train.data import fingerprint, load
    from nahas.train.export import run_tflite, to_tflite, write_onnx

    result = json.loads((training / RESULT).read_text(encoding="utf-8"))
    shared, scaled = result["shared"], result["scaling"]
    fit.prepare(shared["threads"])
    import keras

    scaling = fit.Scaling(tuple(scaled["mean"]), tuple(scaled["deviation"]))
    model = keras.models.load_model(training / MODEL)
    found: dict[str, Any] = {}
    if "keras" in formats and output.resolve() != training.resolve():
        write(output / MODEL, (training / MODEL).read_bytes())
    if "onnx" in formats:
        write_onnx(model, output / "model.onnx")
    if "tflite" in formats:
        if fingerprint(result["data"]) != shared["data"]:
            raise ValueError(
                f"{result['data']} must hold the images of the training. Received "
                "others: they have changed since."
            )
        data = load(result["data"], shared["resolution"])
        right = json.loads((training / RIGHT).read_text(encoding="utf-8"))
        was = np.zeros(len(data.test), np.bool_)
        was[right] = True

        def written(model: Any) -> tuple[bytes, NDArray[np.bool_]]:
            """An int8 file of a model, and which test images it gets right."""
            content = to_tflite(model, scaling(data.train.images[:_EXAMPLES]))
            answers = [
                run_tflite(content, scaling(data.test.images[start : start + _AT_ONCE]))
                for start in range(0, len(data.test), _AT_ONCE)
            ]
            return content, np.concatenate(answers).argmax(1) == data.test.labels

        content, answers = written(model)
        if shared["recipe"].get("int8_epochs"):
            found["int8_accuracy_untuned"] = float(answers.mean())
            content, answers = written(keras.models.load_model(training / TUNED))
        write(output / "model.tflite", content)
        found["int8_accuracy"] = float(answers.mean())
        found["int8_answers_that_differ"] = int((answers != was).sum())
    send(found)
