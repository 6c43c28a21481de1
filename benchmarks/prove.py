"""What `nahas prove` proves: whole EfficientNet-B0 skeleton, and a table in full.

    python benchmarks/prove.py --data FOLDER

Space b0 times the 50,000 accelerators, with the shipped additive predictor: the pair of
the highest predicted accuracy under limits on latency and energy and the baseline's
area, and under rewards that trade them off; for each whether it is proven, or the gap
that was left after the minutes. Then NAS-Bench-Macro at 32x32 with an additive
predictor of its own, on the grid of every N-th value of each knob (`--every`; 1 is the
whole grid, whose enumeration takes minutes): the proof's reward and that of the exact
enumeration of all pairs with the same accuracies must be one. And how far the bounds
are below the costs of random pairs. The tables and the picture go to results/prove/.
"""

import argparse
import time
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from page import ROOT, WIDTH, command, cores, made_with, table, write_csv

from nahas.accelerator.bounds import outside_bytes
from nahas.accelerator.cost_model import evaluate_machines
from nahas.accelerator.grid import BASELINE, GRID
from nahas.accelerator.machines import Axes, area_mm2
from nahas.accelerator.network_pass import weight_bytes
from nahas.accelerator.operator_floors import operator_floors
from nahas.accelerator.sweep import grid_axes
from nahas.accelerator.template import Platform
from nahas.config import Config, NetworkConfig, SearchConfig
from nahas.controller.judgement import Task
from nahas.controller.prove import Search
from nahas.controller.reward import Limits, Reward
from nahas.controller.truth import Problem, Truth
from nahas.proofs import STRENGTH, Proven, Question, of_oracle, prove, question
from nahas.search_space.b0 import b0
from nahas.search_space.joint import PREFIX, Candidate, accelerator_space
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.space import Knob, SearchSpace, product
from nahas.search_space.tabular import every_network
from nahas.train.table import TableOracle

RESULTS = ROOT / "results" / "prove"
TABLE = "accuracy/nas_bench_macro_cifar10.csv.gz"
AREA = float(area_mm2([BASELINE])[0])
SEED = 0


class Goal(NamedTuple):
    """What is maximised."""

    name: str
    reward: Reward
    limits: Limits


