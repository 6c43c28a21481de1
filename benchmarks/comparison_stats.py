"""What the runs of the comparison come to: means, ranks, and tests over seeds."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from arena import GOALS, PROBLEMS
from comparison import QUERIES
from comparison_record import Key, Row
from contestants import entries
from numpy.typing import NDArray
from scipy.stats import wilcoxon

Floats = NDArray[np.float64]
Cell = tuple[str, str]  # problem, goal
Runs = dict[tuple[str, str, str], dict[int, dict[str, Any]]]

BEST, YARDSTICK, FRONT = "sweep-guided", "sweep-random", "front"
TUNED = ("macro-224", "latency 50 %")
"""Where choices among our own were made; all else is only reported."""
JUDGED = (30, 100, 300)
"""Accuracy queries after which contestants are compared."""
SIGNIFICANT = 0.05
SHOWN = 12
"""Contestants of a table of shares."""


def by_seed(rows: Mapping[Key, Row]) -> Runs:
    """Runs by problem, goal and name, then by seed."""
    found: Runs = defaultdict(dict)
    for (*cell, name, seed), row in rows.items():
        found[*cell, name][seed] = row
    return found


def at(run: dict[str, Any], queries: int) -> dict[str, Any]:
    """The state after so many queries, or at the end of a run that made fewer."""
    found: dict[str, Any] = run["by_queries"].get(str(queries), run["end"])
    return found


def values(runs: dict[int, dict[str, Any]], queries: int, what: str) -> Floats:
    """[S] of each seed, in their order."""
    return np.array([float(at(runs[s], queries)[what]) for s in sorted(runs)])


def compared(
    ours: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]], queries: int,
    what: str,
) -> tuple[float, float, int]:  # fmt: skip
    """Mean of theirs less ours over the seeds of both, p of Wilcoxon's test, seeds."""
    seeds = sorted(ours.keys() & theirs.keys())
    less = np.array(
        [at(theirs[s], queries)[what] - at(ours[s], queries)[what] for s in seeds],
        np.float64,
    )
    if not len(seeds) or not less.any():
        return (float(less.mean()) if len(seeds) else 0.0), 1.0, len(seeds)
    return float(less.mean()), float(wilcoxon(less).pvalue), len(seeds)


