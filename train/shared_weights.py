"""Shared weights as a file, and as an oracle: what a network is worth with them."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.refusal import check_counts
from nahas.accelerator.whole_file import whole
from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate
from nahas.search_space.skeleton import Skeleton
from nahas.train import fit
from nahas.train.data import Dataset, Split, fingerprint, load

WEIGHTS = "weights.npz"
_PIXELS_AT_ONCE = 250_000  # of a batch, each of which calibrates anew


class SharedWeightsError(ValueError):
    """A file of shared weights that cannot be used."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """What is trained in the place of a space's networks.

    Attributes:
        resolution: Rows and columns of the images.
        width: Factor on all filters.
    """

    resolution: int
    width: float

    def proxy(self, network: Network, data: Dataset) -> Network:
        """The network at this fidelity, for the data's channels and classes."""
        return network.proxy(
            self.resolution, data.classes, channels=data.channels, width=self.width
        )


@dataclass(frozen=True, eq=False)
class SharedWeights:
    """What a one-shot training gives.

    Attributes:
        skeleton: Of the networks that share them.
        space: Name of the space.
        data: Name of the data set.
        images: Fingerprint of its images.
        fidelity: What was trained in the place of the networks.
        seconds: CPU seconds of the training.
        values: The model's weights.
    """

    skeleton: Skeleton
    space: str
    data: str
    images: str
    fidelity: Fidelity
    seconds: float
    values: tuple[NDArray[np.float32], ...]

    @classmethod
    def of(
        cls, model: Any, space: str, data: Dataset, fidelity: Fidelity, seconds: float
    ) -> "SharedWeights":
        """Those of a trained model."""
        values = tuple(np.array(v.numpy()) for v in model.trainable_variables)
        images = fingerprint(data.name)
        return cls(model.skeleton, space, data.name, images, fidelity, seconds, values)

    @cached_property
    def digest(self) -> str:
        """Of all that an accuracy depends on: of the same weights, the same."""
        head = self.skeleton.to_dict(), self.images, asdict(self.fidelity)
        found = blake2b(json.dumps(head).encode(), digest_size=16)
        for value in self.values:
            found.update(value.tobytes())
        return found.hexdigest()

    def codes(self, network: Network) -> NDArray[np.int32]:
        """Those of a deployed network, at the fidelity of the training.

        Raises:
            ValueError: If it is not of the space.
        """
        ends = self.skeleton.ends
        small = network.proxy(
            ends.resolution, ends.classes, channels=ends.channels,
            width=self.fidelity.width,
        )  # fmt: skip
        return self.skeleton.codes(small)

    def model(self) -> Any:
        """The one-shot model with these weights."""
        from nahas.train.supernet import supernet

        model = supernet(self.skeleton)
        for variable, value in zip(model.trainable_variables, self.values, strict=True):
            variable.assign(value)
        return model

    def write(self, path: Path) -> None:
        """Writes the file in one step of the file system."""
        head = {
            "skeleton": self.skeleton.to_dict(),
            "space": self.space,
            "data": self.data,
            "images": self.images,
            "fidelity": asdict(self.fidelity),
            "seconds": self.seconds,
        }
        arrays: dict[str, Any] = {f"v{i}": v for i, v in enumerate(self.values)}
        with whole(path) as file:
            np.savez(file, head=np.array(json.dumps(head)), **arrays)

    @classmethod
    def read(cls, path: Path) -> "SharedWeights":
        """The weights of a file.

        Raises:
            SharedWeightsError: If there is none, or it is damaged.
        """
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                head = json.loads(str(file["head"]))
                values = tuple(file[f"v{i}"] for i in range(len(file.files) - 1))
            skeleton = Skeleton.from_dict(head.pop("skeleton"))
            fidelity = Fidelity(**head.pop("fidelity"))
            return cls(skeleton=skeleton, fidelity=fidelity, values=values, **head)
        except Exception as error:  # of a damaged file: zipfile's, zlib's, NumPy's ...
            raise SharedWeightsError(
                f"{path} must be the weights that `nahas one-shot` writes: {error}. "
                "Train them, or name the folder that holds them."
            ) from None


