"""What controllers share that choose by a ridge regression of the accuracies."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import not_informed
from nahas.controller.known_accuracies import KnownAccuracies
from nahas.controller.model_guided import ModelGuided
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]

Judge = Callable[[Choices, Array], tuple[Array, Array]]
"""(choices [B, D], accuracies [B]) -> violations [B], and what they would be worth."""


@dataclass(eq=False)
class RidgeGuided(ModelGuided):
    """`ModelGuided`, the model being `KnownAccuracies`.

    Args:
        strength: λ of the ridge regression.
    """

    strength: float
    _judge: Judge | None = field(default=None, init=False, repr=False)
    _accuracies: KnownAccuracies = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.strength < np.inf:
            raise ValueError(
                "`strength` must be a number above 0. "
                f"Received {self.strength!r} (in {self.section}.strength)."
            )

    def inform(self, task: "Task") -> None:  # noqa: D102
        super().inform(task)
        self._judge = self._judge_of(task)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:  # noqa: D102
        super().setup(cardinalities, seed=seed)
        counts = self._cardinalities[self._knobs]
        self._accuracies = KnownAccuracies(counts, self.strength)

    @abstractmethod
    def _judge_of(self, task: "Task") -> Judge:
        """What simulates candidates of a task."""

    @property
    def _ready(self) -> bool:
        return self._accuracies.ready

    def _learn(self, trial: Trial, choices: Choices) -> None:
        network, failed = choices[self._knobs], trial.status == "failed"
        self._accuracies.learn(network, trial.accuracy, failed=failed)

    def _expect(self, choices: Choices) -> None:
        self._accuracies.expect(choices[self._knobs])

    def _violations(self, points: Choices) -> Array:
        return self._judged(points, np.full(len(points), np.nan))[0]

    def _judged(self, points: Choices, accuracies: Array) -> tuple[Array, Array]:
        if self._judge is None:
            raise not_informed(self)
        return self._judge(points, accuracies)

    def _waste(self, points: Choices, gains: NDArray[np.bool_]) -> None:
        """Notes on which of [B, D] no proposal is to be wasted.

        Args:
            points: [B, D].
            gains: [B] whether one is better than what was found, should its accuracy
                be what it is known or predicted to be.
        """
        networks = points[:, self._knobs]
        for row in self._accuracies.needless(networks, gains):
            self._needless.add(points[row].tobytes())
