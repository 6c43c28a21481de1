"""Predictor-guided evolution towards a front of accuracy, latency and energy.

`B` denotes candidates, `D` knobs, `F` points of the front. A point is what is
minimised: error (1 - accuracy), latency in ms, energy in mJ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.pareto import hypervolume, non_dominated
from nahas.controller.ridge_guided import Judge, RidgeGuided
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]

_MARGIN = 0.1  # of the front's extent, beyond which a point is of no interest


def gains(front: Array, points: Array) -> Array:
    """[B] the hypervolume that each point, on its own, would add to a front.

    Costs are measured by the front's extent, volumes up to a tenth of it beyond the
    worst, so that a front grows there by at most a tenth at a time. Where it has no
    extent the cost itself is taken.

    >>> gains(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.5, 0.5], [1, 1]]))
    array([0.25, 0.  ])

    Args:
        front: [F, M] points of which none dominates another, at least one.
        points: [B, M].
    """
    least, worst = front.min(axis=0), front.max(axis=0)
    extent = worst - least
    # What has no extent in a cost yet is to be measured by something.
    extent = np.where(extent > 0, extent, np.maximum(abs(worst), 1e-12))
    corner = (worst - least) / extent + _MARGIN
    known, others = (front - least) / extent, (points - least) / extent
    before = hypervolume(known, corner)
    found = np.zeros(len(points))
    for row in np.flatnonzero((others < corner).all(axis=1)):
        if not (known <= others[row]).all(axis=1).any():
            both = np.concatenate([known, others[row : row + 1]])
            found[row] = hypervolume(both, corner) - before
    return np.maximum(found, 0.0)


@final
@dataclass(eq=False)
class FrontGuided(RidgeGuided):
    """Predictor-guided evolution towards a front of accuracy, latency and energy.

    Does for a front what `PredictorGuided` does for a reward, which this one does not
    look at. The `first` proposals are random ones that keep the limits. Each later one
    draws the weights of an additive predictor of the accuracy and evolves the front
    that was found: `generations` times, `candidates` children are simulated and ranked
    by violation, then by the hypervolume that they would add (hypervolume improvement,
    Emmerich et al. 2011, "Hypervolume-based expected improvement", taken at one draw of
    the accuracies instead of in the mean). The best that was never proposed is. A
    network that is in training is not proposed, nor one that is trained unless another
    accelerator extends the front for certain.

    Args:
        first: Random proposals.
        candidates: Children a generation.
        generations: Of the evolution inside a proposal.
        parents: Members of the front that it starts from, and survivors of a
            generation.
        strength: λ of the ridge regression.
    """

    section: ClassVar[str] = "front"

    first: int = 24
    candidates: int = 32
    generations: int = 4
    parents: int = 8
    strength: float = 5.0
    _front: list[Trial] = field(init=False, repr=False)
    _points: Array = field(init=False, repr=False)

    def _judge_of(self, task: "Task") -> Judge:
        from nahas.controller.appraisal import costed

        return partial(costed, task)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:  # noqa: D102
        super().setup(cardinalities, seed=seed)
        self._front = []
        self._points = np.zeros((0, 3))

    def update(self, trials: Sequence[Trial]) -> None:
        """Accuracies are learned from, feasible trials may join the front."""
        super().update(trials)
        both = [*self._front, *(trial for trial in trials if trial.feasible)]
        points = np.array([_point(trial) for trial in both]).reshape(-1, 3)
        kept = np.flatnonzero(non_dominated(points))
        self._front, self._points = [both[row] for row in kept], points[kept]

    def _met(self) -> tuple[Choices, Array]:
        predicted = self._accuracies.draw(self._rng)
        parents = self._best
        if self._front:
            count = min(self.parents, len(self._front))
            drawn = self._rng.choice(len(self._front), count, replace=False)
            parents = [self._front[place] for place in drawn]
        return self._evolve(parents, lambda points: self._score(points, predicted))

    def _score(
        self, points: Choices, predicted: Callable[[Choices], Array]
    ) -> tuple[Array, Array]:
        """[B] violations, and hypervolumes that the points are predicted to add."""
        accuracies = predicted(points[:, self._knobs])
        violations, costs = self._judged(points, accuracies)
        worth = np.zeros(len(points))
        kept = np.flatnonzero(violations == 0)
        if len(kept):
            objectives = np.column_stack([1.0 - accuracies[kept], costs[kept]])
            # Before anything is feasible, all that may be is as good.
            worth[kept] = gains(self._points, objectives) if len(self._points) else 1.0
        self._waste(points, worth > 0)
        return violations, worth


def _point(trial: Trial) -> tuple[float, float, float]:
    """What is minimised; +inf where a number is not finite."""
    assert trial.accuracy is not None  # of what is feasible
    costs = (np.inf if c is None else c for c in (trial.latency_ms, trial.energy_mj))
    latency, energy = costs
    return 1.0 - trial.accuracy, latency, energy
