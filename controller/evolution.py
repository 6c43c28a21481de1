"""Regularized evolution: tournaments in a population whose oldest members die."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    check_cardinalities,
    check_count,
    rank_key,
    uniform,
    unseen,
)
from nahas.controller.trial import Trial

_Member = tuple[tuple[bool, float], NDArray[np.int64]]  # rank, choices [D]


def mutate(
    parent: NDArray[np.int64],
    cardinalities: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """[D] a copy of the parent with exactly one knob at another value.

    The knob is drawn uniformly from those with a choice, its new value uniformly from
    the others. Where no knob has a choice, the copy equals the parent.

    Args:
        parent: [D] choices.
        cardinalities: [D] number of values of each knob.
        rng: Source of the two draws.
    """
    child = parent.copy()
    free = np.flatnonzero(cardinalities > 1)
    if free.size:
        knob = free[rng.integers(free.size)]
        count = cardinalities[knob]
        child[knob] = (child[knob] + rng.integers(1, count)) % count
    return child


@final
@dataclass(eq=False)
class RegularizedEvolution:
    """Real et al. 2019, "Regularized Evolution for Image Classifier Architecture
    Search", https://arxiv.org/abs/1802.01548, under constraint domination.

    The paper's population of 100 and tournament of 25 suit its 20,000 trials. A study
    here has 150 to 2,000, a hundred random ones would be most of a short study, so
    the population is smaller and the selection sharper. Two more deviations: a child
    that was proposed before is drawn again, since a repeated trial teaches nothing,
    and tournaments begin as soon as the first random population is proposed, on as
    much of it as has come back.

    Args:
        population: Members; the latest trials fed back, good or bad.
        tournament: Members drawn, of which the best becomes the parent.
    """  # noqa: D205

    population: int = 32
    tournament: int = 16
    _cardinalities: NDArray[np.int64] = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _members: deque[_Member] = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)
    _seen: set[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.population, "population", "evolution")
        check_count(self.tournament, "tournament", "evolution")
        if self.tournament > self.population:
            raise ValueError(
                f"`tournament` must not exceed `population` ({self.population}). "
                f"Received {self.tournament} (in evolution.tournament)."
            )

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start on a space of [D] cardinalities with an empty population."""
        self._cardinalities = check_cardinalities(cardinalities)
        self._rng = np.random.default_rng(seed)
        self._members = deque(maxlen=self.population)
        self._proposed = 0
        self._seen = set()

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] random choices at first, children of tournaments' winners later."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """Trials join the population; the oldest leave it."""
        self._members.extend(
            (rank_key(trial), np.array(trial.choices, np.int64)) for trial in trials
        )

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Others' trials join too, in the place of random first members."""
        self._proposed += len(trials)
        self._seen.update(np.array(t.choices, np.int64).tobytes() for t in trials)
        self.update(trials)

    def _propose(self) -> NDArray[np.int64]:
        self._proposed += 1
        return unseen(self._draw, self._seen)

    def _draw(self) -> NDArray[np.int64]:
        if self._proposed <= self.population or not self._members:
            choices: NDArray[np.int64] = uniform(self._rng, self._cardinalities, 1)[0]
            return choices
        size = min(self.tournament, len(self._members))
        drawn = self._rng.choice(len(self._members), size, replace=False)
        rivals = [self._members[i] for i in drawn.tolist()]
        _, parent = max(rivals, key=itemgetter(0))
        return mutate(parent, self._cardinalities, self._rng)
