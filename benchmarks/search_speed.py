"""What a search costs beside its trainings: proposals, and trials of a table.

    python benchmarks/search_speed.py --data FOLDER

CPU milliseconds a proposal, feedback included, of every controller on 60 knobs: 53 of
S3's and the accelerator's 7; what a controller simulates to choose is part of it. In
the same run PyGlove's regularized evolution on the same 60 choices, by its own loop.
Then trials a second of whole searches of the NAS-Bench-Macro table with 50,000
accelerators, written to a study on disk. The figures go to results/search_speed/.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controllers_simulated import LIMITS, run
from page import ROOT, command, cores, made_with, table, write_csv

import nahas as nh
from nahas.accelerator.template import Platform
from nahas.controller import CONTROLLERS
from nahas.controller.judgement import Task
from nahas.controller.reward import Limits, Reward
from nahas.search_space.joint import joint_space
from nahas.search_space.network_spaces import s3
from nahas.search_space.space import SearchSpace
from nahas.search_space.tabular import nas_bench_macro
from nahas.train.table import TableOracle

RESULTS = ROOT / "results" / "search_speed"
KNOBS = 60
MOST = 120
"""Proposals of a controller."""
SWEPT = 60
"""Of one that sweeps each network that it chooses."""
SLOW = ("sweep-guided", "sweep-bayesian")
"""Those that sweep each network that they consider: `WARM_UP` proposals of one seed."""
WARM_UP = 30
PYGLOVE = "PyGlove's regularized evolution"
SEARCHED = ("random", "evolution", "local", "nsga2", "ppo", "reinforce", "guided")
TABLE = "accuracy/nas_bench_macro_cifar10.csv.gz"


def sixty_knobs() -> SearchSpace:
    """S3 with its last knobs held at its reference, and the accelerator's seven."""
    whole = s3()
    assert whole.reference is not None
    kept = KNOBS - 7
    pairs = zip(whole.knobs[kept:], whole.reference[kept:], strict=True)
    held = {knob.name: knob.values[place] for knob, place in pairs}

    def build(values: Mapping[str, Any]) -> Any:
        return whole.build({**held, **values})

    return joint_space(SearchSpace("s3 in part", whole.knobs[:kept], build))


def proposal_ms(name: str, task: Task, seed: int) -> float:
    """CPU of a proposal and of what is learned from it."""
    trials = WARM_UP if name in SLOW else SWEPT if name.startswith("sweep") else MOST
    return 1e3 * run(CONTROLLERS[name](), task, seed, trials)[-1][2]


def pyglove_ms(space: SearchSpace, seed: int) -> float:
    """The same of PyGlove's loop, which decodes each proposal."""
    import pyglove as pg

    choices = pg.List([pg.oneof(list(range(len(k.values)))) for k in space.knobs])
    algorithm = pg.evolution.regularized_evolution(
        population_size=32, tournament_size=16, seed=seed
    )
    started = time.process_time()
    for example, feedback in pg.sample(choices, algorithm, num_examples=MOST):
        feedback(float(sum(example)))
    return 1e3 * (time.process_time() - started) / MOST


def trials_a_second(name: str, file: Path, trials: int, seed: int) -> tuple[float, ...]:
    """By the wall's clock, by CPU, and the trainings that were looked up."""
    space, oracle = joint_space(nas_bench_macro()), TableOracle(file)
    limits = Limits(max_area_mm2=LIMITS.max_area_mm2, max_latency_ms=0.15)
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        study = nh.search(
            space, CONTROLLERS[name](), oracle, Reward(), trials=trials, seed=seed,
            limits=limits, workers=0, folder=Path(folder) / "study",
        )  # fmt: skip
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        trained = sum(trial.status == "trained" for trial in study.trials())
    return trials / wall, trials / cpu, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=3_000, help="of a table search")
    parser.add_argument("--runs", type=int, default=3, help="of which the median")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    task = Task(sixty_knobs(), Platform(), LIMITS, Reward(), "made up")
    run(CONTROLLERS["guided"](), task, arguments.seed, WARM_UP)  # compiles
    proposals = []
    peer = statistics.median(pyglove_ms(task.space, seed) for seed in seeds)
    for name in CONTROLLERS:
        own = seeds[:1] if name in SLOW else seeds
        ours = statistics.median(proposal_ms(name, task, seed) for seed in own)
        proposals.append((name, f"{ours:.2f}", f"{peer / ours:.2g}"))
        print(*proposals[-1], flush=True)
    proposals.append((PYGLOVE, f"{peer:.2f}", "1"))
    file = arguments.data / TABLE
    trials_a_second("evolution", file, 200, arguments.seed)  # reads the file once
    searches = []
    for name in SEARCHED:
        found = [trials_a_second(name, file, arguments.trials, s) for s in seeds]
        wall, cpu, trained = (statistics.median(c) for c in zip(*found, strict=True))
        searches.append((name, f"{wall:.0f}", f"{cpu:.0f}", f"{trained:.0f}"))
        print(*searches[-1], flush=True)
    write(proposals, searches, arguments)


def write(
    proposals: list[tuple[str, ...]],
    searches: list[tuple[str, ...]],
    arguments: argparse.Namespace,
) -> None:
    """The two tables and the page."""
    titles = ("controller", "cpu_ms_a_proposal", "pyglove_over_it")
    write_csv(RESULTS / "proposals.csv", titles, proposals)
    columns = ("controller", "trials_a_second", "trials_a_cpu_second", "trainings")
    write_csv(RESULTS / "searches.csv", columns, searches)
    load = f"{os.getloadavg()[0]:.1f}"
    made = made_with("numpy", "pyglove", seed=arguments.seed, machine=cores())
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), proposals=table(titles, proposals), peer=PYGLOVE,
        searches=table(columns, searches), made=made, runs=arguments.runs, most=MOST,
        trials=f"{arguments.trials:,}", swept=SWEPT, few=WARM_UP, load=load,
    ))  # fmt: skip


_PAGE = """\
# What a search costs beside its trainings

Remade by

    {command}

## A proposal on 60 knobs

{proposals}

CPU of proposing and of learning from the result, the mean of {most} proposals ({swept}
of the swept ones), the median of {runs} seeds (of `sweep-guided` and `sweep-bayesian`
{few} and one): 53 of S3's knobs and the accelerator's 7, accuracies made up, limits on
area and latency, feedback 16 trials late. `guided`, `front` and `bayesian` simulate a
hundred pairs a proposal; `sweep-` simulates 50,000 accelerators for each network that
it meets, and with an informed controller inside for each that this considers. {peer}
is run by its own loop (`pg.sample`, which decodes each proposal) on the same 60
choices, and simulates nothing.

## Trials a second of a table search

{searches}

NAS-Bench-Macro at 224x224 x 50,000 accelerators, {trials} trials, a target of 0.15 ms,
no worker processes: each trial is proposed, simulated, judged, looked up and written to
a study on disk that survives SIGKILL. Median of {runs} seeds; `trainings` are the
distinct networks that were looked up. The system's load at the end was {load}.

{made}
"""


if __name__ == "__main__":
    main()
