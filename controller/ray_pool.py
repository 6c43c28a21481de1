"""Where the driver's trainings run on Ray: one stateless task for each.

Only the driver reads or writes the study; a training stays queued there until its
result is written, so that nothing is to be taken back when the driver dies. A task
makes the oracle again from its description, says that it has begun, and trains. Ray
knows no time limit and is told not to retry: the driver counts seconds and deaths.
"""

import json
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nahas.controller import training_queue as queue
from nahas.controller.description import describe
from nahas.controller.outcome import (
    Outcome,
    fewest_trainings,
    late,
    most_threads,
    versions,
)
from nahas.controller.pool import FALSE_STARTS, thread_limits
from nahas.controller.ray_cluster import attach
from nahas.controller.ray_task import train
from nahas.controller.rows import StudyError, Training
from nahas.controller.store import Store
from nahas.search_space.oracle import Oracle

TASK = "nahas-training"
_IDLE_SECONDS = 0.1
_MOST_SECONDS_A_STEP = 2.0


@dataclass(slots=True)
class _Task:
    """A training that Ray has been given."""

    network: str
    oracle: str
    begun: bool = False
    seconds: float = 0.0

    @property
    def asked(self) -> queue.Asked:
        """The network and the oracle."""
        return self.network, self.oracle


class RayPool:
    """Tasks of a Ray cluster.

    Args:
        store: The study, open for writing.
        oracles: Say how accurate a network is; tasks make them again.
        count: CPUs of the private cluster over `threads`; a cluster at an address has
            its own number.
        timeout_seconds: After how long a training is given up.
        address: HOST:PORT of a running cluster; "" starts a private one.
        poll_seconds: How long a step waits, unless a task says something before.

    Raises:
        StudyError: If there is no cluster, or it refuses.
    """

    eager = True

    def __init__(
        self,
        store: Store,
        oracles: Sequence[Oracle],
        count: int,
        *,
        timeout_seconds: float,
        address: str = "",
        poll_seconds: float = 1.0,
    ) -> None:
        threads = most_threads(oracles)
        self._store = store
        self._descriptions = {o.key: json.dumps(describe(o)) for o in oracles}
        self._timeout_seconds = timeout_seconds
        self._poll_seconds = poll_seconds
        self._tasks: dict[Any, _Task] = {}
        self._deaths: Counter[queue.Asked] = Counter()
        self._false_starts = 0
        self._versions = versions()
        self._warned: set[str] = set()
        self._counted = time.monotonic()
        self._ray = attach(address, count * threads)
        # Workers import what the driver imports, the user's own modules included.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._train = self._ray.remote(
            name=TASK,
            num_cpus=threads,
            num_returns="streaming",
            # A training begins when its first word has been read: a network that
            # kills its process at once is not taken for a task that never began.
            _generator_backpressure_num_objects=1,
            max_retries=0,
            max_calls=fewest_trainings(oracles),
            runtime_env={"env_vars": thread_limits(threads) | {"PYTHONPATH": path}},
        )(train)

    def step(self) -> None:
        """Hands out what is unfinished, takes in what is done, waits for a moment.

        Raises:
            StudyError: If tasks keep ending before they begin, or cannot make the
                oracle.
        """
        given = {task.asked for task in self._tasks.values()}
        for network, oracle in queue.unfinished(self._store):
            if (network, oracle) not in given:
                stream = self._train.remote(self._descriptions[oracle], network)
                self._tasks[stream] = _Task(network, oracle)
        done = [*self._taken_in(), *self._given_up()]
        if done:
            queue.finish_unfinished(self._store, done)

    def stop(self) -> None:
        """Cancels the tasks and leaves, or ends, the cluster."""
        for stream in self._tasks:
            self._ray.cancel(stream, force=True)
        self._tasks.clear()
        self._ray.shutdown()

    def _taken_in(self) -> Iterator[Training]:
        """Trainings that have ended, in whatever way, since the last step."""
        streams = list(self._tasks)
        if not streams:
            time.sleep(_IDLE_SECONDS)
            return
        # Until there is one; then all there are.
        wait = {"fetch_local": False}
        self._ray.wait(streams, timeout=self._poll_seconds, **wait)
        ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, **wait)
        for stream in ready:
            outcome = self._read(stream)
            if outcome is not None:
                yield Training(*self._tasks.pop(stream).asked, outcome)

    def _read(self, stream: Any) -> Outcome | None:
        """The next word of a task; its outcome, if that is what it says."""
        errors = self._ray.exceptions
        task = self._tasks[stream]
        try:
            said = self._ray.get(next(stream))
        except (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.LocalRayletDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
        ) as error:
            return self._died(stream, error)
        except errors.RayError as error:
            raise self._refused(error) from error
        if isinstance(said, Outcome):
            return said
        task.begun, self._false_starts = True, 0
        self._compare(said)
        return None

    def _died(self, stream: Any, error: Exception) -> Outcome | None:
        """Forgets a task whose process is gone; its training's third fails that."""
        task = self._tasks[stream]
        if task.begun:
            self._deaths[task.asked] += 1
            if self._deaths[task.asked] >= queue.MAX_ATTEMPTS:
                return queue.DIED
        else:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                raise self._refused(error)
        del self._tasks[stream]
        return None

    def _given_up(self) -> Iterator[Training]:
        """Trainings that have taken too long."""
        now = time.monotonic()
        # A driver that itself was stopped for long must not blame its tasks for it.
        passed = min(now - self._counted, _MOST_SECONDS_A_STEP)
        self._counted = now
        for stream, task in list(self._tasks.items()):
            if task.begun:
                task.seconds += passed
            if task.seconds > self._timeout_seconds:
                self._ray.cancel(stream, force=True)
                del self._tasks[stream]
                yield Training(*task.asked, late(self._timeout_seconds))

    def _refused(self, error: Exception) -> StudyError:
        """The error of tasks that cannot train at all."""
        text = " ".join(str(getattr(error, "cause", None) or error).split())[:300]
        folder = self._store.path.parent
        return StudyError(
            f"Ray's workers cannot train: {type(error).__name__}: {text}. Every node "
            "needs nahas and the modules that the study names. Repair that, then: "
            f"nahas resume {folder}"
        )

    def _compare(self, node: dict[str, str]) -> None:
        """Warns once of each node with other versions than the driver's."""
        place = node.pop("node")
        mine = self._versions
        moved = [k for k in sorted({*node, *mine}) if node.get(k) != mine.get(k)]
        if moved and place not in self._warned:
            self._warned.add(place)
            lines = (f"{k} is {node.get(k)}, here {mine.get(k)}" for k in moved)
            warnings.warn(
                f"Node {place} has other versions than the driver, with which results "
                f"may differ: {'; '.join(lines)}.",
                stacklevel=2,
            )
