"""Local search: climbs from neighbour to neighbour, and starts again from a kick."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    Awaited,
    check_cardinalities,
    check_count,
    rank_key,
    uniform,
)
from nahas.controller.trial import Trial


def neighbours(
    point: NDArray[np.int64], cardinalities: NDArray[np.int64]
) -> NDArray[np.int64]:
    """[N, D] all points that differ in one knob, N = Σ_d (cardinality_d - 1).

    >>> neighbours(np.array([0, 1]), np.array([3, 2]))
    array([[1, 1],
           [2, 1],
           [0, 0]])

    Args:
        point: [D] choices.
        cardinalities: [D] number of values of each knob.
    """
    knobs = np.repeat(np.arange(len(point)), cardinalities - 1)
    first = np.cumsum(cardinalities - 1) - (cardinalities - 1)
    steps = np.arange(len(knobs)) - first[knobs]
    found = np.tile(point, (len(knobs), 1))
    found[np.arange(len(knobs)), knobs] = steps + (steps >= point[knobs])
    return found


def kick(
    point: NDArray[np.int64],
    cardinalities: NDArray[np.int64],
    knobs: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """[D] the point with that many knobs, or all, drawn anew."""
    drawn = rng.choice(len(point), min(knobs, len(point)), replace=False)
    kicked = point.copy()
    kicked[drawn] = rng.integers(0, cardinalities[drawn])
    return kicked


@final
@dataclass(eq=False)
class LocalSearch:
    """Hill climbing by first improvement, with restarts: iterated local search.

    The first points are random, until one comes back; then the neighbours of the best
    of the climb are proposed in random order, and the first that is better takes its
    place. A climb ends when `patience` trials brought no improvement or no neighbour is
    left; the next starts from the best of all climbs, `kick` of its knobs drawn anew.
    That local search is a strong baseline is found by "Exploring the Loss Landscape in
    Neural Architecture Search", White et al. 2021, https://arxiv.org/abs/2005.02960;
    the kick is that of "Iterated Local Search", Lourenço et al. 2003,
    https://arxiv.org/abs/math/0102188.

    Feedback is late by the study's window, so a neighbour may come back after the climb
    has moved: it is compared with the point it moved to.

    Args:
        patience: Trials without an improvement after which a climb ends.
        kick: Knobs drawn anew for the next; as many as there are starts at random.
    """

    patience: int = 40
    kick: int = 4
    _cardinalities: NDArray[np.int64] = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _awaited: Awaited[int] = field(init=False, repr=False)
    _seen: set[bytes] = field(init=False, repr=False)
    _best: Trial | None = field(init=False, repr=False)
    _climb: int = field(init=False, repr=False)
    _top: Trial | None = field(init=False, repr=False)
    _left: list[NDArray[np.int64]] = field(init=False, repr=False)
    _failures: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.patience, "patience", "local")
        check_count(self.kick, "kick", "local")

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start on a space of [D] cardinalities with the first climb."""
        self._cardinalities = check_cardinalities(cardinalities)
        self._rng = np.random.default_rng(seed)
        self._awaited = Awaited()
        self._seen = set()
        self._best = None
        self._climb = 0
        self._begin()

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] starting points, or neighbours of the climb's best."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """The better trials lead their climb on."""
        for trial in trials:
            climb = self._awaited.take(trial)
            if self._best is None or rank_key(trial) > rank_key(self._best):
                self._best = trial
            if climb == self._climb:
                self._compare(trial)

    def adopt(self, trials: Sequence[Trial]) -> None:
        """A better one of others' trials leads the climb; a worse one is no failure."""
        for trial in trials:
            self._seen.add(np.array(trial.choices, np.int64).tobytes())
            if self._best is None or rank_key(trial) > rank_key(self._best):
                self._best = trial
            if self._top is None or rank_key(trial) > rank_key(self._top):
                self._compare(trial)

    def _begin(self) -> None:
        self._climb += 1
        self._top = None
        self._left = []
        self._failures = 0

    def _compare(self, trial: Trial) -> None:
        if self._top is None or rank_key(trial) > rank_key(self._top):
            self._top, self._failures = trial, 0
            around = neighbours(np.array(trial.choices, np.int64), self._cardinalities)
            self._left = list(self._rng.permutation(around))
            return
        self._failures += 1
        if self._failures >= self.patience:
            self._begin()

    def _propose(self) -> NDArray[np.int64]:
        choices = self._next()
        self._seen.add(choices.tobytes())
        self._awaited.keep(self._climb)
        return choices

    def _next(self) -> NDArray[np.int64]:
        while self._left:
            choices = self._left.pop()
            if choices.tobytes() not in self._seen:
                return choices
        if self._top is not None:
            self._begin()
        if self._best is None:
            random: NDArray[np.int64] = uniform(self._rng, self._cardinalities, 1)[0]
            return random
        best = np.array(self._best.choices, np.int64)
        return kick(best, self._cardinalities, self.kick, self._rng)
