"""Controller: the seam of everything that chooses, and what controllers share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nahas.controller.trial import Trial

if TYPE_CHECKING:  # the simulator takes a second to import, which few need
    from nahas.controller.judgement import Task

T = TypeVar("T")

ATTEMPTS = 20


@runtime_checkable
class Controller(Protocol):
    """Proposes choices and learns from completed trials.

    A study of D knobs drives a controller like this, with feedback that lags behind by
    the study's window:

        setup([c1, ..., cD], seed=0)
        propose(1)                  # trial 1
        propose(1)                  # trial 2
        update([trial 1])
        propose(1)                  # trial 3
        update([trial 2])

    A study is resumed by making the same calls again, so everything that a controller
    proposes is a function of its constructor's arguments, of `setup` and of the
    calls since. Nothing else is stored: no pickle, no state of a generator.

    One's own is any class with the three methods, named on the command line as
    `--controller module:name`. This one copies the best trial so far, but for a knob:

    >>> class Climber:
    ...     def setup(self, cardinalities, *, seed):
    ...         self.cardinalities = cardinalities
    ...         self.rng = np.random.default_rng(seed)
    ...         self.best = None
    ...
    ...     def propose(self, n):
    ...         rows = uniform(self.rng, self.cardinalities, n)
    ...         for row in rows if self.best else ():
    ...             knob = self.rng.integers(len(row))
    ...             value = row[knob]
    ...             row[:] = self.best.choices
    ...             row[knob] = value
    ...         return rows
    ...
    ...     def update(self, trials):
    ...         known = [self.best] if self.best else []
    ...         self.best = max([*known, *trials], key=rank_key)
    >>> isinstance(Climber(), Controller)
    True
    """

    def setup(self, cardinalities: NDArray[np.int64], *, seed: int) -> None:
        """Forget everything and start on a space.

        Args:
            cardinalities: [D] number of values of each knob, at least 1.
            seed: Decides every draw; 0 or more.
        """
        ...

    def propose(self, n: int) -> NDArray[np.int64]:
        """[n, D] indices of the values chosen for the next n trials.

        `propose(n)` equals n calls of `propose(1)`.
        """
        ...

    def update(self, trials: Sequence[Trial]) -> None:
        """Learn from completed trials.

        Args:
            trials: What came of earlier proposals, in their order; `Trial.number` k
                is the k-th proposal since `setup`. Infeasible, rejected and failed
                trials come too, without a reward and with a `violation`.
        """
        ...


@runtime_checkable
class Informed(Protocol):
    """What a controller may have besides: it is told the task, and may simulate it.

    `search` calls `inform` before `setup`, also when a study is continued. Nothing of
    it is stored: simulation is deterministic, so that the calls made again give the
    same proposals. Accuracy is not told: that is what trials are for.
    """

    def inform(self, task: "Task") -> None:
        """Be told the space, platform, limits and reward of the study.

        Args:
            task: What is asked of each candidate; `setup` follows with the
                cardinalities of its space.

        Raises:
            ValueError: If the controller cannot search such a space.
        """
        ...


@runtime_checkable
class HasMode(Protocol):
    """What a controller may have besides: a policy, whose mode is asked for at the end.

    A search by a policy has two results: the best candidate that it met, and the one
    that its policy holds for the best.
    """

    def mode(self) -> NDArray[np.int64] | None:
        """[D] the most probable choices; None where there is no policy after all.

        Of equally probable values the first. After `setup`; draws nothing.
        """
        ...


def mode_of(controller: Controller) -> NDArray[np.int64] | None:
    """[D] the mode of a controller's policy; None where it has none."""
    return controller.mode() if isinstance(controller, HasMode) else None


def not_informed(controller: Informed) -> ValueError:
    """The error of a controller that is driven without having been told the task."""
    return ValueError(
        f"{type(controller).__name__} must be told the task by `inform` before "
        "`setup`, as `nahas.search` does; it cannot search a bare space."
    )


def check_told(cardinalities: NDArray[np.int64], told: NDArray[np.int64]) -> None:
    """Raise a ValueError unless `setup` gets the space that `inform` was told of."""
    if not np.array_equal(cardinalities, told):
        raise ValueError(
            "`cardinalities` must be those of the space that `inform` was told of, "
            f"{told.tolist()}. Received {cardinalities.tolist()} (in controller.setup)."
        )


