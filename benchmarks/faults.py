"""What a study survives: kills, damage, a full disk, a second driver, jumping clocks.

    python benchmarks/faults.py

The tests' toy search (evolution, 300 trials, a training of 30 ms that fails for one
network in four) is broken in many ways, then continued to its end and compared with the
unbroken run, trial by trial. Drivers and workers are real processes and get SIGKILL.
Rows on Ray are made where Ray is installed. The figures go to results/faults/.
"""

import argparse
import os
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jumping_clock
from disk_faults import damage, flipped, full_disk, truncated, without_log
from fault_bench import (
    COLUMNS,
    MILLISECONDS,
    PROCESSES,
    TRIALS,
    Bench,
    Row,
    new_bench,
    shown,
)
from page import ROOT, command, cores, made_with, table, write_csv
from toys import toy_faults, toy_processes, toy_study

from nahas.controller.progress import Progress
from nahas.controller.ray_pool import TASK
from nahas.controller.rows import StudyError

RESULTS = ROOT / "results" / "faults"
# A proposal is settled before this many more are: no training is struck twice.
_APART = 5
_KILLS_A_STUDY = 10


def kill_drivers(
    unbroken: object, kills: int, workers: int, engine: str, seed: int
) -> Row:
    """Drivers of one study, each killed at a random moment; the last one finishes."""
    moments, struck = random.Random(seed), 0
    with new_bench() as bench:
        for i in range(kills):
            struck += toy_faults.kill_driver(
                lambda: bench.start(workers, engine),
                bench.folder,
                moments,
                least=0.0,
                most=0.3,
                goal=i * (TRIALS - 30) // kills,
            )
        _, wait = bench.start(workers, engine)
        wait()
        where = f"{workers} workers {_on(engine)}" if workers else "no workers"
        return bench.row(f"driver killed, {where}", struck, unbroken)


def kill_workers(unbroken: object, kills: int, engine: str, seed: int) -> Row:
    """One driver, whose workers are killed at trainings at random moments."""
    with new_bench() as bench:
        note = bench.folder.with_name("struck")
        child = PROCESSES.Process(
            target=struck, args=(bench, kills, engine, seed, note)
        )
        note.write_text("0")
        child.start()
        child.join()
        fault = f"workers killed, 2 workers {_on(engine)}"
        return bench.row(fault, int(note.read_text()), unbroken)


def struck(bench: Bench, kills: int, engine: str, seed: int, note: Path) -> None:
    """The body of the driver whose workers are killed; notes how many were."""
    chance, done, last = random.Random(seed), 0, -_APART

    def strike(progress: Progress) -> None:
        nonlocal done, last
        if done == kills or progress.done < last + _APART or chance.random() < 0.5:
            return
        if engine == "ray":
            found = toy_processes.named(os.getpid(), f"ray::{TASK}")[:1]
            for pid in found:
                toy_faults.kill(pid)
        else:
            found = toy_faults.kill_worker(bench.folder, spare=set())
        if found:
            done, last = done + 1, progress.done
            note.write_text(str(done))

    bench.run(2, MILLISECONDS, engine=engine, progress=strike)


def _on(engine: str) -> str:
    return "on Ray" if engine == "ray" else "of this machine"


def two_drivers(unbroken: object, times: int, engines: Sequence[str]) -> Row:
    """While one drives, others try."""
    lines = []
    with new_bench() as bench:
        _, wait = bench.start(0, "local")
        for i in range(times):
            while toy_faults.settled(bench.folder) < 1 + i * (TRIALS - 60) // times:
                time.sleep(0.02)
            try:
                bench.run(1, engine=engines[i % len(engines)])
            except StudyError as error:
                lines.append(shown(error, bench))
        wait()
        fault = f"two drivers, the second {' or '.join(map(_on, engines))}"
        said = lines[-1] if lines else ""
        return bench.row(fault, times, unbroken, said, refused=len(lines))


