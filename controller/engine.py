"""The engine of a search: which runner gets its trainings done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nahas.controller.outcome import most_threads
from nahas.controller.pool import COMMAND, InProcess, Pool, Runner
from nahas.controller.ray_pool import RayPool
from nahas.controller.store import Store
from nahas.search_space.oracle import Oracle


@contextmanager
def make_runner(
    store: Store,
    oracles: Sequence[Oracle],
    workers: int,
    *,
    timeout_seconds: float,
    engine: str = "local",
    address: str = "",
    command: Sequence[str] = COMMAND,
) -> Iterator[Runner]:
    """A runner, stopped in the end.

    Args:
        store: The study, open for writing.
        oracles: Say how accurate a network is.
        workers: Processes that train; 0 trains in this one.
        timeout_seconds: After how long a training on Ray is given up; local workers
            read it in the study.
        engine: "local" or "ray".
        address: HOST:PORT of a running Ray cluster; "" for a private one.
        command: What starts a local worker, but for the folder and `--parent PID`.

    Raises:
        StudyError: If there is no Ray cluster, or it refuses.
    """
    runner: Runner
    if engine == "ray":
        runner = RayPool(
            store, oracles, workers, timeout_seconds=timeout_seconds, address=address
        )
    elif workers == 0:
        runner = InProcess(store, oracles)
    else:
        threads, folder = most_threads(oracles), store.path.parent
        runner = Pool(store, folder, workers, threads=threads, command=command)
    try:
        yield runner
    finally:
        runner.stop()
