"""What Ray costs the driver, and how busy it keeps so many tasks at once.

    python benchmarks/ray_scale.py

Random search over S1 with trainings that sleep for 1 s and for 60 s, 1 to 512 at once
on a private cluster of this machine, the window twice as wide; each runs alone, one
after another. The clock starts when a few waves of trainings are settled, so that the
start of Ray and of its processes is told apart, and stops some waves later. A size
whose processes would not fit into the memory is not run, and says so. The figures go
to results/ray_scale/.
"""

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill

from page import ROOT, WIDTH, command, cores, made_with, table, write_csv
from sleeping_oracle import Sleeping
from toys import toy_processes

from nahas.controller.progress import Progress
from nahas.controller.random_search import RandomSearch
from nahas.controller.ray_pool import TASK
from nahas.controller.reward import Reward
from nahas.controller.search import search
from nahas.search_space.joint import joint_space
from nahas.search_space.network_spaces import NETWORK_SPACES

RESULTS = ROOT / "results" / "ray_scale"
COLUMNS = (
    "tasks", "seconds_each", "trainings_timed", "start_s", "wall_s",
    "utilization", "driver_cpu_ms_a_trial", "processes", "mb_a_process", "load_average",
)  # fmt: skip
# Waves of trainings before the clock starts, and timed ones, by seconds of each.
_WAVES = {1.0: (8, 15), 60.0: (1, 2)}
_MOST_MEMORY = 0.8


@dataclass
class Clock:
    """Notes when trainings were settled, by the wall's clock and the driver's CPU.

    Whole waves are timed: then the search is interrupted, lest the last trainings of
    an odd number count, when most places are empty.

    Attributes:
        warm: Trainings before the clock starts.
        timed: Trainings after that until it stops.
        notes: (trainings done, wall's seconds, CPU's seconds).
        processes: Ray's processes for trainings when it starts.
        memory_mb: What they take, 1e6 bytes.
    """

    warm: int
    timed: int
    notes: list[tuple[int, float, float]] = field(default_factory=list)
    processes: int = 0
    memory_mb: float = 0.0

    def __call__(self, progress: Progress) -> None:
        """Notes how many are done."""
        done = progress.trained + progress.failed
        if done < self.warm or (self.notes and self.notes[-1][0] == done):
            return
        if not self.processes:  # at the first note, unless all are between two titles
            titles = (f"ray::{TASK}", "ray::IDLE")  # at a training, or between two
            mine = os.getpid()
            found = [pid for t in titles for pid in toy_processes.named(mine, t)]
            self.processes = len(found)
            self.memory_mb = toy_processes.memory_mb(found)
        self.notes.append((done, time.perf_counter(), time.process_time()))
        if done >= self.warm + self.timed:
            raise KeyboardInterrupt  # which a search takes for the user's


def measure(tasks: int, seconds: float, seed: int) -> tuple[object, ...]:
    """A row of `COLUMNS`: waves of trainings for each place, after the warm-up."""
    warm, waves = (tasks * count for count in _WAVES.get(seconds, (2, 4)))
    clock, started = Clock(warm, waves), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        search(
            joint_space(NETWORK_SPACES["s1"]()),
            RandomSearch(),
            Sleeping(seconds),
            Reward(),
            trials=2 * (warm + waves + tasks),
            seed=seed,
            folder=folder,
            workers=tasks,
            window=2 * tasks,
            engine="ray",
            progress=clock,
        )
    (before, wall, cpu), (done, end, spent) = clock.notes[0], clock.notes[-1]
    trained, elapsed = done - before, end - wall
    return (
        tasks,
        f"{seconds:g}",
        trained,
        f"{wall - started:.1f}",
        f"{elapsed:.1f}",
        f"{trained * seconds / (tasks * elapsed):.3f}",
        f"{1e3 * (spent - cpu) / trained:.1f}",
        clock.processes,
        f"{clock.memory_mb / max(clock.processes, 1):.0f}",
        f"{os.getloadavg()[0]:.1f}",
    )


def available_mb() -> float:
    """Memory that processes may still take, 1e6 bytes (Linux)."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    found = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(found.split()[1]) * 1024 / 1e6


def beyond(tasks: int, each_mb: float) -> str:
    """Why so many tasks are not run; empty where their processes fit."""
    needed, there = tasks * each_mb, available_mb()
    if needed <= _MOST_MEMORY * there:
        return ""
    return (
        f"{tasks} tasks are not run: at {each_mb:.0f} MB a process they need "
        f"{needed / 1e3:.1f} GB, and {there / 1e3:.1f} GB are free."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 8, 64, 512])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 60.0])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows, left = [], []
    for tasks in sorted(arguments.tasks):
        for seconds in arguments.seconds:
            each_mb = max((float(row[-2]) for row in rows), default=0.0)
            if why := beyond(tasks, each_mb):
                print(why, flush=True)
                left.append(f"With {seconds:g} s: {why}")
                continue
            row = measure(tasks, seconds, arguments.seed)
            print(*(f"{n}={v}" for n, v in zip(COLUMNS, row, strict=True)), flush=True)
            rows.append(row)
            write(rows, left, arguments.seed)
    write(rows, left, arguments.seed)


def write(rows: list[tuple[object, ...]], left: list[str], seed: int) -> None:
    """The table and the page, as far as they are known."""
    write_csv(RESULTS / "summary.csv", COLUMNS, rows)
    made = made_with("ray", "numpy", seed=seed, machine=cores())
    most = max((float(row[2]) / float(row[4]) for row in rows), default=0.0)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(COLUMNS, rows), made=made, most=f"{most:.0f}",
        left="".join(f"{fill(text, WIDTH)}\n\n" for text in left)))  # fmt: skip


_PAGE = """\
# What Ray costs the driver

Remade by

    {command}

{table}

{left}Random search over S1 on a private Ray cluster of one machine, with trainings that
sleep for `seconds_each`, `tasks` of them at once, the window twice as wide. `start_s`
is the time until some waves of trainings are settled (8 of 1 s, 1 of 60 s), Ray's start
and that of its processes included; what follows is timed. `utilization` is the sleep
done in `wall_s` over `tasks` x `wall_s`, of whole waves. `driver_cpu_ms_a_trial` is CPU
time of the driver's process a training: proposal, simulation, Ray's calls, SQLite, and
looking again and again for what is done. `processes` are Ray's for trainings when
the clock started, `mb_a_process` their memory (what is shared divided among the
sharers). They share the machine's cores with the driver, and with whatever else ran:
`load_average` is the system's over the last minute, at the end of each run, the row's
own processes included. No row has more than {most} trainings a second: what Ray itself
does for a task bounds them here, and short trainings fill fewer places than there are.

{made}
"""


if __name__ == "__main__":
    main()
