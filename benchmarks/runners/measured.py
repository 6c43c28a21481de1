"""What a piece of work takes: wall time, CPU time, and the process's peak of memory.

Only the standard library is used: each peer's interpreter imports it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    """A table that holds `seconds`, `cpu_seconds` and `peak_mib` when the block ends.

    The CPU time is that of all threads.
    """
    table: dict[str, float] = {}
    start, used = time.perf_counter(), time.process_time()
    yield table
    table["seconds"] = time.perf_counter() - start
    table["cpu_seconds"] = time.process_time() - used
    table["peak_mib"] = peak_mib()


def peak_mib() -> float:
    """The most memory that this process held so far (Linux; NaN elsewhere).

    `getrusage` will not do: it goes on from the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")
