"""Image data sets: three splits of uint8 images.

The training split trains a proxy, the validation split rewards it, and the test split
is looked at once, for the report. The splits depend on the data alone, never on a seed
of a search, so that all studies on one data set compare.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nahas.train.sources import (
    DATASETS,
    DatasetError,
    checked,
    fingerprint,
    read_npz,
)

__all__ = ["DATASETS", "Dataset", "DatasetError", "Split", "fingerprint", "load"]

_MAX_VALIDATION = 5000  # evaluating more costs more than the precision is worth


@dataclass(frozen=True, eq=False)
class Split:
    """Images and what they show.

    Attributes:
        images: [N, H, W, C] uint8, in a fixed random order.
        labels: [N] classes, from 0.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        self.images.setflags(write=False)
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named data set.

    Attributes:
        name: As it was asked for.
        licence: Terms of the images, or where they are stated.
        classes: Number of classes.
        train: What networks learn from.
        validation: What a search is rewarded by.
        test: What a report measures, once.
    """

    name: str
    licence: str
    classes: int
    train: Split
    validation: Split
    test: Split

    @property
    def resolution(self) -> int:
        """Rows and columns of an image."""
        return int(self.train.images.shape[1])

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return int(self.train.images.shape[3])


def load(name: str, resolution: int | None = None) -> Dataset:
    """Loads a data set, at the given resolution; the last two loaded stay in memory.

    Args:
        name: One of `DATASETS`, or the path of a `.npz` file with x_train, y_train,
            x_test and y_test: square images [N, H, H] or [N, H, H, C], uint8 or floats
            from 0 to 1, and integer labels from 0.
        resolution: Rows and columns to average (or repeat) the pixels to; the images'
            own if None.

    Returns:
        The data set. One without a test split of its own gives a fifth of each class to
        the test and a fifth to the validation; otherwise a fifth of each class of the
        training images, 5,000 images at most, is the validation split.

    Raises:
        DatasetError: If the name is unknown, a download is impossible or a file is not
            as described.
    """
    if name not in DATASETS and not name.endswith(".npz"):
        raise DatasetError(
            f"`data` must be one of {', '.join(DATASETS)}, or the path of a .npz file. "
            f"Received {name!r}."
        )
    return _load(name, resolution, fingerprint(name))


@lru_cache(maxsize=2)
def _load(name: str, resolution: int | None, content: str) -> Dataset:
    """`load`, remembered for as long as the content is the same."""
    del content
    licence, read = DATASETS.get(name, ("the owner's", read_npz))
    known, own_test = read(name)
    images, labels = checked(name, *known)
    rng = np.random.default_rng(0)
    if own_test is None:
        kept, held = _stratified(labels, len(labels) // 5, rng)
        test = Split(images[held], labels[held])
        images, labels = images[kept], labels[kept]
        count = len(test)
    else:
        test_images, test_labels = checked(name, *own_test)
        order = rng.permutation(len(test_labels))
        test = Split(test_images[order], test_labels[order])
        count = min(len(labels) // 5, _MAX_VALIDATION)
    kept, held = _stratified(labels, count, rng)
    train = Split(images[kept], labels[kept])
    validation = Split(images[held], labels[held])
    splits = [_resized(split, resolution) for split in (train, validation, test)]
    return Dataset(name, licence, _classes(name, train, test), *splits)


def _classes(name: str, train: Split, test: Split) -> int:
    """Number of classes, when all of them can be learned and images fit together."""
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DatasetError(
            f"x_test must have images like x_train's {train.images.shape[1:]}. "
            f"Received {test.images.shape[1:]} (in {name})."
        )
    highest = int(max(train.labels.max(initial=0), test.labels.max(initial=0)))
    found = len(np.unique(train.labels))
    if highest < 1 or found <= highest:
        raise DatasetError(
            "Labels must be 0, 1, ..., with images of each of two or more classes to "
            f"train on. Received {found} classes, the highest {highest} (in {name})."
        )
    return highest + 1


def _resized(split: Split, resolution: int | None) -> Split:
    if resolution is None or resolution == split.images.shape[1]:
        return split
    return Split(resize(split.images, resolution), split.labels)


def resize(images: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """Images [N, H, H, C] at another resolution, by area averaging.

    Each new pixel is the mean of the old image over the square that it covers, pixels
    on the rim by the part that is covered. Enlarging so repeats pixels.

    >>> resize(np.array([[[[0], [4]], [[8], [8]]]], dtype=np.uint8), 1).item()
    5
    """
    if resolution < 1:
        raise ValueError(
            f"`resolution` must be a positive integer. Received {resolution}."
        )
    size = images.shape[1]
    edges = np.arange(resolution + 1) * (size / resolution)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1)
    overlap = overlap - np.maximum(edges[:-1, None], pixels)
    weights = (overlap.clip(0) * (resolution / size)).astype(np.float32)
    out = np.empty((len(images), resolution, resolution, images.shape[3]), np.uint8)
    for start in range(0, len(images), 4096):  # bounds the memory of the floats
        part = images[start : start + 4096].astype(np.float32)
        part = np.einsum("nhwc,rh,sw->nrsc", part, weights, weights, optimize=True)
        out[start : start + 4096] = np.rint(part)
    return out


def _stratified(
    labels: NDArray[np.int64], held: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows that stay and `held` rows put by, classes in proportion, both shuffled."""
    order = rng.permutation(len(labels))
    # Rank within the class over the class's size, sorted: any prefix is stratified.
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    ranked = order[np.argsort(place[order], kind="stable")]
    return rng.permutation(ranked[held:]), rng.permutation(ranked[:held])
