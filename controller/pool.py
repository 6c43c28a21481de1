"""Where the driver's trainings run: spawned workers of this machine, or this process.

The pool starts workers (`workers.py`), replaces those that are gone and has their
leases given back (`lease_watch.py`).
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from nahas.controller import training_queue as queue
from nahas.controller.lease_watch import LEASE_SECONDS, LeaseWatch
from nahas.controller.outcome import Outcome, evaluate
from nahas.controller.rows import StudyError, Training
from nahas.controller.store import Store
from nahas.controller.workers import is_alive, owner_name
from nahas.search_space.oracle import Oracle

LOG = "workers.log"
COMMAND = (sys.executable, "-m", "nahas", "worker")
FALSE_STARTS = 5
_COMMIT_SECONDS = 1.0
# A training above that is leased; a write that nobody needs costs quick ones more.
_SLOW_SECONDS = 0.1
_STOP_SECONDS = 5.0
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class Runner(Protocol):
    """Whatever gets queued trainings done."""

    @property
    def eager(self) -> bool:
        """Whether trainings are begun while the search goes on."""
        ...

    def step(self) -> None:
        """Works or waits for a moment."""
        ...

    def stop(self) -> None:
        """Ends all work; what is unfinished stays queued."""
        ...


def thread_limits(threads: int) -> dict[str, str]:
    """Environment variables that keep the libraries to so many threads.

    >>> thread_limits(2)["OMP_NUM_THREADS"]
    '2'
    """
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def recover(store: Store) -> None:
    """Queues the trainings of workers that are gone, no death counted."""
    queue.count_anew(store)
    for held in queue.leases(store):
        if not is_alive(held.owner):
            queue.give_back(store, held)


class InProcess:
    """Trains in this process: for plain callables, instant oracles and tests.

    Workers of the user may help: what takes long is leased before it is begun, so that
    nobody else begins it too.

    Args:
        store: The study, open for writing.
        oracles: Say how accurate a network is.
    """

    def __init__(self, store: Store, oracles: Sequence[Oracle]) -> None:
        self._store = store
        self._oracles = {oracle.key: oracle for oracle in oracles}
        self._owner = owner_name()
        self._watch = LeaseWatch(store)
        self._held: queue.Lease | None = None
        self._slow = False
        recover(store)

    @property
    def eager(self) -> bool:
        """Only for the user's own workers, who help where trainings take long."""
        return self._slow

    def step(self) -> None:
        """Trains what is queued, for about a second at most, or one that is slow."""
        waiting = queue.queued(self._store)
        if not waiting:  # all are with workers of an earlier run or of the user
            self._watch.expire()
            time.sleep(0.1)
        elif self._slow:
            self._held = held = queue.lease(self._store, self._owner)
            if held is not None:
                outcome = self._evaluate(held.network, held.oracle)
                queue.finish(self._store, held, outcome)
                self._held = None
        else:
            started, done = time.monotonic(), []
            for network, oracle in waiting:
                outcome = self._evaluate(network, oracle)
                done.append(Training(network, oracle, outcome))
                if self._slow or time.monotonic() - started > _COMMIT_SECONDS:
                    break
            queue.finish_queued(self._store, done)

    def _evaluate(self, network: str, oracle: str) -> Outcome:
        started = time.monotonic()
        outcome = evaluate(self._oracles[oracle], network)
        self._slow = time.monotonic() - started > _SLOW_SECONDS
        return outcome

    def stop(self) -> None:
        """Gives back the training that an interrupt ended."""
        if self._held is not None:
            queue.give_back(self._store, self._held)


class Pool:
    """Spawned worker processes on this machine.

    Args:
        store: The study, open for writing.
        folder: Its folder, handed to the workers.
        count: How many workers to keep.
        threads: How many threads each may use.
        command: What starts a worker, but for the folder and `--parent PID`.
        lease_seconds: How long a heartbeat may stand still.
        poll_seconds: How long a step waits.
    """

    eager = True

    def __init__(
        self,
        store: Store,
        folder: Path,
        count: int,
        *,
        threads: int = 1,
        command: Sequence[str] = COMMAND,
        lease_seconds: float = LEASE_SECONDS,
        poll_seconds: float = 0.1,
    ) -> None:
        self._store = store
        self._folder = folder.resolve()
        self._count = count
        self._threads = threads
        self._command = command
        self._poll_seconds = poll_seconds
        self._children: list[subprocess.Popen[bytes]] = []
        self._watch = LeaseWatch(store, lease_seconds=lease_seconds)
        self._false_starts = 0
        recover(store)

    @property
    def pids(self) -> tuple[int, ...]:
        """Processes of the workers that were alive at the last step."""
        return tuple(child.pid for child in self._children)

    def step(self) -> None:
        """Replaces dead workers, gives back their trainings, waits for a moment.

        Raises:
            StudyError: If workers keep ending before they take a training.
        """
        self._bury()
        for owner in self._watch.expire():
            self._kill(owner)
        waiting = len(queue.queued(self._store))
        for _ in range(min(self._count - len(self._children), waiting)):
            self._children.append(self._spawn())
        time.sleep(self._poll_seconds)

    def stop(self) -> None:
        """Stops the workers; their trainings are queued again, uncounted."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()
        recover(self._store)

    def _spawn(self) -> subprocess.Popen[bytes]:
        limits = thread_limits(self._threads)
        # Workers import what the driver imports, the user's own modules included.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        with self._log("ab") as log:
            return subprocess.Popen(
                [*self._command, str(self._folder), "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | limits | {"PYTHONPATH": path},
                start_new_session=True,  # an interrupt of the terminal is the driver's
            )

    def _bury(self) -> None:
        for child in [child for child in self._children if child.poll() is not None]:
            self._children.remove(child)
            if queue.ever_leased(self._store, f"{child.pid}@"):
                self._false_starts = 0
            elif child.returncode != 0:
                self._false_starts += 1
        if self._false_starts >= FALSE_STARTS:
            with self._log("rb") as log:
                lines = log.read().decode(errors="replace").strip().splitlines()
            last = lines[-1] if lines else "they left no message; is the disk full?"
            raise StudyError(
                f"Workers end before they take a training, {FALSE_STARTS} in a row: "
                f"{last} (in {self._folder / LOG}). Repair that, then: "
                f"nahas resume {self._folder}"
            )

    def _kill(self, owner: str) -> None:
        for child in self._children:
            if owner.startswith(f"{child.pid}@{socket.gethostname()}/"):
                child.kill()

    def _log(self, mode: str) -> IO[bytes]:
        file: IO[bytes] = (self._folder / LOG).open(mode)
        return file
