"""The truth of three problems, every network on every accelerator, and a check of it.

    python benchmarks/truth.py --data FOLDER

NAS-Bench-Macro's networks are posed at two sizes: deployed at 224x224 with 1,000
classes, and at CIFAR-10's own 32x32. The third problem are the stages of
EfficientNet-B0 with the accuracies of the ImageNet predictor. What `nahas truth`
answers is compared with plain maxima over all pairs of every eighth network, found
without contenders. What takes minutes is kept as the command keeps it. The tables and
the picture go to results/truth/.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from comparison_costs import remembered
from page import ROOT, command, cores, made_with, table, write_csv

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.mix import Costs
from nahas.accelerator.sweep import within
from nahas.config import NetworkConfig
from nahas.controller.pareto import non_dominated
from nahas.controller.reward import Limits, Reward
from nahas.controller.true_front import objectives
from nahas.controller.truth import Problem, Truth
from nahas.output import in_words
from nahas.train.table import TableOracle
from nahas.truths import (
    Answer,
    ScoredProblem,
    answer,
    front_rows,
    predictor_problem,
    table_problem,
)

RESULTS = ROOT / "results" / "truth"
TABLE = "accuracy/nas_bench_macro_cifar10.csv.gz"
PROBLEMS = ("macro-224", "macro-32", "b0-stages")

EVERY = 8
"""Of so many networks one is checked against plain maxima."""


class Goal(NamedTuple):
    """What the check maximises."""

    name: str
    reward: Reward
    limits: Limits


class Posed(NamedTuple):
    """A problem, its answer, and what the check found."""

    problem: ScoredProblem
    found: Answer
    cpu_ms: float
    """CPU time of a network on all accelerators."""
    again: float
    """Wall seconds of an answer for which all is kept."""
    checks: list[tuple[str, float, float]]
    """Goals, the plain maxima, and the truth's."""
    fronts_agree: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "truth")
    arguments = parser.parse_args()
    posed = {
        name: pose(scored_problem(name, arguments.data), arguments.cache)
        for name in arguments.problems
    }
    write_tables(posed)
    draw(posed)
    write_page(posed)


def scored_problem(name: str, data: Path) -> ScoredProblem:
    if name == "b0-stages":
        return predictor_problem()
    small = NetworkConfig(resolution=32, classes=10)
    oracle = TableOracle(str(data / TABLE))
    return table_problem(oracle, small if name == "macro-32" else None)


def pose(problem: ScoredProblem, cache: Path) -> Posed:
    limits = Limits(max_area_mm2=float(area_mm2([BASELINE])[0]))
    once = replace(problem, problem=remembered(problem.problem, cache))
    found = answer(once, limits, cache)
    started = time.perf_counter()
    answer(problem, limits, cache)
    again = time.perf_counter() - started
    assert found is not None
    checks, agree = check(found)
    return Posed(problem, found, cpu_ms(problem.problem), again, checks, agree)


def cpu_ms(problem: Problem) -> float:
    """CPU time a network, contenders included, of every fortieth network."""
    some = replace(problem, networks=problem.networks[::40])
    Truth.of(replace(problem, networks=problem.networks[:1]))  # which compiles
    started = time.process_time()
    Truth.of(some)
    return 1e3 * (time.process_time() - started) / len(some.networks)


def goals(found: Answer) -> list[Goal]:
    """Hard, soft and single-sided rewards, with and without a limit on power."""
    latency = found.targets[1].latency_ms
    energy = float(np.median(found.front.costs.energy_mj))
    power = float(np.median(found.front.costs.power_mw))
    hard = replace(found.limits, max_latency_ms=latency)
    soft = Reward(latency_ms=latency, energy_mj=energy, p=-0.07, q=-0.07)
    sided = Reward(latency_ms=latency, form="single_sided", beta=-0.5)
    return [
        Goal("accuracy; latency at most the 25 % target", Reward(), hard),
        Goal("the same; power at most the front's median", Reward(),
             replace(hard, max_power_mw=power)),
        Goal("accuracy (latency/target energy/median)^-0.07", soft, found.limits),
        Goal("accuracy - 0.5 max(0, latency/target - 1)", sided, found.limits),
    ]  # fmt: skip


