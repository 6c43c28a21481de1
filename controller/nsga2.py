"""NSGA-II: a population that spreads along the front of several objectives.

`B` denotes trials, `D` knobs, `M` objectives, all turned into costs to be minimised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal, final, get_args

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    check_cardinalities,
    check_count,
    uniform,
    unseen,
)
from nahas.controller.pareto import non_dominated_sort
from nahas.controller.trial import Trial

Array = NDArray[np.float64]
Choices = NDArray[np.int64]
Objective = Literal["accuracy", "reward", "latency_ms", "energy_mj", "area_mm2"]

_MAXIMISED = ("accuracy", "reward")


def constrained_rank(
    costs: Array, feasible: NDArray[np.bool_], violations: Array
) -> NDArray[np.int64]:
    """[B] front of each trial under constraint domination, 0 the best.

    Feasible trials are sorted into fronts; the others come after all of them, by their
    violation. See "A fast and elitist multiobjective genetic algorithm: NSGA-II", Deb
    et al. 2002, IEEE Transactions on Evolutionary Computation 6, section VI.

    Args:
        costs: [B, M] finite where feasible.
        feasible: [B].
        violations: [B] of those that are not.
    """
    ranks = np.zeros(len(costs), np.int64)
    ranks[feasible] = non_dominated_sort(costs[feasible])
    fronts = ranks[feasible].max(initial=-1) + 1
    _, places = np.unique(violations[~feasible], return_inverse=True)
    ranks[~feasible] = fronts + places
    return ranks


def crowding_distance(costs: Array, ranks: NDArray[np.int64]) -> Array:
    """[B] how far a point's neighbours on its front are from each other.

    Σ_m (next cost - previous cost) / range of the front's costs; +inf at the ends of an
    objective that varies. Deb et al. 2002, section III B.

    Args:
        costs: [B, M].
        ranks: [B] which front each is on.
    """
    distances = np.zeros(len(costs))
    for front in np.unique(ranks):
        members = np.flatnonzero(ranks == front)
        for column in costs[members].T:
            order = np.argsort(column, kind="stable")
            sorted_costs = column[order]
            extent = sorted_costs[-1] - sorted_costs[0]
            if not extent > 0:
                continue
            gaps = np.full(len(members), inf)
            gaps[1:-1] = (sorted_costs[2:] - sorted_costs[:-2]) / extent
            distances[members[order]] += gaps
    return distances


def crossover(first: Choices, second: Choices, rng: np.random.Generator) -> Choices:
    """[D] uniform crossover: each knob is either parent's with equal chance."""
    child: Choices = np.where(rng.random(len(first)) < 0.5, first, second)
    return child


def mutate_each(
    point: Choices, cardinalities: Choices, rate: float, rng: np.random.Generator
) -> Choices:
    """[D] the point with each knob at another value with probability `rate`."""
    hit = (rng.random(len(point)) < rate) & (cardinalities > 1)
    steps = rng.integers(1, np.maximum(cardinalities, 2))
    mutated: Choices = np.where(hit, (point + steps) % cardinalities, point)
    return mutated


@dataclass(frozen=True, slots=True, eq=False)
class _Population:
    """The members as arrays, the latest last."""

    choices: Choices
    costs: Array
    feasible: NDArray[np.bool_]
    violations: Array
    ranks: NDArray[np.int64]
    crowding: Array

    @classmethod
    def empty(cls, knobs: int, objectives: int) -> "_Population":
        return cls(
            np.zeros((0, knobs), np.int64),
            np.zeros((0, objectives)),
            np.zeros(0, bool),
            np.zeros(0),
            np.zeros(0, np.int64),
            np.zeros(0),
        )

    def with_trial(self, trial: Trial, costs: Array) -> "_Population":
        choices = np.vstack([self.choices, np.array(trial.choices, np.int64)])
        everything = np.vstack([self.costs, costs])
        feasible = np.append(self.feasible, trial.feasible)
        violations = np.append(self.violations, trial.violation)
        ranks = constrained_rank(everything, feasible, violations)
        crowding = crowding_distance(everything, ranks)
        return _Population(choices, everything, feasible, violations, ranks, crowding)

    def best(self, size: int) -> "_Population":
        """The `size` best by front, then crowding, then age; in the order of age."""
        latest_first = np.arange(len(self.ranks))[::-1]
        order = np.lexsort((latest_first, -self.crowding, self.ranks))
        kept = np.sort(order[:size])
        return _Population(
            self.choices[kept],
            self.costs[kept],
            self.feasible[kept],
            self.violations[kept],
            self.ranks[kept],
            self.crowding[kept],
        )


