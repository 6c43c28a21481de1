"""Data sets of TensorFlow Datasets by name: `tfds:imagenet2012`.

They are read in the ArrayRecord format, which gives any record at once and needs no
TensorFlow; pictures stay in their files, as of a folder. The labels of a split are read
once, which takes a pass over its files, and kept beside these where that is allowed.
"""

import contextlib
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.whole_file import whole
from nahas.train.pictures import Pictures
from nahas.train.sources import TFDS, DatasetError, one_line

SPLITS = {"train": "train", "validation": "val", "test": "test"}
"""Its names of splits, and the names of a folder's."""

_FORMAT = "array_record"
_LABELS = "nahas_labels_{}.npy"


@dataclass(frozen=True, eq=False)
class Records:
    """Pictures in the records of a split.

    Attributes:
        records: Its data source, images not decoded.
        feature: Name of the images.
        split: Its name, for people.
    """

    records: Any
    feature: str
    split: str

    def read(self, number: int) -> bytes:
        """Content of a picture's file."""
        return bytes(self.records[number][self.feature])

    def name(self, number: int) -> str:
        """Where it is."""
        return f"record {number} of {self.split}"


def version_of(name: str) -> str:
    """The name with the version that is read, such as tfds:mnist/3.0.1.

    Raises:
        DatasetError: As `read`.
    """
    return f"{TFDS}{_builder(name).info.full_name}"


def read(
    name: str, resolution: int
) -> tuple[dict[str, tuple[Pictures, NDArray[np.int64]]], int]:
    """Pictures and labels of each split, by the names of a folder's, and the classes.

    What is not prepared is downloaded and prepared where TFDS can do so by itself.

    Args:
        name: "tfds:NAME", with a configuration or version as TFDS takes them; data lie
            where TFDS_DATA_DIR says, or in ~/tensorflow_datasets.
        resolution: Of the pictures.

    Raises:
        DatasetError: If TFDS or ArrayRecord is not installed, or the data set is not
            known, cannot be prepared here, is of another format, or is no image
            classification.
    """
    tfds, builder = _tfds(), _builder(name)
    image, label = _features(name, builder)
    classes = int(builder.info.features[label].num_classes)
    found = {}
    for split, ours in SPLITS.items():
        if split not in builder.info.splits:
            continue
        records = builder.as_data_source(
            split, decoders={image: tfds.decode.SkipDecoding()}, file_format=_FORMAT
        )
        labels = _labels(Path(builder.data_path), split, records, label)
        if (labels < 0).all():
            continue  # TFDS's sign of a split whose labels are kept secret
        if labels.min() < 0 or labels.max() >= classes:
            raise DatasetError(
                f"Labels must be 0 to {classes - 1}. Received {labels.min()} to "
                f"{labels.max()} (in {name}, {split})."
            )
        rows = np.arange(len(records))
        source = Records(records, image, f"{name}, {split}")
        found[ours] = Pictures(source, rows, resolution), labels
    if "train" not in found:
        raise DatasetError(f"`{name}` must have a split train. Received none.")
    return found, classes


def _tfds() -> Any:
    try:
        import array_record  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DatasetError(
            f"A data set of TFDS needs the package {error.name}, which is not "
            "installed. Install it with: pip install 'nahas[tfds]'"
        ) from None
    return tfds


@lru_cache(maxsize=4)
def _builder(name: str) -> Any:
    """The prepared data set."""
    _tfds()
    try:
        builder = _found(name)
        if not builder.is_prepared():
            # In a process of its own, for it uses TensorFlow, by all threads.
            context = get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                refused = pool.submit(_prepare, name).result()
            if refused:
                raise DatasetError(refused)
            builder = _found(name)
        formats = {kind.value for kind in builder.info.available_file_formats()}
    except Exception as error:  # of many kinds: unknown, no network, by hand alone
        raise DatasetError(
            f"`{name}` could not be prepared by TensorFlow Datasets "
            f"({one_line(error)[:120]})."
        ) from None
    if _FORMAT not in formats:
        raise DatasetError(
            f"`{name}` must lie in files of the format {_FORMAT}. Received "
            f"{', '.join(sorted(formats))} (in {builder.data_path}). Set TFDS_DATA_DIR "
            "to another folder, and it is prepared there."
        )
    return builder


def _found(name: str, **options: Any) -> Any:
    """The data set as it lies there, if it does."""
    return _tfds().builder(
        name.removeprefix(TFDS),
        data_dir=os.environ.get("TFDS_DATA_DIR"),
        try_gcs=False,
        **options,
    )


def _prepare(name: str) -> str:
    """Downloads and prepares a data set; returns what went wrong, in a line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            _found(name, file_format=_FORMAT).download_and_prepare()
    except Exception as error:
        return one_line(error)
    return ""


def _features(name: str, builder: Any) -> tuple[str, str]:
    """Names of the images and of their labels."""
    keys, features = builder.info.supervised_keys, builder.info.features
    kinds = [type(features[key]).__name__ for key in keys or () if key in features]
    if kinds != ["Image", "ClassLabel"]:
        raise DatasetError(
            f"`{name}` must be images with a class each. Received "
            f"{', '.join(kinds) or 'neither'}."
        )
    return str(keys[0]), str(keys[1])


def _labels(folder: Path, split: str, records: Any, feature: str) -> NDArray[np.int64]:
    """[N] of a split."""
    path = folder / _LABELS.format(split)
    with contextlib.suppress(OSError, ValueError):
        known: NDArray[np.int64] = np.load(path, allow_pickle=False)
        if known.shape == (len(records),) and known.dtype == np.int64:
            return known
    labels = np.array([record[feature] for record in records], dtype=np.int64)
    with contextlib.suppress(OSError), whole(path) as file:
        np.save(file, labels)
    return labels