def goals(*targets: float) -> list[Goal]:
    """Hard limits on latency, and trade-offs at the middle target."""
    middle = targets[len(targets) // 2]
    area = Limits(max_area_mm2=AREA)
    soft = Reward(latency_ms=middle, energy_mj=3 * middle, p=-0.07, q=-0.07)
    return [
        *(Goal(f"at most {ms:g} ms", Reward(), Limits(ms, max_area_mm2=AREA))
          for ms in targets),
        Goal(f"at most {middle:g} ms and 3,000 mW", Reward(),
             Limits(middle, max_area_mm2=AREA, max_power_mw=3000)),
        Goal(f"accuracy discounted beyond {middle:g} ms",
             Reward(latency_ms=middle), area),
        Goal("accuracy * (ms * mJ)^-0.07", soft, area),
    ]  # fmt: skip


class Line(NamedTuple):
    """A proof and what it took."""

    goal: Goal
    found: Proven
    cpu: float


def prove_all(space: str, oracle: str, asked: list[Goal], network: NetworkConfig,
              minutes: float) -> list[Line]:  # fmt: skip
    lines = []
    for goal in asked:
        config = Config(
            SearchConfig(space=space, oracle=oracle), network,
            reward=goal.reward, limits=goal.limits,
        )  # fmt: skip
        started = time.process_time()
        found = prove(question(config), minutes=minutes)
        lines.append(Line(goal, found, time.process_time() - started))
        print(goal.name, found.proof.reward, found.proof.bound, lines[-1].cpu)
    return lines


def prove_table(
    data: Path, asked: list[Goal], every: int, minutes: float
) -> list[Line]:
    """Proofs of the table's space on a part of the grid."""
    networks = NETWORK_SPACES["nas-bench-macro"](resolution=32, classes=10)
    knobs = tuple(Knob(PREFIX + name, values[::every]) for name, values in GRID.items())
    machines = SearchSpace("part of the grid", knobs, accelerator_space().build)
    space = product(
        "nas-bench-macro x part of the grid", (networks, machines), Candidate
    )
    own, oracle = np.arange(len(networks.knobs)), TableOracle(str(data / TABLE))
    predictor = of_oracle(oracle, space, own, STRENGTH)
    lines = []
    for goal in asked:
        started = time.process_time()
        task = Task(space, Platform(), goal.limits, goal.reward, oracle.key)
        search = Search(task, predictor)
        found = prove(Question(task, predictor, search, oracle), minutes=minutes)
        lines.append(Line(goal, found, time.process_time() - started))
        print(goal.name, found.proof.reward, found.proof.bound, lines[-1].cpu)
    return lines


def exact(lines: list[Line], every: int) -> list[float]:
    """The optimum of each goal by enumeration, with the proofs' accuracies."""
    axes = Axes.of([values[::every] for values in GRID.values()])
    space = NETWORK_SPACES["nas-bench-macro"](resolution=32, classes=10)
    networks = tuple(every_network(space))
    truth = Truth.of(Problem(networks, Platform(), axes))
    task, predictor = lines[0].found.task, lines[0].found.predictor
    sizes = tuple(len(values) for values in predictor.values)
    choices = np.indices(sizes).reshape(len(sizes), -1).T
    # Several choices may spell one network: the best prediction is what counts.
    best: dict[Network, float] = {}
    whole = np.zeros(len(task.space.knobs), np.int64)
    for row, accuracy in zip(choices, predictor(choices).tolist(), strict=True):
        whole[: len(sizes)] = row
        network = task.space.decode(whole).network
        best[network] = max(best.get(network, 0.0), accuracy)
    accuracies = np.array([best[network] for network in networks])
    found = [
        truth.optimum(accuracies, line.goal.reward, line.goal.limits) for line in lines
    ]
    return [-np.inf if one is None else one.score for one in found]


def tightness() -> NDArray[np.float64]:
    """[quantiles] latency over its bound, of random networks of b0 and machines."""
    rng, axes, space = np.random.default_rng(SEED), grid_axes(), b0()
    within = np.flatnonzero(area_mm2(axes.machines) <= AREA)
    ratios = []
    for choices in space.random(rng, 16):
        load = lower([space.decode(choices)])
        flat = load.operators.view(np.int64).reshape(len(load), -1)
        distinct, numbers = np.unique(flat, axis=0, return_inverse=True)
        floors = operator_floors(distinct, axes)
        some = rng.choice(within, 2000, replace=False)
        rate = floors.machines.rate[some]
        outside = outside_bytes(load)
        cycles = floors.cycles[floors.machines.kind[some]][:, numbers.ravel()]
        busy = np.maximum(cycles, outside / rate[:, None]).sum(axis=1)
        busy += (
            floors.dispatched[numbers.ravel()].sum() * floors.machines.dispatch[some]
        )
        waits = (weight_bytes(load) + outside).sum() / rate
        metrics = evaluate_machines(load, axes.machines.take(some))
        least = np.maximum(busy, waits) / 800e3
        ratios.append((metrics.latency_ms / least)[metrics.feasible])
    return np.quantile(np.concatenate(ratios), [0, 0.5, 0.9, 0.99, 1])


TITLES = (
    *("goal", "proven", "reward", "bound", "predicted", "trees or table"),
    *("ms", "mJ", "mm2", "ruled out", "searched", "nodes", "simulated", "CPU s"),
)


def cells(line: Line) -> list[object]:
    proof, row = line.found.proof, line.found.row
    best = ["-"] * 5 if row is None else [
        f"{row['accuracy']:.4f}", f"{row['oracle_accuracy']:.4f}",
        f"{row['latency_ms']:.4f}", f"{row['energy_mj']:.4f}", f"{row['area_mm2']:.2f}",
    ]  # fmt: skip
    return [
        line.goal.name, "yes" if proof.proven else "no", f"{proof.reward:.6f}",
        f"{proof.bound:.6f}", *best, f"{proof.screened:,}", f"{proof.searched:,}",
        f"{proof.nodes:,}", f"{proof.simulated:,}", f"{line.cpu:.1f}",
    ]  # fmt: skip


def plot(path: Path, lines: list[Line]) -> None:
    """Latency and accuracy of the best pairs under hard limits."""
    rows = [line.found.row for line in lines if line.goal.reward == Reward()
            and line.goal.limits.max_power_mw is None]  # fmt: skip
    rows = [row for row in rows if row]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    milliseconds = [row["latency_ms"] for row in rows]
    for name, label in (
        ("accuracy", "additive predictor, proven best"),
        ("oracle_accuracy", "the same pairs by the trees"),
    ):
        axes.plot(milliseconds, [100 * row[name] for row in rows], "o-", label=label)
    axes.set(xlabel="latency, ms", ylabel="predicted ImageNet top-1, %",
             title="Best pairs of b0 x 50,000 accelerators")  # fmt: skip
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=int, default=2)
    arguments = parser.parse_args()
    prove_all(
        "b0-stages",
        "imagenet-predictor",
        goals(0.3)[:1],
        NetworkConfig(),
        arguments.minutes,
    )  # compiles: that is no part of the seconds
    large = prove_all(
        "b0", "imagenet-predictor", goals(0.18, 0.22, 0.3, 0.4, 0.6), NetworkConfig(),
        arguments.minutes,
    )  # fmt: skip
    small = prove_table(
        arguments.data, goals(0.06, 0.07, 0.08), arguments.every, arguments.minutes
    )
    optima = exact(small, arguments.every)
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_csv(RESULTS / "b0.csv", TITLES, map(cells, large))
    agree = [
        [*cells(line), f"{best:.6f}", f"{abs(best - line.found.proof.reward):.1e}"]
        for line, best in zip(small, optima, strict=True)
    ]
    write_csv(RESULTS / "macro.csv", (*TITLES, "enumerated", "difference"), agree)
    plot(RESULTS / "b0.png", large)
    (RESULTS / "README.md").write_text(page(large, small, optima, tightness()))


