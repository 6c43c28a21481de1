"""The page of the comparison: tables, tests and pictures of the runs that are known.

    python benchmarks/comparison_report.py

Reads runs/comparison/runs.jsonl, which `comparison.py` writes, and makes
results/comparison/ of it.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from arena import PROBLEMS
from comparison import CALLS, QUERIES, RUNS
from contestants import FAST, PHASE, SLOW, entries
from numpy.typing import NDArray
from page import ROOT, cores, made_with, table, write_csv
from scipy.stats import wilcoxon

Floats = NDArray[np.float64]
Cell = tuple[str, str]  # problem, goal
Runs = dict[tuple[str, str, str], dict[int, dict[str, Any]]]

RESULTS = ROOT / "results" / "comparison"
BEST, YARDSTICK = "sweep-guided", "sweep-random"
TUNED = ("macro-224", "latency 50 %")
"""Where choices among our own were made; all else is only reported."""
JUDGED = (30, 100, 300)
SIGNIFICANT = 0.05
DRAWN = (
    "random", "evolution", "ppo", "guided", YARDSTICK, "sweep-evolution", BEST,
    "optuna-tpe-constrained", "optuna-tpe-constrained-nested",
    "optuna-nsga2-constrained-nested", "pymoo-nested",
)  # fmt: skip


def read(path: Path) -> Runs:
    """Runs by problem, goal and name, then by seed."""
    found: Runs = defaultdict(dict)
    for line in path.open():
        row = json.loads(line)
        found[row["problem"], row["goal"], row["name"]][row["seed"]] = row
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
        ours = runs.get((problem, goal, BEST), {})
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
    found = dict.fromkeys((problem, goal) for problem, goal, _ in runs)
    return sorted(found, key=lambda cell: PROBLEMS.index(cell[0]))


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


def draw(runs: Runs, by: str) -> None:
    """Mean regret against queries or against calls, a panel a cell."""
    asked = [cell for cell in cells(runs) if cell[1] != "front"]
    columns = max(len([c for c in asked if c[0] == p]) for p in PROBLEMS) or 1
    problems = [p for p in PROBLEMS if any(c[0] == p for c in asked)]
    figure, panels = plt.subplots(
        len(problems), columns, figsize=(3.2 * columns, 2.9 * len(problems)),
        squeeze=False,
    )  # fmt: skip
    points = QUERIES if by == "queries" else CALLS
    for row, problem in zip(panels, problems, strict=True):
        goals = [goal for one, goal in asked if one == problem]
        for axes, goal in zip(row, goals, strict=False):
            for name in DRAWN:
                own = runs.get((problem, goal, name))
                if own is None:
                    continue
                xs, ys = curve(own, points, by)
                peer = name in entries() and entries()[name].peer
                axes.plot(
                    xs, 100 * np.array(ys), "--" if peer else "-", label=name,
                    linewidth=2.5 if name == BEST else 1.2,
                )  # fmt: skip
            axes.set(xscale="log", title=f"{problem}, {goal}")
            if not any(line.get_xdata().size for line in axes.lines):
                few = f"fewer than {points[0]} networks\nkeep the target"
                axes.text(0.5, 0.5, few, transform=axes.transAxes, ha="center")
            axes.set_yscale("symlog", linthresh=0.1)
            axes.set_ylim(bottom=0)
            axes.title.set_fontsize(9)
        row[0].set_ylabel("mean regret, points or %")
    for axes in panels[-1]:
        axes.set_xlabel("accuracy queries" if by == "queries" else "simulator calls")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncol=4, fontsize=8, loc="lower center")
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    figure.savefig(RESULTS / f"regret_by_{by}.png", dpi=100)
    plt.close(figure)


def curve(
    runs: dict[int, dict[str, Any]], points: tuple[int, ...], by: str
) -> tuple[list[int], list[float]]:
    """Mean regret at the points that some run has reached.

    A run that ended before counts with what it had.
    """
    xs, ys = [], []
    for point in points:
        states = [run[f"by_{by}"].get(str(point)) for run in runs.values()]
        if any(states):
            ends = [run["end"] for run in runs.values()]
            known = [state or end for state, end in zip(states, ends, strict=True)]
            xs.append(point)
            ys.append(float(np.mean([state["regret"] for state in known])))
    return xs, ys


def league(runs: Runs) -> list[tuple[object, ...]]:
    """Each contestant's mean rank over the cells with a regret, at each number."""
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
        rows.append((name, *(f"{m:.1f}" for m in means), f"{np.median(cpu):.2f}"))
    return sorted(rows, key=lambda row: float(row[3]))


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    runs = read(RUNS / "runs.jsonl")
    write_csv(
        RESULTS / "summary.csv",
        ("problem", "goal", "name", "queries", "seeds", "regret_median", "regret_q1",
         "regret_q3", "regret_mean", "share_median", "share_q1", "share_q3", "found",
         "queries_made", "calls", "cpu_ms_per_call"),
        summary(runs),
    )  # fmt: skip
    against = tests(runs)
    write_csv(
        RESULTS / "tests.csv",
        ("problem", "goal", "peer", "queries", "mean_difference", "p", "p_holm",
         "seeds"),
        against,
    )  # fmt: skip
    for by in ("queries", "calls"):
        draw(runs, by)
    write_page(runs, against)


