"""Ranks the accuracy oracles that `oracles.py` has asked; see there.

python benchmarks/oracles_report.py --data FOLDER
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from oracle_truth import Truth, layers, mark, one_hot, read_truth
from oracles import ORACLES, RESULTS, kept_in
from page import command, made_with, table, write_csv
from scipy.stats import kendalltau

from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.train.fitted import Model

RESAMPLES = 500
RANKED = 1_000
"""Networks for which an oracle's whole cost is stated."""
BUDGETS = (1, 10, 40)
"""CPU seconds a network, everything before the first answer shared among so many."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of test networks, and what they cost.

    Attributes:
        name: Of the oracle.
        score: [n] the higher the better.
        accuracy: [n] worth of the same networks.
        fixed: CPU seconds before the first score.
        each: CPU seconds a network.
        scalars: How many were fitted on development accuracies.
    """

    name: str
    score: Floats
    accuracy: Floats
    fixed: float = 0.0
    each: float = 0.0
    scalars: int = 0

    @property
    def cpu_seconds(self) -> float:
        """Of ranking so many networks."""
        return self.fixed + RANKED * self.each

    def tau(self, better_half: bool) -> tuple[float, float, float]:
        """Kendall's tau, and its 95 % interval over resampled networks."""
        kept = np.ones(len(self.score), dtype=bool)
        if better_half:
            kept = self.accuracy > np.median(self.accuracy)
        score, accuracy = self.score[kept], self.accuracy[kept]
        rng = np.random.default_rng(0)
        resampled = []
        for _ in range(RESAMPLES):
            rows = rng.integers(len(score), size=len(score))
            resampled.append(kendalltau(score[rows], accuracy[rows]).statistic)
        low, high = np.quantile(resampled, (0.025, 0.975))
        return float(kendalltau(score, accuracy).statistic), float(low), float(high)


def counts(networks: Sequence[Network]) -> Floats:
    """[n, 12] what a network's depth is, in ways among which a line may choose.

    Blocks that stride; of each stage its blocks, the logarithm of those that do not
    stride, and those of the larger expansion; sums of logarithms of the last two.
    """
    rows = []
    for network in networks:
        hot = one_hot(network)[:-1].reshape(-1, 6)
        rest, large = hot[:, 4:6].sum(1), hot[:, [2, 5]].sum(1)
        rows.append((
            hot[:, 1:3].sum(), *layers(network), *np.log1p(rest), *large,
            np.log1p(rest).sum(), np.log1p(large).sum(),
        ))  # fmt: skip
    return np.array(rows, dtype=np.float64)


SHAPE = (0, 3, 10, 11)
"""Of all sets of at most four counts, their logarithms and roots, that which ranks
development networks best, by a line fitted on the others of them."""


def line(*columns: Floats) -> Floats:
    """[n, k + 1] features and 1."""
    features = np.column_stack(columns)
    return np.column_stack([features, np.ones(len(features))])


def fitted(known: Floats, accuracy: Floats, asked: Floats) -> Floats:
    """A line through features of development networks, for others.

    It is fitted to minus the logarithm of the error, in percent.
    """
    [weights] = np.linalg.lstsq(known, -np.log(100 - 100 * accuracy))[:1]
    found: Floats = asked @ weights
    return found


def counted(test: Truth) -> list[Ranking]:
    """What needs neither a training nor an accuracy."""
    workload = lower(test.networks)
    scores = {
        "blocks": [layers(network).sum() for network in test.networks],
        "MACs": workload.per_network(workload.macs),
        "parameters": workload.per_network(workload.own_parameters),
    }
    return [
        Ranking(name, np.array(score, dtype=np.float64), test.accuracy)
        for name, score in scores.items()
    ]


@dataclass(frozen=True, eq=False)
class Answers:
    """What an oracle has answered for some of the networks.

    Attributes:
        rows: [n] which networks.
        score: [n] the higher the better.
        before: CPU seconds before the first answer.
        seconds: [n] CPU seconds of each.
    """

    rows: NDArray[np.int64]
    score: Floats
    before: float
    seconds: Floats


def asked_of(name: str, truth: Truth) -> Answers:
    """What is kept of an oracle's answers."""
    table = pd.read_csv(kept_in(name), index_col="network", dtype={"network": str})
    marks = [mark(str(network)) for network in truth.networks]
    rows = [i for i, one in enumerate(marks) if one in table.index]
    found = table.loc[[marks[i] for i in rows]]
    return Answers(
        np.array(rows, dtype=np.int64), found.score.to_numpy(float),
        float(table.seconds.iloc[0]), found.seconds.to_numpy(),
    )  # fmt: skip


def rankings(development: Truth, test: Truth) -> list[Ranking]:
    """Of every oracle that has been asked, and of what is made of them."""
    known, asked = counts(development.networks), counts(test.networks)
    shape = fitted(line(known[:, SHAPE]), development.accuracy, line(asked[:, SHAPE]))
    found = [
        *counted(test), Ranking("shape", shape, test.accuracy, scalars=len(SHAPE) + 1)
    ]  # fmt: skip
    for name in ORACLES:
        if not kept_in(name).exists():
            continue
        answers = asked_of(name, test)
        rows, cost = answers.rows, (answers.before, float(answers.seconds.mean()))
        truth = test.accuracy[rows]
        found.append(Ranking(name, answers.score, truth, *cost))
        if name.startswith("proxy"):
            found.append(predicted(name, test, answers))
        own = asked_of(name, development)
        if len(own.rows):
            mixed = mixture(
                known[own.rows], own.score, development.accuracy[own.rows],
                asked[rows], answers.score,
            )  # fmt: skip
            found.append(
                Ranking(f"{name} and three counts", mixed, truth, *cost, scalars=5)
            )  # fmt: skip
    return found


