"""Times our own simulator in a fresh process; prints JSON.

    NUMBA_NUM_THREADS=2 python run_nahas.py REPEATS NETWORKS FILE...

NETWORKS is the size of the population, the files are ONNX. Nothing but compiled kernels
is kept between runs: each gets a fresh workload and a fresh grid.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measured import measured, peak_mib

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.grid import BASELINE, accelerator_at, grid_shape
from nahas.accelerator.import_onnx import import_onnx
from nahas.accelerator.sweep import grid_axes, sweep
from nahas.accelerator.workload import Workload
from nahas.search_space.lower import lower
from nahas.search_space.network import Network
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.published import PUBLISHED

TINY = "r8_c2 stem_k1_s1_f8_relu6 ibn_k1_e1_f8_relu6 head_f8_relu6"
TIMED = "EfficientNetB0"
BY_SIZE = ("MobileNetV2", TIMED, "EfficientNetB2", "EfficientNetB4", "EfficientNetB7")
COUNTS = (1, 10, 100, 1_000, 10_000)


def main() -> None:
    repeats, count = map(int, sys.argv[1:3])
    files = [Path(word) for word in sys.argv[3:]]
    rng = np.random.default_rng(0)
    before = peak_mib()
    start = time.perf_counter()
    sweep(lower([Network.parse(TINY)]))
    evaluate(lower([PUBLISHED["MobileNetV2"]]), [BASELINE] * 32)
    table: dict[str, Any] = {"compile_or_load_seconds": time.perf_counter() - start}
    table["peak_mib_idle"] = before
    table["peak_mib_loaded"] = peak_mib()
    named = {name: lambda n=name: lower([PUBLISHED[n]]) for name in BY_SIZE}
    table["sweep"] = {TIMED: timed_sweep(named[TIMED], repeats)}
    table["peak_mib_sweep"] = peak_mib()
    for name in BY_SIZE:
        if name not in table["sweep"]:
            table["sweep"][name] = timed_sweep(named[name], repeats)
    table["accelerators"] = dict(by_accelerators(rng, named[TIMED], repeats))
    table["files"] = {
        file.stem: timed_file(lambda f=file: import_onnx(f), repeats) for file in files
    }
    table["population"] = population(rng, count, repeats)
    print(json.dumps(table))


def best(repeats: int, prepare: Callable[[], Any], work: Callable[[Any], Any]) -> Any:
    """The least wall time of so many runs, and the least CPU time of all threads.

    What disturbs a run only adds to it.
    """
    found = []
    for _ in range(repeats):
        ready = prepare()
        with measured() as cost:
            work(ready)
        found.append(cost)
    return {key: min(cost[key] for cost in found) for key in ("seconds", "cpu_seconds")}


def timed_sweep(read: Callable[[], Workload], repeats: int) -> dict[str, float]:
    """From the workload in memory to the ranked ten best of all accelerators."""
    work = read()

    def fresh() -> Workload:
        grid_axes.cache_clear()
        return read()

    rows = work.operators.view(np.int64).reshape(len(work), -1)
    return {
        "operators": len(work),
        "distinct": len(np.unique(rows, axis=0)),
        **best(repeats, fresh, sweep),
    }


def timed_file(read: Callable[[], Workload], repeats: int) -> dict[str, Any]:
    """A sweep, and a single pair."""
    return {
        "sweep": timed_sweep(read, repeats),
        "pair": best(4 * repeats, read, lambda work: evaluate(work, [BASELINE])),
    }


def by_accelerators(
    rng: np.random.Generator, read: Callable[[], Workload], repeats: int
) -> Iterator[tuple[str, dict[str, float]]]:
    """One network on random accelerators of the grid, which need not form one."""
    for count in COUNTS:
        choices = rng.integers(grid_shape(), size=(count, len(grid_shape())))
        machines = [accelerator_at(tuple(row)) for row in choices.tolist()]
        cost = best(repeats, read, lambda work, m=machines: evaluate(work, m))
        yield str(count), cost


def population(rng: np.random.Generator, count: int, repeats: int) -> dict[str, Any]:
    """Distinct networks of S2 and S3 on one accelerator."""
    found: dict[str, Network] = {}
    while len(found) < count:
        for name in ("s2", "s3"):
            space = NETWORK_SPACES[name]()
            networks = (space.decode(row) for row in space.random(rng, count // 2 + 1))
            found |= {str(network): network for network in networks}
    networks = list(found.values())[:count]
    work = lower(networks)
    return {
        "networks": len(networks),
        "operators": len(work),
        "lowering": best(repeats, lambda: networks, lower),
        "costing": best(
            repeats, lambda: lower(networks), lambda work: evaluate(work, [BASELINE])
        ),
    }


if __name__ == "__main__":
    main()
