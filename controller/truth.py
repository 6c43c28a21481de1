"""The truth of a problem that can be enumerated: its exact optima and Pareto front.

K networks meet G accelerators and every pair is simulated. What is kept of a network
are its contenders (`accelerator/contenders.py` has the proof), some hundreds of the
50,000: its accuracy is one number, whichever accelerator runs it, so among its own
pairs costs alone decide. Accuracies come afterwards and can be any.

The pairs' figures are those of `evaluate` to the bit; an optimum is exact as far as the
score itself, computed in floating point, is monotone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nahas.accelerator.contenders import contenders
from nahas.accelerator.grid_model import evaluate_each
from nahas.accelerator.machines import Axes
from nahas.accelerator.metrics import Metrics
from nahas.accelerator.mix import Costs
from nahas.accelerator.objective import score as product_of_powers
from nahas.accelerator.sweep import grid_axes, within
from nahas.accelerator.template import Platform
from nahas.controller.pareto import non_dominated
from nahas.controller.reward import Least, Limits, Reward
from nahas.controller.true_front import Front, objectives
from nahas.search_space.lower import lower
from nahas.search_space.network import Network

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Score = Callable[[Floats, Costs], Floats]
"""(accuracy [P], costs [P]) -> [P] to be maximised; it must not rise with a cost."""
Progress = Callable[[int, int], None]
"""Told how many networks are done, of how many."""

_AT_ONCE = 2048  # networks lowered together, which bounds the room


@dataclass(frozen=True, eq=False)
class Problem:
    """K networks, deployed, and the accelerators that each of them meets.

    Attributes:
        networks: The networks.
        platform: What surrounds the accelerators.
        axes: The accelerators; the grid of 50,000.

    Raises:
        ValueError: If there are no networks, or one twice.
    """

    networks: tuple[Network, ...]
    platform: Platform
    axes: Axes

    @classmethod
    def on_grid(
        cls, networks: Sequence[Network], platform: Platform | None = None
    ) -> "Problem":
        """The networks on the grid of 50,000 accelerators."""
        return cls(tuple(networks), platform or Platform(), grid_axes())

    def __post_init__(self) -> None:
        if not self.networks or len(set(self.networks)) < len(self.networks):
            raise ValueError(
                "`networks` must be distinct, and at least one. Received "
                f"{len(self.networks)}, {len(set(self.networks))} of them distinct."
            )

    @property
    def pairs(self) -> int:
        """K * G: the pairs of a network and an accelerator."""
        return len(self.networks) * len(self.axes.machines.memory)

    def simulate(self, progress: Progress | None = None) -> Iterator[Metrics]:
        """K times the costs [G] of a network on every accelerator."""
        count = len(self.networks)
        for start in range(0, count, _AT_ONCE):
            work = lower(self.networks[start : start + _AT_ONCE])
            every = evaluate_each(work, self.axes, self.platform)
            for done, metrics in enumerate(every, start=start + 1):
                yield metrics
                if progress is not None:
                    progress(done, count)


@dataclass(frozen=True, eq=False)
class Best:
    """The best pair.

    Attributes:
        score: Its score.
        accuracy: Its network's.
        network: Which of the K networks.
        place: Which of the G accelerators.
        costs: [1] its costs.
    """

    score: float
    accuracy: float
    network: int
    place: int
    costs: Costs


@dataclass(frozen=True, eq=False)
class Truth:
    """The P pairs of K networks with their contenders; all others are needless.

    Attributes:
        network: [P] which of the K networks, rising.
        place: [P] which of the G accelerators.
        costs: [P] costs of the pairs.
    """

    network: Ints
    place: Ints
    costs: Costs

    @classmethod
    def of(cls, problem: Problem, progress: Progress | None = None) -> "Truth":
        """Simulates every pair of the problem."""
        places, kept = [], []
        for metrics in problem.simulate(progress):
            found = contenders(metrics)
            places.append(found)
            kept.append(Costs.of(metrics.take(found)))
        counts = [len(found) for found in places]
        return cls(
            np.repeat(np.arange(len(counts)), counts),
            np.concatenate(places),
            _joined(kept),
        )

    def optimum(
        self,
        accuracy: ArrayLike,
        score: Score | Reward | Least,
        limits: Limits | None = None,
    ) -> Best | None:
        """The best of all pairs within the limits; None where no pair is.

        Of equal scores the highest accuracy comes first, then the least latency,
        energy and area.

        Args:
            accuracy: [K] of the networks.
            score: What is maximised; it must not rise with a cost.
            limits: What the pair must keep.

        Raises:
            ValueError: If the accuracies are not K, or the reward rises with a cost.
        """
        of_pair = self._accuracies(accuracy)
        rows = self._kept(of_pair, limits)
        if not len(rows):
            return None
        scores = monotone(score)(of_pair[rows], self.costs.take(rows))
        rows = rows[scores == scores.max()]
        near = self.costs.take(rows)
        keys = (near.area_mm2, near.energy_mj, near.latency_ms, -of_pair[rows])
        row = rows[np.lexsort(keys)[0]]  # lexsort's last key counts first
        return Best(
            float(scores.max()),
            float(of_pair[row]),
            int(self.network[row]),
            int(self.place[row]),
            self.costs.take([row]),
        )

    def front(self, accuracy: ArrayLike, limits: Limits | None = None) -> Front:
        """The Pareto front of accuracy, latency and energy among pairs within limits.

        Of a network's pairs with equal latency and energy one is named.

        Args:
            accuracy: [K] of the networks.
            limits: What the pairs must keep.

        Raises:
            ValueError: If the accuracies are not K.
        """
        of_pair = self._accuracies(accuracy)
        rows = self._kept(of_pair, limits)
        rows = rows[self._own_front(rows)]
        points = objectives(of_pair[rows], self.costs.take(rows))
        rows = rows[non_dominated(points)] if len(rows) else rows
        near = self.costs.take(rows)
        rows = rows[np.lexsort((near.energy_mj, near.latency_ms))]
        return Front(
            of_pair[rows], self.network[rows], self.place[rows], self.costs.take(rows)
        )

    def _kept(self, accuracy: Floats, limits: Limits | None) -> Ints:
        """Which of the P pairs keep limits."""
        reached = (limits or Limits()).shortfall(accuracy) == 0
        return np.flatnonzero(within(self.costs, _limits(limits)) & reached)

    def _own_front(self, rows: Ints) -> Ints:
        """Which of `rows` no other pair of the same network beats in two costs."""
        latency, energy = self.costs.latency_ms[rows], self.costs.energy_mj[rows]
        order = np.lexsort((energy, latency, self.network[rows]))
        stays = np.zeros(len(order), dtype=np.bool_)
        ends = np.flatnonzero(np.diff(self.network[rows][order], append=-1)) + 1
        for start, stop in pairwise([0, *ends]):
            least = np.minimum.accumulate(energy[order[start:stop]])
            stays[start] = True
            stays[start + 1 : stop] = np.diff(least) < 0
        return order[stays]

    def _accuracies(self, accuracy: ArrayLike) -> Floats:
        """[P] the accuracy of each pair's network."""
        own = np.asarray(accuracy, dtype=np.float64)
        count = int(self.network[-1]) + 1 if len(self.network) else 0
        if own.ndim != 1 or len(own) < count or not np.isfinite(own).all():
            raise ValueError(
                f"`accuracy` must be a finite number for each of {count} networks. "
                f"Received shape {list(own.shape)}."
            )
        return own[self.network]