def page(large: list[Line], small: list[Line], optima: list[float],
         ratios: NDArray[np.float64]) -> str:  # fmt: skip
    short = [0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13]
    titles = [TITLES[i] for i in short]
    worst = max(
        abs(best - line.found.proof.reward)
        for line, best in zip(small, optima, strict=True)
        if np.isfinite(best)
    )
    proven = sum(line.found.proof.proven for line in large)
    quantiles = ", ".join(f"{ratio:.4f}" for ratio in ratios)
    first, macro = large[0].found, small[0].found
    return f"""# Proofs

    {command()}

For each goal the best pair of a network and one of 50,000 accelerators, and whether
branch and bound proved that none is better ([docs/prove.md](../../docs/prove.md)). The
area is at most the baseline's, {AREA:.2f} mm2.

## Space b0: {first.proof.pairs:,} pairs

{fill(first.relative_to, WIDTH)}

{table(titles, ([cells(line)[i] for i in short] for line in large))}

{proven} of {
        len(large)
    } are proven. "trees or table" is what a search would have seen of
the network: the boosted trees of the same data. They say less of these networks, which
were picked for their additive prediction: what is proven is the predictor's optimum.
Times are CPU seconds of a process that has compiled its kernels, mapping of all
operators on all machines included.

![Best pairs](b0.png)

## NAS-Bench-Macro at 32x32, {macro.proof.accelerators:,} accelerators

{fill(macro.relative_to, WIDTH)}

{
        table(
            (*titles, "enumerated"),
            (
                [*(cells(line)[i] for i in short), f"{best:.6f}"]
                for line, best in zip(small, optima, strict=True)
            ),
        )
    }

The proof and the enumeration of all {macro.proof.pairs:,} pairs with the same
accuracies differ by at most {worst:.1e} in any goal.

## How tight the bounds are

Latency over its bound, of 16 random networks of b0 on 2,000 random accelerators each
within the baseline's area: least, median, 90 %, 99 % and most are
{quantiles}.

{made_with("numpy", "numba", seed=SEED, machine=cores())}
"""


if __name__ == "__main__":
    main()
