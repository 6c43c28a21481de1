"""Phases: the accelerator is searched first, then the network on the best one found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    Controller,
    check_cardinalities,
    check_count,
    check_told,
    mode_of,
    not_informed,
    rank_key,
)
from nahas.controller.held import Held
from nahas.controller.random_search import RandomSearch
from nahas.controller.trial import Trial
from nahas.search_space.joint import accelerator_knobs

if TYPE_CHECKING:
    from nahas.controller.judgement import Task


@final
@dataclass(eq=False)
class Phases:
    """Hardware, then network: two searches in a row, each by a controller of its own.

    The first phase searches an accelerator for the space's reference network, whose
    accuracy does not change: so it is trained once, and what differs is cost. The
    second searches a network on the accelerator of the best trial that has come back
    when it begins: a study gives its feedback late, and trials of the first phase that
    come back later count no more. Where none has come back by then the first phase goes
    on until one has. The best is that of constraint domination (`rank_key`); of equal
    rewards, which all accelerators within a target have where a cost within it is free,
    the least latency comes first, then energy and area, as in a sweep.

    `first` is a count and no share, so that a longer study extends a shorter one.

    Args:
        accelerators: Chooses accelerators in the first phase.
        networks: Chooses networks in the second; another object.
        first: Trials of the first phase.

    Raises:
        ValueError: If the two controllers are one object, or `first` is below 1.
    """

    accelerators: Controller = field(default_factory=RandomSearch)
    networks: Controller = field(default_factory=RandomSearch)
    first: int = 50
    _task: "Task | None" = field(default=None, init=False, repr=False)
    _seed: int = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)
    _best: Trial | None = field(init=False, repr=False)
    _reference: Held = field(init=False, repr=False)
    _chosen: Held | None = field(init=False, repr=False)
    _split: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.first, "first", "phases")
        if self.accelerators is self.networks:
            raise ValueError(
                "`accelerators` and `networks` must be two controllers. Received one "
                f"{type(self.networks).__name__} for both (in phases.networks)."
            )

    def inform(self, task: "Task") -> None:
        """Be told which knobs are the accelerator's, and the reference network.

        Raises:
            ValueError: If the space has no reference or no knobs of the accelerator, or
                if a controller refuses it.
        """
        chips = accelerator_knobs(task.space)
        if task.space.reference is None:
            raise ValueError(
                "`space` must have a reference network for a search by phases. Space "
                f"{task.space.name!r} has none: make it with SearchSpace(..., "
                "reference=...), or search in another mode."
            )
        reference = np.array(task.space.reference, np.int64)
        networks = np.delete(np.arange(len(reference)), chips)
        self._reference = Held(task, networks, reference[networks])
        self._reference.inform(self.accelerators)
        # What it refuses it refuses on any accelerator, and now rather than then.
        Held(task, chips, reference[chips]).inform(self.networks)
        self._task = task

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start the first phase.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found = check_cardinalities(cardinalities)
        check_told(found, self._told().space.cardinalities)
        self._seed = seed
        self._proposed = 0
        self._best = None
        self._chosen = None
        self._split = 0
        self._reference.start(self.accelerators, seed)

    @property
    def split(self) -> int | None:
        """Trials of the first phase; None while it lasts."""
        return self._split if self._chosen else None

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] the reference network on accelerators, later networks on one."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._told().space.knobs))

    def update(self, trials: Sequence[Trial]) -> None:
        """The controller of each phase learns what came of its own proposals."""
        for trial in trials:
            if self._chosen is None:
                self._best = max(filter(None, (self._best, trial)), key=_merit)
                own = self._reference.part(trial, trial.number)
                self.accelerators.update([own])
            elif trial.number > self._split:
                own = self._chosen.part(trial, trial.number - self._split)
                self.networks.update([own])

    def mode(self) -> NDArray[np.int64] | None:
        """[D] the mode of the present phase's policy, with what that phase holds."""
        held = self._chosen or self._reference
        mode = mode_of(self.networks if self._chosen else self.accelerators)
        return None if mode is None else held.whole(mode)

    def _propose(self) -> NDArray[np.int64]:
        if self._chosen is None and self._proposed >= self.first and self._best:
            self._chosen = self._switch(self._told(), self._best)
        self._proposed += 1
        if self._chosen is None:
            return self._reference.whole(self.accelerators.propose(1)[0])
        return self._chosen.whole(self.networks.propose(1)[0])

    def _switch(self, task: "Task", best: Trial) -> Held:
        """Starts the second phase on the accelerator of a trial."""
        chips = accelerator_knobs(task.space)
        chosen = Held(task, chips, np.array(best.choices, np.int64)[chips])
        self._split = self._proposed
        chosen.start(self.networks, self._seed)
        return chosen

    def _told(self) -> "Task":
        if self._task is None:
            raise not_informed(self)
        return self._task


def _merit(trial: Trial) -> tuple[object, ...]:
    """What trials of the first phase are compared by: the larger is the better one."""
    costs = (trial.latency_ms, trial.energy_mj, trial.area_mm2)
    return *rank_key(trial), *(-inf if cost is None else -cost for cost in costs)
