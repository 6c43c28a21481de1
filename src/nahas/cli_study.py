"""The commands around a study that is there: worker, status and report."""

import argparse
import os
import subprocess
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.fronts import UNKNOWN
from nahas.output import (
    counted,
    duration,
    note,
    number,
    percent,
    print_json,
    print_table,
)
from nahas.usage import (
    UsageError,
    add_command,
    add_json,
    add_study,
    check_file,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.controller.outcome import Outcome
    from nahas.controller.study import Study
    from nahas.controller.training_queue import Lease

_WIDTH = 120


def add_commands(commands: Any) -> None:
    """Adds the commands to the parser's."""
    worker = add_command(
        commands,
        "worker",
        _worker,
        summary="train for a study that runs elsewhere on this machine",
        description="Trains what a running study asks for. A search starts its own "
        "workers; this one is for more of them, from another shell, and may come and "
        "go. A search with --workers 0 shares its trainings with it.",
        examples=["worker runs/quickstart"],
    )
    add_study(worker)
    worker.add_argument(
        "--parent", type=int, metavar="PID", help="end when that process is gone"
    )
    worker.add_argument(
        "--announce", action="store_true",
        help="print a line a training (always without --parent)",
    )  # fmt: skip

    status = add_command(
        commands,
        "status",
        _status,
        summary="where a study stands",
        description="Says where a study stands; a running one is not disturbed.",
        examples=["status runs/quickstart --json"],
    )
    add_study(status)
    add_json(status)

    report = add_command(
        commands,
        "report",
        _report,
        summary="a study on one HTML page",
        description="Writes one HTML file that needs nothing else.",
        examples=["report runs/quickstart -o quickstart.html"],
    )
    add_study(report)
    report.add_argument(
        "-o", "--output", metavar="FILE", help="default: report.html in the folder"
    )


def _worker(arguments: argparse.Namespace) -> int:
    from nahas.controller import training_queue as queue
    from nahas.controller.outcome import most_threads
    from nahas.controller.pool import COMMAND, thread_limits
    from nahas.controller.store import Store
    from nahas.controller.study import Study
    from nahas.controller.workers import rebuilt_oracles, work

    study = Study.open(open_study(arguments.study).folder)
    with reading_input():  # what cannot be made trains nothing
        oracles = rebuilt_oracles(study.config)
    folder = study.folder
    if arguments.parent is not None:
        finished = _say if arguments.announce else None
        work(folder, oracles, parent=arguments.parent, finished=finished)
        return 0
    with Store(folder) as reader:
        waiting = len(queue.queued(reader))
    note(f"Training what {folder} asks for ({waiting} wait now); leave with Ctrl-C.")
    # One after another: a worker ends when its trainings have left much memory behind.
    command = [*COMMAND, str(folder), "--announce", "--parent", str(os.getpid())]
    limits = thread_limits(most_threads(oracles))
    code = 0
    try:
        while code == 0 and folder.exists():
            # An interrupt is this process's alone. The worker finds it gone within a
            # second, gives back the training that it is at, and ends; `subprocess.run`
            # would kill it.
            child = subprocess.Popen(
                command, env=os.environ | limits, start_new_session=True
            )
            code = child.wait()
    except KeyboardInterrupt:
        note(f"Left {folder}; the study goes on without this worker.")
    return code


def _say(held: "Lease", outcome: "Outcome") -> None:
    found = outcome.error or percent(outcome.accuracy)
    note(f"{found} after {duration(outcome.seconds)}: {held.network}"[:_WIDTH])


def _status(arguments: argparse.Namespace) -> int:
    from nahas.cli_targets import status
    from nahas.closing import summary
    from nahas.targets import are_in

    if are_in(arguments.study):
        return status(Path(arguments.study), as_json=arguments.json)
    study = open_study(arguments.study)
    found = summary(study)
    run = (study.config.get("config") or {}).get("run", {})
    found = {"asked": run.get("trials"), **found}
    if arguments.json:
        print_json(found)
    else:
        print_result(found)
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from nahas.cli_targets import page
    from nahas.closing import write
    from nahas.report import render
    from nahas.targets import are_in, read

    several = are_in(arguments.study)
    study = None if several else open_study(arguments.study)
    with reading_input():
        check_file("--output", arguments.output)
    path = Path(arguments.output or Path(arguments.study) / "report.html")
    if path.exists() and not path.is_file():  # it would be replaced: /dev/null too
        raise UsageError(f"`--output` must be a plain file. Received {path}.")
    write(path, render(study) if study else page(read(Path(arguments.study))))
    print(path)
    return 0


def open_study(folder: str) -> "Study":
    """The study in a folder; a folder without one is wrong use, not a failure."""
    from nahas.controller.study import CONFIG, Study

    if not (Path(folder) / CONFIG).is_file():
        raise UsageError(
            f"STUDY must be the folder of a study, with its {CONFIG}. Received "
            f"{folder!r}. `nahas search --folder {folder}` starts one there."
        )
    return Study.open(folder)


_COSTS = ("latency_ms", "energy_mj", "area_mm2")
_TOP_FRONT = 12


def print_result(found: dict[str, Any]) -> None:
    """Prints a study's counts, its results and what they are compared with.

    The results are the best pair within the limits, the one of the highest reward and
    the policy's mode; the last two where they are others, and what limits they break.
    """
    from nahas.closing import others_in_words, others_of

    counts = counted(found)
    print_table(tuple(counts), [list(counts.values())], title=found["study"])
    best, others = found["best"], others_of(found)
    if found["split"]:
        print(f"mode {found['search_mode']}: {found['split']}")
    if found["failed"]:
        print(f"last failure: {found['last_error']}")
    if found["violating"]:
        print(f"trained, but a limit is broken: {found['violating']} trials")
    if best is None:
        print("No trial is feasible yet.")
        for line in others_in_words(others):
            print(line)
        return
    rows = [
        ("best pair", best),
        *((name, row) for name, row in others.items() if not row["error"]),
        *((row["name"], row) for row in found["references"]),
    ]
    print_table(
        ("", "accuracy", *_COSTS),
        [
            [name, percent(row["accuracy"]), *(number(row[cost]) for cost in _COSTS)]
            for name, row in rows
        ],
        title=f"best pair: trial {best['number']}, reward {number(best['reward'])}; "
        "references run on the baseline accelerator",
    )
    for line in others_in_words(others):
        print(line)
    _print_front(found["front"])
    for row in found["references"]:
        if row["error"]:
            print(f"no accuracy: {row['name']}: {row['error']}")
    print(f"network:     {best['network']}")
    if best["accelerator"]:
        values = ", ".join(f"{k} {v:g}" for k, v in best["accelerator"].items())
        print(f"accelerator: {values}")
    if found["scale"]:
        print(textwrap.fill(found["scale"], 88))
    _print_test(found["test"], best["network"])


def _print_front(rows: list[dict[str, Any]]) -> None:
    """The pairs on the front of accuracy and latency, and how likely they are on it."""
    known = any(row["probability"] is not None for row in rows)
    title = "front of accuracy and latency"
    if known:
        title += "; likely: probability of being on it, given the accuracies' noise"
    shown = rows[:_TOP_FRONT]
    print_table(
        ("trial", "accuracy", *(("+-", "likely") if known else ()), *_COSTS),
        [
            [
                f"{row['number']}{'' if row['measured'] else ' (not as measured)'}",
                percent(row["accuracy"]),
                *((percent(row["deviation"]), number(row["probability"], 2))
                  if known else ()),
                *(number(row[cost]) for cost in _COSTS),
            ]
            for row in shown
        ],
        title=title,
    )  # fmt: skip
    if len(shown) < len(rows):
        print(f"and {len(rows) - len(shown)} more, see the report")
    if not known:
        print(f"{UNKNOWN}\n")


def _print_test(test: dict[str, Any] | None, network: str) -> None:
    """What the best network reaches on the test images, if it was judged."""
    if test and test["network"] == network:
        print(
            f"test:        {percent(test['accuracy'])} of {test['images']:,} images; "
            f"smallest network of the space {percent(test['other'])}; difference "
            f"{100 * test['difference']:.2f} points, 95 % interval "
            f"{100 * test['low']:.2f} to {100 * test['high']:.2f} (paired)"
        )
