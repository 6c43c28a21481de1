"""Exact sweep: a controller chooses the network, the simulator the accelerator."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    Controller,
    Informed,
    check_cardinalities,
    check_told,
    not_informed,
)
from nahas.controller.random_search import RandomSearch
from nahas.controller.trial import Trial

if TYPE_CHECKING:
    from nahas.controller.best_accelerator import BestAccelerator
    from nahas.controller.judgement import Task


@final
@dataclass(eq=False)
class ExactSweep:
    """Another controller over networks, each with its best accelerator by exact sweep.

    Accuracy belongs to the network, and costs are simulated: so the best accelerator of
    a network, for the reward and within the limits, is known before any training
    (`best_accelerator.py` has the proof), and the inner controller is left with the
    network's knobs alone, and never sees an accelerator. One that is told the task
    judges pairs, and goes on to: what it proposes is a network, with an accelerator
    that is at most as good as the one that the network then gets and that the inner
    controller learns of. Where no accelerator keeps the limits the least violating one
    is proposed; the trial is rejected, and the inner controller learns from its
    violation.

    A sweep of a network's 50,000 accelerators takes some 0.1 s, once a network; a study
    that is continued sweeps those of its trials again.

    Args:
        inner: Chooses networks.
    """

    inner: Controller = field(default_factory=RandomSearch)
    _cardinalities: NDArray[np.int64] = field(init=False, repr=False)
    _best: "BestAccelerator | None" = field(default=None, init=False, repr=False)
    _chosen: NDArray[np.int64] = field(init=False, repr=False)
    _networks: NDArray[np.int64] = field(init=False, repr=False)

    def inform(self, task: "Task") -> None:
        """Be told what the best accelerator is.

        Raises:
            ValueError: If the space's accelerators cannot be swept, or the inner
                controller cannot search such a space.
        """
        # The simulator takes a second to import.
        from nahas.controller.best_accelerator import BestAccelerator

        self._cardinalities = task.space.cardinalities
        self._best = BestAccelerator(task)
        if isinstance(self.inner, Informed):
            self.inner.inform(task)

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start the inner controller on the knobs that it chooses.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found = check_cardinalities(cardinalities)
        best = self._told()
        check_told(found, self._cardinalities)
        judges_pairs = isinstance(self.inner, Informed)
        self._chosen = np.arange(len(found)) if judges_pairs else best.network_knobs
        self._networks = np.searchsorted(self._chosen, best.network_knobs)
        self.inner.setup(found[self._chosen], seed=seed)

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] networks of the inner controller, each with its best accelerator."""
        best = self._told()
        rows = [
            best.complete(choices[self._networks]) for choices in self.inner.propose(n)
        ]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """The inner controller learns what came of its networks."""
        self._told()
        knobs = self._chosen.tolist()
        self.inner.update(
            [replace(t, choices=tuple(t.choices[d] for d in knobs)) for t in trials]
        )

    def _told(self) -> "BestAccelerator":
        if self._best is None:
            raise not_informed(self)
        return self._best