def monotone(score: Score | Reward | Least) -> Score:
    """The score, where it can be seen not to rise with a cost; one's own is trusted.

    Raises:
        ValueError: If a reward pulls costs up to their targets.
    """
    if isinstance(score, Least):
        least = score
        return lambda _, costs: least.of_score(
            product_of_powers(costs, least.objective)
        )
    if not isinstance(score, Reward):
        return score
    if score.form == "absolute":
        raise ValueError(
            "`form` must be multiplicative or single_sided for an exact optimum: a "
            "reward must not rise with a cost. Received 'absolute' (in reward.form)."
        )
    reward = score
    return lambda accuracy, costs: reward.of(
        accuracy, [getattr(costs, name) for name in reward.targets]
    )


def count_within(
    problem: Problem,
    limits: Sequence[Limits],
    weights: ArrayLike | None = None,
    progress: Progress | None = None,
) -> list[int]:
    """How many pairs can run and keep each of several limits; simulates every pair.

    Args:
        problem: What is simulated.
        limits: The limits on costs, each for itself.
        weights: [K] how often each network counts; once where None.
        progress: Told of every network.
    """
    often = np.ones(len(problem.networks)) if weights is None else np.asarray(weights)
    counts = [0] * len(limits)
    for network, metrics in zip(often, problem.simulate(progress), strict=True):
        costs = Costs.of(metrics)
        for i, limit in enumerate(limits):
            kept = int(within(costs, _limits(limit)).sum())
            counts[i] += int(network) * kept
    return counts


def _limits(limits: Limits | None) -> dict[str, float]:
    """The limits on costs by the names of these."""
    return {
        name.removeprefix("max_"): inf if limit is None else limit
        for name, limit in asdict(limits or Limits()).items()
        if name != "min_accuracy"
    }


def _joined(parts: Sequence[Costs]) -> Costs:
    names = ("latency_ms", "energy_mj", "area_mm2", "utilization", "feasible")
    return Costs(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))
