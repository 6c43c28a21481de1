"""Evaluation: how one training ends, and what its result may depend on.

This is all that a task on Ray needs: it imports no database, whose 20 MB and half a
second each of its processes would take.
"""

import math
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from nahas.search_space.network import Network
from nahas.search_space.oracle import Oracle

_TRAININGS_PER_PROCESS = 100
_LIBRARIES = ("nahas", "numpy", "numba", "pyglove", "keras", "tensorflow")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one training ended.

    Attributes:
        accuracy: Fraction of validation images; None where it failed.
        deviation: Standard deviation of `accuracy`, as far as it is known.
        error: Why it failed, in a line; empty where it did not.
        seconds: CPU seconds that it took.
    """

    accuracy: float | None
    deviation: float | None = None
    error: str = ""
    seconds: float = 0.0


def evaluate(oracle: Oracle, network: str) -> Outcome:
    """The accuracy of one network; whatever goes wrong becomes the outcome's error."""
    started = time.process_time()
    try:
        estimate = oracle.evaluate([Network.parse(network)])
        accuracy = finite(float(estimate.accuracy[0]))
        error = _line(estimate.error[0])
        if accuracy is None and not error:
            error = f"the accuracy is {estimate.accuracy[0]}"
        return Outcome(
            None if error else accuracy,
            finite(float(estimate.deviation[0])),
            error,
            float(estimate.seconds[0]),
        )
    except Exception as error:  # one bad candidate never stops a study
        seconds = time.process_time() - started
        text = f"{type(error).__name__}: {error}"
        return Outcome(None, error=_line(text), seconds=seconds)


def late(timeout_seconds: float) -> Outcome:
    """The outcome of a training that was given up for its length."""
    error = f"training took longer than {timeout_seconds:g} s"
    return Outcome(None, error=error, seconds=timeout_seconds)


def fewest_trainings(oracles: Sequence[Oracle]) -> int:
    """After how many trainings a process is replaced, for libraries may leak.

    An oracle that trains nothing says 0, never, in its `trainings_per_process`.
    """
    name, usual = "trainings_per_process", _TRAININGS_PER_PROCESS
    asked = [int(getattr(oracle, name, usual)) for oracle in oracles]
    return min((count for count in asked if count), default=0)


def most_threads(oracles: Sequence[Oracle]) -> int:
    """Of a process that trains: recipes state theirs, and results' last bits depend."""
    return max(int(getattr(oracle, "threads", 1)) for oracle in oracles)


def versions() -> dict[str, str]:
    """What, besides the seed, a result may depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def finite(value: float) -> float | None:
    """The value as a plain float; None where it is not finite.

    >>> finite(float("inf")) is None
    True
    """
    return float(value) if math.isfinite(value) else None


def _line(text: str) -> str:
    """The text on one line of at most 300 characters."""
    return " ".join(text.split())[:300]