def check(found: Answer) -> tuple[list[tuple[str, float, float]], bool]:
    """Maxima and front over all pairs of some networks, beside the truth's."""
    whole = found.problem.problem
    some = Problem(whole.networks[::EVERY], whole.platform, whole.axes)
    judged, asked = found.problem.judged[::EVERY], goals(found)
    rows = np.flatnonzero(found.truth.network % EVERY == 0)
    truth = Truth(
        found.truth.network[rows] // EVERY,
        found.truth.place[rows],
        found.truth.costs.take(rows),
    )
    best, points = [-np.inf] * len(asked), []
    for accuracy, metrics in zip(judged, some.simulate(), strict=True):
        costs = Costs.of(metrics)
        own = np.full(len(costs), accuracy)
        for i, goal in enumerate(asked):
            kept = within(costs, bounds(goal.limits))
            scores = goal.reward(own, metrics)[kept]
            best[i] = max(best[i], scores.max(initial=-np.inf))
        kept = np.flatnonzero(within(costs, bounds(found.limits)))
        pairs = objectives(own[kept], costs.take(kept))
        points.append(pairs[non_dominated(pairs[:, 1:])])
    every = np.concatenate(points)
    front = truth.front(judged, found.limits).objectives
    both = [np.unique(one, axis=0) for one in (every[non_dominated(every)], front)]
    compared = []
    for goal, plain in zip(asked, best, strict=True):
        true = truth.optimum(judged, goal.reward, goal.limits)
        compared.append((goal.name, float(plain), true.score if true else -np.inf))
    return compared, np.array_equal(*both)


def bounds(limits: Limits) -> dict[str, float]:
    named = {
        "latency_ms": limits.max_latency_ms,
        "energy_mj": limits.max_energy_mj,
        "area_mm2": limits.max_area_mm2,
        "power_mw": limits.max_power_mw,
    }
    return {name: limit for name, limit in named.items() if limit is not None}


def write_tables(posed: dict[str, Posed]) -> None:
    for name, one in posed.items():
        rows = front_rows(one.found.front, one.problem)
        flat = [{**row, "accelerator": in_words_of(row["accelerator"])} for row in rows]
        write_csv(
            RESULTS / f"front_{name}.csv",
            flat[0],
            ([f"{v:.8g}" if isinstance(v, float) else v for v in row.values()]
             for row in flat),
        )  # fmt: skip
    write_csv(
        RESULTS / "targets.csv",
        ("problem", "quantile", "latency_ms", "pairs", "share", "best_accuracy",
         "chosen_by_first_training", "regret_of_that", "network", "place"),
        ((name, t.quantile, t.latency_ms, t.pairs, t.share, t.best.accuracy,
          seen, t.best.accuracy - seen, one.problem.problem.networks[t.best.network],
          t.best.place)
         for name, one in posed.items()
         for t, seen in zip(one.found.targets, chosen_by_noise(one), strict=True)),
    )  # fmt: skip


def chosen_by_noise(one: Posed) -> list[float]:
    """At each target, the judged accuracy of the pair that looks best to a search."""
    found = []
    for target in one.found.targets:
        tight = replace(one.found.limits, max_latency_ms=target.latency_ms)
        best = one.found.truth.optimum(one.problem.seen, Reward(), tight)
        assert best is not None
        found.append(float(one.problem.judged[best.network]))
    return found


def in_words_of(knobs: dict[str, float]) -> str:
    return in_words(type(BASELINE)(**knobs))


