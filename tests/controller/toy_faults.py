"""Faults: what happens to a search, or to the file of a study, when something breaks.

Shared by the tests and by benchmarks/faults.py, which counts what they do.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Set
from contextlib import suppress
from pathlib import Path

from toy_processes import descendants

from nahas.controller import training_queue as queue
from nahas.controller.pages import PAGE_BYTES
from nahas.controller.store import FILE, Store
from nahas.controller.study import CONFIG, Study

Started = tuple[int, Callable[[], object]]


def settled(folder: Path) -> int:
    """Trials that a study holds."""
    if not (folder / CONFIG).exists():
        return 0
    return Study(folder).counts()["trials"]


def change(folder: Path, edit: Callable[[bytearray], object]) -> None:
    """Edits the bytes of a study's file."""
    file = folder / FILE
    data = bytearray(file.read_bytes())
    edit(data)
    file.write_bytes(data)


def flip_page(data: bytearray, page: int) -> None:
    """Turns over every bit of a page, numbered from 1."""
    span = slice((page - 1) * PAGE_BYTES, page * PAGE_BYTES)
    data[span] = bytes(byte ^ 0xFF for byte in data[span])


def truncate(data: bytearray, share: float) -> None:
    """Leaves the first part of the bytes."""
    del data[int(share * len(data)) :]


def lose_log(folder: Path) -> int:
    """Removes the write-ahead log that a killed driver left; its bytes."""
    log = folder / f"{FILE}-wal"
    lost = log.stat().st_size if log.exists() else 0
    log.unlink(missing_ok=True)
    (folder / f"{FILE}-shm").unlink(missing_ok=True)
    return lost


def runs(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return words.rpartition(")")[2].split()[0] not in "ZX"


def kill(pid: int) -> None:
    """SIGKILL; who is gone already is let be."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_driver(
    start: Callable[[], Started],
    folder: Path,
    moments: random.Random,
    *,
    least: float,
    most: float,
    goal: int = 0,
) -> bool:
    """Starts a driver and kills it at a random moment; says whether it still ran.

    Returns when it has ended, and its workers, which end by themselves.

    Args:
        start: Starts it; gives its number, and what waits for its end.
        folder: Its study.
        moments: Draws the moment.
        least: Seconds after which it is killed at the earliest; they count from the
            start or, with a goal, from when the study holds so many trials.
        most: And at the latest.
        goal: Trials to wait for.
    """
    pid, wait = start()
    while goal and runs(pid) and settled(folder) < goal:
        time.sleep(0.02)
    time.sleep(moments.uniform(least, most))
    ran = runs(pid)
    children = descendants(pid)
    kill(pid)
    wait()  # a zombie's threads may still hold its lock
    deadline = time.monotonic() + 30
    while any(map(runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return ran


def kill_worker(folder: Path, spare: Set[str]) -> list[str]:
    """Kills a worker of this machine that is at a training; gives the network, if any.

    Args:
        folder: The study.
        spare: Networks whose workers live: a training's third death would fail it.
    """
    if not (folder / CONFIG).exists():
        return []
    with Store(folder) as reader:
        held = [h for h in queue.leases(reader) if h.network not in spare]
    for found in held[:1]:
        kill(int(found.owner.partition("@")[0]))
    return [found.network for found in held[:1]]
