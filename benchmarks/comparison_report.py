"""The page of the comparison: tables, tests and pictures of the runs that are known.

    python benchmarks/comparison_report.py

Reads the runs that `comparison.py` has made, and those that results/comparison/ holds,
and makes results/comparison/ of both.
"""

import argparse
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from arena import PROBLEMS
from comparison import CALLS, QUERIES
from comparison_record import Row, known_runs, pack
from comparison_stats import (
    BEST,
    FRONT,
    JUDGED,
    SHOWN,
    SIGNIFICANT,
    TUNED,
    YARDSTICK,
    Runs,
    aims,
    at,
    by_seed,
    cells,
    league,
    shares,
    summary,
    tests,
    values,
)  # fmt: skip
from contestants import FAST, NETWORKS, PHASE, SLOW, entries
from page import ROOT, cores, made_with, table, write_csv

RESULTS = ROOT / "results" / "comparison"
DRAWN = (
    "random", "evolution", "ppo", "guided", YARDSTICK, "sweep-evolution", BEST,
    "optuna-tpe-constrained", "optuna-tpe-constrained-nested",
    "optuna-nsga2-constrained-nested", "pymoo-nested",
)  # fmt: skip
DRAWN_FRONT = (
    "random", "nsga2", YARDSTICK, "sweep-nsga2", FRONT, "optuna-tpe-constrained-nested",
    "optuna-nsga2-constrained-nested", "pymoo-nested",
)  # fmt: skip


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
        for axes in row[len(goals) :]:
            axes.set_visible(False)
        for axes, goal in zip(row, goals, strict=False):
            most = 0.0
            for place, name in enumerate(DRAWN):  # one's colour is that of its place
                own = runs.get((problem, goal, name))
                if own is None:
                    continue
                xs, ys = curve(own, points, by)
                most = max(most, *(100 * y for y in ys), 0.0)
                peer = name in entries() and entries()[name].peer
                axes.plot(
                    xs, 100 * np.array(ys), ".--" if peer else ".-", label=name,
                    color=f"C{place}", linewidth=2.5 if name == BEST else 1.2,
                )  # fmt: skip
            axes.set(xscale="log", title=f"{problem}, {goal}")
            if not any(line.get_xdata().size for line in axes.lines):
                few = f"fewer than {points[0]} networks\nkeep the target"
                axes.text(0.5, 0.5, few, transform=axes.transAxes, ha="center")
            axes.set_yscale("symlog", linthresh=0.1)
            axes.set_ylim(0, 1.5 * most or 1)
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
        reached = [run for run in runs.values() if str(point) in run[f"by_{by}"]]
        if reached:
            xs.append(point)
            ys.append(float(np.mean([regret(run, point, by) for run in runs.values()])))
    return xs, ys


def regret(run: Row, point: int, by: str) -> float:
    """After so many queries or calls."""
    if by == "queries":
        return float(at(run, point)["regret"])
    return float(run["by_calls"].get(str(point), run["end"]["regret"]))


