"""Final trainings: what they learn, what decides them, and what a kill costs."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from toy_images import PLAIN, StopError, plain_dataset, stopped_after

from nahas.search_space.network import Block, Network
from nahas.train import fit
from nahas.train.batches import batches_class, training_batch
from nahas.train.checkpoint import CheckpointError
from nahas.train.data import load
from nahas.train.final import CHECKPOINT, DivergedError, train_final
from nahas.train.recipe import FinalRecipe
from nahas.train.sources import DatasetError

NETWORK = Network(
    (Block("ibn", 3, 2, 8), Block("ibn", 3, 2, 8)), 8, 8,
    resolution=8, classes=2, channels=1, stem_stride=1,
)  # fmt: skip
RECIPE = FinalRecipe(
    epochs=3, batch=16, warmup_epochs=0.5, learning_rate=0.05, crop=1, flip=True,
    operations=1, magnitude=3.0, mixup=0.2, cutmix=0.5, dropout=0.1, drop_path=0.2,
    ema=0.9,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _prepared():
    fit.prepare(1)


@pytest.fixture(scope="module")
def data():
    return plain_dataset()


def weights(trained):
    return [np.array(value) for value in trained.model.get_weights()]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_learns_what_is_plain(data, tmp_path, optimizer):
    rate = {"sgd": 0.05, "rmsprop": 0.003}[optimizer]
    recipe = replace(PLAIN, optimizer=optimizer, learning_rate=rate)
    trained = train_final(NETWORK, data, recipe, tmp_path, seed=0)
    assert trained.accuracy > 0.9
    assert trained.right.shape == (40,)
    assert len(trained.log) == 6
    assert trained.log[-1]["loss"] < trained.log[0]["loss"]
    assert {"loss", "accuracy", "seconds"} == trained.log[0].keys()


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """An unbroken training, with all that is drawn at random, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return train_final(NETWORK, data, RECIPE, folder, seed=3), folder


def test_a_broken_test_picture_is_found_before_the_training(tmp_path):
    for split in ("train", "test"):
        for label in ("a", "b"):
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for i in range(10):
                Image.new("RGB", (8, 8), (i, i, i)).save(folder / f"{i}.png")
    broken = tmp_path / "pictures" / "test" / "b" / "3.png"
    broken.write_bytes(broken.read_bytes()[:40])
    data = load(str(tmp_path / "pictures"), 8)
    told = []
    with pytest.raises(DatasetError, match=r"b/3\.png must be a picture"):
        train_final(
            replace(NETWORK, channels=3), data, replace(RECIPE, batch=8), tmp_path,
            seed=0, progress=lambda *row: told.append(row),
        )  # fmt: skip
    assert told == []