def holm(pvalues: list[float]) -> list[float]:
    """Adjusted p-values, after Holm 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(pvalues)
    worst, found = 0.0, [1.0] * len(pvalues)
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(pvalues) - rank) * pvalues[i]))
        found[i] = round(worst, 12)
    return found


def spread(numbers: Floats, scale: float = 1.0) -> str:
    """Median and quartiles."""
    low, middle, high = scale * np.quantile(numbers, (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def summary(runs: Runs) -> list[tuple[object, ...]]:
    """A row for each contestant, goal, problem and number of queries."""
    rows = []
    for (problem, goal, name), own in runs.items():
        for queries in QUERIES:
            regret = values(own, queries, "regret")
            share = values(own, queries, "share")
            low, middle, high = np.quantile(regret, (0.25, 0.5, 0.75))
            s_low, s_middle, s_high = np.quantile(share, (0.25, 0.5, 0.75))
            rows.append(
                (problem, goal, name, queries, len(own),
                 f"{middle:.6f}", f"{low:.6f}", f"{high:.6f}", f"{regret.mean():.6f}",
                 f"{s_middle:.4f}", f"{s_low:.4f}", f"{s_high:.4f}",
                 f"{values(own, queries, 'found').mean():.2f}",
                 f"{np.median(values(own, queries, 'queries')):.0f}",
                 f"{np.median(values(own, queries, 'trials')):.0f}",
                 f"{np.median(values(own, queries, 'calls')):.0f}",
                 f"{np.median([run['cpu_ms'] for run in own.values()]):.2f}")
            )  # fmt: skip
    return rows


def tests(runs: Runs) -> list[tuple[str, str, str, int, float, float, float, int]]:
    """Every peer against our best in every cell, Holm-adjusted over all of them.

    Columns: problem, goal, peer, queries, mean difference of regret (of hypervolume
    share, negated, where the front is asked for), p, adjusted p, seeds.
    """
    raw = []
    peers = [name for name, entry in entries().items() if entry.peer]
    for problem, goal in cells(runs):
        what = "share" if goal == "front" else "regret"
        ours = runs.get((problem, goal, FRONT if goal == "front" else BEST), {})
        for peer in peers:
            theirs = runs.get((problem, goal, peer), {})
            for queries in JUDGED:
                mean, p, seeds = compared(ours, theirs, queries, what)
                sign = -1.0 if what == "share" else 1.0
                if seeds:
                    raw.append((problem, goal, peer, queries, sign * mean, p, seeds))
    adjusted = holm([row[5] for row in raw])
    return [(*row[:6], q, row[6]) for row, q in zip(raw, adjusted, strict=True)]


def cells(runs: Runs) -> list[Cell]:
    """Problems and goals that were run, in order."""
    found = {(problem, goal) for problem, goal, _ in runs}
    return [cell for cell in product(PROBLEMS, GOALS) if cell in found]


def aims(runs: Runs) -> list[tuple[object, ...]]:
    """Our best beside random networks with a sweep, in each cell."""
    rows = []
    for problem, goal in cells(runs):
        if goal == "front":
            continue
        best = runs.get((problem, goal, BEST), {})
        yard = runs.get((problem, goal, YARDSTICK), {})
        if not best or not yard:
            continue
        for queries in (100, 300):
            mine, other = (values(r, queries, "regret") for r in (best, yard))
            ratio = mine.mean() / other.mean() if other.mean() else float("nan")
            rows.append(
                (problem, goal, queries, spread(mine, 100), spread(other, 100),
                 f"{ratio:.2f}", "met" if ratio <= 0.5 else "missed")
            )  # fmt: skip
    return rows


def league(runs: Runs) -> list[tuple[object, ...]]:
    """Each contestant's runs, and its mean rank over the cells with a regret."""
    names = sorted({name for _, _, name in runs})
    asked = [cell for cell in cells(runs) if cell[1] != "front"]
    ranks: dict[str, list[list[float]]] = {name: [] for name in names}
    for problem, goal in asked:
        own = {n: runs[problem, goal, n] for n in names if (problem, goal, n) in runs}
        for queries in JUDGED:
            means = {n: values(r, queries, "regret").mean() for n, r in own.items()}
            for n, mean in means.items():
                better = sum(m < mean - 1e-12 for m in means.values())
                equal = sum(abs(m - mean) <= 1e-12 for m in means.values())
                ranks[n].append([queries, better + (equal + 1) / 2])
    rows = []
    for name in names:
        own = np.array(ranks[name]).reshape(-1, 2)
        means = [own[own[:, 0] == q, 1].mean() if len(own) else np.nan for q in JUDGED]
        cpu = [r["cpu_ms"] for key, of in runs.items() if key[2] == name
               for r in of.values()]  # fmt: skip
        rows.append(
            (name, len(cpu), *(f"{m:.1f}" for m in means), f"{np.median(cpu):.2f}")
        )
    return sorted(rows, key=lambda row: float(row[4]))


def shares(runs: Runs) -> list[tuple[object, ...]]:
    """Hypervolume shares where the front is asked for, the greatest first."""
    rows = []
    for problem in PROBLEMS:
        found = []
        for (one, goal, name), own in runs.items():
            if (one, goal) == (problem, "front"):
                known = [values(own, q, "share") for q in JUDGED]
                cells_ = (spread(share, 100) for share in known)
                found.append((known[1].mean(), (problem, name, len(own), *cells_)))
        rows += [row for _, row in sorted(found, reverse=True)[:SHOWN]]
    return rows
