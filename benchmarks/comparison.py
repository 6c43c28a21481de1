"""Every controller and the tuners people use, on problems whose optimum is known.

    pip install optuna pymoo
    python benchmarks/comparison.py --data FOLDER

A run is a contestant, a problem, a goal and a seed. It ends after its accuracy queries
(distinct networks that were trained) or trials. What it had found after so many queries
and after so many simulated pairs is written to runs/comparison/runs.jsonl. No run that
is known from there or from results/comparison/runs.jsonl.gz is repeated;
`comparison_report.py` makes the second, the page and its tables of all that are known.
"""

import argparse
import os
import time
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from arena import PROBLEMS, Arena, Goal, open_arena
from comparison_record import VERSION, Key, append, known_runs
from contestants import Contestant, Entry, entries
from lookup import Lookup, looked_up
from page import ROOT

from nahas.controller.controller import rank_key
from nahas.controller.trial import Trial

QUERIES = (10, 30, 100, 300, 1_000)
CALLS = tuple(m * 10**k for k in range(1, 9) for m in (1, 3))
SEEDS = 20
BLOCK = 10
EVERY = 7
"""Trials of which one is timed: to read the clock of the CPU takes longer than a
proposal. No controller's batches are a multiple of it."""
TRUTHS = ROOT / "runs" / "truth"
_arenas: dict[str, Arena] = {}


class Record:
    """What a run has found, noted at round numbers of queries and simulated pairs."""

    def __init__(self, lookup: Lookup) -> None:
        self._arena, self._goal = lookup.arena, lookup.goal
        self._lookup = lookup
        self._best: Trial | None = None
        self._trained: set[int] = set()
        self._pairs: set[tuple[int, int]] = set()
        self.trials = 0
        self.by_queries: dict[int, Any] = {}
        self.by_calls: dict[int, Any] = {}
        self._next = 0  # place in CALLS of the one that is not noted yet

    @property
    def queries(self) -> int:
        """Distinct networks that were trained."""
        return len(self._trained)

    @property
    def calls(self) -> int:
        """Pairs simulated: of the trials, and of controllers to choose among them."""
        return self.trials + self._lookup.simulated

    def note(self) -> None:
        """To be called before a trial is added, its controller's calls being made.

        A number of calls that was passed since is noted with what was found before.
        """
        made = self.calls
        while self._next < len(CALLS) and CALLS[self._next] <= made:
            self.by_calls[CALLS[self._next]] = self.regret
            self._next += 1

    def add(self, trial: Trial) -> None:
        """The next trial."""
        self.note()
        self.trials += 1
        if trial.accuracy is None:
            return
        [network], [place] = self._arena.places(np.array([trial.choices]))
        new = network not in self._trained
        self._trained.add(int(network))
        self._pairs.add((int(network), int(place)))
        if trial.feasible and (
            self._best is None or rank_key(trial) > rank_key(self._best)
        ):
            self._best = trial
        if new and self.queries in QUERIES:
            self.by_queries[self.queries] = self.state()

    @property
    def regret(self) -> float:
        """Of the best pair so far; of the worst pair where none was found."""
        arena, goal = self._arena, self._goal
        if goal.wanted == "front":
            return 0.0
        if self._best is None:
            return round(arena.worst_regret(goal), 9)
        [network], [place] = arena.places(np.array([self._best.choices]))
        return round(arena.regret(goal, int(network), int(place)), 9)

    def state(self) -> dict[str, float]:
        """Queries, trials, calls, regret, if any was found, hypervolume share."""
        share = 0.0
        if self._pairs:
            share = self._arena.share(*zip(*self._pairs, strict=True))
        return {
            "queries": self.queries, "trials": self.trials, "calls": self.calls,
            "regret": self.regret, "found": self._best is not None,
            "share": round(share, 6),
        }  # fmt: skip


def run(arena: Arena, goal: Goal, entry: Entry, seed: int) -> dict[str, Any]:
    """One search to its end; the CPU of a proposal is that of every seventh."""
    seconds, timed = 0.0, 0
    with looked_up(arena, goal) as lookup:
        record = Record(lookup)
        contestant: Contestant = entry.make(lookup, seed)
        while record.queries < entry.queries and record.trials < entry.trials:
            watched = record.trials % EVERY == 0
            started = time.process_time() if watched else 0.0
            choices = contestant.ask()
            asked = time.process_time() if watched else 0.0
            trial = arena.trial(goal, record.trials + 1, choices)
            record.add(trial)
            told = time.process_time() if watched else 0.0
            contestant.tell(trial)
            if watched:
                seconds += time.process_time() - told + asked - started
                timed += 1
        record.note()
    return {
        "end": record.state(), "by_queries": record.by_queries,
        "by_calls": record.by_calls,
        "cpu_ms": round(1e3 * seconds / timed, 3),
    }  # fmt: skip


def _task(problem: str, goal: str, name: str, seed: int, data: Path) -> dict[str, Any]:
    """A run in a worker, which keeps the last arena open."""
    if problem not in _arenas:
        _arenas.clear()  # gigabytes
        _arenas[problem] = open_arena(problem, data, TRUTHS)
    arena = _arenas[problem]
    [asked] = [one for one in arena.goals if one.name == goal]
    found = run(arena, asked, entries()[name], seed)
    key = {"problem": problem, "goal": goal, "name": name, "seed": seed}
    return {**key, "version": VERSION, "digest": arena.problem.digest, **found}


def missing(
    problems: Iterable[str], goals: Iterable[str], names: Iterable[str], seeds: int,
    done: Collection[Key],
) -> list[Key]:  # fmt: skip
    """The runs that are still to be made, a block of seeds of all problems at a time.

    A problem's costs are gigabytes that lie in memory while it is stayed with.
    """
    known = entries()
    every = [
        (problem, goal, name, seed)
        for first in range(0, seeds, BLOCK)
        for problem in problems
        for seed in range(first, min(first + BLOCK, seeds))
        for goal in goals
        for name in names
        if seed < known[name].seeds
    ]
    return [one for one in every if one not in done]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--goals", nargs="+")
    parser.add_argument("--only", nargs="+", choices=list(entries()))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    first = open_arena(arguments.problems[0], arguments.data, TRUTHS)
    goals = arguments.goals or [goal.name for goal in first.goals]
    done = known_runs()
    names = arguments.only or list(entries())
    unmade = missing(arguments.problems, goals, names, arguments.seeds, done)
    print(f"{len(done)} runs are known, {len(unmade)} to make")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the workers: small matrices
    context = get_context("spawn")
    started = time.monotonic()
    with ProcessPoolExecutor(arguments.jobs, mp_context=context) as pool:
        waiting = [pool.submit(_task, *one, arguments.data) for one in unmade]
        for count, future in enumerate(as_completed(waiting), start=1):
            append(future.result())
            if count % 50 == 0:
                left = (time.monotonic() - started) / count * (len(unmade) - count)
                print(f"{count} of {len(unmade)}, {left / 60:.0f} min left", flush=True)


if __name__ == "__main__":
    main()
