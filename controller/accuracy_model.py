"""What is known of the accuracies of a space's networks, and what they may improve.

`B` denotes networks, `D` their knobs, `F` features.
"""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.controller.gaussian_process import (
    Posterior,
    expected_improvement,
    log_error,
    normal,
)
from nahas.controller.ridge import one_hot

Array = NDArray[np.float64]
Choices = NDArray[np.int64]

_LEAST = 2  # accuracies that a process is fitted to
_GROWTH = 1.25  # of them, until the numbers of the kernel are fitted again


class AccuracyModel:
    """Accuracies that are known, awaited and predicted.

    Args:
        cardinalities: [D] number of values of each knob of the network.
    """

    def __init__(self, cardinalities: Choices) -> None:
        self._cardinalities = cardinalities
        self._sizes: dict[bytes, Choices] = {}
        self._choices: dict[bytes, Choices] = {}
        self._awaited: dict[bytes, int] = {}
        self._known: dict[bytes, float] = {}
        self._failed: dict[bytes, None] = {}  # as a set, in the order of failures
        self._middle, self._spread = np.zeros(3), np.ones(3)
        self._kernel: Any = None
        self._fit_at = _LEAST
        self._made: tuple[Posterior, Posterior | None] | None = None

    @property
    def ready(self) -> bool:
        """Whether there is enough to predict from."""
        # Of a single network, which a phase of accelerators has, one says all.
        least = _LEAST if (self._cardinalities > 1).any() else 1
        return len(self._known) >= least

    def expect(self, network: Choices, sizes: Choices) -> None:
        """A network, choices [D], is being trained.

        Args:
            network: [D].
            sizes: [3] its MACs, parameters and operators.
        """
        key = self._keep(network, sizes)
        self._awaited[key] = self._awaited.get(key, 0) + 1
        self._made = None

    def learn(
        self, network: Choices, sizes: Choices, accuracy: float | None, *, failed: bool
    ) -> None:
        """What came of a network.

        Args:
            network: [D].
            sizes: [3] its MACs, parameters and operators.
            accuracy: None where it was not trained.
            failed: Whether its training failed.
        """
        key = self._keep(network, sizes)
        left = self._awaited.pop(key, 1) - 1
        if left:
            self._awaited[key] = left
        if accuracy is not None:
            self._known[key] = accuracy
        elif failed:
            self._failed[key] = None
        self._made = None

    def improvement(
        self, networks: Choices, sizes: Choices, to_beat: Array
    ) -> tuple[Array, NDArray[np.bool_]]:
        """By how much accuracies are expected to exceed others.

        Args:
            networks: [B, D].
            sizes: [B, 3] their MACs, parameters and operators.
            to_beat: [B] accuracies.

        Returns:
            [B] that, and [B] which networks need no proposal: those that are awaited,
            have failed, or are known to be no better.
        """
        accuracy, _ = self._processes()
        features = self._features(networks, sizes)
        found = expected_improvement(*accuracy.at(features), to_beat)
        needless = np.zeros(len(networks), np.bool_)
        for row, network in enumerate(networks):
            key = network.tobytes()
            if key in self._known:
                gain = self._known[key] - to_beat[row]
                # Where it has none, the prediction says whether to look near it.
                found[row] = max(gain, found[row])
                needless[row] = gain <= 0
            else:
                needless[row] = key in self._awaited or key in self._failed
        return found, needless

    def chance(self, networks: Choices, sizes: Choices, floor: float) -> Array:
        """[B] probability that a training succeeds and reaches an accuracy.

        Args:
            networks: [B, D].
            sizes: [B, 3] their MACs, parameters and operators.
            floor: The accuracy; 0 where any will do.
        """
        accuracy, training = self._processes()
        features = self._features(networks, sizes)
        found = np.ones(len(networks))
        if floor > 0:
            mean, deviation = accuracy.at(features)
            short = float(log_error(np.array([floor]))[0])
            found = normal((mean - short) / np.maximum(deviation, 1e-12))
        if training is not None:
            found *= np.clip(training.at(features)[0], 0.0, 1.0)
        for row, network in enumerate(networks):
            known = self._known.get(network.tobytes())
            if known is not None:
                found[row] = known >= floor
        return found

    def _keep(self, network: Choices, sizes: Choices) -> bytes:
        key = network.tobytes()
        self._choices[key] = network.copy()
        self._sizes[key] = sizes.copy()
        return key

    def _processes(self) -> tuple[Posterior, Posterior | None]:
        """Of accuracy, and of whether a training succeeds once one has failed."""
        if self._made is None:
            known = list(self._known)
            logs = np.log1p([self._sizes[key] for key in known])
            spread = logs.std(axis=0)
            self._middle, self._spread = logs.mean(axis=0), np.where(spread, spread, 1)
            features = self._features_of(known)
            targets = log_error(np.array(list(self._known.values())))
            if len(known) >= self._fit_at:
                self._fit_at = ceil(_GROWTH * len(known))
                self._kernel = Posterior.fit(features, targets).kernel
            found = Posterior.fit(features, targets, self._kernel)
            awaited = [key for key in self._awaited if key not in self._known]
            if awaited:
                more = self._features_of(awaited)
                believed, _ = found.at(more)
                features = np.concatenate([features, more])
                targets = np.concatenate([targets, believed])
                found = Posterior.fit(features, targets, self._kernel)
            self._made = found, self._training(known)
        return self._made

    def _training(self, known: list[bytes]) -> Posterior | None:
        """Least squares on 1 and 0 (Rasmussen and Williams 2006, section 6.5)."""
        failed = [key for key in self._failed if key not in self._known]
        if not failed:
            return None
        labels = np.repeat([1.0, 0.0], [len(known), len(failed)])
        return Posterior.fit(self._features_of(known + failed), labels, self._kernel)

    def _features_of(self, keys: list[bytes]) -> Array:
        networks = np.array([self._choices[key] for key in keys], np.int64)
        return self._features(networks, np.array([self._sizes[key] for key in keys]))

    def _features(self, networks: Choices, sizes: Choices) -> Array:
        """[B, F] choices, one-hot, and the logarithms of the sizes, normalised."""
        logs = (np.log1p(sizes) - self._middle) / self._spread
        return np.concatenate([one_hot(networks, self._cardinalities), logs], axis=1)
