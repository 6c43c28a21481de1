"""The true front of a problem, the targets on it, and which part of it points reach."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nahas.accelerator.mix import Costs
from nahas.controller.pareto import hypervolume

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = (0.1, 0.25, 0.5, 0.75)
"""Of the latencies on the true front: the targets of a problem."""

_MARGIN = 0.1  # as the front of a sweep has it


@dataclass(frozen=True, eq=False)
class Front:
    """F pairs that no pair beats in accuracy, latency and energy; quickest first.

    Attributes:
        accuracy: [F] of the networks.
        network: [F] which of the K networks.
        place: [F] which of the G accelerators.
        costs: [F] their costs.
    """

    accuracy: Floats
    network: Ints
    place: Ints
    costs: Costs

    def __len__(self) -> int:
        return len(self.accuracy)

    @property
    def targets_ms(self) -> Floats:
        """[4] quantiles of the latencies, each that of a point of the front.

        Raises:
            ValueError: If the front is empty.
        """
        if not len(self):
            raise ValueError("A front must hold a pair to have targets. Received none.")
        found: Floats = np.quantile(
            self.costs.latency_ms, QUANTILES, method="inverted_cdf"
        )
        return found

    @property
    def objectives(self) -> Floats:
        """[F, 3] what is minimised: error (1 - accuracy), latency, energy."""
        return objectives(self.accuracy, self.costs)

    @property
    def reference(self) -> Floats:
        """[3] the corner of the hypervolume: a tenth of the front's extent beyond it.

        Raises:
            ValueError: If the front is empty.
        """
        least, worst = self._extent()
        return worst + _MARGIN * (worst - least)

    def share(self, points: ArrayLike) -> float:
        """Which part points [B, 3] dominate of the box of the front's hypervolume.

        The box goes from the front's best of each objective to `reference`; points
        beyond the best are counted up to there.

        Raises:
            ValueError: If the front is empty or has no extent in an objective.
        """
        least, worst = self._extent()
        if not (worst > least).all():
            raise ValueError(
                "A front must extend in each objective to have a hypervolume. Received "
                f"{least.tolist()} to {worst.tolist()}."
            )
        unit = (np.asarray(points, np.float64) - least) / (self.reference - least)
        return hypervolume(np.maximum(unit, 0.0), np.ones(3))

    @property
    def hypervolume(self) -> float:
        """The `share` of the front itself."""
        return self.share(self.objectives)

    def _extent(self) -> tuple[Floats, Floats]:
        if not len(self):
            raise ValueError("A front must hold a pair to have an extent.")
        return self.objectives.min(axis=0), self.objectives.max(axis=0)


def objectives(accuracy: Floats, costs: Costs) -> Floats:
    """[B, 3] what the front minimises: error (1 - accuracy), latency, energy."""
    return np.stack([1.0 - accuracy, costs.latency_ms, costs.energy_mj], axis=1)
