"""Predictor-guided evolution: accuracy is predicted, costs are simulated exactly.

`B` denotes candidates, `D` knobs, `F` features: the values of all the network's knobs.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    check_cardinalities,
    check_count,
    check_told,
    not_informed,
    rank_key,
)
from nahas.controller.informed_evolution import evolve, random_allowed
from nahas.controller.ridge import Ridge, one_hot
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.judgement import Task

Array = NDArray[np.float64]
Choices = NDArray[np.int64]

Judge = Callable[[Choices, Array], tuple[Array, Array]]
"""(choices [B, D], accuracies [B]) -> violations [B], rewards [B]."""


@final
@dataclass(eq=False)
class PredictorGuided:
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

    first: int = 24
    candidates: int = 32
    generations: int = 4
    parents: int = 8
    strength: float = 5.0
    _judge: Judge | None = field(default=None, init=False, repr=False)
    _told: Choices = field(init=False, repr=False)
    _knobs: Choices = field(init=False, repr=False)
    _cardinalities: Choices = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)
    _seen: set[bytes] = field(init=False, repr=False)
    _best: list[Trial] = field(init=False, repr=False)
    _known: dict[tuple[int, ...], float] = field(init=False, repr=False)
    _awaited: Counter[tuple[int, ...]] = field(init=False, repr=False)
    _needless: set[bytes] = field(init=False, repr=False)
    _ridge: Ridge | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("first", "candidates", "generations", "parents"):
            check_count(getattr(self, name), name, "guided")
        if not 0 < self.strength < np.inf:
            raise ValueError(
                "`strength` must be a number above 0. "
                f"Received {self.strength!r} (in guided.strength)."
            )

    def inform(self, task: "Task") -> None:
        """Be told what costs are simulated of; accuracy depends on the network's knobs.

        Those are all but `accelerator.KEY`.
        """
        # The simulator takes a second to import.
        from nahas.controller.appraisal import reward_all
        from nahas.search_space.joint import network_knobs

        self._judge = partial(reward_all, task)
        self._told = task.space.cardinalities
        self._knobs = network_knobs(task.space)

    def setup(self, cardinalities: Choices, *, seed: int) -> None:
        """Start on the space that was told of, knowing no accuracy.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found = check_cardinalities(cardinalities)
        if self._judge is None:
            raise not_informed(self)
        check_told(found, self._told)
        self._cardinalities = found
        self._rng = np.random.default_rng(seed)
        self._proposed = 0
        self._seen = set()
        self._best = []
        self._known = {}
        self._awaited = Counter()
        self._ridge = None

    def propose(self, n: int) -> Choices:
        """[n, D] random choices at first, the outcomes of evolutions later."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """Accuracies are learned from, the best trials are evolved."""
        for trial in trials:
            network = tuple(trial.choices[d] for d in self._knobs.tolist())
            self._awaited[network] -= 1
            self._awaited = +self._awaited
            if trial.accuracy is not None:
                self._known[network] = trial.accuracy
                self._ridge = None
        ranked = sorted([*self._best, *trials], key=rank_key, reverse=True)
        self._best = ranked[: self.parents]

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Others' accuracies are learned from too, in the place of first proposals."""
        self._proposed += len(trials)
        self._seen.update(np.array(t.choices, np.int64).tobytes() for t in trials)
        self.update(trials)

    def _propose(self) -> Choices:
        self._proposed += 1
        if self._proposed <= self.first or len(self._known) < 2:
            found = self._random()
        else:
            ridge = self._fitted()
            found = self._evolved(ridge, ridge.draw(self._rng))
        new = [row for row in found if row.tobytes() not in self._seen]
        # A space that is nearly searched through may leave none.
        choices: Choices = new[0] if new else self._random()[0]
        self._seen.add(choices.tobytes())
        self._awaited[tuple(choices[self._knobs].tolist())] += 1
        return choices

    def _fitted(self) -> Ridge:
        """The regression on all accuracies so far."""
        if self._ridge is None:
            networks = np.array(list(self._known), np.int64)
            accuracies = np.array(list(self._known.values()))
            features = one_hot(networks, self._cardinalities[self._knobs])
            self._ridge = Ridge.fit(features, accuracies, self.strength)
        return self._ridge

    def _random(self) -> Choices:
        """[B, D] random choices, those that keep the limits first."""
        return random_allowed(
            lambda points: self._judged(points, np.full(len(points), np.nan))[0],
            self._cardinalities,
            self._rng,
            candidates=self.candidates,
            generations=self.generations,
            parents=self.parents,
        )

    def _evolved(self, ridge: Ridge, weights: Array) -> Choices:
        """[B, D] the points that an evolution met, the best first."""
        self._needless = set()
        found = evolve(
            np.array([trial.choices for trial in self._best], np.int64),
            lambda points: self._predicted(points, ridge, weights),
            self._cardinalities,
            self._rng,
            candidates=self.candidates,
            generations=self.generations,
            parents=self.parents,
        )
        needless = np.array([row.tobytes() in self._needless for row in found])
        return found[np.argsort(needless, kind="stable")]

    def _predicted(
        self, points: Choices, ridge: Ridge, weights: Array
    ) -> tuple[Array, Array]:
        """[B] violations, and rewards at the accuracies that are known or predicted."""
        networks = points[:, self._knobs]
        features = one_hot(networks, self._cardinalities[self._knobs])
        accuracies = np.clip(ridge.centre + features @ weights, 0.0, 1.0)
        keys = [tuple(network) for network in networks.tolist()]
        for row, key in enumerate(keys):
            accuracies[row] = self._known.get(key, accuracies[row])
        violations, rewards = self._judged(points, accuracies)
        best = self._best[0].reward if self._best[0].feasible else None
        for row, key in enumerate(keys):
            no_better = best is not None and rewards[row] <= best
            if key in self._awaited or (key in self._known and no_better):
                self._needless.add(points[row].tobytes())
        return violations, rewards

    def _judged(self, points: Choices, accuracies: Array) -> tuple[Array, Array]:
        if self._judge is None:
            raise not_informed(self)
        return self._judge(points, accuracies)
