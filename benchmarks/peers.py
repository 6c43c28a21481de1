"""Times our simulator and the peers that pip installs on the same networks.

    python benchmarks/peers.py

Each peer gets a virtual environment of its own in a folder that git ignores
(`--cache`); one that cannot be installed or does not finish is named and left out.
Nothing else should run on the machine. The tables go to results/peers/.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from operation_counts import least_cpu_seconds, of_sweep
from peer_environments import (
    CACHE,
    RUNNERS,
    SCALE_SIM,
    VELA,
    ZIGZAG,
    Unavailable,
    answer_of,
    run,
)
from peer_inputs import NETWORKS, layers, network, write_onnx, write_topology
from peers_report import Evaluation, Measurements, report

from nahas.accelerator.workload import Workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

TIMED = "EfficientNetB0"
LAYER = "ResNet-50, one layer"
"""Its 3x3 convolution of 56x56x64: all of ResNet-50 takes SCALE-Sim many minutes."""

SLOW = 10.0
"""Seconds from which a peer is timed once, and not the least of three runs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=CACHE, help="environments, files")
    parser.add_argument("--repeats", type=int, default=5, help="runs of ours; least")
    parser.add_argument("--networks", type=int, default=2048, help="of a population")
    parser.add_argument(
        "--lpf-limit", type=int, default=4, help="ZigZag's loop factors"
    )
    parser.add_argument("--array", type=int, default=64, help="side of SCALE-Sim's")
    parser.add_argument("--ethos", default="ethos-u65-512", help="Vela's accelerator")
    parser.add_argument("--timeout", type=float, default=600, help="s, of a peer's run")
    parser.add_argument(
        "--tflite", type=Path, help="MobileNetV2 for Vela instead of our conversion"
    )
    arguments = parser.parse_args()
    arguments.cache = arguments.cache.resolve()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    works = {name: network(name) for name in NETWORKS}
    works[LAYER] = one_layer(works["ResNet-50"])
    files = [
        write_onnx(work, arguments.cache / f"{name}.onnx")
        for name, work in works.items()
    ]
    cores = os.cpu_count() or 1
    threads = sorted({1, min(2, cores), cores})
    ours = {count: time_ours(count, files, arguments) for count in threads}
    counted = of_sweep(lower([PUBLISHED[TIMED]]))
    found, missing = time_peers(works, arguments)
    report(
        Measurements(
            ours=ours,
            peers=found,
            missing=missing,
            command=time_command(arguments.repeats),
            operations=counted,
            least_cpu_seconds=least_cpu_seconds(counted),
        ),
        arguments,
    )


def one_layer(resnet: Workload) -> Workload:
    """The first 3x3 convolution of 56x56 positions, 64 channels and 64 filters."""
    apart = layers(resnet)
    rows = apart.operators
    same = (rows["channels"] == 64) & (rows["filters"] == 64)
    row = int((same & (rows["height"] == 56) & (rows["kernel_height"] == 3)).argmax())
    return apart.part(row, row + 1)


def time_ours(
    threads: int, files: list[Path], arguments: argparse.Namespace
) -> dict[str, Any]:
    """What our runner measures with so many threads; twice, as the first compiles."""
    variables = os.environ | {"NUMBA_NUM_THREADS": str(threads)}
    command = [sys.executable, str(RUNNERS / "run_nahas.py")]
    answer_of("nahas", [*command, "1", "64"], variables, arguments.timeout)
    words = [str(arguments.repeats), str(arguments.networks), *map(str, files)]
    table = answer_of("nahas", [*command, *words], variables, arguments.timeout)
    print(f"nahas, {threads} threads: {table['sweep'][TIMED]}", flush=True)
    return table


def time_command(repeats: int) -> dict[str, float]:
    """The command `nahas simulate` as a new process, its kernels compiled on disk."""
    command = [sys.executable, "-m", "nahas", "simulate", TIMED, "--top", "1"]
    found = []
    for _ in range(repeats + 1):
        start, used = time.perf_counter(), _children()
        subprocess.run(command, check=True, capture_output=True)
        found.append((time.perf_counter() - start, _children() - used))
    seconds, cpu_seconds = (min(column) for column in zip(*found[1:], strict=True))
    return {"seconds": seconds, "cpu_seconds": cpu_seconds}


def _children() -> float:
    """CPU time of the processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def time_peers(
    works: dict[str, Workload], arguments: argparse.Namespace
) -> tuple[list[Evaluation], list[str]]:
    """What each peer takes for each network, and why some are missing."""
    found: list[Evaluation] = []
    missing: list[str] = []
    cache = arguments.cache

    def try_one(
        peer: Any, setting: str, name: str, words: Callable[[], list[object]]
    ) -> None:
        if any(reason.startswith(f"{peer.name} cannot") for reason in missing):
            return
        try:
            costs = [run(peer, cache, *words(), seconds=arguments.timeout)]
            while len(costs) < 3 and costs[0]["seconds"] < SLOW:
                costs.append(run(peer, cache, *words(), seconds=arguments.timeout))
        except Unavailable as reason:
            missing.append(f"{reason} ({name})")
            print(missing[-1], flush=True)
            return
        best = {key: min(c[key] for c in costs) for key in ("seconds", "cpu_seconds")}
        found.append(
            Evaluation(peer.name, setting, name, **best,
                       peak_mib=max(cost["peak_mib"] for cost in costs))
        )  # fmt: skip
        print(found[-1], flush=True)

    for name in NETWORKS:
        try_one(
            VELA, arguments.ethos, name,
            lambda n=name: [_tflite(n, arguments), arguments.ethos],
        )  # fmt: skip
    for name in NETWORKS:
        limit = arguments.lpf_limit
        try_one(
            ZIGZAG, f"edge_tpu_like, lpf_limit {limit}", name,
            lambda n=name, lpf=limit: [
                cache / f"{n}.onnx", lpf, 0, "edge_tpu_like", "edge_tpu_like",
            ],
        )  # fmt: skip
    for name in works:
        if name == "ResNet-50":
            continue
        file = write_topology(works[name], cache / f"{name}.csv")
        try_one(
            SCALE_SIM, f"{arguments.array}x{arguments.array}, weight stationary", name,
            lambda f=file: [f, arguments.array],
        )  # fmt: skip
    return found, missing


def _tflite(name: str, arguments: argparse.Namespace) -> Path:
    """The TFLite file of a network, converted where it is missing."""
    if arguments.tflite and name == "MobileNetV2":
        return Path(arguments.tflite)
    file: Path = arguments.cache / f"{name}.tflite"
    if not file.exists():
        script = Path(__file__).parent / "peer_inputs.py"
        command = [sys.executable, str(script), name, str(file)]
        answer_of(f"TFLite's converter for {name}", command, dict(os.environ), 900)
    return file


if __name__ == "__main__":
    main()
