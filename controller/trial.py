"""Trial: one proposal and what came of it."""

from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["trained", "reused", "screened", "rejected", "infeasible", "failed"]


@dataclass(frozen=True, slots=True)
class Score:
    """What a cheaper oracle made of a candidate (`screening.py`).

    Attributes:
        accuracy: By that oracle.
        reward: With that accuracy.
    """

    accuracy: float
    reward: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One completed proposal of a study.

    Attributes:
        number: Place in the order of proposals, from 1.
        choices: The D chosen indices, one a knob.
        status: "trained" here, "reused" from an earlier training of the same network,
            "screened" out by a cheaper one, "rejected" by a limit before training,
            "infeasible" on its accelerator, or "failed" in training.
        accuracy: Validation accuracy of the proxy; None where it was not trained.
        latency_ms: Simulated latency of the deployed network; None where not finite.
        energy_mj: Simulated energy of one inference.
        area_mm2: Area of the accelerator.
        utilization: MACs done over peak MACs.
        reward: What the search maximises; None unless trained or reused.
        feasible: Whether the machine runs it, no limit is broken, the accuracy's floor
            included, and training worked.
        violation: Relative excess over the broken limits, summed; 0 where feasible. Of
            one that was screened out, the share of those before it that are better.
        reason: Why it is not feasible, in a line.
        error: What went wrong in training, in a line.
        seconds: CPU seconds of its trainings; not part of what a seed promises.
        scores: What the cheaper oracles made of it, the cheapest first.
    """

    number: int
    choices: tuple[int, ...]
    status: Status
    accuracy: float | None
    latency_ms: float | None
    energy_mj: float | None
    area_mm2: float | None
    utilization: float | None
    reward: float | None
    feasible: bool
    violation: float
    reason: str = ""
    error: str = ""
    seconds: float = 0.0
    scores: tuple[Score, ...] = ()

    @property
    def unlimited(self) -> "Trial":
        """The trial where limits are not taught: feasible if it has a reward."""
        if self.reward is None:
            return self
        return replace(self, feasible=True, violation=0.0, reason="")

    @property
    def outcome(self) -> tuple[object, ...]:
        """All that the same seed repeats: everything but the seconds."""
        return (
            self.number,
            self.choices,
            self.status,
            self.accuracy,
            self.latency_ms,
            self.energy_mj,
            self.area_mm2,
            self.utilization,
            self.reward,
            self.feasible,
            self.violation,
            self.reason,
            self.error,
            self.scores,
        )