def draw(posed: dict[str, Posed]) -> None:
    size = 1.5 + 5 * len(posed), 4.2
    figure, [panels] = plt.subplots(1, len(posed), figsize=size, squeeze=False)
    for axes, (name, one) in zip(panels, posed.items(), strict=True):
        front = one.found.front
        drawn = axes.scatter(
            front.costs.latency_ms, 100 * front.accuracy, c=front.costs.energy_mj, s=9
        )
        for target in one.found.targets:
            axes.axvline(target.latency_ms, color="grey", linewidth=0.8)
        axes.set(title=name, xlabel="latency, ms", ylabel="accuracy, %")
        figure.colorbar(drawn, ax=axes, label="energy, mJ")
    figure.suptitle("True front of all pairs; lines are the four targets")
    figure.tight_layout()
    figure.savefig(RESULTS / "front.png", dpi=110)
    plt.close(figure)


def write_page(posed: dict[str, Posed]) -> None:
    sizes = table(
        ("problem", "pairs", "distinct", "keep the area", "contenders", "on the front",
         "hypervolume", "CPU, ms a network", "again, s"),
        ((name, f"{one.problem.pairs:,}", f"{one.problem.problem.pairs:,}",
          f"{one.found.within:,}", f"{len(one.found.truth.costs):,}",
          f"{len(one.found.front):,}", f"{one.found.front.hypervolume:.6f}",
          f"{one.cpu_ms:.1f}", f"{one.again:.1f}")
         for name, one in posed.items()),
    )  # fmt: skip
    targets = table(
        ("problem", "quantile", "target, ms", "pairs that reach it",
         "best accuracy, %", "chosen by the first training, %"),
        ((name, f"{t.quantile:.0%}", f"{t.latency_ms:.5f}", f"{100 * t.share:.3g} %",
          f"{100 * t.best.accuracy:.3f}", f"{100 * seen:.3f}")
         for name, one in posed.items()
         for t, seen in zip(one.found.targets, chosen_by_noise(one), strict=True)),
    )  # fmt: skip
    checks = table(
        ("problem", "maximised, area at most the baseline's", "over all pairs",
         "of the contenders", "equal"),
        ((name, goal, f"{plain:.12f}", f"{true:.12f}", "yes" if plain == true else "no")
         for name, one in posed.items() for goal, plain, true in one.checks),
    )  # fmt: skip
    agree = table(
        ("problem", "the front equals that over all pairs", "hash of the problem"),
        ((name, "yes" if one.fronts_agree else "no", f"`{one.problem.digest}`")
         for name, one in posed.items()),
    )  # fmt: skip
    limit = float(area_mm2([BASELINE])[0])
    text = f"""# The truth of three problems on every accelerator

Remade by

    {command()}

Every network meets every accelerator of the grid (50,000). `macro-224` and `macro-32`
are NAS-Bench-Macro's table (6,561 rows) deployed at 224x224 and at 32x32. Rows that
differ only in where a stage's identities stand are one network, which is simulated once
and counts for each: 3,969 networks. Accuracies are CIFAR-10's at 32x32, whatever size
is deployed, the mean of all trainings but the first, which is what a search sees.
`b0-stages` are 16,384 networks on EfficientNet-B0's skeleton, at 224x224; its
accuracies are those of the ImageNet predictor, declared true and without noise. The
area is at most the baseline's, {limit:.2f} mm2. The front is that of accuracy, latency
and energy; its hypervolume is the part of the box from the best of each to a
tenth of the front's extent beyond its worst. CPU time is that of all threads for a
network on all accelerators and its contenders, measured on every fortieth network, as
other work shared the machine; `nahas truth` simulates every pair twice, once for the
contenders and once to count who reaches the targets. `again` is the wall time of an
answer that has been given before, which reads what was kept.

{sizes}

![The true front](front.png)

Targets are quantiles of the latencies on the true front. The share is of all pairs, the
area limit included. The last column is what a perfect search gets that sees only the
first training of each network: the difference is the price of that noise.

{targets}

Checked against plain maxima over all pairs of every eighth network, without contenders:

{checks}

{agree}

`front_*.csv` holds every pair of the fronts, `targets.csv` the best pair of each target
(`place` is the accelerator's in the grid).

{made_with("numpy", "numba", "moocore", machine=cores())}
"""
    (RESULTS / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
