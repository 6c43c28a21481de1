"""Accuracies of networks: known, awaited, or predicted by a ridge regression.

`B` denotes networks, `D` their knobs.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nahas.controller.ridge import Ridge, one_hot

Array = NDArray[np.float64]
Choices = NDArray[np.int64]


class KnownAccuracies:
    """What trainings have said, and a regression of it on the one-hot choices.

    The predictor takes each choice to add to the accuracy on its own.

    Args:
        cardinalities: [D] number of values of each knob of the network.
        strength: λ of the ridge regression.
    """

    def __init__(self, cardinalities: Choices, strength: float) -> None:
        self._cardinalities = cardinalities
        self._strength = strength
        # Of a single network, which a phase of accelerators has, one says all.
        self._least = 2 if (cardinalities > 1).any() else 1
        self._known: dict[tuple[int, ...], float] = {}
        self._failed: set[tuple[int, ...]] = set()
        self._awaited: Counter[tuple[int, ...]] = Counter()
        self._ridge: Ridge | None = None

    @property
    def ready(self) -> bool:
        """Whether there is enough to predict from."""
        return len(self._known) >= self._least

    def expect(self, network: Choices) -> None:
        """A network, choices [D], is being trained."""
        self._awaited[tuple(network.tolist())] += 1

    def learn(self, network: Choices, accuracy: float | None, *, failed: bool) -> None:
        """What came of a network.

        Args:
            network: [D].
            accuracy: None where it was not trained.
            failed: Whether its training failed.
        """
        key = tuple(network.tolist())
        self._awaited[key] -= 1
        self._awaited = +self._awaited
        if failed:
            self._failed.add(key)
        if accuracy is not None:
            self._known[key] = accuracy
            self._ridge = None

    def draw(self, rng: np.random.Generator) -> Callable[[Choices], Array]:
        """A predictor, networks [B, D] -> accuracies [B], of weights that are drawn.

        It knows what is known. Its weights are a draw from their posterior (Thompson
        sampling), which keeps proposals apart while their results are awaited.
        """
        if self._ridge is None:
            networks = np.array(list(self._known), np.int64)
            accuracies = np.array(list(self._known.values()))
            features = one_hot(networks, self._cardinalities)
            self._ridge = Ridge.fit(features, accuracies, self._strength)
        centre, weights = self._ridge.centre, self._ridge.draw(rng)

        def predicted(networks: Choices) -> Array:
            features = one_hot(networks, self._cardinalities)
            found: Array = np.clip(centre + features @ weights, 0.0, 1.0)
            for row, key in enumerate(map(tuple, networks.tolist())):
                found[row] = self._known.get(key, found[row])
            return found

        return predicted

    def needless(self, networks: Choices, gains: NDArray[np.bool_]) -> list[int]:
        """Which of [B, D] teach nothing: in training, failed, or known of no gain.

        Args:
            networks: [B, D].
            gains: [B] whether the pair is better than what was found.
        """
        keys = map(tuple, networks.tolist())
        return [
            row
            for row, (key, gain) in enumerate(zip(keys, gains, strict=True))
            if key in self._awaited
            or (not gain if key in self._known else key in self._failed)
        ]
