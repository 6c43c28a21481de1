"""Rounded twins: what they compute, what they learn, and what a kill costs."""

from dataclasses import replace

import numpy as np
import pytest
from toy_images import PLAIN, StopError, plain_dataset, stopped_after

from nahas.search_space.network import Block, Network
from nahas.train import fit
from nahas.train.export import run_tflite, to_tflite
from nahas.train.final import train_final
from nahas.train.int8_tuning import CHECKPOINT, rounded, tune, tuning
from nahas.train.model import build_model

NETWORK = Network(
    (
        Block("ibn", 3, 2, 8),
        Block("ibn", 5, 3, 8, se=0.25),
        Block("fused_ibn", 3, 2, 16, stride=2, groups=2),
        Block("ibn", 3, 2, 16, groups=2),
    ),
    8, 16, resolution=8, classes=2, channels=1, stem_stride=1,
)  # fmt: skip
RECIPE = replace(PLAIN, int8_epochs=2, dropout=0.1, drop_path=0.1)


@pytest.fixture(autouse=True, scope="module")
def _prepared():
    fit.prepare(1)


@pytest.fixture(scope="module")
def data():
    return plain_dataset()


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("float")
    return train_final(NETWORK, data, RECIPE, folder, seed=0)


@pytest.mark.parametrize("activation", ["relu6", "swish"])
def test_a_twin_computes_what_the_int8_file_does(activation, data):
    """As far from the float model as the file is, and to the same side more often."""
    fit.seed_everything(0)
    model = build_model(replace(NETWORK, activation=activation))
    inputs = fit.Scaling.of(data.train.images)(data.train.images)
    for _ in range(20):  # running statistics, so that layers differ in scale
        model(inputs, training=True)
    plain = np.array(model(inputs, training=False))
    twin = np.array(rounded(model)(inputs, training=False))
    file = run_tflite(to_tflite(model, inputs), inputs)
    error, expected = (twin - plain).ravel(), (file - plain).ravel()
    assert 0.5 < np.abs(error).mean() / np.abs(expected).mean() < 2
    assert np.corrcoef(error, expected)[0, 1] > 0.2  # by chance 0.17 once in twenty


@pytest.mark.parametrize("name", ["head", "classifier"])
def test_kernels_have_255_steps_a_channel(name):
    """Shown one input after the other, a layer answers with its kernel."""
    fit.seed_everything(0)
    model = build_model(NETWORK)
    kernel = model.get_layer(name).get_weights()[0]
    kernel = kernel.reshape(kernel.shape[-2:])
    layer = rounded(model).get_layer(name)
    every = np.eye(len(kernel), dtype=np.float32)
    shown = every[None, :, None] if name == "head" else every
    seen = np.array(layer(shown)).reshape(kernel.shape)
    step = np.abs(kernel).max(0) / 127
    np.testing.assert_allclose(seen, np.rint(kernel / step) * step, atol=1e-6)


def test_tuning_learns_and_leaves_the_float_model_as_it_is(data, trained, tmp_path):
    before = [np.array(value) for value in trained.model.get_weights()]
    tuned = tune(trained, data, RECIPE, tmp_path, seed=0)
    for one, other in zip(before, trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    pairs = zip(before, tuned.model.get_weights(), strict=True)
    assert any((one != other).any() for one, other in pairs)
    assert len(tuned.log) == 2
    assert tuned.accuracy > 0.9
    deployed = build_model(NETWORK)
    deployed.set_weights(tuned.model.get_weights())
    inputs = trained.scaling(data.test.images)
    answers = run_tflite(to_tflite(deployed, inputs), inputs).argmax(1)
    assert (answers == data.test.labels).mean() > 0.9


def test_a_resumed_tuning_ends_at_the_same_weights(data, trained, tmp_path):
    whole = tune(trained, data, RECIPE, tmp_path / "whole", seed=0)
    with pytest.raises(StopError):
        tune(trained, data, RECIPE, tmp_path, seed=0, progress=stopped_after(1))
    assert (tmp_path / CHECKPOINT).exists()
    again = tune(trained, data, RECIPE, tmp_path, seed=0)
    pairs = zip(whole.model.get_weights(), again.model.get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def test_a_network_of_mixed_precision_is_tuned_too(data, tmp_path):
    recipe = replace(RECIPE, epochs=2, int8_epochs=1, precision="mixed_bfloat16")
    trained = train_final(NETWORK, data, recipe, tmp_path, seed=0)
    tuned = tune(trained, data, recipe, tmp_path, seed=0)
    assert tuned.model.get_layer("stem").compute_dtype == "bfloat16"
    assert np.isfinite(tuned.log[0]["loss"])


def test_the_tuning_is_gentle():
    recipe = tuning(RECIPE)
    assert recipe.epochs == 2
    assert recipe.learning_rate == pytest.approx(0.02 * RECIPE.learning_rate)
    assert (recipe.int8_epochs, recipe.ema, recipe.warmup_epochs) == (0, 0, 0)
