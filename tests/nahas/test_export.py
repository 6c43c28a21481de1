"""The command `export`: what it writes runs, costs and classifies as it says."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from nahas.__main__ import main
from nahas.accelerator.grid import BASELINE
from nahas.accelerator.template import Platform
from nahas.exports import export
from nahas.final_queue import Asked, Recipes, train_all
from nahas.search_space.network import Block, Network
from nahas.train.data import load
from nahas.train.export import run_tflite
from nahas.train.fit import Scaling
from nahas.train.recipe import FinalRecipe

NETWORK = Network(
    (Block("ibn", 3, 2, 8, se=0.25), Block("fused_ibn", 3, 2, 8, groups=2)), 8, 8,
    resolution=8, classes=2, channels=1, stem_stride=1, activation="swish",
)  # fmt: skip


@pytest.fixture(scope="module")
def training(images, tmp_path_factory):
    """The folder of a finished training."""
    root = tmp_path_factory.mktemp("final")
    recipe = FinalRecipe(epochs=4, batch=16, operations=0, crop=0, ema=0.5)
    asked = Asked("tiny", NETWORK, 0)
    train_all([asked], Recipes(images, 8, 1.0, recipe), root)
    return asked.folder(root)


@pytest.fixture(scope="module")
def exported(training, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    formats = ("keras", "tflite", "onnx")
    return export(training, output, BASELINE, Platform(), formats), output


def test_each_file_costs_what_the_network_does(exported):
    found, _ = exported
    assert [file["format"] for file in found["files"]] == ["keras", "tflite", "onnx"]
    for file in found["files"]:
        assert file["macs"] == found["macs"]
        assert file["latency_ms"] == pytest.approx(found["latency_ms"], rel=1e-3)


def test_the_keras_file_is_read_without_nahas(exported):
    _, output = exported
    read = "import keras, sys; keras.models.load_model(sys.argv[1])"
    subprocess.run([sys.executable, "-c", read, output / "model.keras"], check=True)


def test_the_interpreter_has_the_accuracy_that_is_reported(exported, images):
    found, output = exported
    data, scaling = load(images), Scaling(**found["scaling"])
    content = (output / "model.tflite").read_bytes()
    outputs = run_tflite(content, scaling(data.test.images))
    right = outputs.argmax(1) == data.test.labels
    assert right.mean() == found["int8_accuracy"]
    assert found["accuracy"] > 0.8
    assert found["int8_accuracy"] == pytest.approx(found["accuracy"], abs=0.1)


@pytest.mark.slow  # several exports, each a process
def test_a_tuned_training_is_exported_from_its_tuned_weights(images, tmp_path):
    import keras

    recipe = FinalRecipe(
        epochs=2, int8_epochs=2, batch=16, operations=0, crop=0, ema=0.5
    )
    told = []
    asked = Asked("tiny", NETWORK, 0)
    [result] = train_all(
        [asked], Recipes(images, 8, 1.0, recipe), tmp_path,
        told=lambda asked, done, of, row: told.append((done, of)),
    )  # fmt: skip
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(result["epochs"]) == 4
    assert 0 < result["accuracy_tuned_and_rounded"] <= 1
    training = asked.folder(tmp_path)
    assert not list(training.glob("*.npz"))
    found = export(training, tmp_path / "out", BASELINE, Platform(), ("tflite",))
    data, scaling = load(images), Scaling(**found["scaling"])
    inputs = scaling(data.test.images)
    outputs = run_tflite((tmp_path / "out" / "model.tflite").read_bytes(), inputs)
    right = outputs.argmax(1) == data.test.labels
    assert right.mean() == found["int8_accuracy"]
    assert 0 < found["int8_accuracy_untuned"] <= 1
    own, tuned = (
        np.array(keras.models.load_model(training / name)(inputs))
        for name in ("model.keras", "tuned.keras")
    )
    assert np.abs(outputs - tuned).mean() < np.abs(outputs - own).mean()


def test_keras_and_onnx_files_have_the_outputs_of_the_model(exported, training, images):
    import keras
    import onnx
    from onnx.reference import ReferenceEvaluator

    found, output = exported
    data, scaling = load(images), Scaling(**found["scaling"])
    inputs = scaling(data.test.images[:4])
    expected = np.array(keras.models.load_model(training / "model.keras")(inputs))
    again = np.array(keras.models.load_model(output / "model.keras")(inputs))
    np.testing.assert_array_equal(again, expected)
    model = onnx.load(output / "model.onnx")
    runner = ReferenceEvaluator(model)
    [outputs] = runner.run(None, {model.graph.input[0].name: inputs})
    np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_the_pair_is_read_by_simulate(exported, capsys):
    found, output = exported
    assert main(["simulate", str(output / "pair.json"), "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)
    assert costs["streamed"]["latency_ms"] == found["latency_ms"]
    assert json.loads((output / "export.json").read_text()) == found


def test_the_command_tables_what_it_wrote(training, tmp_path, capsys):
    own = tmp_path / "tiny" / "seed0"
    shutil.copytree(training, own)
    assert main(["export", str(own), "--formats", "keras"]) == 0
    printed = capsys.readouterr().out
    assert "exported; accuracy on 40 test images" in printed
    assert f"{own / 'model.keras'}: " in printed


@pytest.mark.slow  # several exports, each a process
def test_an_export_keeps_what_was_measured_of_other_files(training, tmp_path):
    whole = export(training, tmp_path, BASELINE, Platform(), ("keras", "tflite"))
    again = export(training, tmp_path, BASELINE, Platform(), ("keras",))
    assert again["int8_accuracy"] == whole["int8_accuracy"]
    (tmp_path / "model.tflite").unlink()
    again = export(training, tmp_path, BASELINE, Platform(), ("keras",))
    assert "int8_accuracy" not in again


def test_the_export_of_another_training_is_not_overwritten(exported, training):
    _, output = exported
    other = training.parent / "seed1"
    shutil.copytree(training, other)
    with pytest.raises(ValueError, match="must hold no export of another training"):
        export(other, output, BASELINE, Platform(), ("keras",))
    shutil.copy(output / "export.json", other)  # as of a folder that was moved
    export(other, other, BASELINE, Platform(), ("keras",))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--formats", "h5"], "must be among keras, tflite, onnx. Received 'h5'"),
        (["--pair", "MobileNetV2"], "which has no accelerator"),
    ],
)
def test_wrong_use_is_a_line(training, capsys, more, said):
    assert main(["export", str(training), *more]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_a_folder_without_a_finished_training_is_refused(tmp_path, capsys):
    assert main(["export", str(tmp_path)]) == 2
    assert "the folder of a finished training" in capsys.readouterr().err


def test_a_damaged_model_is_a_line(training, tmp_path, capsys):
    own = tmp_path / "seed0"
    shutil.copytree(training, own)
    content = (own / "model.keras").read_bytes()
    (own / "model.keras").write_bytes(content[: len(content) // 2])
    assert main(["export", str(own)]) == 1
    printed = capsys.readouterr().err
    assert "could not be exported" in printed
    assert printed.count("\n") == 1
