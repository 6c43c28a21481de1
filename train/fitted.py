"""Accuracies predicted from those of networks that were trained, with their doubt.

A Gaussian process on what each stage of a network holds: a line, what is smooth beside
it, and noise for the trainings. It learns minus the logarithm of the error rate, which
tells good networks apart as finely as bad ones. A ridge and trees on the same features
rank networks of NAS-Bench-Macro worse, and so does the process without its line where
few were trained (benchmarks/fitted_predictor.py).
"""

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from nahas.accelerator.blas import one_thread
from nahas.search_space.network import Network
from nahas.search_space.oracle import Estimate

LEAST = 20
"""Trained networks that a prediction needs."""

_TRIALS = "trials.csv"
_FOLDS = 5
_STAGES = 9
_TUNED = 400  # networks by which the kernel's scales are found: the time is their cube
_LEAST_ERROR = 1e-4
_KIND = "line+rbf"  # another process predicts otherwise: no study mixes two
_NOISE = (0.02, 10)  # shares of the variance: no two trainings of a network are alike
_NOTHING = 1e-9  # what rounding makes of a deviation of 0

Floats = NDArray[np.float64]


class FittedError(ValueError):
    """Trainings that no prediction can be made from."""


class Quality(NamedTuple):
    """How well held-out networks were predicted.

    Attributes:
        tau: Kendall's, of predicted and trained accuracies.
        rms: Root of the mean squared error, a fraction.
        low: Below it lie 5 % of the differences, trained minus predicted.
        high: The same above.
    """

    tau: float
    rms: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """Predicts accuracies from a file of trainings, in no time.

    Attributes:
        path: Of comma-separated values with the columns `network`, a text, and
            `accuracy`, a fraction; rows without one do not count. Of a folder, such as
            a study's, it is the file `trials.csv`.
        digest: Hash of what it must say; "" for whatever it says. A study keeps it
            (`pinned`), so that its accuracies stay those of one file.
    """

    path: str
    digest: str = ""
    instant: ClassVar[bool] = True
    trainings_per_process: ClassVar[int] = 0

    @property
    def key(self) -> str:
        """What is fitted, and the hash of what was trained, in one line.

        Raises:
            FittedError: If the file cannot be read or holds too little.
        """
        return f"fitted {_KIND} blake2b={self._read().digest}"

    @property
    def quality(self) -> Quality:
        """Of networks that a fifth after the other was held out."""
        return _quality(self._read())

    @property
    def scale(self) -> str:
        """What its accuracies mean, for people."""
        found, known = self.quality, self._read()
        return (
            f"Accuracies are predicted from those of {len(known.accuracy)} networks in "
            f"{self.path}; of held-out ones with Kendall's tau {found.tau:.2f} and an "
            f"RMS error of {100 * found.rms:.2f} points."
        )

    def interval(self, accuracy: Floats) -> tuple[Floats, Floats]:
        """Where the trainings of 90 % of networks lie that are predicted like these."""
        found = self.quality
        return accuracy + found.low, accuracy + found.high

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """Predicted accuracies of B networks; deviations are those of the process.

        Raises:
            FittedError: As `key`.
        """
        model = _fitted(self._read())
        mean, deviation = model(networks)
        return Estimate(mean, deviation, np.zeros(len(mean)), ("",) * len(mean))

    def pinned(self) -> "Fitted":
        """The oracle of what the file says now.

        Raises:
            FittedError: As `key`.
        """
        return replace(self, digest=self._read().digest)

    def _read(self) -> "Known":
        return _pinned(self.path, self.digest) if self.digest else self._now()

    def _now(self) -> "Known":
        """What the file says."""
        path = Path(self.path)
        path = path / _TRIALS if path.is_dir() else path
        try:
            status = path.stat()
        except OSError as error:
            raise _unreadable(str(path), error.strerror or str(error)) from None
        return _read(str(path), status.st_mtime_ns, status.st_size)


@dataclass(frozen=True, eq=False)
class Known:
    """What a file says.

    Attributes:
        digest: Hash of networks and accuracies.
        networks: N different ones.
        accuracy: [N] the mean of each's.
    """

    digest: str
    networks: tuple[Network, ...]
    accuracy: Floats


