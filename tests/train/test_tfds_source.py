"""Data sets of TensorFlow Datasets: prepared, read and trained on by their names."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nahas.search_space.network import Block, Network
from nahas.train.data import DatasetError, fingerprint, load
from nahas.train.final import train_final
from nahas.train.recipe import FinalRecipe

pytestmark = [
    pytest.mark.slow,
    # TFDS and what it imports are not ours to mend.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


MAKE = """
import sys
import tensorflow_datasets as tfds
import toy_tfds
for name in sys.argv[2:]:
    tfds.builder(name, file_format=sys.argv[1]).download_and_prepare()
"""


def made(folder, file_format, *names):
    """Prepares data sets by another process, as users would."""
    done = subprocess.run(
        [sys.executable, "-c", MAKE, file_format, *names], cwd=Path(__file__).parent,
        env=os.environ | {"TFDS_DATA_DIR": str(folder)}, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with prepared data sets."""
    folder = tmp_path_factory.mktemp("tfds")
    made(folder, "array_record", "toy_pictures", "toy_numbers", "toy_secrets")
    return folder


@pytest.fixture(autouse=True)
def _at_home(monkeypatch, home):
    monkeypatch.setenv("TFDS_DATA_DIR", str(home))


def test_pictures_stay_in_their_records():
    data = load("tfds:toy_pictures", 8)
    assert fingerprint(data.name) == "tfds:toy_pictures/1.0.0"
    assert (data.classes, data.resolution, data.channels) == (2, 8, 3)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [32, 8, 12]
    for split in (data.train, data.validation, data.test):
        shown = split.images[np.arange(len(split))]
        grey = (50 + 150 * split.labels).astype(np.uint8)
        np.testing.assert_array_equal(
            shown, np.broadcast_to(grey[:, None, None, None], shown.shape)
        )
        assert np.bincount(split.labels).tolist() == [len(split) // 2] * 2


def test_files_of_another_format_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    made(tmp_path, "tfrecord", "toy_others")
    with pytest.raises(DatasetError, match=r"Received tfrecord.*another folder") as e:
        load("tfds:toy_others", 8)
    assert "\n" not in str(e.value)


def test_a_split_of_secret_labels_is_left_out():
    data = load("tfds:toy_secrets", 8)
    assert len(data.test) == 12
    assert set(data.test.labels) == {0, 1}


def test_labels_are_read_once(home):
    first = load("tfds:toy_pictures", 8).train.labels
    kept = next(home.glob("toy_pictures/*/nahas_labels_train.npy"))
    np.save(kept, 1 - np.load(kept))  # another answer than the records' own
    again = load("tfds:toy_pictures", 9).train.labels
    np.testing.assert_array_equal(np.sort(again), np.sort(1 - first))
    kept.write_bytes(b"damaged")
    found = load("tfds:toy_pictures", 10).train.labels
    np.testing.assert_array_equal(found, first)


def test_a_network_is_trained_on_it(tmp_path):
    blocks = (Block("ibn", 3, 2, 8),)
    network = Network(blocks, 8, 8, resolution=8, classes=2, stem_stride=1)
    recipe = FinalRecipe(epochs=3, batch=8, crop=0, operations=0, ema=0.0, area=0.5)
    data = load("tfds:toy_pictures", 8)
    trained = train_final(network, data, recipe, tmp_path, seed=0, workers=2)
    assert trained.accuracy == 1


def test_what_is_not_prepared_is_prepared_in_another_process():
    """ImageNet's files are its owner's to fetch, and TFDS says so."""
    with pytest.raises(DatasetError, match=r"(?i)could not be prepared.*manual") as e:
        load("tfds:imagenet2012", 8)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("name", "resolution", "said"),
    [
        ("tfds:toy_pictures", None, "`resolution` must be given"),
        ("tfds:no_such_set", 8, "could not be prepared by TensorFlow Datasets"),
        ("tfds:toy_numbers", 8, "must be images with a class each"),
    ],
)
def test_what_cannot_be_read_is_a_line(name, resolution, said):
    with pytest.raises(DatasetError, match=said) as caught:
        load(name, resolution)
    assert "\n" not in str(caught.value)


def test_without_tfds_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DatasetError, match=r"pip install 'nahas\[tfds\]'"):
        load("tfds:absent", 8)
