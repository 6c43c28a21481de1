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
        sizes: [R, 3] MACs, parameters and operators of their networks.
    """

    violations: NDArray[np.float64]
    rows: NDArray[np.int64]
    metrics: Metrics | None
    sizes: NDArray[np.int64]


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
        return Appraisal(found, np.zeros(0, np.int64), None, np.zeros((0, 3), np.int64))
    machines = Machines.of([candidate.accelerator for candidate in candidates])
    workload = lower([candidate.network for candidate in candidates])
    metrics = evaluate_machines(workload, machines, task.platform)
    registers = machines.compute[:, 4]
    found[rows] = violations(task.limits, metrics, machines.memory, registers)
    counted = (workload.macs, workload.own_parameters, np.ones_like(workload.macs))
    sizes = np.stack([workload.per_network(values) for values in counted], axis=1)
    return Appraisal(found, np.array(rows, np.int64), metrics, sizes)


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


@dataclass(frozen=True, slots=True, eq=False)
class Prospects:
    """What B candidates would earn, before their accuracies are known.

    Attributes:
        violations: [B] as in `Appraisal`.
        slopes: [B] of the reward over the accuracy; 0 outside the limits.
        offsets: [B] the reward at accuracy 0; -inf outside the limits.
        sizes: [B, 3] MACs, parameters and operators; 0 where nothing could be built.
    """

    violations: NDArray[np.float64]
    slopes: NDArray[np.float64]
    offsets: NDArray[np.float64]
    sizes: NDArray[np.int64]


def prospects(task: Task, choices: NDArray[np.int64]) -> Prospects:
    """The rewards of choices [B, D] as lines in the accuracy.

    All forms of `Reward` are such lines: accuracy times or plus a function of the
    costs. One's own is taken for the line through its values at 1/2 and 1. The line of
    `Least` is level: its accuracy counts by its floor alone, `Limits.min_accuracy`,
    which is none of the violations here.
    """
    found = appraise(task, choices)
    sizes = np.zeros((len(choices), 3), np.int64)
    sizes[found.rows] = found.sizes
    slopes = np.zeros(len(choices))
    offsets = np.full(len(choices), -np.inf)
    kept = np.flatnonzero(found.violations[found.rows] == 0)
    if found.metrics is not None and len(kept):
        rows, metrics = found.rows[kept], found.metrics.take(kept)
        ends = [task.reward(np.full(len(kept), a), metrics) for a in (0.5, 1.0)]
        slopes[rows] = 2.0 * (ends[1] - ends[0])
        offsets[rows] = ends[1] - slopes[rows]
    return Prospects(found.violations, slopes, offsets, sizes)


def costed(
    task: Task, choices: NDArray[np.int64], accuracies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[B] violations, as `reward_all` has them, and [B, 2] latency ms and energy mJ.

    Both costs are +inf where nothing could be simulated.

    Args:
        task: What is asked of each candidate.
        choices: [B, D].
        accuracies: [B] fractions; NaN where one is not known, which breaks no floor.
    """
    found = appraise(task, choices)
    costs = np.full((len(choices), 2), np.inf)
    if found.metrics is not None:
        metrics = found.metrics
        costs[found.rows] = np.stack([metrics.latency_ms, metrics.energy_mj], axis=1)
    return found.violations + task.limits.shortfall(accuracies), costs