@dataclass(frozen=True, slots=True)
class OneShot:
    """The accuracy of a network with shared weights, on validation images.

    Its batch normalization is calibrated on training images, by itself. The accuracies
    are lower than after a training of its own, and are to rank networks.

    Attributes:
        folder: Where `train_one_shot` left its weights.
        images: Validation images, at most; the same for all networks.
        calibration: Training images to calibrate on.
        threads: Of TensorFlow.

    Raises:
        ValueError: If a number is out of its range.
    """

    folder: str
    images: int = 2_000
    calibration: int = 256
    threads: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "images", "calibration", "threads")

    @property
    def key(self) -> str:
        """Hash of the weights, and on what they are measured, in one line.

        Raises:
            SharedWeightsError: If there are none.
        """
        return (
            f"one-shot weights={self.weights.digest} images={self.images} "
            f"calibration={self.calibration} threads={self.threads}"
        )

    @property
    def weights(self) -> SharedWeights:
        """Those of the folder, read again where the file has changed.

        Raises:
            SharedWeightsError: If there are none.
        """
        path = Path(self.folder) / WEIGHTS
        try:
            status = path.stat()
        except OSError as error:
            raise SharedWeightsError(
                f"{path} cannot be read: {error.strerror or error}. Train the weights "
                "with `nahas one-shot`, or name the folder that holds them."
            ) from None
        return _read(path, status.st_mtime_ns, status.st_size)

    def dataset(self) -> Dataset:
        """The images that the weights were trained on, at their resolution.

        Raises:
            SharedWeightsError: If there are no weights, or other images now.
            DatasetError: If the data cannot be had.
        """
        weights = self.weights
        if fingerprint(weights.data) != weights.images:
            raise SharedWeightsError(
                f"{weights.data} must hold the images that the weights in "
                f"{self.folder} were trained on. Received others: they have changed "
                "since. Put them back, or train the weights again."
            )
        return load(weights.data, weights.fidelity.resolution)

    def check(self, network: Network) -> None:
        """Raises a ValueError if the network is not of the weights' space."""
        self.weights.codes(network)

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """Accuracies of B networks; one that is not of the space has an error.

        The deviation is that of the validation images' sample, sqrt(p (1 - p) / N).

        Raises:
            SharedWeightsError: If there are no weights.
            DatasetError: If the data cannot be had.
            RuntimeError: If TensorFlow runs in this process with other threads.
        """
        fit.prepare(self.threads)
        measured = _opened(self.key, self)
        rows = [measured.accuracy(network) for network in networks]
        accuracy = np.array([value for value, _, _ in rows], dtype=np.float64)
        return Estimate(
            accuracy,
            np.sqrt(accuracy * (1 - accuracy) / measured.count),
            np.array([seconds for _, seconds, _ in rows], dtype=np.float64),
            tuple(error for _, _, error in rows),
        )


class _Opened:
    """The model of an oracle, with the images that it measures on."""

    def __init__(self, asked: OneShot) -> None:
        weights, data = asked.weights, asked.dataset()
        self._weights, self._model = weights, weights.model()
        scaling = fit.Scaling.of(data.train.images)
        held: Split = data.validation
        self.count = min(asked.images, len(held))
        self._labels = held.labels[: self.count]
        self._first = scaling(data.train.images[: asked.calibration])
        images = scaling(held.images[: self.count])
        most = _PIXELS_AT_ONCE // weights.fidelity.resolution**2 - len(self._first)
        step = max(most, len(self._first))
        self._batches = [
            np.concatenate([self._first, images[start : start + step]])
            for start in range(0, self.count, step)
        ]

    def accuracy(self, network: Network) -> tuple[float, float, str]:
        """Accuracy, CPU seconds, and an error or ""."""
        started = time.process_time()
        try:
            codes = self._weights.codes(network)
        except ValueError as error:
            return np.nan, time.process_time() - started, str(error)
        outputs = np.concatenate([self._outputs(part, codes) for part in self._batches])
        fault = "" if np.isfinite(outputs).all() else "The outputs are not finite."
        right = float((outputs.argmax(-1) == self._labels).mean())
        return np.nan if fault else right, time.process_time() - started, fault

    def _outputs(
        self, images: NDArray[np.float32], codes: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        """Logits of a batch's images behind those that calibrate."""
        import keras

        first = len(self._first)
        inputs = {"images": keras.ops.convert_to_tensor(images), "codes": codes}
        outputs = self._model(inputs, calibration=first)
        found: NDArray[np.float32] = keras.ops.convert_to_numpy(outputs)[first:]
        return found


@lru_cache(maxsize=2)
def _opened(key: str, asked: OneShot) -> _Opened:
    """Kept for as long as the weights are the same."""
    del key
    return _Opened(asked)


@lru_cache(maxsize=2)
def _read(path: Path, modified_ns: int, size: int) -> SharedWeights:
    """Kept for as long as the file is the same."""
    del modified_ns, size
    return SharedWeights.read(path)
