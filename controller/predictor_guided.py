"""Predictor-guided evolution: accuracy is predicted, costs are simulated exactly.

`B` denotes candidates, `D` knobs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.ridge_guided import Judge, RidgeGuided

if TYPE_CHECKING:
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]


@final
@dataclass(eq=False)
class PredictorGuided(RidgeGuided):
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

    def _judge_of(self, task: "Task") -> Judge:
        from nahas.controller.appraisal import reward_all

        return partial(reward_all, task)

    def _met(self) -> tuple[Choices, Array]:
        predicted = self._accuracies.draw(self._rng)
        return self._evolve(self._best, lambda points: self._score(points, predicted))

    def _score(
        self, points: Choices, predicted: Callable[[Choices], Array]
    ) -> tuple[Array, Array]:
        """[B] violations, and rewards at the accuracies that are known or predicted."""
        accuracies = predicted(points[:, self._knobs])
        violations, rewards = self._judged(points, accuracies)
        best = self._best[0].reward if self._best[0].feasible else None
        # Before the first reward, nothing is known to be no gain.
        gains = np.full(len(points), True) if best is None else rewards > best
        self._waste(points, gains)
        return violations, rewards