def check_cardinalities(cardinalities: ArrayLike) -> NDArray[np.int64]:
    """[D] cardinalities as a read-only array of their own.

    Raises:
        ValueError: If they are not a row of D >= 1 positive integers.
    """
    array = np.array(cardinalities)
    integers = np.issubdtype(array.dtype, np.integer)
    if array.ndim != 1 or array.size == 0 or not integers or array.min() < 1:
        raise ValueError(
            "`cardinalities` must be a row of positive integers, one a knob. "
            f"Received {cardinalities!r} (in controller.setup)."
        )
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def check_count(value: object, name: str, where: str, *, least: int = 1) -> None:
    """Raise a ValueError unless `value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. "
            f"Received {value!r} (in {where}.{name})."
        )


def uniform(
    rng: np.random.Generator, cardinalities: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """[n, D] choices, every point of the space equally likely.

    >>> uniform(np.random.default_rng(0), np.array([3, 1]), 2).shape
    (2, 2)
    """
    return rng.integers(0, cardinalities, size=(n, len(cardinalities)))


def unseen(
    draw: Callable[[], NDArray[np.int64]], seen: set[bytes]
) -> NDArray[np.int64]:
    """[D] a draw that is not among those seen, to which it is added.

    After 20 draws it takes what comes: only a space that is nearly searched through
    needs more, and there a repeated proposal does no harm.
    """
    for _ in range(ATTEMPTS):
        choices = draw()
        if choices.tobytes() not in seen:
            break
    seen.add(choices.tobytes())
    return choices


def rank_key(trial: Trial) -> tuple[bool, float]:
    """What trials are compared by: the larger is the better one.

    Constraint domination (Deb et al. 2002, "A fast and elitist multiobjective genetic
    algorithm: NSGA-II", section VI): a feasible trial beats any other, feasible ones
    compare by reward, the others by the smaller violation.
    """
    if trial.feasible and trial.reward is not None:
        return True, trial.reward
    return False, -trial.violation


@dataclass(slots=True)
class ScalarFeedback:
    """Constraint domination in one number, for controllers that need one.

    A feasible trial gives its reward; any other the lowest reward so far minus
    min(1, violation), so that it ranks below every feasible one met until then and a
    smaller violation is still better. Before the first reward the lowest is taken to
    be 0, where accuracy times powers of costs ends.

    Attributes:
        lowest: Lowest reward so far; None before the first.
    """

    lowest: float | None = field(default=None, init=False)

    def __call__(self, trial: Trial) -> float:
        """The number for the next trial, in the order of feedback."""
        if trial.feasible and trial.reward is not None:
            _check_number(trial.reward, "reward", trial)
            if self.lowest is None or trial.reward < self.lowest:
                self.lowest = trial.reward
            return trial.reward
        _check_number(trial.violation, "violation", trial)
        lowest = 0.0 if self.lowest is None else self.lowest
        return lowest - min(1.0, trial.violation)


def _check_number(value: float, name: str, trial: Trial) -> None:
    # A NaN compares false with everything: it would stay the best or lowest for ever.
    if isnan(value):
        raise ValueError(
            f"`{name}` must be a number. Received nan (in trial {trial.number}); "
            "give a failed trial feasible=False and a violation instead."
        )


class Awaited(Generic[T]):
    """What a controller keeps of each proposal until its trial comes back."""

    def __init__(self) -> None:
        self._kept: dict[int, T] = {}
        self._proposed = 0

    def keep(self, value: T) -> int:
        """Keep a value for the next proposal; returns the proposal's number."""
        self._proposed += 1
        self._kept[self._proposed] = value
        return self._proposed

    def take(self, trial: Trial) -> T:
        """The value kept for a trial, which is then no longer awaited.

        Raises:
            ValueError: If it was never proposed or has been fed back already.
        """
        if trial.number not in self._kept:
            raise ValueError(
                f"`trials` must have been proposed since `setup` and come once. "
                f"Received number {trial.number} of {self._proposed} proposals, of "
                f"which {sorted(self._kept)} are awaited (in controller.update)."
            )
        return self._kept.pop(trial.number)
