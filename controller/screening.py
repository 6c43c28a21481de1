"""Screening: cheap trainings decide which candidates are worth a dear one.

Successive halving, asynchronously (Li et al. 2020, https://arxiv.org/abs/1810.05934): a
candidate that keeps the limits climbs from the cheapest oracle to the study's own, and
is put aside where too many of the candidates before it did better by the same oracle.
Those before it are the trials that had been fed back when it was proposed, so that what
a seed finds does not depend on which training ends first.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, Protocol, get_args

import numpy as np
from moocore import pareto_rank

from nahas.controller.trial import Score
from nahas.search_space.oracle import Oracle

By = Literal["reward", "front"]


class Costed(Protocol):
    """What has costs; None where there is no finite number."""

    @property
    def latency_ms(self) -> float | None:
        """Simulated."""
        ...

    @property
    def energy_mj(self) -> float | None:
        """The same."""
        ...


@dataclass(frozen=True, slots=True)
class Screening:
    """How candidates are screened.

    Attributes:
        oracles: The cheaper ones, the cheapest first.
        keep: A candidate climbs on if less than this share of those before it, which
            the same oracle has judged, are better.
        by: What is better: a higher "reward"; or, for a whole "front", what is left
            on an earlier front of accuracy, latency and energy, each front being taken
            away in turn.

    Raises:
        TypeError: If the oracles are none.
        ValueError: If there is no oracle, or a value is out of range.
    """

    oracles: tuple[Oracle, ...]
    keep: float = 1 / 3
    by: By = "reward"

    def __post_init__(self) -> None:
        if not isinstance(self.oracles, tuple) or not all(
            isinstance(oracle, Oracle) for oracle in self.oracles
        ):
            raise TypeError(
                "`oracles` must be a tuple of oracles, with `key` and `evaluate`. "
                f"Received {self.oracles!r} (in screening)."
            )
        if not self.oracles:
            raise ValueError(
                "`oracles` must be one or more. Received none (in screening)."
            )
        if not isinstance(self.keep, float) or not 0 < self.keep < 1:
            raise ValueError(
                f"`keep` must be above 0 and below 1. Received {self.keep!r} "
                "(in screening.keep)."
            )
        if self.by not in get_args(By):
            raise ValueError(
                f"`by` must be one of {', '.join(get_args(By))}. Received {self.by!r} "
                "(in screening.by)."
            )


def check_together(oracles: Sequence[Oracle]) -> None:
    """Checks that one process can ask all oracles of a study, its own the last.

    Raises:
        ValueError: If two have one key, or other threads than each other.
    """
    for key, count in Counter(oracle.key for oracle in oracles).items():
        if count > 1:
            raise ValueError(
                "Oracles that screen, and the study's own, must all be different. "
                f"Received {count} of the key {key!r} (in screening)."
            )
    threads = {o.threads for o in oracles if hasattr(o, "threads")}
    if len(threads) > 1:
        raise ValueError(
            "`threads` must be the same in all oracles of a study. Received "
            f"{', '.join(map(str, sorted(threads)))} (in screening)."
        )


@dataclass(frozen=True, slots=True)
class Screened:
    """A candidate with its score, as it is compared with others.

    Attributes:
        score: Of the oracle that all are compared by.
        latency_ms: Simulated.
        energy_mj: The same.
    """

    score: Score
    latency_ms: float
    energy_mj: float

    @classmethod
    def of(cls, score: Score, costs: Costed) -> "Screened":
        """With the costs of a trial."""
        found = costs.latency_ms, costs.energy_mj
        return cls(score, *(inf if cost is None else cost for cost in found))


def share_better(one: Screened, before: Sequence[Screened], by: By) -> float:
    """Which share of candidates is better than one; 0 where there are none.

    >>> middle, low, high = (Screened(Score(a, a), 1.0, 1.0) for a in (0.5, 0.4, 0.6))
    >>> share_better(middle, [low, low, high, middle], "reward")
    0.25
    """
    if not before:
        return 0.0
    if by == "reward":
        better = [other.score.reward > one.score.reward for other in before]
        return float(np.mean(better))
    costs = [(-c.score.accuracy, c.latency_ms, c.energy_mj) for c in (one, *before)]
    ranks = pareto_rank(np.array(costs))
    return float(np.mean(ranks[1:] < ranks[0]))
