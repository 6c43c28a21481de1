"""Oracle: whatever says how accurate a network is.

`train/` fulfils the protocol, `controller/` is handed a value of it; the two never
meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nahas.search_space.network import Network


@dataclass(frozen=True, eq=False)
class Estimate:
    """Accuracies of B networks.

    Attributes:
        accuracy: [B] fraction of validation images classified right; NaN only where
            `error` says why.
        deviation: [B] standard deviation of `accuracy`, as far as it is known.
        seconds: [B] CPU seconds that it took.
        error: B messages, empty where the accuracy is sound.
    """

    accuracy: NDArray[np.float64]
    deviation: NDArray[np.float64]
    seconds: NDArray[np.float64]
    error: tuple[str, ...]

    def __post_init__(self) -> None:
        for spec in fields(self)[:-1]:
            getattr(self, spec.name).setflags(write=False)


@runtime_checkable
class Oracle(Protocol):
    """Accuracy of networks. An implementation is a frozen value, rebuilt by workers.

    One that takes no time for an accuracy may say so by a class attribute `instant`,
    True: then what a report would like to know besides is asked for too.
    """

    @property
    def key(self) -> str:
        """Recipe, data, fidelity and seed in one line.

        Two oracles with one key give one network the same accuracy.
        """
        ...

    def evaluate(self, networks: Sequence[Network]) -> Estimate:
        """Accuracies of B networks, deterministic in (key, network)."""
        ...