def jumping(unbroken: object, workers: int) -> Row:
    """Driver and workers whose wall clock jumps by up to five years."""
    fault = "wall clock jumps"
    with new_bench() as bench:
        library = jumping_clock.build(bench.log.parent)
        if library is None:
            return Row(fault, 0, 0, 0, 0, 0, 0, said="not tried: no C compiler here")
        more = {
            "LD_PRELOAD": str(library),
            "TOY_LOG": str(bench.log),
            toy_study.SPACES: "wide",
        }
        words = ("search", str(bench.folder), str(TRIALS), str(workers), "20")
        subprocess.run([*toy_study.COMMAND, *words], env=os.environ | more, check=True)
        return bench.row(fault, 1, unbroken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with new_bench() as bench:
        unbroken = toy_study.outcomes(bench.run())
    on_ray = find_spec("ray") is not None
    planned = list(plan(arguments, unbroken, on_ray))
    rows: dict[str, Row] = {}
    fresh = get_context("spawn")
    with ProcessPoolExecutor(arguments.at_once, mp_context=fresh) as pool:
        for done in as_completed(pool.submit(*call) for call in planned):
            row = done.result()
            print(*row.cells(), sep=" | ", flush=True)
            rows[row.fault] = rows[row.fault] + row if row.fault in rows else row
            write([rows[fault] for fault in sorted(rows)], on_ray, arguments.seed)


def plan(
    arguments: argparse.Namespace, unbroken: object, on_ray: bool
) -> Iterator[tuple[Any, ...]]:
    """What is tried: functions with their arguments, the longest first."""
    kills, seed = arguments.kills, arguments.seed
    engines = ("local", "ray") if on_ray else ("local",)
    count = -(-kills // _KILLS_A_STUDY)
    parts = [kills // count + (i < kills % count) for i in range(count)]
    for engine in reversed(engines):
        for i, part in enumerate(parts):
            yield kill_drivers, unbroken, part, 2, engine, seed + i
            yield kill_workers, unbroken, part, engine, seed + i
    for i, part in enumerate(parts):
        yield kill_drivers, unbroken, part, 0, "local", seed + i
    yield two_drivers, unbroken, arguments.times, engines
    for i in range(arguments.times):
        yield damage, "file truncated", truncated, unbroken, seed + i
        yield damage, "a page's bits flipped", flipped, unbroken, seed + i
        yield damage, "driver killed, its log lost", without_log, unbroken, seed + i
        yield full_disk, unbroken, 96 + 16 * i
    for workers in range(3):
        yield jumping, unbroken, workers


def write(rows: Sequence[Row], on_ray: bool, seed: int) -> None:
    """The table and the page, as far as they are known."""
    cells = [row.cells() for row in rows]
    write_csv(RESULTS / "summary.csv", COLUMNS, cells)
    libraries = ("ray", "numpy") if on_ray else ("numpy",)
    made = made_with(*libraries, seed=seed, machine=cores())
    said = "" if on_ray else "\nRay was not installed: it has no rows.\n"
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(COLUMNS, cells), made=made, ray=said,
        clock=jumping_clock.HOW))  # fmt: skip


_PAGE = """\
# What a study survives

Remade by

    {command}

{table}
{ray}
The search is the tests' toy: regularized evolution, 300 trials with a window of 4, a
training that takes 30 ms (none where a file is damaged or a disk full) and fails for
one network in four. After each fault it is continued to its end. `times` is how often
the fault struck, over so many `studies`; `trials_twice` are trials that a record holds
more than once; `equal_in_the_end` compares every field of every trial but the seconds
with the unbroken run's; `trainings_again` are those begun more than once.

- Drivers are killed (SIGKILL) at random moments, from the start of the process on, and
  each time continued by a new one on the same study. The kills are spread over its
  length: a driver is killed up to 0.3 s after the study has so many more trials.
- `refused`: a line such as `what_was_said` and an exit, before anything is touched.
- Workers are killed at a training, no training twice: the third death within one run of
  the driver fails a trial, by design.
- A truncated file keeps a random 5 to 95 %; of a flipped page every bit is turned; the
  log is lost after a kill in the first run (all is in the log) or in a later one. Where
  the study is refused it is salvaged; where it is not, the lost trials are made again.
- {clock}

{made}
"""


if __name__ == "__main__":
    main()