def test_a_resumed_training_ends_at_the_same_weights(data, whole, tmp_path):
    """The last of its epochs with three threads that make batches."""
    for epochs in (1, 2):
        with pytest.raises(StopError):
            train_final(
                NETWORK, data, RECIPE, tmp_path, seed=3, progress=stopped_after(epochs)
            )
    resumed = train_final(NETWORK, data, RECIPE, tmp_path, seed=3, workers=3)
    unbroken = whole[0]
    for one, other in zip(weights(unbroken), weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    told = [[(r["loss"], r["accuracy"]) for r in t.log] for t in (unbroken, resumed)]
    assert told[0] == told[1]
    np.testing.assert_array_equal(unbroken.right, resumed.right)


def test_a_finished_training_is_not_repeated(data, whole):
    first, folder = whole
    stamp = (folder / CHECKPOINT).stat().st_mtime_ns
    again = train_final(NETWORK, data, RECIPE, folder, seed=3)
    assert (folder / CHECKPOINT).stat().st_mtime_ns == stamp
    for one, other in zip(weights(first), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_seed_decides(data, whole, tmp_path):
    other = train_final(NETWORK, data, RECIPE, tmp_path, seed=4)
    pairs = zip(weights(whole[0]), weights(other), strict=True)
    assert any((a != b).any() for a, b in pairs)


def test_another_training_of_the_folder_is_refused(data, whole):
    with pytest.raises(CheckpointError, match="another network, recipe, data, seed or"):
        train_final(NETWORK, data, RECIPE, whole[1], seed=2)


@pytest.mark.parametrize("left", [0, 100, 0.5, 0.99])
def test_a_damaged_checkpoint_is_refused_in_a_line(data, whole, tmp_path, left):
    content = (whole[1] / CHECKPOINT).read_bytes()
    count = left if left >= 1 else int(left * len(content))
    (tmp_path / CHECKPOINT).write_bytes(content[:count])
    with pytest.raises(CheckpointError, match="is damaged") as caught:
        train_final(NETWORK, data, RECIPE, tmp_path, seed=3)
    assert "\n" not in str(caught.value)


def test_a_training_that_diverges_says_what_to_lower(data, tmp_path):
    recipe = replace(PLAIN, learning_rate=1e30)
    with pytest.raises(DivergedError, match="Lower `learning_rate`"):
        train_final(NETWORK, data, recipe, tmp_path, seed=0)


def test_a_network_of_another_size_is_refused(data, tmp_path):
    network = replace(NETWORK, classes=3)
    with pytest.raises(ValueError, match=r"Received \(8, 1, 3\)"):
        train_final(network, data, RECIPE, tmp_path, seed=0)
    with pytest.raises(ValueError, match="at most the 70 training images"):
        train_final(NETWORK, data, replace(RECIPE, batch=71), tmp_path, seed=0)


def test_batches_do_not_depend_on_who_makes_them(data):
    scaling = fit.Scaling.of(data.train.images)
    made_of = data.train, scaling, 2, RECIPE
    batches = batches_class()(*made_of, seed=5, epoch=1)
    assert batches.num_batches == 70 // 16
    for step in (3, 0):
        own = training_batch(*made_of, seed=5, epoch=1, step=step)
        for one, other in zip(batches[step], own, strict=True):
            np.testing.assert_array_equal(one, other)
    batches.on_epoch_end()
    later = training_batch(*made_of, seed=5, epoch=2, step=0)
    np.testing.assert_array_equal(batches[0][0], later[0])


def test_an_epoch_shows_each_image_once(data):
    plain = replace(PLAIN, batch=10)
    scaling = fit.Scaling.of(data.train.images)
    rows = [
        training_batch(data.train, scaling, 2, plain, seed=0, epoch=4, step=step)[0]
        for step in range(7)
    ]
    seen = np.concatenate(rows).reshape(70, -1)
    every = scaling(data.train.images).reshape(70, -1)
    np.testing.assert_array_equal(seen[np.lexsort(seen.T)], every[np.lexsort(every.T)])


@pytest.mark.parametrize(
    ("precision", "computed"),
    [("mixed_bfloat16", "bfloat16"), ("mixed_float16", "float16")],
)
def test_mixed_precision_computes_in_16_bits_and_keeps_weights_in_32(
    data, tmp_path, precision, computed
):
    recipe = replace(RECIPE, epochs=1, precision=precision)
    trained = train_final(NETWORK, data, recipe, tmp_path, seed=0)
    assert {value.dtype for value in weights(trained)} == {np.dtype("float32")}
    kinds = {name: trained.model.get_layer(name) for name in ("stem", "classifier")}
    assert kinds["stem"].compute_dtype == computed
    assert kinds["classifier"].compute_dtype == "float32"
    import keras

    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("epochs", 0, "a positive integer"), ("epochs", 1.5, "a positive integer"),
        ("batch", True, "a positive integer"), ("momentum", 1.0, "below 1"),
        ("learning_rate", float("nan"), "a positive number"),
        ("warmup_epochs", 30, r"below `epochs` \(30\)"),
        ("magnitude", 11, "from 0 to 10"), ("operations", 15, "from 0 to 14"),
        ("optimizer", "adam", "one of sgd, rmsprop"), ("flip", 1, "true or false"),
        ("weight_decay", -1e-4, "at least 0"), ("crop", -1, "at least 0"),
        ("precision", "int8", "one of float32"),
    ],
)  # fmt: skip
def test_bad_recipes_are_refused_by_name(key, value, said):
    with pytest.raises(ValueError, match=rf"`{key}` must be .*{said}.*in final.{key}"):
        FinalRecipe(**{key: value})


def test_what_follows_a_training_does_not_make_it_another(data, whole):
    recipe = replace(RECIPE, int8_epochs=2)
    again = train_final(NETWORK, data, recipe, whole[1], seed=3)
    for one, other in zip(weights(whole[0]), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)
