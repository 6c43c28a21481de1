"""Searches of an arena: what a controller would simulate is looked up, and counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any
from unittest.mock import patch

import numpy as np
from arena import GRID_SHAPE, Arena, Goal
from numpy.typing import NDArray

from nahas.controller.appraisal import Prospects
from nahas.controller.judgement import Task

Ints = NDArray[np.int64]
UNKNOWN = -1
MACHINES = prod(GRID_SHAPE)


@cache
def _best_places(arena: Arena, goal: Goal) -> Ints:
    """[K] the best accelerator of each network, as far as one was asked for."""
    return np.full(arena.index.size, UNKNOWN)


class SweptArena:
    """The best accelerator of a network, looked up: `BestAccelerator` for an arena.

    Attributes:
        networks: The space of networks, for controllers that are told a task of it.
        swept: The networks whose accelerators a search would have simulated, all of
            them, once a network.
    """

    def __init__(self, arena: Arena, goal: Goal) -> None:
        split = len(arena.networks.knobs)
        self.network_knobs = np.arange(split)
        self.networks = arena.networks
        self.swept: set[int] = set()
        self._arena, self._goal = arena, goal
        self._places = _best_places(arena, goal)

    def complete(self, network_choices: Ints) -> Ints:
        """[D] the network's choices and those of its best accelerator."""
        return self.complete_all(network_choices[None])[0]

    def complete_all(self, network_choices: Ints) -> Ints:
        """[B, D] of networks [B, N]."""
        networks = self._arena.index[tuple(network_choices.T)]
        self.swept.update(networks.tolist())
        for network in networks[self._places[networks] == UNKNOWN].tolist():
            self._places[network] = self._best(network)
        machines = np.unravel_index(self._places[networks], GRID_SHAPE)
        return np.concatenate([network_choices, np.stack(machines, axis=1)], axis=1)

    def _best(self, network: int) -> int:
        """Of its contenders, who violates least, and asks least of those."""
        arena, goal = self._arena, self._goal
        first, last = np.searchsorted(arena.truth.network, (network, network + 1))
        places, costs = arena.truth.place[first:last], arena.truth.costs
        latency, energy = costs.latency_ms[first:last], costs.energy_mj[first:last]
        area = costs.area_mm2[first:last]
        broken = goal.violations(latency, area)
        score = -goal.rewards(np.ones(len(places)), energy)
        return int(places[np.lexsort((area, energy, latency, score, broken))[0]])


@dataclass(eq=False)
class Lookup:
    """One search of an arena, whose controllers look up what they would simulate.

    Attributes:
        arena: Where.
        goal: What for.
        task: What controllers are told.
        swept: Networks with their best accelerators.
        appraised: Pairs that a controller would have simulated to choose among them.
    """

    arena: Arena
    goal: Goal
    task: Task
    swept: SweptArena
    appraised: int = 0

    @property
    def simulated(self) -> int:
        """Pairs simulated besides the trials: a swept network's are a whole grid."""
        return self.appraised + MACHINES * len(self.swept.swept)

    def pairs(self, told: Task, choices: Ints) -> Ints:
        """[B, D] choices of the arena's space.

        Args:
            told: Its space is the arena's, or one with fewer knobs or values.
            choices: [B, D'] of that space.
        """
        space = self.arena.space
        self.appraised += len(choices)
        if told.space is space:
            return choices
        if len(told.space.knobs) < len(space.knobs):
            return self.swept.complete_all(choices)
        both = zip(told.space.knobs, space.knobs, strict=True)
        places = [[all_.values.index(v) for v in some.values] for some, all_ in both]
        columns = zip(places, choices.T, strict=True)
        return np.array([np.array(own)[column] for own, column in columns]).T


@contextmanager
def looked_up(arena: Arena, goal: Goal) -> Iterator[Lookup]:
    """A search, whose controllers look up what they would simulate."""
    platform = arena.problem.problem.platform
    task = Task(arena.space, platform, goal.limits, goal.reward, "")
    found = Lookup(arena, goal, task, SweptArena(arena, goal))

    def reward_all(told: Task, choices: Ints, accuracies: NDArray[np.float64]) -> Any:
        return arena.rewards(goal, found.pairs(told, choices), accuracies)

    def prospects(told: Task, choices: Ints) -> Prospects:
        return arena.prospects(goal, found.pairs(told, choices))

    def costed(told: Task, choices: Ints, accuracies: NDArray[np.float64]) -> Any:
        return arena.costed(goal, found.pairs(told, choices), accuracies)

    def best_accelerator(told: Task) -> SweptArena:
        del told
        return found.swept

    with (
        patch("nahas.controller.appraisal.reward_all", reward_all),
        patch("nahas.controller.appraisal.prospects", prospects),
        patch("nahas.controller.appraisal.costed", costed),
        patch("nahas.controller.best_accelerator.BestAccelerator", best_accelerator),
    ):
        yield found
