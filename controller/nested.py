"""Nested: accelerators are searched, each judged by a search of networks on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    Controller,
    Informed,
    check_cardinalities,
    check_count,
    check_told,
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
class Nested:
    """A search of accelerators around searches of networks, `inner` trials each.

    Each accelerator that `accelerators` proposes gets a search of its own, which knows
    nothing of those before; of it `accelerators` learns the best trial, by constraint
    domination (`rank_key`), once all of them have come back. By then the next search
    has begun, for a study gives its feedback late. A network that two searches meet is
    trained once, for its accuracy belongs to it alone, but counts as a trial of both.

    It has no mode: the accelerator that a policy holds for the best may be one on which
    no network was searched.

    Args:
        accelerators: Chooses accelerators; not one that is told the task, whose trials
            are pairs.
        networks: Chooses networks on each in turn; another object.
        inner: Trials of each search of networks.

    Raises:
        ValueError: If the two controllers are one object, the first is told the task,
            or `inner` is below 1.
    """

    accelerators: Controller = field(default_factory=RandomSearch)
    networks: Controller = field(default_factory=RandomSearch)
    inner: int = 50
    _task: "Task | None" = field(default=None, init=False, repr=False)
    _seed: int = field(init=False, repr=False)
    _proposed: int = field(init=False, repr=False)
    _outer: Held = field(init=False, repr=False)
    _present: Held = field(init=False, repr=False)
    _best: dict[int, Trial] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.inner, "inner", "nested")
        if isinstance(self.accelerators, Informed):
            raise ValueError(
                "`accelerators` must be a controller that is not told the task. "
                f"Received {type(self.accelerators).__name__} (in nested.accelerators)."
            )
        if self.accelerators is self.networks:
            raise ValueError(
                "`accelerators` and `networks` must be two controllers. Received one "
                f"{type(self.networks).__name__} for both (in nested.networks)."
            )

    def inform(self, task: "Task") -> None:
        """Be told which knobs are the accelerator's.

        Raises:
            ValueError: If the space has no knobs of the accelerator, or if `networks`
                refuses it.
        """
        chips = accelerator_knobs(task.space)
        networks = np.delete(np.arange(len(task.space.knobs)), chips)
        self._outer = Held(task, networks, np.zeros(len(networks), np.int64))
        # What it refuses it refuses on any accelerator, and now rather than then.
        Held(task, chips, np.zeros(len(chips), np.int64)).inform(self.networks)
        self._task = task

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start the search of accelerators.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found = check_cardinalities(cardinalities)
        check_told(found, self._told().space.cardinalities)
        self._seed = seed
        self._proposed = 0
        self._best = {}
        self._outer.start(self.accelerators, seed)

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] networks on the accelerator in turn."""
        rows = [self._propose() for _ in range(n)]
        return np.array(rows, np.int64).reshape(n, len(self._told().space.knobs))

    def update(self, trials: Sequence[Trial]) -> None:
        """Each search learns of its own trials, the outer one of each one's best."""
        present = (self._proposed - 1) // self.inner
        for trial in trials:
            search, before = divmod(trial.number - 1, self.inner)
            best = max(filter(None, (self._best.get(search), trial)), key=rank_key)
            self._best[search] = best
            if search == present:
                self.networks.update([self._present.part(trial, before + 1)])
            if before + 1 == self.inner:
                del self._best[search]
                self.accelerators.update([self._outer.part(best, search + 1)])

    def _propose(self) -> NDArray[np.int64]:
        search, before = divmod(self._proposed, self.inner)
        if before == 0:
            self._present = self._start(self._told(), search)
        self._proposed += 1
        return self._present.whole(self.networks.propose(1)[0])

    def _start(self, task: "Task", search: int) -> Held:
        """Starts a search of networks on the next accelerator."""
        chips = accelerator_knobs(task.space)
        held = Held(task, chips, self.accelerators.propose(1)[0][chips])
        # Searches that drew alike would meet the same networks on each accelerator.
        drawn = np.random.SeedSequence((self._seed, search)).generate_state(1)
        held.start(self.networks, int(drawn[0]))
        return held

    def _told(self) -> "Task":
        if self._task is None:
            raise not_informed(self)
        return self._task
