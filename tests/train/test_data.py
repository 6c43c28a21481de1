"""Data sets: splits, resizing and refusals."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nahas.train import data
from nahas.train.data import DatasetError, fingerprint, load, resize


def arrays_of(count=60, size=6, classes=3):
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    images = rng.integers(0, 255, (count, size, size, 1), dtype=np.uint8)
    return {
        "x_train": images,
        "y_train": labels,
        "x_test": images[:12],
        "y_test": labels[:12],
    }


@pytest.fixture
def save(tmp_path):
    def write(**changes):
        path = tmp_path / "images.npz"
        content = {**arrays_of(), **changes}
        np.savez(path, **{k: v for k, v in content.items() if v is not None})
        return str(path)

    return write


def test_averaging_by_hand():
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(
        resize(image, 2)[0, ..., 0], np.rint([[2.5, 4.5], [10.5, 12.5]])
    )
    # 3 -> 2: the middle pixel is shared in halves: (1 * 30 + 0.5 * 60) / 1.5 = 40.
    row = np.broadcast_to(np.array([30, 60, 90], np.uint8), (3, 3))[None, ..., None]
    np.testing.assert_array_equal(resize(row, 2)[0, ..., 0], [[40, 80], [40, 80]])


def test_enlarging_repeats_pixels():
    image = np.array([[1, 2], [3, 4]], np.uint8)[None, ..., None]
    np.testing.assert_array_equal(
        resize(image, 4)[0, ..., 0], np.kron(image[0, ..., 0], np.ones((2, 2)))
    )


@given(arrays(np.uint8, (2, 6, 6, 2)), st.integers(1, 13))
def test_resizing_keeps_the_mean_and_the_range(images, resolution):
    small = resize(images, resolution)
    assert small.shape == (2, resolution, resolution, 2)
    assert abs(small.mean() - images.mean()) <= 0.51  # rounding to whole grey levels
    assert images.min() <= small.min() <= small.max() <= images.max()


@pytest.mark.parametrize(
    ("name", "sizes"), [("mnist5k", (3000, 1000, 1000)), ("digits", (1079, 359, 359))]
)
def test_embedded_data_sets(name, sizes):
    dataset = load(name)
    splits = dataset.train, dataset.validation, dataset.test
    assert tuple(map(len, splits)) == sizes
    assert dataset.classes == 10
    assert dataset.licence
    for split in splits:  # stratified: classes as in the whole, to an image each
        share = np.bincount(split.labels, minlength=10) / len(split)
        assert abs(share - 0.1).max() < 0.006
    seen = [image.tobytes() for split in splits for image in split.images]
    assert len(seen) == sum(sizes)
    assert len(set(seen)) >= len(seen) - 2  # disjoint, but for copies in the source
    data._load.cache_clear()
    np.testing.assert_array_equal(load(name).train.images, dataset.train.images)


def test_npz_keeps_its_test_split_and_holds_back_a_fifth(save):
    dataset = load(save())
    assert len(dataset.test) == 12
    assert len(dataset.validation) == 12
    assert len(dataset.train) == 48
    assert np.bincount(dataset.validation.labels).tolist() == [4, 4, 4]
    content = arrays_of()
    whole = sorted(image.tobytes() for image in content["x_train"])
    both = (*dataset.train.images, *dataset.validation.images)
    assert sorted(image.tobytes() for image in both) == whole


def test_npz_of_floats_without_channels(save):
    x = arrays_of()["x_train"][..., 0]
    dataset = load(save(x_train=x / 255, x_test=x[:12] / 255), 3)
    assert dataset.train.images.dtype == np.uint8
    assert (dataset.resolution, dataset.channels) == (3, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_test": None}, "without x_test, y_test"),
        ({"x_train": np.zeros((60, 6, 5, 1), np.uint8)}, "must be square"),
        ({"x_train": np.zeros((60, 36), np.uint8)}, "must be square"),
        ({"x_train": np.zeros((60, 6, 6), np.int32)}, "must be uint8"),
        ({"x_train": np.full((60, 6, 6), 7.0)}, "must lie in 0 to 1"),
        ({"x_train": np.full((60, 6, 6), np.nan)}, "must lie in 0 to 1"),
        ({"y_train": np.zeros(59, np.int64)}, "must be 60 integers"),
        ({"y_train": np.zeros(60)}, "must be 60 integers"),
        ({"y_train": np.full(60, -1)}, "must be 0 or more"),
        ({"y_train": np.zeros(60, np.int64)}, "two or more classes"),
        ({"y_test": np.full(12, 9)}, "two or more classes"),
        ({"x_test": np.zeros((12, 4, 4), np.uint8)}, "x_test must have images like"),
        ({"y_train": np.array([{}] * 60, dtype=object)}, "without pickled objects"),
    ],
)
def test_unsound_files_are_refused(save, changes, message):
    with pytest.raises(DatasetError, match=message):
        load(save(**changes))


def test_files_that_are_none(tmp_path):
    with pytest.raises(DatasetError, match="must be a readable"):
        load(str(tmp_path / "absent.npz"))
    with pytest.raises(DatasetError, match="must be a readable"):
        fingerprint(str(tmp_path / "absent.npz"))
    arrays = arrays_of()
    np.savez_compressed(tmp_path / "sound.npz", **arrays)
    content = bytearray((tmp_path / "sound.npz").read_bytes())
    content[100:110] = b"\xff" * 10  # within the compressed pixels
    (tmp_path / "damaged.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="must be a readable"):
        load(str(tmp_path / "damaged.npz"))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(DatasetError, match="must be a readable"):
        load(str(broken))


def test_too_few_images_to_hold_some_back(save):
    few = {"x_train": np.zeros((4, 6, 6), np.uint8), "y_train": np.arange(4) % 2}
    with pytest.raises(DatasetError, match=r"at least 5 training images.* Received 4"):
        load(save(**few))


def test_a_resolution_that_fills_the_memory(save):
    with pytest.raises(DatasetError, match=r"fit in memory\. Received 10000000"):
        load(save(), 10_000_000)


def test_unknown_name():
    with pytest.raises(DatasetError, match=r"one of mnist5k, .*Received 'mnist'"):
        load("mnist")


def test_a_download_that_fails_is_one_clear_line(monkeypatch):
    import keras

    def fail():
        raise Exception("URL fetch failure on https://example.org:\nno route")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    with pytest.raises(
        DatasetError, match=r"could not be downloaded .*\.npz"
    ) as caught:
        load("cifar10")
    assert "\n" not in str(caught.value)


def test_a_download_gives_all_splits_and_prints_nothing(monkeypatch, capsys):
    import keras

    content = arrays_of()

    def load_data():
        print("Downloading")
        train = content["x_train"], content["y_train"][:, None].astype(np.uint8)
        return train, (content["x_test"], content["y_test"][:, None])

    monkeypatch.setattr(keras.datasets.cifar100, "load_data", load_data)
    data._load.cache_clear()
    dataset = load("cifar100")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (
        48,
        12,
        12,
    )
    assert capsys.readouterr().out == ""
    data._load.cache_clear()


def test_the_fingerprint_follows_the_content(save):
    first = fingerprint(save())
    assert fingerprint(save()) == first
    changed = fingerprint(save(y_test=np.zeros(12, np.int64)))
    assert first != changed
    assert fingerprint("mnist5k") == "mnist5k"


def test_validation_is_at_most_5000(save, monkeypatch):
    monkeypatch.setattr(data, "_MAX_VALIDATION", 6)
    data._load.cache_clear()
    assert len(load(save()).validation) == 6
    data._load.cache_clear()


def test_data_and_oracles_load_no_tensorflow():
    code = (
        "import sys, nahas.train.data, nahas.train.oracles, nahas.train.model;"
        "nahas.train.data.load('digits');"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_real_npz_of_someone_else(data_file):
    found = load(str(data_file("images/fashion_mnist_mini.npz")), 14)
    assert (found.classes, found.channels) == (10, 1)
    assert len(found.train) + len(found.validation) + len(found.test) == 5000
    assert len(found.test) == 1000
    assert found.train.images.shape[1:] == (14, 14, 1)