def draw_shares(runs: Runs) -> None:
    """Mean hypervolume share against queries, where the front is asked for."""
    problems = [p for p in PROBLEMS if (p, "front") in cells(runs)]
    figure, panels = plt.subplots(
        1, len(problems), figsize=(4.4 * len(problems), 4.0), squeeze=False
    )
    for axes, problem in zip(panels[0], problems, strict=True):
        for place, name in enumerate(DRAWN_FRONT):
            own = runs.get((problem, "front", name))
            if own is not None:
                means = [100 * values(own, q, "share").mean() for q in QUERIES[:4]]
                axes.plot(
                    QUERIES[:4], means, "--" if entries()[name].peer else "-",
                    label=name, color=f"C{place}",
                    linewidth=2.5 if name == FRONT else 1.2,
                )  # fmt: skip
        axes.set(xscale="log", title=problem, xlabel="accuracy queries", ylim=(0, 100))
    panels[0][0].set_ylabel("mean share of the true hypervolume, %")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncol=4, fontsize=8, loc="lower center")
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(RESULTS / "share_by_queries.png", dpi=100)
    plt.close(figure)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    known = known_runs()
    pack(known.values())
    runs = by_seed(known)
    write_csv(
        RESULTS / "summary.csv",
        ("problem", "goal", "name", "queries", "seeds", "regret_median", "regret_q1",
         "regret_q3", "regret_mean", "share_median", "share_q1", "share_q3", "found",
         "queries_made", "trials", "calls", "cpu_ms_a_trial"),
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
    draw_shares(runs)
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
    unknown += [p for p in PROBLEMS if p not in {problem for problem, _, _ in runs}]
    absent = f"Not run yet: {', '.join(unknown)}." if unknown else ""
    counts = sorted({len(own) for own in runs.values()})
    asked = [f"{q} queries" for q in JUDGED]
    seeded = f"Seeds of a cell: {', '.join(map(str, counts))}."
    text = f"""# Every controller and the tuners people use, where the optimum is known

Remade by

    pip install optuna pymoo
    python benchmarks/comparison.py --data FOLDER
    python benchmarks/comparison_report.py

Problems are those of [results/truth](../truth/README.md). A goal is the highest
accuracy under one of four latency targets (quantiles of the true front's), or the least
energy above the front's median accuracy, or the whole front; the area is at most the
baseline's. A search sees the first training of a network; its regret is judged on the
mean of the others: points of accuracy that the best pair has more, or the percentage by
which the energy is higher. A query is a distinct network that is trained; a pair that
breaks a limit is simulated and not trained. Runs end after {QUERIES[-1]:,} queries or
{FAST:,} trials ({NETWORKS:,} where networks alone are proposed, but by `{YARDSTICK}`),
those of guided and bayesian controllers, of `front`, `shrinking` and Optuna after 300
queries or {SLOW} trials, pymoo's after 300 or 3,000 ({NETWORKS:,}); a run that ends
sooner counts with what it had. A run that found nothing has the regret of the worst
pair. Every contestant is told each trial before its next proposal. The kernel of
`bayesian` and which of ours is called the best were chosen on {TUNED[0]}, {TUNED[1]};
that `{FRONT}` is the best of ours for fronts, on the front of {TUNED[0]}; all else has
its defaults (pymoo: 20 individuals).

`-nested` and `sweep-` choose a network, an exact sweep its accelerator. Simulator calls
are all pairs that are simulated: trials, the hundred pairs that an informed controller
looks at for a proposal, and 50,000 for each network that is swept, once a network.
`fixed-` runs on the baseline; `phases-` has {PHASE} trials for the accelerator first;
`nested-` has 50 trials of networks an accelerator. In the pictures a run that has ended
counts with what it had. {seeded} {absent}

![Regret against queries](regret_by_queries.png)

![Regret against simulator calls](regret_by_calls.png)

Mean rank of the mean regrets over the problems and goals that a contestant has run on,
but the front, and milliseconds of CPU a proposal, beside other work:

{table(("contestant", "runs", *asked, "ms"), league(runs))}

## The front

Where the front is asked for: its hypervolume share in percent, median and quartiles,
the {SHOWN} contestants with the highest mean at 100 queries. Peers minimise error,
latency and energy together, as `nsga2` and `front` do; all others look for accuracy
alone, and a sweep breaks ties by the least latency.

![Hypervolume share against queries](share_by_queries.png)

{table(("problem", "contestant", "seeds", *asked), shares(runs))}

## Our best against random networks with a sweep

`{BEST}` should have at most half the mean regret of `{YARDSTICK}`. Median and
quartiles, in points or percent; the ratio is of means.

{table(("problem", "goal", "queries", BEST, YARDSTICK, "ratio", "aim"), aims(runs))}

## Is a peer ahead?

Each peer against `{BEST}`, and against `{FRONT}` where the front is asked for, in
{len(against)} cells of problem, goal and queries ({", ".join(map(str, JUDGED))}),
paired over seeds, Wilcoxon's signed-rank test, Holm's correction over all cells, at
{SIGNIFICANT}. {possible}
Ours is significantly ahead in {len(behind)}. A peer is significantly ahead in
{len(ahead)}:

{said}

`summary.csv` has medians and quartiles of regret and of the hypervolume share,
`tests.csv` every test, `runs.jsonl.gz` every run: those that are there are not made
again.

{made_with("numpy", "scipy", "optuna", "pymoo", "moocore", machine=cores())}
"""
    (RESULTS / "README.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
