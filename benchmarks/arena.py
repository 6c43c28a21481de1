"""An arena: a problem of known truth in which searches are run and judged.

Costs are looked up in arrays that hold the simulator's figures, and accuracies in a
table, so that a search takes as long as its controller thinks.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import numpy as np
from comparison_costs import AllCosts, all_costs
from numpy.typing import NDArray
from truth import scored_problem

from nahas.accelerator.grid import BASELINE, grid_shape
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.metrics import Metrics
from nahas.controller.judgement import RewardFunction, Task
from nahas.controller.reward import Limits, Reward
from nahas.controller.trial import Trial
from nahas.controller.true_front import Front
from nahas.controller.truth import Truth
from nahas.search_space.joint import joint_space
from nahas.search_space.space import SearchSpace
from nahas.truths import ScoredProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PROBLEMS = ("macro-224", "macro-32", "b0-stages")
_CANNOT_RUN = 2.0  # violation of a pair that no limit of bytes explains, as `judge` has


@dataclass(frozen=True)
class Goal:
    """What is asked of a search.

    Attributes:
        name: In tables.
        wanted: "accuracy" is to be as high or "energy" as low as can be, or a "front"
            of accuracy, latency and energy is wanted.
        limits: On costs.
        floor: The least accuracy that is allowed.
        optimum: What the best pair has of what is wanted: the accuracy that searches
            are judged on, or mJ.
        worst: The same of the worst pair, which stands for having found none.
    """

    name: str
    wanted: Literal["accuracy", "energy", "front"]
    limits: Limits
    floor: float = 0.0
    optimum: float = 0.0
    worst: float = 0.0

    @property
    def reward(self) -> RewardFunction:
        """What a search maximises."""
        return _frugality if self.wanted == "energy" else Reward()


def _frugality(accuracy: Floats, metrics: Metrics) -> Floats:
    return -np.log(metrics.energy_mj)


@dataclass(frozen=True, eq=False)
class Arena:
    """A problem with all its answers.

    Attributes:
        name: In tables.
        problem: Networks and accuracies.
        space: Pairs that may be chosen.
        networks: The space of networks alone.
        index: [n1, n2, ...] which network the choices of the network's knobs are.
        truth: Exact optima.
        costs: Of all pairs.
        area_mm2: [G] of the accelerators.
        front: The true front below the baseline's area.
        goals: What is asked.
    """

    name: str
    problem: ScoredProblem
    space: SearchSpace
    networks: SearchSpace
    index: Ints
    truth: Truth
    costs: AllCosts
    area_mm2: Floats
    front: Front
    goals: tuple[Goal, ...]

    def places(self, choices: Ints) -> tuple[Ints, Ints]:
        """[B] networks and [B] accelerators of choices [B, D]."""
        split = len(self.networks.knobs)
        networks = self.index[tuple(choices[:, :split].T)]
        return networks, np.ravel_multi_index(choices[:, split:].T, grid_shape())

    def violations(self, goal: Goal, networks: Ints, places: Ints) -> Floats:
        """[B] relative excess over the limits."""
        latency, area = self.costs.latency_ms[networks, places], self.area_mm2[places]
        found = np.maximum(area / (goal.limits.max_area_mm2 or np.inf) - 1, 0.0)
        found += np.maximum(latency / (goal.limits.max_latency_ms or np.inf) - 1, 0.0)
        return np.where(np.isfinite(latency), found, _CANNOT_RUN)

    def rewards(
        self, task: Task, goal: Goal, choices: Ints, accuracies: Floats
    ) -> tuple[Floats, Floats]:
        """What `nahas.controller.appraisal.reward_all` gives, looked up."""
        del task
        networks, places = self.places(choices)
        violations = self.violations(goal, networks, places)
        rewards = np.full(len(choices), -np.inf)
        kept = violations == 0
        energy = self.costs.energy_mj[networks[kept], places[kept]]
        wanted = -np.log(energy) if goal.wanted == "energy" else accuracies[kept]
        rewards[kept] = wanted
        short = _shortfall(goal.floor, accuracies)
        return violations + short, np.where(short > 0, -np.inf, rewards)

    def trial(self, goal: Goal, number: int, choices: Ints) -> Trial:
        """What a search is told of a pair."""
        [network], [place] = self.places(choices[None])
        violation = float(
            self.violations(goal, np.array([network]), np.array([place]))[0]
        )
        latency = float(self.costs.latency_ms[network, place])
        energy = float(self.costs.energy_mj[network, place])
        told = Trial(
            number, tuple(choices.tolist()), "rejected", None, latency, energy,
            float(self.area_mm2[place]), None, None, False, violation,
        )  # fmt: skip
        if violation > 0:
            return told
        accuracy = float(self.problem.seen[network])
        short = float(_shortfall(goal.floor, np.array([accuracy]))[0])
        wanted = -np.log(energy) if goal.wanted == "energy" else accuracy
        return replace(
            told, status="trained", accuracy=accuracy, violation=short,
            feasible=not short, reward=None if short else float(wanted),
        )  # fmt: skip

    def regret(self, goal: Goal, network: int, place: int) -> float:
        """What the best pair has more than this: accuracy, or relative energy."""
        if goal.wanted == "energy":
            return float(self.costs.energy_mj[network, place]) / goal.optimum - 1.0
        return goal.optimum - float(self.problem.judged[network])

    def worst_regret(self, goal: Goal) -> float:
        """That of having found nothing."""
        if goal.wanted == "energy":
            return goal.worst / goal.optimum - 1.0
        return goal.optimum - goal.worst

    def share(self, networks: Sequence[int], places: Sequence[int]) -> float:
        """Of the true front's hypervolume, what pairs within the area reach."""
        found = np.array(networks, np.int64), np.array(places, np.int64)
        if not len(found[0]):
            return 0.0
        accuracy = self.problem.judged[found[0]]
        latency, energy = self.costs.latency_ms[found], self.costs.energy_mj[found]
        points = np.stack([1.0 - accuracy, latency, energy], axis=1)
        return self.front.share(points) / self.front.hypervolume


