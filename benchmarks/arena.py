"""An arena: a problem of known truth in which searches are run and judged.

Costs are looked up in arrays that hold the simulator's figures, and accuracies in a
table, so that a search takes as long as its controller thinks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from comparison_costs import AllCosts, all_costs
from numpy.typing import NDArray
from truth import scored_problem

from nahas.accelerator.grid import BASELINE, grid_shape
from nahas.accelerator.machines import area_mm2
from nahas.controller.appraisal import Prospects
from nahas.controller.reward import Least, Limits, Reward
from nahas.controller.trial import Status, Trial
from nahas.controller.true_front import Front
from nahas.controller.truth import Truth
from nahas.search_space.joint import joint_space
from nahas.search_space.lower import lower
from nahas.search_space.space import SearchSpace
from nahas.truths import ScoredProblem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
GRID_SHAPE = grid_shape()
PROBLEMS = ("macro-224", "macro-32", "b0-stages")
QUANTILES = (10, 25, 50, 75)
GOALS = (*(f"latency {quantile} %" for quantile in QUANTILES), "energy", "front")
_CANNOT_RUN = 2.0  # violation of a pair that no limit of bytes explains, as `judge` has


@dataclass(frozen=True)
class Goal:
    """What is asked of a search.

    Attributes:
        name: In tables.
        wanted: "accuracy" is to be as high or "energy" as low as can be, or a "front"
            of accuracy, latency and energy is wanted.
        limits: On costs.
        optimum: What the best pair has of what is wanted: the accuracy that searches
            are judged on, or mJ.
        worst: The same of the worst pair, which stands for having found none.
    """

    name: str
    wanted: Literal["accuracy", "energy", "front"]
    limits: Limits
    optimum: float = 0.0
    worst: float = 0.0

    @property
    def reward(self) -> Reward | Least:
        """What a search maximises."""
        return Least("energy") if self.wanted == "energy" else Reward()

    def violations(self, latency_ms: Floats, area_mm2: Floats) -> Floats:
        """[B] relative excess over the limits on costs."""
        found = np.maximum(area_mm2 / (self.limits.max_area_mm2 or np.inf) - 1, 0.0)
        latency = latency_ms / (self.limits.max_latency_ms or np.inf)
        return found + np.maximum(latency - 1, 0.0)

    def rewards(self, accuracies: Floats, energy_mj: Floats) -> Floats:
        """[B] what `reward` gives."""
        if self.wanted == "energy":
            return Least("energy").of_score(energy_mj)
        return accuracies


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
        sizes: [K, 3] MACs, parameters and operators of the networks.
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
    sizes: Ints
    front: Front
    goals: tuple[Goal, ...]

    def places(self, choices: Ints) -> tuple[Ints, Ints]:
        """[B] networks and [B] accelerators of choices [B, D]."""
        split = len(self.networks.knobs)
        networks = self.index[tuple(choices[:, :split].T)]
        return networks, np.ravel_multi_index(tuple(choices[:, split:].T), GRID_SHAPE)

    def violations(self, goal: Goal, networks: Ints, places: Ints) -> Floats:
        """[B] relative excess over the limits."""
        latency = self.costs.latency_ms[networks, places]
        found = goal.violations(latency, self.area_mm2[places])
        return np.where(np.isfinite(latency), found, _CANNOT_RUN)

    def rewards(
        self, goal: Goal, choices: Ints, accuracies: Floats
    ) -> tuple[Floats, Floats]:
        """What `nahas.controller.appraisal.reward_all` gives, looked up."""
        networks, places = self.places(choices)
        violations = self.violations(goal, networks, places)
        violations += goal.limits.shortfall(accuracies)
        rewards = np.full(len(choices), -np.inf)
        kept = violations == 0
        energy = self.costs.energy_mj[networks[kept], places[kept]]
        rewards[kept] = goal.rewards(accuracies[kept], energy)
        return violations, rewards

    def prospects(self, goal: Goal, choices: Ints) -> Prospects:
        """What `nahas.controller.appraisal.prospects` gives, looked up."""
        networks, places = self.places(choices)
        violations = self.violations(goal, networks, places)
        kept = violations == 0
        energy = self.costs.energy_mj[networks, places]
        zero = goal.rewards(np.zeros(len(choices)), energy)
        one = goal.rewards(np.ones(len(choices)), energy)
        return Prospects(
            violations,
            np.where(kept, one - zero, 0.0),
            np.where(kept, zero, -np.inf),
            self.sizes[networks],
        )

    def costed(
        self, goal: Goal, choices: Ints, accuracies: Floats
    ) -> tuple[Floats, Floats]:
        """What `nahas.controller.appraisal.costed` gives, looked up."""
        networks, places = self.places(choices)
        violations = self.violations(goal, networks, places)
        latency, energy = (
            costs[networks, places]
            for costs in (self.costs.latency_ms, self.costs.energy_mj)
        )
        both = np.stack([latency, energy], axis=1)
        return violations + goal.limits.shortfall(accuracies), both

    def trial(self, goal: Goal, number: int, choices: Ints) -> Trial:
        """What a search is told of a pair."""
        networks, places = self.places(choices[None])
        network, place = int(networks[0]), int(places[0])
        latency = float(self.costs.latency_ms[network, place])
        energy = float(self.costs.energy_mj[network, place])
        area = float(self.area_mm2[place])
        violation = _CANNOT_RUN
        if latency < np.inf:
            violation = float(goal.violations(latency, area))
        accuracy = short = reward = None
        status: Status = "rejected"
        if violation == 0:
            status, accuracy = "trained", float(self.problem.seen[network])
            violation = short = float(goal.limits.shortfall(accuracy))
            reward = float(goal.rewards(accuracy, energy))
        return Trial(
            number, tuple(choices.tolist()), status, accuracy, latency, energy, area,
            None, reward, short == 0, violation,
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
    work = lower(problem.problem.networks)
    counted = work.macs, work.own_parameters, np.ones_like(work.macs)
    sizes = np.stack([work.per_network(values) for values in counted], axis=1)
    limits = Limits(max_area_mm2=float(area_mm2([BASELINE])[0]))
    front = truth.front(problem.judged, limits)
    return Arena(
        name, problem, joint_space(networks), networks, index.reshape(shape), truth,
        costs, area, sizes, front, _goals(problem, truth, front, limits),
    )  # fmt: skip


def _goals(
    problem: ScoredProblem, truth: Truth, front: Front, limits: Limits
) -> tuple[Goal, ...]:
    """The four targets, the least energy above a floor, and the whole front."""
    found = []
    worst = float(problem.judged.min())
    for name, target in zip(GOALS, front.targets_ms, strict=False):
        tight = replace(limits, max_latency_ms=float(target))
        best = truth.optimum(problem.judged, Reward(), tight)
        assert best is not None
        found.append(Goal(name, "accuracy", tight, best.accuracy, worst))
    floor = float(np.median(front.accuracy))
    above = replace(limits, min_accuracy=floor)
    least = truth.optimum(problem.seen, Least("energy"), above)
    assert least is not None
    most = float(truth.costs.energy_mj.max())
    energy = float(least.costs.energy_mj[0])
    found.append(Goal("energy", "energy", above, energy, most))
    found.append(Goal("front", "front", limits))
    return tuple(found)
