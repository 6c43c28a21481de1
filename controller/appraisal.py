"""Many candidates at once, as far as they are known before any training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.cost_model import evaluate_machines
from nahas.accelerator.machines import Machines
from nahas.accelerator.metrics import Metrics
from nahas.controller.judgement import Task, violations
from nahas.search_space.joint import Candidate
from nahas.search_space.lower import lower


@dataclass(frozen=True, slots=True, eq=False)
class Appraisal:
    """Costs of B candidates.

    Attributes:
        violations: [B] as `judge` finds them; 0 for what may be trained.
        rows: [R] those that could be simulated.
        metrics: Their costs; None where R is 0.
    """

    violations: NDArray[np.float64]
    rows: NDArray[np.int64]
    metrics: Metrics | None


def appraise(task: Task, choices: NDArray[np.int64]) -> Appraisal:
    """Builds and simulates the candidates of choices [B, D]; trains nothing.

    `judge` for each gives the same violations, one at a time.
    """
    candidates, rows = [], []
    for row, choice in enumerate(choices):
        try:
            candidate = task.space.decode(choice)
        except ValueError:  # a combination of choices that cannot be built
            continue
        if isinstance(candidate, Candidate):  # another is refused when it is judged
            candidates.append(candidate)
            rows.append(row)
    found = np.ones(len(choices))
    if not rows:
        return Appraisal(found, np.zeros(0, np.int64), None)
    machines = Machines.of([candidate.accelerator for candidate in candidates])
    workload = lower([candidate.network for candidate in candidates])
    metrics = evaluate_machines(workload, machines, task.platform)
    registers = machines.compute[:, 4]
    found[rows] = violations(task.limits, metrics, machines.memory, registers)
    return Appraisal(found, np.array(rows, np.int64), metrics)


def reward_all(
    task: Task, choices: NDArray[np.int64], accuracies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[B] violations, and [B] rewards at the accuracies; -inf outside the limits.

    An accuracy below its floor adds to the violation. One that breaks costs' limits too
    counts as well: of two such, the nearer to all limits is the better start.

    Args:
        task: What is asked of each candidate.
        choices: [B, D].
        accuracies: [B] fractions; NaN where one is not known, which breaks no floor.
    """
    found = appraise(task, choices)
    violations = found.violations + task.limits.shortfall(accuracies)
    rewards = np.full(len(choices), -np.inf)
    kept = np.flatnonzero(violations[found.rows] == 0)
    if found.metrics is not None and len(kept):
        rows = found.rows[kept]
        rewards[rows] = task.reward(accuracies[rows], found.metrics.take(kept))
    return violations, rewards
