"""Warm start: a study that begins with given candidates, then follows a controller."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nahas.controller.controller import (
    Controller,
    Informed,
    check_cardinalities,
    mode_of,
)
from nahas.controller.trial import Trial

if TYPE_CHECKING:  # the simulator takes a second to import
    from nahas.controller.judgement import Task


@runtime_checkable
class Adopting(Protocol):
    """What a controller may have besides: it learns from others' proposals.

    Policies and populations differ in what such a trial means to them, so a controller
    says it itself; one without `adopt` starts as it would anyway.
    """

    def adopt(self, trials: Sequence[Trial]) -> None:
        """Learn from completed trials of others' proposals.

        Args:
            trials: As in `update`, but that their numbers are not those of proposals.
        """
        ...


@final
@dataclass(eq=False)
class WarmStart:
    """Another controller behind a list of first proposals.

    Trials 1 to N are the rows, in their order; the others are the inner controller's,
    which numbers them from 1. It is told of the rows' trials when they come back, if it
    has `adopt`. The rows are part of the study's configuration, so that a study that is
    continued begins with the same ones, wherever they came from.

    >>> from nahas.controller import RandomSearch
    >>> controller = WarmStart(RandomSearch(), ((0, 2), (1, 1)))
    >>> controller.setup(np.array([3, 3]), seed=0)
    >>> controller.propose(3)[:2].tolist()
    [[0, 2], [1, 1]]

    Args:
        inner: Proposes the trials after them; new.
        rows: [N][D] choices of the first trials.

    Raises:
        ValueError: If there are no rows, or not of one length.
    """

    inner: Controller
    rows: tuple[tuple[int, ...], ...]
    _proposed: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.rows = tuple(tuple(int(choice) for choice in row) for row in self.rows)
        if len({len(row) for row in self.rows}) != 1:
            raise ValueError(
                "`rows` must be choices of one length, at least one row. Received "
                f"{self.rows!r} (in warm_start.rows)."
            )

    def inform(self, task: "Task") -> None:
        """Passed on to the inner controller, if it is to be told."""
        if isinstance(self.inner, Informed):
            self.inner.inform(task)

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Start on a space of [D] cardinalities.

        Raises:
            ValueError: If a row is not of the space.
        """
        found = check_cardinalities(cardinalities)
        for row in self.rows:
            inside = len(row) == len(found) and all(
                0 <= choice < count for choice, count in zip(row, found, strict=True)
            )
            if not inside:
                raise ValueError(
                    f"`rows` must be choices of the space, of cardinalities "
                    f"{found.tolist()}. Received {list(row)} (in warm_start.rows)."
                )
        self._proposed = 0
        self.inner.setup(found, seed=seed)

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] the rows at first, then the inner controller's choices."""
        first = np.array(self.rows, np.int64)[self._proposed : self._proposed + n]
        self._proposed += len(first)
        return np.concatenate([first, self.inner.propose(n - len(first))])

    def update(self, trials: Sequence[Trial]) -> None:
        """The inner controller adopts the rows' trials and learns from its own."""
        for trial in trials:
            number = trial.number - len(self.rows)
            if number > 0:
                self.inner.update([replace(trial, number=number)])
            elif isinstance(self.inner, Adopting):
                self.inner.adopt([trial])

    def mode(self) -> NDArray[np.int64] | None:
        """[D] the inner policy's mode; None where it has none."""
        return mode_of(self.inner)
