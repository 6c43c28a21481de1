"""Random search: every point equally likely, whatever came of the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import check_cardinalities, uniform
from nahas.controller.trial import Trial


@final
@dataclass(eq=False)
class RandomSearch:
    """Uniform and independent proposals: the yardstick of all other controllers.

    >>> search = RandomSearch()
    >>> search.setup(np.array([3, 3]), seed=0)
    >>> search.propose(2).shape
    (2, 2)
    """

    _cardinalities: NDArray[np.int64] = field(init=False, repr=False)
    _rng: np.random.Generator = field(init=False, repr=False)

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start on a space of [D] cardinalities."""
        self._cardinalities = check_cardinalities(cardinalities)
        self._rng = np.random.default_rng(seed)

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] uniform choices."""
        return uniform(self._rng, self._cardinalities, n)

    def update(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""