def _shortfall(floor: float, accuracies: Floats) -> Floats:
    """[B] how far accuracies are below the floor, relative to themselves."""
    return np.maximum(floor / np.maximum(accuracies, 1e-9) - 1.0, 0.0)


class SweptArena:
    """The best accelerator of a network, looked up: `BestAccelerator` for an arena."""

    def __init__(self, arena: Arena, goal: Goal) -> None:
        split = len(arena.networks.knobs)
        self.network_knobs = np.arange(split)
        self._arena, self._goal = arena, goal
        self._known: dict[int, Ints] = {}

    def complete(self, network_choices: Ints) -> Ints:
        """[D] the network's choices and those of its best accelerator."""
        network = int(self._arena.index[tuple(network_choices)])
        if network not in self._known:
            self._known[network] = self._best(network)
        return np.concatenate([network_choices, self._known[network]])

    def _best(self, network: int) -> Ints:
        arena, goal = self._arena, self._goal
        every = np.arange(len(arena.area_mm2))
        latency = np.asarray(arena.costs.latency_ms[network])
        energy = np.asarray(arena.costs.energy_mj[network])
        broken = arena.violations(goal, np.full(len(every), network), every)
        score = energy if goal.wanted == "energy" else np.zeros(len(every))
        score = np.where(broken == 0, score, np.inf) if (broken == 0).any() else broken
        rows = np.flatnonzero(score == score.min())
        keys = arena.area_mm2[rows], energy[rows], latency[rows]
        best = rows[np.lexsort(keys)[0]]
        return np.array(np.unravel_index(best, grid_shape()), np.int64)


@contextmanager
def looked_up(arena: Arena, goal: Goal) -> Iterator[Task]:
    """The task; controllers told of it look up what they would simulate."""
    task = Task(
        arena.space, arena.problem.problem.platform, goal.limits, goal.reward, ""
    )

    def reward_all(
        told: Task, choices: Ints, accuracies: Floats
    ) -> tuple[Floats, Floats]:
        return arena.rewards(told, goal, choices, accuracies)

    def best_accelerator(told: Task) -> SweptArena:
        del told
        return SweptArena(arena, goal)

    with (
        patch("nahas.controller.appraisal.reward_all", reward_all),
        patch("nahas.controller.best_accelerator.BestAccelerator", best_accelerator),
    ):
        yield task


def open_arena(name: str, data: Path, folder: Path) -> Arena:
    """The arena of a problem; minutes where its costs are not in the folder yet."""
    problem = scored_problem(name, data)
    truth, costs = all_costs(problem.problem, folder)
    networks = problem.space
    known = {network: k for k, network in enumerate(problem.problem.networks)}
    shape = tuple(networks.cardinalities.tolist())
    every = product(*(range(n) for n in shape))
    index = np.array([known[networks.decode(choices)] for choices in every])
    machines = problem.problem.axes.machines
    area = area_mm2(machines, problem.problem.platform)
    limits = Limits(max_area_mm2=float(area_mm2([BASELINE])[0]))
    front = truth.front(problem.judged, limits)
    return Arena(
        name, problem, joint_space(networks), networks, index.reshape(shape), truth,
        costs, area, front, _goals(problem, truth, front, limits),
    )  # fmt: skip


def _goals(
    problem: ScoredProblem, truth: Truth, front: Front, limits: Limits
) -> tuple[Goal, ...]:
    """The four targets, the least energy above a floor, and the whole front."""
    found = []
    worst = float(problem.judged.min())
    for quantile, target in zip((10, 25, 50, 75), front.targets_ms, strict=True):
        tight = replace(limits, max_latency_ms=float(target))
        best = truth.optimum(problem.judged, Reward(), tight)
        assert best is not None
        name = f"latency {quantile} %"
        found.append(Goal(name, "accuracy", tight, 0.0, best.accuracy, worst))
    floor = float(np.median(front.accuracy))
    least = truth.optimum(
        problem.seen, lambda accuracy, costs: -costs.energy_mj, limits, floor=floor
    )
    assert least is not None
    most = float(truth.costs.energy_mj.max())
    found.append(Goal("energy", "energy", limits, floor, -least.score, most))
    found.append(Goal("front", "front", limits))
    return tuple(found)