class Model:
    """A Gaussian process on networks.

    Args:
        networks: N that were trained.
        accuracy: [N] theirs.
    """

    def __init__(self, networks: Sequence[Network], accuracy: Floats) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import (
            RBF,
            ConstantKernel,
            DotProduct,
            WhiteKernel,
        )

        rows = features(networks)
        self._mean, deviation = rows.mean(0), rows.std(0)
        # What all that were trained have alike stays: one that has not is doubted more.
        varies = deviation > _NOTHING
        self._deviation = np.where(varies, deviation, 1.0)
        inputs, error = self._scaled(rows), np.maximum(1 - accuracy, _LEAST_ERROR)
        count = max(int(varies.sum()), 1)
        smooth = ConstantKernel() * RBF(np.sqrt(count))
        line = ConstantKernel(1 / count) * DotProduct(0, sigma_0_bounds="fixed")
        kernel: Any = smooth + line + WhiteKernel(0.1, _NOISE)
        self._process = GaussianProcessRegressor(kernel, normalize_y=True)
        with warnings.catch_warnings(), one_thread():
            # A scale at its bound: a part of the kernel that these networks lack.
            warnings.simplefilter("ignore")
            self._process.fit(inputs[:_TUNED], -np.log(error[:_TUNED]))
            if len(inputs) > _TUNED:
                self._process.set_params(kernel=self._process.kernel_, optimizer=None)
                self._process.fit(inputs, -np.log(error))

    def __call__(self, networks: Sequence[Network]) -> tuple[Floats, Floats]:
        """Predicted accuracies [B] and their deviations."""
        rows = self._scaled(features(networks))
        with one_thread():
            worth, doubt = self._process.predict(rows, return_std=True)
        error = np.exp(-np.maximum(worth, 0.0))
        return 1 - error, error * doubt  # to first order

    def _scaled(self, rows: Floats) -> Floats:
        found: Floats = (rows - self._mean) / self._deviation
        return found


def features(networks: Sequence[Network]) -> Floats:
    """[N, F] what each stage of networks holds, and their ends.

    A stage begins where blocks stride. Of its blocks: how many, and the logarithm of
    that; sums of the logarithms of expansions, filters and groups, and of kernels; how
    many are fused, and how many squeeze and excite.

    Raises:
        FittedError: If a network has more stages than there is room for.
    """
    found = np.zeros((len(networks), _STAGES, 8))
    for row, network in enumerate(networks):
        stage = -1
        for number, block in enumerate(network.blocks):
            stage += number == 0 or block.stride > 1
            if stage == _STAGES:
                raise FittedError(
                    f"A network must have at most {_STAGES} stages. Received {network}."
                )
            found[row, stage] += (
                1, 0, np.log2(block.expansion), np.log2(block.filters),
                np.log2(block.groups), block.kernel, block.kind == "fused_ibn",
                bool(block.se),
            )  # fmt: skip
    found[:, :, 1] = np.log1p(found[:, :, 0])
    ends = [(n.stem_filters, n.head_filters, n.resolution) for n in networks]
    return np.hstack([found.reshape(len(networks), -1), np.log2(ends)])


@lru_cache(maxsize=4)
def _pinned(path: str, digest: str) -> Known:
    """What a file said when it was first read in this process, if that is as hashed."""
    found = Fitted(path)._now()
    if found.digest != digest:
        raise _unreadable(
            path, "it says something else than when the study began; put it back"
        )
    return found


@lru_cache(maxsize=4)
def _read(path: str, modified_ns: int, size: int) -> Known:
    """What a file says; time and size tell when to read it again."""
    del modified_ns, size
    found: dict[str, list[float]] = {}
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            missing = {"network", "accuracy"} - set(lines.fieldnames or ())
            if missing:
                raise _unreadable(
                    path, f"it has no column {', '.join(sorted(missing))}"
                )
            for number, row in enumerate(lines, start=2):
                if row["accuracy"]:
                    text, accuracy = row["network"] or "", float(row["accuracy"])
                    if not 0 <= accuracy <= 1:
                        raise _unreadable(
                            path, f"an accuracy is {accuracy} (line {number})"
                        )
                    found.setdefault(str(Network.parse(text)), []).append(accuracy)
    except FittedError:
        raise
    except (OSError, ValueError, UnicodeDecodeError, csv.Error, TypeError) as error:
        raise _unreadable(path, " ".join(str(error).split())) from None
    if len(found) < LEAST:
        raise _unreadable(
            path, f"it has {len(found)} networks with an accuracy; {LEAST} are needed"
        )
    # In an order that does not depend on the file's.
    texts = sorted(found, key=lambda text: blake2b(text.encode()).digest())
    networks = tuple(map(Network.parse, texts))
    features(networks)  # which refuses what it has no room for
    means = [float(np.mean(found[text])) for text in texts]
    told = "\n".join(f"{t} {mean!r}" for t, mean in zip(texts, means, strict=True))
    digest = blake2b(told.encode(), digest_size=16).hexdigest()
    return Known(digest, networks, np.array(means))


@lru_cache(maxsize=2)
def _fitted(known: Known) -> Model:
    return Model(known.networks, known.accuracy)


@lru_cache(maxsize=2)
def _quality(known: Known) -> Quality:
    predicted = np.empty(len(known.accuracy))
    fold = np.arange(len(predicted)) % _FOLDS
    for held in range(_FOLDS):
        rest, own = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        model = Model([known.networks[i] for i in rest], known.accuracy[rest])
        predicted[own] = model([known.networks[i] for i in own])[0]
    error = known.accuracy - predicted
    low, high = np.quantile(error, (0.05, 0.95))
    # Of equal accuracies there is none.
    tau = np.nan_to_num(kendalltau(predicted, known.accuracy).statistic)
    return Quality(float(tau), float(np.sqrt(np.mean(error**2))), low, high)


def _unreadable(path: str, why: str) -> FittedError:
    return FittedError(
        "Trainings to predict from must be a study's trials.csv, or another file with "
        f"the columns network and accuracy. Received {path!r}: {why.rstrip('.')}."
    )