def mixture(
    known: Floats, before: Floats, accuracy: Floats, asked: Floats, score: Floats
) -> Floats:
    """A line through an oracle's log-odds and three counts.

    They are those with which it ranks development networks best.
    """
    odds, own = (np.log(one / (1 - one)) for one in (score, before))

    def ranks(chosen: tuple[int, ...]) -> float:
        features = line(known[:, chosen], own)
        found = fitted(features, accuracy, features)
        return float(kendalltau(found, accuracy).statistic)

    chosen = max(combinations(range(known.shape[1]), 3), key=ranks)
    return fitted(line(known[:, chosen], own), accuracy, line(asked[:, chosen], odds))


def predicted(name: str, test: Truth, answers: Answers) -> Ranking:
    """By what `--accuracy fitted:` makes of trainings; none of the table is used."""
    model = Model([test.networks[row] for row in answers.rows], answers.score)
    worth, _ = model(test.networks)
    fixed = float(answers.seconds.sum())
    return Ranking(
        f"fitted to {len(answers.rows)} of {name}", worth, test.accuracy, fixed
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    development, test = read_truth(arguments.data)
    rows = []
    for one in rankings(development, test):
        row = [one.name, len(one.score)]
        for better_half in (False, True):
            row += [f"{value:.3f}" for value in one.tau(better_half)]
        row += [f"{one.fixed:.0f}", f"{one.each:.2f}", f"{one.cpu_seconds:.0f}"]
        rows.append([*row, one.scalars])
        print(*rows[-1], flush=True)
    write(rows, development, test)


TITLES = (
    "oracle", "networks", "tau", "low", "high", "tau_better_half", "low_better_half",
    "high_better_half", "cpu_s_before", "cpu_s_a_network", f"cpu_s_for_{RANKED}",
    "scalars",
)  # fmt: skip


def write(rows: list[list[object]], development: Truth, test: Truth) -> None:
    """The table, the picture and the page."""
    write_csv(RESULTS / "oracles.csv", TITLES, rows)
    shown = [
        (row[0], row[1], f"{row[2]} ({row[3]} to {row[4]})",
         f"{row[5]} ({row[6]} to {row[7]})", *row[8:])
        for row in rows
    ]  # fmt: skip
    heads = ("oracle", "networks", "tau", "tau in the better half", "CPU s before",
             "CPU s a network", f"CPU s for {RANKED:,}", "scalars")  # fmt: skip
    best = []
    for budget in BUDGETS:
        within = [row for row in rows if float(str(row[10])) <= budget * RANKED]
        row = max(within, key=lambda row: float(str(row[2])))
        best.append(
            (budget, row[0], row[2], row[5], f"{float(str(row[10])) / RANKED:.2f}")
        )
    titles = ("CPU s a network, at most", "best oracle", "tau", "in the better half",
              "its CPU s a network")  # fmt: skip
    draw(rows)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(heads, shown),
        development=f"{len(development.networks):,}", ranked=f"{RANKED:,}",
        test=f"{len(test.networks):,}", best=table(titles, best),
        made=made_with("numpy", "keras", "tensorflow", seed=0, machine=machines()),
    ))  # fmt: skip


def machines() -> str:
    """On which the oracles answered."""
    files = [kept_in(name) for name in ORACLES if kept_in(name).exists()]
    return " and ".join(
        sorted({m for file in files for m in pd.read_csv(file).machine})
    )


def draw(rows: list[list[object]]) -> None:
    """Tau against cost; oracles that cost nothing stand at the left edge."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(
        1, 2, figsize=(11, 5), sharex=True, layout="constrained"
    )
    for panel, first, title in zip(
        panels, (2, 5), ("all test networks", "the better half"), strict=True
    ):
        for row in rows:
            middle, low, high = (float(str(row[first + i])) for i in range(3))
            cost = max(float(str(row[10])), 1.0)
            bars = [[middle - low], [high - middle]]
            panel.errorbar(cost, middle, yerr=bars, fmt="o", capsize=2, label=row[0])
        panel.set_xscale("log")
        panel.set_xlabel(f"CPU seconds to rank {RANKED:,} networks (1: none)")
        panel.set_title(title)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("Kendall's tau with the trained accuracy")
    marks = panels[1].get_legend_handles_labels()
    figure.legend(*marks, loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(RESULTS / "tau_by_cost.png", dpi=120)
    plt.close(figure)


_PAGE = """\
# Which accuracy oracle ranks networks best, for what it costs

Remade by

    python benchmarks/oracles.py --data FOLDER
    {command}

![Kendall's tau against cost](tau_by_cost.png)

{table}

Of these, ranked by tau over all test networks, where {ranked} networks share what comes
before the first answer:

{best}

Kendall's tau-b between an oracle's scores and NAS-Bench-Macro's accuracies on CIFAR-10,
the mean of all trainings of a network, with the 95 % interval over resampled networks.
The table's networks are split by the hash of their texts: {development} development
networks, whose accuracies may choose settings and fit five scalars at most (`scalars`
says how many were), and {test} test networks, on which oracles are judged. Oracles that
train each network anew are judged on the first of these alone, in the order of their
hashes, and so is one whose run was ended early (`networks` says on how many). The
better half are the test networks above the median of those judged.

`CPU s before` is what an oracle costs before its first answer, `CPU s for {ranked}`
that and so many answers. `blocks` counts inverted bottlenecks; `shape` is a line
through four counts of them, fitted on development accuracies; "and three counts" is one
through the oracle's own log-odds and those three with which development networks are
ranked best. "fitted to" is a Gaussian process (`nahas search --accuracy fitted:`) on
the accuracies that so many trainings gave, at their cost; none of the table's is read.

{made}
"""


if __name__ == "__main__":
    main()