@final
@dataclass(eq=False)
class NSGA2:
    """NSGA-II, Deb et al. 2002, for the front of accuracy, latency and energy.

    A child comes of two parents, each the better of two drawn members: of the lower
    front, then of the less crowded place. It is their uniform crossover with
    probability `crossover`, else the first parent, then mutated in one knob of D in the
    mean. The reward is not looked at unless it is named as an objective: what is sought
    is the front, within the limits.

    Two deviations from the paper. Trials join the population one at a time, in the
    order of feedback, and its worst member leaves, since generations would wait for
    their slowest training ("On the effect of the steady-state selection scheme in
    multi-objective genetic algorithms", Durillo et al. 2009). And a child that was
    proposed before is drawn again.

    Args:
        population: Members.
        crossover: Probability that a child has two parents.
        objectives: Fields of a trial; accuracy and reward are maximised, the others
            minimised. A trial without an accuracy has its reward in its place, and one
            without a cost has 0 there.
    """

    population: int = 24
    crossover: float = 0.9
    objectives: tuple[Objective, ...] = ("accuracy", "latency_ms", "energy_mj")
    _cardinalities: Choices = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)
    _members: _Population = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)
    _seen: set[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.population, "population", "nsga2", least=2)
        if not 0 <= self.crossover <= 1:
            raise ValueError(
                "`crossover` must be a number from 0 to 1. "
                f"Received {self.crossover!r} (in nsga2.crossover)."
            )
        # A list is what TOML and a study's folder give back.
        self.objectives = tuple(self.objectives)
        known = get_args(Objective)
        wrong = [name for name in self.objectives if name not in known]
        if wrong or len({*self.objectives}) < max(1, len(self.objectives)):
            raise ValueError(
                f"`objectives` must be some of {', '.join(known)}, each once. "
                f"Received {self.objectives!r} (in nsga2.objectives)."
            )

    def setup(self, cardinalities: Choices, *, seed: int) -> None:
        """Start on a space of [D] cardinalities with an empty population."""
        self._cardinalities = check_cardinalities(cardinalities)
        self._rng = np.random.default_rng(seed)
        self._members = _Population.empty(
            len(self._cardinalities), len(self.objectives)
        )
        self._proposed = 0
        self._seen = set()

    def propose(self, n: int) -> Choices:
        """[n, D] random choices at first, children of the population later."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """Trials join the population; the worst leave it."""
        for trial in trials:
            joined = self._members.with_trial(trial, self._costs(trial))
            self._members = joined.best(self.population)

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Others' trials join too, in the place of random first members."""
        self._proposed += len(trials)
        self._seen.update(np.array(t.choices, np.int64).tobytes() for t in trials)
        self.update(trials)

    def _costs(self, trial: Trial) -> Array:
        """[M] what is minimised; 0 where the trial does not say."""
        costs = []
        for name in self.objectives:
            value = getattr(trial, name)
            if value is None and name == "accuracy":
                value = trial.reward
            sign = -1.0 if name in _MAXIMISED else 1.0
            costs.append(0.0 if value is None else sign * value)
        return np.array(costs)

    def _propose(self) -> Choices:
        self._proposed += 1
        if self._proposed <= self.population or not len(self._members.choices):
            return unseen(self._random, self._seen)
        return unseen(self._child, self._seen)

    def _random(self) -> Choices:
        choices: Choices = uniform(self._rng, self._cardinalities, 1)[0]
        return choices

    def _child(self) -> Choices:
        child = self._parent()
        if self._rng.random() < self.crossover:
            child = crossover(child, self._parent(), self._rng)
        rate = 1.0 / len(child)
        return mutate_each(child, self._cardinalities, rate, self._rng)

    def _parent(self) -> Choices:
        """The winner of a binary tournament."""
        members = self._members
        pair = self._rng.integers(len(members.ranks), size=2)
        best = min(pair, key=lambda i: (members.ranks[i], -members.crowding[i]))
        winner: Choices = members.choices[best]
        return winner