def write_page(runs: Runs, against: list[Any]) -> None:
    """The page of what is known."""
    ahead = [row for row in against if row[4] < 0 and row[6] < SIGNIFICANT]
    behind = [row for row in against if row[4] > 0 and row[6] < SIGNIFICANT]
    said = (
        table(
            ("problem", "goal", "peer", "queries", "mean difference", "p, Holm"),
            [(*row[:4], f"{row[4]:.5f}", f"{row[6]:.4f}") for row in ahead],
        )
        if ahead
        else "None."
    )
    # The least p of the test with S seeds is 2^(1 - S).
    able = sum(2.0 ** (1 - row[7]) * len(against) < SIGNIFICANT for row in against)
    possible = f"With the seeds at hand {able} of them could be significant at all."
    unknown = sorted(entries().keys() - {name for _, _, name in runs})
    absent = f"Not run yet: {', '.join(unknown)}." if unknown else ""
    counts = sorted({len(own) for own in runs.values()})
    seeded = f"Seeds of a cell: {', '.join(map(str, counts))}."
    text = f"""# Every controller and the tuners people use, where the optimum is known

Remade by

    pip install optuna pymoo
    python benchmarks/comparison.py --data ../shared/data
    python benchmarks/comparison_report.py

Problems are those of [results/truth](../truth/README.md). A goal is the highest
accuracy under one of four latency targets (quantiles of the true front's), or the least
energy above the front's median accuracy, or the whole front; the area is at most the
baseline's. A search sees the first training of a network; its regret is judged on the
mean of the others: points of accuracy that the best pair has more, or the percentage by
which the energy is higher. A query is a distinct network that is trained; a pair that
breaks a limit is simulated and not trained. Runs end after {QUERIES[-1]:,} queries or
{FAST:,} simulator calls, those of guided and bayesian controllers and of Optuna after
300 queries or {SLOW} calls, pymoo's after 300 or 3,000; a run that ends sooner counts
with what it had. A run that found nothing has the regret of the worst pair. Every
contestant is told each trial before its next proposal. The kernel of
`bayesian` and which of ours is called the best were chosen on {TUNED[0]}, {TUNED[1]};
all else has its defaults (pymoo: 20 individuals).
`-nested` and `sweep-` choose a network, an exact sweep its accelerator; a sweep counts
as one call. `fixed-` runs on the baseline; `phases-` has {PHASE} trials for the
accelerator first; `nested-` has 50 trials of networks an accelerator. In the pictures
a run that has ended counts with what it had. {seeded} {absent}

![Regret against queries](regret_by_queries.png)

![Regret against simulator calls](regret_by_calls.png)

Mean rank of the mean regrets over all problems and goals but the front, and
milliseconds of CPU a proposal, beside other work:

{table(("contestant", *(f"{q} queries" for q in JUDGED), "ms"), league(runs))}

## Our best against random networks with a sweep

`{BEST}` should have at most half the mean regret of `{YARDSTICK}`. Median and
quartiles, in points or percent; the ratio is of means.

{table(("problem", "goal", "queries", BEST, YARDSTICK, "ratio", "aim"), aims(runs))}

## Is a peer ahead?

Each peer against `{BEST}` in {len(against)} cells of problem, goal and queries (30,
100, 300), paired over seeds, Wilcoxon's signed-rank test, Holm's correction over all
cells, at {SIGNIFICANT}. {possible}
`{BEST}` is significantly ahead in {len(behind)}. A peer is significantly ahead in
{len(ahead)}:

{said}

`summary.csv` has medians and quartiles of regret and of the hypervolume share,
`tests.csv` every test.

{made_with("numpy", "scipy", "optuna", "pymoo", "moocore", machine=cores())}
"""
    (RESULTS / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
