"""Proxy training: learning, scaling, schedules and divergence."""

import keras
import numpy as np
import pytest

from nahas.search_space.network import Block, Network
from nahas.train import fit
from nahas.train.data import Split
from nahas.train.fit import Recipe, Scaling
from nahas.train.model import build_model

NETWORK = Network(
    (Block("ibn", 3, 2, 8),), 8, 8, resolution=4, classes=2, channels=1, stem_stride=1
)


@pytest.fixture(autouse=True, scope="module")
def _prepared():
    fit.prepare(1)


def bright_and_dark(count=64):
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    images = rng.integers(0, 100, (count, 4, 4, 1)) + 100 * labels[:, None, None, None]
    return Split(images.astype(np.uint8), labels.astype(np.int64))


def train(recipe, seed=0, data=None):
    data = data or bright_and_dark()
    scaling = Scaling.of(data.images)
    fit.seed_everything(seed)
    model = build_model(NETWORK)
    history = fit.fit(model, data, scaling, recipe, seed=seed)
    return model, history, data, scaling


def test_scaling_by_hand():
    images = np.array([[0, 10], [4, 10]], np.uint8).reshape(2, 1, 1, 2)
    scaling = Scaling.of(images)
    assert scaling == Scaling((2.0, 10.0), (2.0, 1.0))
    np.testing.assert_array_equal(scaling(images).ravel(), [-1, 0, 1, 0])
    assert scaling(images).dtype == np.float32


def test_learns_what_is_plain():
    model, history, data, scaling = train(Recipe(epochs=6, batch=8))
    assert history.error == ""
    assert history.loss.shape == (6,)
    assert history.loss[-1] < history.loss[0]
    assert history.seconds > 0
    assert fit.correct(model, data, scaling).mean() > 0.9


def test_the_seed_decides_all():
    first, again, other = (train(Recipe(batch=16), seed=s)[0] for s in (1, 1, 2))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        (a != b).any()
        for a, b in zip(first.get_weights(), other.get_weights(), strict=True)
    )


def test_the_last_batch_is_left_out_not_traced_again():
    model, *_ = train(Recipe(epochs=2, batch=24))
    assert int(model.optimizer.iterations) == 2 * (64 // 24)


def test_the_learning_rate_rises_and_ends_at_nothing():
    model, *_ = train(Recipe(epochs=5, batch=16, learning_rate=0.1, warmup=0.25))
    schedule = model.optimizer._learning_rate
    rates = [float(schedule(step)) for step in range(21)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.1)
    assert max(rates) == rates[5]
    # Half-way down the cosine from step 5 to 20.
    assert rates[12] == pytest.approx(0.05 * (1 + np.cos(np.pi * 7 / 15)))
    assert rates[20] == pytest.approx(0, abs=1e-8)


def test_divergence_is_an_error_and_no_accuracy():
    _, history, *_ = train(Recipe(epochs=3, batch=8, learning_rate=1e30))
    assert "Training diverged: loss" in history.error
    assert "Lower `learning_rate`" in history.error
    assert len(history.loss) < 3


def test_outputs_that_are_not_finite_are_refused():
    model, _, data, scaling = train(Recipe(batch=16))
    model.get_layer("classifier").kernel.assign(np.full((8, 2), np.nan))
    with pytest.raises(FloatingPointError, match="not finite"):
        fit.correct(model, data, scaling)


def test_a_batch_must_fit_the_images():
    with pytest.raises(ValueError, match=r"`batch` must be at most the 64 .* 65"):
        train(Recipe(batch=65))


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch": 2.5},
        {"learning_rate": 0},
        {"learning_rate": float("inf")},
        {"momentum": 1},
        {"warmup": -0.1},
    ],
)
def test_recipes_check_their_numbers(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        Recipe(**wrong)


def test_other_threads_after_the_start_are_refused():
    keras.ops.ones(1)  # TensorFlow is at work
    with pytest.raises(RuntimeError, match=r"`threads` = 2, but .* fresh process"):
        fit.prepare(2)
