"""Fixed: the network is searched, the accelerator is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.template import Accelerator
from nahas.controller.controller import (
    Controller,
    check_cardinalities,
    check_told,
    mode_of,
    not_informed,
)
from nahas.controller.held import Held
from nahas.controller.random_search import RandomSearch
from nahas.controller.trial import Trial
from nahas.controller.warm_start import Adopting
from nahas.search_space.joint import accelerator_choices, accelerator_knobs

if TYPE_CHECKING:
    from nahas.controller.judgement import Task


@final
@dataclass(eq=False)
class FixedAccelerator:
    """Another controller over networks, all on one accelerator.

    Platform-aware network search, as it is done where the chip is there already.

    Args:
        inner: Chooses networks.
        accelerator: Runs them; one of the space.
    """

    inner: Controller = field(default_factory=RandomSearch)
    accelerator: Accelerator = BASELINE
    _held: Held | None = field(default=None, init=False, repr=False)

    def inform(self, task: "Task") -> None:
        """Be told which knobs are the accelerator's.

        Raises:
            ValueError: If the space has not the accelerator, or `inner` refuses it.
        """
        places = accelerator_knobs(task.space)
        held = Held(task, places, accelerator_choices(task.space, self.accelerator))
        held.inform(self.inner)
        self._held = held

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start the inner controller on the space with the accelerator held.

        Raises:
            ValueError: If the controller was not told the task, or of another space.
        """
        found, held = check_cardinalities(cardinalities), self._told()
        check_told(found, held.task.space.cardinalities)
        held.start(self.inner, seed)

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] networks of the inner controller, all on the accelerator."""
        return self._told().whole(self.inner.propose(n))

    def update(self, trials: Sequence[Trial]) -> None:
        """The inner controller learns what came of its networks."""
        held = self._told()
        self.inner.update([held.part(trial, trial.number) for trial in trials])

    def adopt(self, trials: Sequence[Trial]) -> None:
        """The inner controller may learn from others' networks, on any accelerator."""
        held = self._told()
        if isinstance(self.inner, Adopting):
            self.inner.adopt([held.part(trial, trial.number) for trial in trials])

    def mode(self) -> NDArray[np.int64] | None:
        """[D] the network that is the inner policy's mode, on the accelerator."""
        network = mode_of(self.inner)
        return None if network is None else self._told().whole(network)

    def _told(self) -> Held:
        if self._held is None:
            raise not_informed(self)
        return self._held
