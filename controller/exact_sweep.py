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
    mode_of,
    not_informed,
)
from nahas.controller.random_search import RandomSearch
from nahas.controller.trial import Trial
from nahas.controller.warm_start import Adopting

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
    network's knobs alone, and never sees an accelerator. One that is told the task is
    told one of networks alone, each with its best accelerator, so that it judges a
    network by the best that can become of it. Where no accelerator keeps the limits the
    least violating one is proposed; the trial is rejected, and the inner controller
    learns from its violation.

    A sweep of a network's 50,000 accelerators takes some 0.1 s, once a network; a study
    that is continued sweeps those of its trials again. Inside a controller that is told
    the task it sweeps all networks that this considers, seconds a proposal.

    Args:
        inner: Chooses networks.
    """

    inner: Controller = field(default_factory=RandomSearch)
    _cardinalities: NDArray[np.int64] = field(init=False, repr=False)
    _best: "BestAccelerator | None" = field(default=None, init=False, repr=False)

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
            self.inner.inform(replace(task, space=self._best.networks))

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start the inner controller on the knobs of the network.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found = check_cardinalities(cardinalities)
        best = self._told()
        check_told(found, self._cardinalities)
        self.inner.setup(found[best.network_knobs], seed=seed)

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] networks of the inner controller, each with its best accelerator."""
        best = self._told()
        rows = [best.complete(network) for network in self.inner.propose(n)]
        return np.array(rows, np.int64).reshape(n, len(self._cardinalities))

    def update(self, trials: Sequence[Trial]) -> None:
        """The inner controller learns what came of its networks."""
        self.inner.update(self._of_networks(trials))

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Passed on to the inner controller, if it learns from others' trials."""
        if isinstance(self.inner, Adopting):
            self.inner.adopt(self._of_networks(trials))

    def _of_networks(self, trials: Sequence[Trial]) -> list[Trial]:
        knobs = self._told().network_knobs.tolist()
        return [replace(t, choices=tuple(t.choices[d] for d in knobs)) for t in trials]

    def mode(self) -> NDArray[np.int64] | None:
        """[D] the network that is the inner policy's mode, and its best accelerator."""
        network = mode_of(self.inner)
        return None if network is None else self._told().complete(network)

    def _told(self) -> "BestAccelerator":
        if self._best is None:
            raise not_informed(self)
        return self._best
