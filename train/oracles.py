"""Accuracy oracles: what answers "how accurate is this network?".

An oracle is a frozen value of plain fields, so that `dataclasses.asdict` stores it and
another process rebuilds it. Nothing here imports Keras before the first training.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.refusal import check_counts, wrong
from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate
from nahas.train import fit
from nahas.train.data import Dataset, Split, fingerprint, load


@dataclass(frozen=True, slots=True)
class ProxyTraining:
    """Trains each network's proxy on small images and measures it on held-back ones.

    The defaults were chosen by `benchmarks/proxy_datasets.py`.

    Attributes:
        data: A name that `nahas.train.data.load` takes.
        resolution: Rows and columns of the proxy's images.
        width: Factor on all of the network's filters.
        epochs: Times that each training image is seen.
        images: Training images used, the same for all networks; None for all.
        batch: Images a step.
        learning_rate: The highest of the schedule.
        seed: Of the recipe; each network derives its own from it.
        threads: Of TensorFlow; the weights depend on it.

    Raises:
        ValueError: If a number is out of its range.
    """

    data: str = "mnist5k"
    resolution: int = 14
    width: float = 0.125
    epochs: int = 1
    images: int | None = None
    batch: int = 32
    learning_rate: float = 0.02
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        check_counts(self, "resolution", "threads")
        if self.images is not None:
            check_counts(self, "images")
        if not 0 < self.width < float("inf"):
            raise wrong("width", "a positive number", self.width)
        _ = self.recipe  # checks its fields

    @property
    def recipe(self) -> fit.Recipe:
        """How the proxy is trained."""
        return fit.Recipe(self.epochs, self.batch, self.learning_rate)

    @property
    def key(self) -> str:
        """Recipe, data, fidelity and seed in one line; reads a `.npz` file to hash it.

        >>> ProxyTraining(epochs=2, seed=7).key.split()[-2:]
        ['seed=7', 'threads=1']
        """
        values = {**asdict(self), "data": fingerprint(self.data)}
        return " ".join(["proxy", *(f"{name}={v!r}" for name, v in values.items())])

    def training_seed(self, network: Network) -> int:
        """Seed of the training of `network`, from the recipe and the network alone."""
        text = f"{self.key}\n{network}".encode()
        # Keras takes 32 bits.
        return int.from_bytes(blake2b(text, digest_size=4).digest(), "little")

    def dataset(self) -> Dataset:
        """The data, at the proxy's resolution.

        Raises:
            DatasetError: If it cannot be had.
            ValueError: If it has fewer images than are asked for, or than a batch.
        """
        found = load(self.data, self.resolution)
        images = len(found.train) if self.images is None else self.images
        if images > len(found.train):
            text = f"at most the {len(found.train)} of {self.data}"
            raise wrong("images", text, images)
        if self.batch > images:
            raise wrong("batch", f"at most the {images} training images", self.batch)
        return found

    def proxy(self, network: Network) -> Network:
        """What is trained in the place of `network`."""
        data = self.dataset()
        return network.proxy(
            self.resolution, data.classes, channels=data.channels, width=self.width
        )

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """Trains B networks, one after another, in this process.

        A training that diverges has an error and the accuracy NaN. The deviation is
        that of the validation images' sample, sqrt(p (1 - p) / N).

        Raises:
            DatasetError: If the data cannot be had.
            RuntimeError: If TensorFlow runs in this process with other threads.
        """
        held = self.dataset().validation
        rows = [self._measure(network, held) for network in networks]
        accuracy = np.array([np.nan if e else r.mean() for r, _, e in rows])
        return Estimate(
            accuracy,
            np.sqrt(accuracy * (1 - accuracy) / len(held)),
            np.array([seconds for _, seconds, _ in rows], dtype=np.float64),
            tuple(error for _, _, error in rows),
        )

    def test(self, network: Network) -> NDArray[np.bool_]:
        """[N] which test images `network` gets right after the same training.

        The mean is the test accuracy; two networks' arrays are paired.

        Raises:
            ValueError: If the training diverges.
        """
        right, _, error = self._measure(network, self.dataset().test)
        if error:
            raise ValueError(error)
        return right

    def _measure(
        self, network: Network, held: Split
    ) -> tuple[NDArray[np.bool_], float, str]:
        """Which held images are right, CPU seconds, and an error or ""."""
        from nahas.train.model import build_model

        fit.prepare(self.threads)
        started = time.process_time()
        train, scaling = _training_images(self.data, self.resolution, self.images)
        seed = self.training_seed(network)
        fit.seed_everything(seed)
        model = build_model(self.proxy(network))
        error = fit.fit(model, train, scaling, self.recipe, seed=seed).error
        right = np.zeros(len(held), dtype=np.bool_)
        if not error:
            try:
                right = fit.correct(model, held, scaling)
            except FloatingPointError as exception:
                error = f"Training diverged: {exception}"
        return right, time.process_time() - started, error


@lru_cache(maxsize=2)
def _training_images(
    name: str, resolution: int, images: int | None
) -> tuple[Split, fit.Scaling]:
    """The first training images, in their fixed random order, and their scaling."""
    train = load(name, resolution).train
    if images is not None:
        train = Split(train.images[:images], train.labels[:images])
    return train, fit.Scaling.of(train.images)
