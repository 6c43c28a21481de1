"""Truths: networks with accuracies as a problem, and its exact answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.sweep import accelerators_at
from nahas.accelerator.template import Platform
from nahas.config import NetworkConfig
from nahas.controller.reward import Limits, Reward
from nahas.controller.true_front import QUANTILES, Front
from nahas.controller.truth import Best, Problem, Progress, Truth
from nahas.controller.truth_cache import counts_of, digest, truth_of
from nahas.search_space.space import SearchSpace
from nahas.search_space.tabular import b0_stages, every_network, nas_bench_macro
from nahas.train.imagenet_predictor import ImagenetPredictor
from nahas.train.table import TableOracle, proxy

_COSTS = ("latency_ms", "energy_mj", "area_mm2", "power_mw", "utilization")


@dataclass(frozen=True, eq=False)
class ScoredProblem:
    """Networks on every accelerator, and their accuracies.

    Attributes:
        space: Whose choices the networks are.
        problem: The K networks, deployed; each once, however many rows spell it.
        rows: [K] how many rows of a table, or choices of the space, do.
        seen: [K] the accuracy that a search sees: of a table, the first training's.
        judged: [K] that on which it is judged: of a table, the mean of the others.
        digest: Hash of the accuracies' source and of all that decides the costs.
    """

    space: SearchSpace
    problem: Problem
    rows: NDArray[np.int64]
    seen: NDArray[np.float64]
    judged: NDArray[np.float64]
    digest: str

    @property
    def pairs(self) -> int:
        """Rows times accelerators."""
        return int(self.rows.sum()) * len(self.problem.axes.machines.memory)


def table_problem(
    oracle: TableOracle,
    network: NetworkConfig | None = None,
    platform: Platform | None = None,
) -> ScoredProblem:
    """The problem of a table whose networks are deployed at a size.

    Raises:
        ValueError: If the table cannot be read, or holds none of these networks.
    """
    table = oracle.table
    space = nas_bench_macro(**asdict(network or NetworkConfig()))
    deployed = every_network(space)
    rows = {one: table.spelt.get(str(proxy(one)), 0) for one in deployed}
    known = tuple(one for one, count in rows.items() if count)
    if not known:
        raise ValueError(
            f"The table must hold networks of this size. Received {oracle.path} for "
            f"{space.name} with {network} (in network)."
        )
    problem = Problem.on_grid(known, platform)
    return ScoredProblem(
        space,
        problem,
        np.array([rows[one] for one in known], dtype=np.int64),
        oracle.evaluate(known).accuracy,
        oracle.judge(known).accuracy,
        _named(problem, oracle.key),
    )


def predictor_problem(platform: Platform | None = None) -> ScoredProblem:
    """EfficientNet-B0's stages, with the accuracies of the ImageNet predictor.

    They are declared true, so that it is a surrogate's truth and without noise.
    """
    space, oracle = b0_stages(), ImagenetPredictor()
    networks = tuple(every_network(space))
    accuracies = oracle.evaluate(networks).accuracy
    problem = Problem.on_grid(networks, platform)
    rows = np.ones(len(networks), dtype=np.int64)
    named = _named(problem, oracle.key)
    return ScoredProblem(space, problem, rows, accuracies, accuracies, named)


def _named(problem: Problem, accuracies: str) -> str:
    return blake2b(
        f"{digest(problem)} {accuracies}".encode(), digest_size=16
    ).hexdigest()


@dataclass(frozen=True, eq=False)
class Target:
    """A latency to reach, and the best pair that does.

    Attributes:
        quantile: Of the latencies on the true front.
        latency_ms: The target.
        pairs: How many pairs reach it within the limits.
        share: Of all pairs.
        best: The most accurate pair that does.
    """

    quantile: float
    latency_ms: float
    pairs: int
    share: float
    best: Best


@dataclass(frozen=True, eq=False)
class Answer:
    """What is true of a problem under limits.

    Attributes:
        problem: The problem.
        limits: The limits.
        truth: Its contenders.
        front: The true front: accuracy as judged, latency, energy.
        within: How many pairs keep the limits.
        targets: The targets, tightest first.
    """

    problem: ScoredProblem
    limits: Limits
    truth: Truth
    front: Front
    within: int
    targets: tuple[Target, ...]


def answer(
    problem: ScoredProblem,
    limits: Limits,
    folder: Path,
    progress: Progress | None = None,
) -> Answer | None:
    """The true front, the targets on it and how many pairs reach them.

    Args:
        problem: The problem.
        limits: What each pair must keep.
        folder: Where what takes minutes is kept.
        progress: Told of every network that has been simulated.

    Returns:
        None where no pair keeps the limits.
    """
    truth = truth_of(problem.problem, folder, progress)
    front = truth.front(problem.judged, limits)
    if not len(front):
        return None
    aims = front.targets_ms.tolist()
    asked = [limits, *(_tighter(limits, aim) for aim in aims)]
    within, *counts = counts_of(problem.problem, asked, problem.rows, folder, progress)
    targets = []
    for quantile, aim, tight, count in zip(
        QUANTILES, aims, asked[1:], counts, strict=True
    ):
        best = truth.optimum(problem.judged, Reward(), tight)
        assert best is not None  # a point of the front is one
        targets.append(Target(quantile, aim, count, count / problem.pairs, best))
    return Answer(problem, limits, truth, front, within, tuple(targets))


def _tighter(limits: Limits, latency_ms: float) -> Limits:
    own = limits.max_latency_ms
    return replace(
        limits, max_latency_ms=latency_ms if own is None else min(own, latency_ms)
    )


def front_rows(front: Front, problem: ScoredProblem) -> list[dict[str, Any]]:
    """The front in JSON's types, quickest first."""
    return _rows(problem, front.network, front.place, front.costs)


def best_row(best: Best, problem: ScoredProblem) -> dict[str, Any]:
    """A pair in JSON's types."""
    [row] = _rows(problem, [best.network], np.array([best.place]), best.costs)
    return row


def _rows(
    problem: ScoredProblem, networks: Sequence[int] | NDArray[np.int64],
    places: NDArray[np.int64], costs: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    chips = accelerators_at(places)
    return [
        {
            "accuracy": float(problem.judged[k]),
            "seen": float(problem.seen[k]),
            **{name: float(getattr(costs, name)[i]) for name in _COSTS},
            "network": str(problem.problem.networks[k]),
            "accelerator": asdict(chip),
        }
        for i, (k, chip) in enumerate(zip(networks, chips, strict=True))
    ]
