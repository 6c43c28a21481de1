"""Cheap before dear: what is known of a candidate before any training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.cost_model import evaluate_machines
from nahas.accelerator.machines import Machines
from nahas.accelerator.metrics import Limit, Metrics
from nahas.accelerator.template import Platform
from nahas.controller.outcome import finite
from nahas.controller.reward import Limits
from nahas.controller.screening import Screening
from nahas.controller.trial import Status
from nahas.search_space.joint import Candidate
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.space import SearchSpace

Reject = Literal["hard", "none"]
_REMEMBERED = 1024  # networks
RewardFunction = Callable[[NDArray[np.float64], Metrics], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of each candidate.

    Attributes:
        space: What may be chosen; its values are `Candidate`s.
        platform: What surrounds the accelerators.
        limits: Bounds that a candidate must keep: its costs to be trained, its accuracy
            to be feasible.
        reward: (accuracy [B], metrics) -> reward [B].
        oracle: Key of the oracle.
        reject: "hard", and what breaks a limit of a cost is not trained; or "none", and
            all that runs is.
        screening: Which cheaper oracles a candidate must pass first; None for none.

    Raises:
        ValueError: If `reject` is neither.
    """

    space: SearchSpace
    platform: Platform
    limits: Limits
    reward: RewardFunction
    oracle: str
    reject: Reject = "hard"
    screening: Screening | None = None

    def __post_init__(self) -> None:
        if self.reject not in get_args(Reject):
            raise ValueError(
                f"`reject` must be one of {', '.join(get_args(Reject))}. Received "
                f"{self.reject!r} (in search.reject)."
            )

    @property
    def oracles(self) -> tuple[str, ...]:
        """Keys of those that screen, the cheapest first, and of the study's own."""
        cheaper = self.screening.oracles if self.screening else ()
        return *(oracle.key for oracle in cheaper), self.oracle

    @property
    def told(self) -> "Task":
        """The task as controllers know it: without limits where none are taught."""
        return self if self.reject == "hard" else replace(self, limits=Limits())


@dataclass(frozen=True, slots=True)
class Judgement:
    """A candidate before any training.

    Attributes:
        network: Text of its network; empty where it could not be built.
        metrics: Its costs, a batch of one; None where it could not be simulated.
        status: "infeasible" or "rejected"; None where it is to be trained.
        violation: Relative excess over what it breaks.
        reason: What it breaks, in a line.
    """

    network: str
    metrics: Metrics | None
    status: Status | None = None
    violation: float = 0.0
    reason: str = ""

    @property
    def costs(self) -> "Costs":
        """What the metrics say, where it is finite."""
        found = self.metrics
        if found is None:
            return Costs(None, None, None, None)
        arrays = (found.latency_ms, found.energy_mj, found.area_mm2, found.utilization)
        return Costs(*(finite(float(array[0])) for array in arrays))


class Costs(NamedTuple):
    """The costs of a trial; None where there is no finite number."""

    latency_ms: float | None
    energy_mj: float | None
    area_mm2: float | None
    utilization: float | None


def judge(task: Task, choices: NDArray[np.int64]) -> Judgement:
    """Builds and simulates the candidate of choices [D]; trains nothing."""
    [judgement] = judge_all(task, choices[None])
    return judgement


def judge_all(task: Task, choices: NDArray[np.int64]) -> list[Judgement]:
    """`judge` for B candidates, of choices [B, D], at once: to the bit the same."""
    built = [_built(task.space, row) for row in choices]
    candidates = [one for one in built if isinstance(one, Candidate)]
    if not candidates:
        return [one for one in built if isinstance(one, Judgement)]
    machines = Machines.of([one.accelerator for one in candidates])
    workload = lower([one.network for one in candidates])
    metrics = evaluate_machines(workload, machines, task.platform)
    registers = machines.compute[:, 4]
    excess = violations(task.limits, metrics, machines.memory, registers)
    costed = (
        _judgement(task, one.network, metrics.take([i]), float(excess[i]))
        for i, one in enumerate(candidates)
    )
    return [one if isinstance(one, Judgement) else next(costed) for one in built]


def _built(space: SearchSpace, choices: NDArray[np.int64]) -> Candidate | Judgement:
    """The candidate of choices [D], or why they are of none."""
    try:
        candidate = space.decode(choices)
        if not isinstance(candidate, Candidate):
            raise TypeError(
                "`space` must hold pairs of a network and an accelerator. Received "
                f"{type(candidate).__name__} (make it with nahas.joint_space)."
            )
        _text(candidate.network)
    except ValueError as error:  # a combination of choices that cannot be built
        return Judgement("", None, "infeasible", 1.0, " ".join(str(error).split()))
    return candidate


@lru_cache(maxsize=_REMEMBERED)
def _text(network: Network) -> str:
    """The text of a network that can be lowered, which many trials may share."""
    lower([network])
    return str(network)


def _judgement(
    task: Task, network: Network, metrics: Metrics, violation: float
) -> Judgement:
    """Of a candidate with its costs, a batch of one."""
    text = _text(network)
    if not metrics.feasible[0]:
        return Judgement(text, metrics, "infeasible", violation, metrics.reason(0))
    if violation > 0:
        reason = task.limits.reason(metrics, 0)
        status: Status | None = "rejected" if task.reject == "hard" else None
        return Judgement(text, metrics, status, violation, reason)
    return Judgement(text, metrics)


def violations(
    limits: Limits,
    metrics: Metrics,
    local_memory: NDArray[np.int64],
    register_file: NDArray[np.int64],
) -> NDArray[np.float64]:
    """[B] how far pairs are from what may be trained; 0 where they may be.

    Σ max(0, cost/limit - 1) of a pair that runs; one that cannot has 1 and the excess
    over the machine's limit, relative to it, or 2 where that is not one of bytes.

    Args:
        limits: What must be kept.
        metrics: Costs of the B pairs.
        local_memory: [B] bytes of a PE's local memory.
        register_file: [B] bytes of a lane's register file.
    """
    if metrics.feasible.all():
        return limits.violation(metrics)
    room = np.where(metrics.limit == Limit.LOCAL_MEMORY, local_memory, 0)
    room = np.where(metrics.limit == Limit.REGISTER_FILE, register_file, room)
    excess = np.ones(len(metrics))
    np.divide(metrics.excess_bytes, room, out=excess, where=room > 0)
    return np.where(metrics.feasible, limits.violation(metrics), 1.0 + excess)
