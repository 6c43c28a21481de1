"""Image data sets: three splits of uint8 images, in memory or in files.

The training split trains a proxy, the validation split rewards it, and the test split
is looked at once, for the report. The splits depend on the data alone, never on a seed
of a search, so that all studies on one data set compare.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.train import tfds_source
from nahas.train.pictures import Files, Pictures, folder_of_classes
from nahas.train.sources import (
    DATASETS,
    SPLITS,
    TFDS,
    DatasetError,
    checked,
    fingerprint,
    read_npz,
)

__all__ = ["DATASETS", "Dataset", "DatasetError", "Split", "fingerprint", "load"]

_MAX_VALIDATION = 5000  # evaluating more costs more than the precision is worth

Images = NDArray[np.uint8] | Pictures
"""An array, or what is one to its readers and lies in files."""

_Labelled = tuple[Images, NDArray[np.int64]]
_InFiles = tuple[Pictures, NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Split:
    """Images and what they show.

    Attributes:
        images: [N, H, W, C] uint8, in a fixed random order.
        labels: [N] classes, from 0.
    """

    images: Images
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not isinstance(self.images, Pictures):
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
        name: One of `DATASETS`; or the path of a `.npz` file with x_train, y_train,
            x_test and y_test: square images [N, H, H] or [N, H, H, C], uint8 or floats
            from 0 to 1, and integer labels from 0; or that of a folder with a folder of
            pictures for each class, or with such folders train and, where there are
            any, val and test; or "tfds:NAME", a data set of TensorFlow Datasets such
            as tfds:imagenet2012. Pictures of the last two stay in their files, and are
            read when a batch takes them.
        resolution: Rows and columns to average (or repeat) the pixels to; the images'
            own if None. That of pictures in files must be given.

    Returns:
        The data set. One without a test split of its own gives a fifth of each class to
        the test and a fifth to the validation; otherwise a fifth of each class of the
        training images, 5,000 images at most, is the validation split. Of a folder,
        val is the test split where there is no test, as of ImageNet; with both, it is
        the validation split.

    Raises:
        DatasetError: If the name is unknown, a download is impossible or a file is not
            as described.
    """
    known = name in DATASETS or name.endswith(".npz") or name.startswith(TFDS)
    if not known and not Path(name).is_dir():
        raise DatasetError(
            f"`data` must be one of {', '.join(DATASETS)}, the path of a .npz file or "
            f"of a folder, or {TFDS}NAME. Received {name!r}."
        )
    return _load(name, resolution, fingerprint(name))


@lru_cache(maxsize=2)
def _load(name: str, resolution: int | None, content: str) -> Dataset:
    """`load`, remembered for as long as the content is the same."""
    del content
    if name.startswith(TFDS) or (name not in DATASETS and Path(name).is_dir()):
        return _in_files(name, resolution)
    licence, read = DATASETS.get(name, ("the owner's", read_npz))
    known, own_test = read(name)
    test = None if own_test is None else checked(name, *own_test)
    splits = _splits(name, checked(name, *known), None, test)
    classes = _classes(name, splits[0], splits[2])
    return Dataset(
        name, licence, classes, *(_resized(split, resolution) for split in splits)
    )


def _in_files(name: str, resolution: int | None) -> Dataset:
    """Of pictures in folders of their classes, or in records of TFDS."""
    if resolution is None:
        raise DatasetError(
            "`resolution` must be given for pictures in files. Received none "
            f"(for {name})."
        )
    if name.startswith(TFDS):
        found, classes = tfds_source.read(name, resolution)
    else:
        found, classes = _from_folder(Path(name), resolution)
    test = found.get("test", found.get("val"))
    validation = found.get("val") if "test" in found else None
    splits = _splits(name, found["train"], validation, test)
    return Dataset(name, "the owner's", classes, *splits)


def _from_folder(root: Path, resolution: int) -> tuple[dict[str, _InFiles], int]:
    """Pictures of each split, and how many classes there are."""
    whole = not (root / "train").is_dir()
    classes: tuple[str, ...] | None = None
    found: dict[str, _InFiles] = {}
    for split in SPLITS:
        folder = root if whole else root / split
        if folder.is_dir() and (not whole or split == "train"):
            paths, labels, classes = folder_of_classes(folder, classes)
            rows = np.arange(len(paths))
            found[split] = Pictures(Files(paths), rows, resolution), labels
    return found, len(classes or ())


def _splits(
    name: str, train: _Labelled, validation: _Labelled | None, test: _Labelled | None
) -> tuple[Split, Split, Split]:
    """Training, validation and test, what there is not being taken of the training."""
    rng = np.random.default_rng(0)
    images, labels = train
    if (test is None or validation is None) and len(labels) < 5:
        raise DatasetError(
            "A data set must have at least 5 training images, of which a fifth is held "
            f"back. Received {len(labels)} (in {name})."
        )
    if test is None:
        kept, held = _stratified(labels, len(labels) // 5, rng)
        tested = Split(_taken(images, held), labels[held])
        images, labels = _taken(images, kept), labels[kept]
        count = len(tested)
    else:
        tested = _shuffled(*test, rng)
        count = min(len(labels) // 5, _MAX_VALIDATION)
    if validation is not None:
        return _shuffled(images, labels, rng), _shuffled(*validation, rng), tested
    kept, held = _stratified(labels, count, rng)
    return (
        Split(_taken(images, kept), labels[kept]),
        Split(_taken(images, held), labels[held]),
        tested,
    )


def _shuffled(
    images: Images, labels: NDArray[np.int64], rng: np.random.Generator
) -> Split:
    order = rng.permutation(len(labels))
    return Split(_taken(images, order), labels[order])


def _taken(images: Images, rows: NDArray[np.integer[Any]]) -> Images:
    """Some of the images; of those in files none is read."""
    return images.take(rows) if isinstance(images, Pictures) else images[rows]


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
    images = split.images
    if isinstance(images, Pictures) or resolution in (None, images.shape[1]):
        return split
    try:
        return Split(resize(images, int(resolution or 0)), split.labels)
    except MemoryError:
        raise DatasetError(
            f"`resolution` must be one at which {len(images):,} images fit in memory. "
            f"Received {resolution}."
        ) from None


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
