"""Proof: what branch and bound knows of the best pair of a space."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Proof:
    """What is known of the best pair.

    Attributes:
        choices: [D] of the best pair found; None where there is none.
        reward: Its score, at the predicted accuracy; -inf where there is none.
        accuracy: Its predicted accuracy.
        bound: No pair scores more, but for rounding (1e-9 of a score).
        pairs: Pairs of a network and an accelerator in the space.
        accelerators: Accelerators of the space.
        screened: Of them, those whose ceiling ruled them out without any search.
        searched: Of them, those whose networks were branched, all to the end.
        nodes: Partial networks whose ceiling was computed.
        simulated: Pairs that were simulated to score them.
        seconds: Wall-clock time.
    """

    choices: NDArray[np.int64] | None
    reward: float
    accuracy: float
    bound: float
    pairs: int
    accelerators: int
    screened: int
    searched: int
    nodes: int
    simulated: int
    seconds: float

    @property
    def gap(self) -> float:
        """How much better the optimum may be; 0 where the pair is proven the best."""
        return 0.0 if self.proven else self.bound - self.reward

    @property
    def proven(self) -> bool:
        """Whether no pair is better, or none keeps the limits."""
        return self.bound <= self.reward


class BoundError(RuntimeError):
    """A pair costs less than its bound: the bounds do not fit the cost model."""


Progress = Callable[[Proof], None]
"""Told what is known, now and then."""
