"""Predictor-guided evolution: accuracy is predicted, costs are simulated exactly.

`B` denotes candidates, `D` knobs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import not_informed
from nahas.controller.known_accuracies import KnownAccuracies, check_strength
from nahas.controller.model_guided import ModelGuided
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]

Judge = Callable[[Choices, Array], tuple[Array, Array]]
"""(choices [B, D], accuracies [B]) -> violations [B], rewards [B]."""


@final
@dataclass(eq=False)
class PredictorGuided(ModelGuided):
    """Evolution on a predictor of accuracy and exact costs, a run of it a proposal.

    The `first` proposals are random ones that keep the limits. Each later one takes a
    ridge regression of the accuracies so far on the one-hot choices of the network,
    draws its weights from their posterior (Thompson sampling, which keeps proposals
    apart while their results are awaited), and evolves the best trials: `generations`
    times, `candidates` children by crossover and mutation are simulated, ranked by
    violation, then by the reward of their predicted accuracy and their costs, and the
    best survive. The best that was never proposed is. A network that is in training is
    not proposed, nor one that is trained, unless another accelerator improves the
    reward for certain.

    That a predictor between training and search saves most of the trainings is found
    by "Neural Predictor for Neural Architecture Search", Wen et al. 2019,
    https://arxiv.org/abs/1912.00848, which ranks random networks where this evolves
    pairs. The predictor takes each choice to add to the accuracy on its own.

    Args:
        first: Random proposals.
        candidates: Children a generation.
        generations: Of the evolution inside a proposal.
        parents: Survivors of a generation.
        strength: λ of the ridge regression.
    """

    section: ClassVar[str] = "guided"

    first: int = 24
    candidates: int = 32
    generations: int = 4
    parents: int = 8
    strength: float = 5.0
    _judge: Judge | None = field(default=None, init=False, repr=False)
    _accuracies: KnownAccuracies = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strength(self.strength, self.section)

    def inform(self, task: "Task") -> None:  # noqa: D102
        from nahas.controller.appraisal import reward_all

        super().inform(task)
        self._judge = partial(reward_all, task)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:  # noqa: D102
        super().setup(cardinalities, seed=seed)
        counts = self._cardinalities[self._knobs]
        self._accuracies = KnownAccuracies(counts, self.strength)

    @property
    def _ready(self) -> bool:
        return self._accuracies.ready

    def _learn(self, trial: Trial, choices: Choices) -> None:
        self._accuracies.learn(choices[self._knobs], trial.accuracy)

    def _expect(self, choices: Choices) -> None:
        self._accuracies.expect(choices[self._knobs])

    def _violations(self, points: Choices) -> Array:
        return self._judged(points, np.full(len(points), np.nan))[0]

    def _met(self) -> Choices:
        predicted = self._accuracies.draw(self._rng)
        return self._evolve(self._best, lambda points: self._score(points, predicted))

    def _score(
        self, points: Choices, predicted: Callable[[Choices], Array]
    ) -> tuple[Array, Array]:
        """[B] violations, and rewards at the accuracies that are known or predicted."""
        networks = points[:, self._knobs]
        violations, rewards = self._judged(points, predicted(networks))
        best = self._best[0].reward if self._best[0].feasible else None
        # Before the first reward, nothing is known to be no gain.
        gains = np.full(len(points), True) if best is None else rewards > best
        for row in self._accuracies.needless(networks, gains):
            self._needless.add(points[row].tobytes())
        return violations, rewards

    def _judged(self, points: Choices, accuracies: Array) -> tuple[Array, Array]:
        if self._judge is None:
            raise not_informed(self)
        return self._judge(points, accuracies)
