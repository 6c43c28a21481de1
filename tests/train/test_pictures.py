"""Pictures in files: what is read, when, and how they are split."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from nahas.train.data import load
from nahas.train.fit import Scaling
from nahas.train.pictures import Files, Pictures, square
from nahas.train.sources import DatasetError, fingerprint


def save(folder, count, level, size=(12, 20), suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = np.full((*size, 3), level + i, np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}{suffix}")


def content(pixels, kind="png"):
    """Of the file of a picture."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=95)
    return file.getvalue()


@pytest.fixture
def classes(tmp_path):
    """20 dark pictures and 10 bright ones, without splits."""
    save(tmp_path / "dark", 20, 10)
    save(tmp_path / "light", 10, 200, size=(30, 14))
    return tmp_path


@pytest.fixture
def splits(tmp_path):
    for split, count in (("train", 10), ("val", 4), ("test", 3)):
        save(tmp_path / split / "a", count, 10)
        save(tmp_path / split / "b", count, 100)
    return tmp_path


def test_a_folder_of_classes_is_a_data_set(classes):
    data = load(str(classes), 8)
    assert (data.classes, data.resolution, data.channels) == (2, 8, 3)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [
        18,
        6,
        6,
    ]
    for part in (data.train, data.validation, data.test):
        assert isinstance(part.images, Pictures)
        assert part.images.shape == (len(part), 8, 8, 3)
        assert np.bincount(part.labels).tolist() == [2 * len(part) // 3, len(part) // 3]
        pixels = part.images[:]
        assert pixels.dtype == np.uint8
        assert ((pixels.mean((1, 2, 3)) > 100) == part.labels).all()
    levels = [
        part.images[:][:, 0, 0, 0] for part in (data.train, data.validation, data.test)
    ]
    every = np.sort(np.concatenate(levels)).tolist()
    assert every == [*range(10, 30), *range(200, 210)]


def test_rows_are_taken_as_of_an_array(classes):
    images = load(str(classes), 4).train.images
    whole = images[:]
    for rows in (slice(2, 9), [3, 1, 4], np.array([0, 0, 5])):
        np.testing.assert_array_equal(images[rows], whole[rows])
        np.testing.assert_array_equal(images.take(np.arange(18)[rows])[:], whole[rows])


def test_pictures_are_read_when_they_are_taken(classes):
    data = load(str(classes), 4)
    for path in classes.rglob("*.png"):
        path.write_bytes(b"no picture")
    assert len(data.train.images) == 18
    with pytest.raises(DatasetError, match="must be a picture that can be read"):
        data.train.images[:1]


@pytest.mark.parametrize("without", [(), ("test",), ("val",), ("val", "test")])
def test_splits_that_are_there_are_kept(splits, without, tmp_path):
    """val is the test split where there is no other, as of ImageNet."""
    for split in without:
        (splits / split).rename(tmp_path / f"no_{split}")
        for entry in (tmp_path / f"no_{split}").rglob("*.png"):
            entry.unlink()
    data = load(str(splits), 4)
    sizes = [len(part) for part in (data.train, data.validation, data.test)]
    assert sizes == {
        (): [20, 8, 6], ("test",): [16, 4, 8], ("val",): [16, 4, 6],
        ("val", "test"): [12, 4, 4],
    }[without]  # fmt: skip
    again = load(str(splits), 4)
    assert again.train.labels.tolist() == data.train.labels.tolist()


def test_the_scaling_is_that_of_the_pictures(classes):
    images = load(str(classes), 4).train.images
    assert Scaling.of(images) == Scaling.of(images[:])


def test_the_fingerprint_follows_the_files(classes):
    before = fingerprint(str(classes))
    assert before == fingerprint(f"{classes}/")
    assert before == fingerprint(str(classes))
    save(classes / "dark", 21, 10)
    assert fingerprint(str(classes)) != before


def test_the_middle_of_a_picture_is_shown():
    """7/8 of the shorter side: of a bright square of that size nothing else is seen."""
    picture = np.zeros((16, 40, 3), np.uint8)
    picture[1:15, 13:27] = 255
    assert square(content(picture), 14).min() == 255


def test_grey_pictures_have_three_channels(tmp_path):
    Image.fromarray(np.full((8, 8), 9, np.uint8)).save(tmp_path / "grey.png")
    images = Pictures(Files((tmp_path / "grey.png",)), np.array([0]), 2)
    assert images[:].tolist() == [[[[9] * 3] * 2] * 2]


def test_a_picture_that_would_fill_the_memory_is_named(tmp_path, monkeypatch):
    save(tmp_path, 1, 9)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    images = Pictures(Files((tmp_path / "000.png",)), np.array([0]), 2)
    with pytest.raises(DatasetError, match=r"000\.png must be a picture .* exceeds"):
        images[:]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (["a"], "a folder for each of two or more classes. Received 1"),
        (["a", "b/"], "Each class must have pictures"),
        (["train/a", "train/b", "val/a", "val/c"], "must have the same classes. Rec"),
    ],
)
def test_folders_that_are_none_of_classes(tmp_path, made, said):
    for name in made:
        if name.endswith("/"):
            (tmp_path / name).mkdir(parents=True)
        else:
            save(tmp_path / name, 2, 0)
    with pytest.raises(DatasetError, match=said):
        load(str(tmp_path), 4)


def test_a_folder_needs_a_resolution(classes):
    with pytest.raises(DatasetError, match="`resolution` must be given for pictures"):
        load(str(classes))


def test_a_large_jpeg_is_decoded_at_a_smaller_size():
    """Which changes what is shown by less than the compression does."""
    rows, columns = np.mgrid[:300, :400]
    pixels = np.stack([rows * 0.8, columns * 0.6, rows * 0 + 80], axis=2)
    small, exact = (
        square(content(pixels.astype(np.uint8), kind), 16).astype(int)
        for kind in ("jpeg", "png")
    )
    assert np.abs(small - exact).max() < 6
