"""Where more of a part makes a network slower: the whole grid, step by step.

    python benchmarks/more_of_a_part.py --models runs/coverage

Every published network, and every TFLite file of a folder (`model_coverage.py` leaves
its conversions there), on all accelerators with every use of weights; each pair of
accelerators that differ by one step of one knob is compared. The table goes to
results/more_of_a_part/.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from page import ROOT, command, made_with, table, write_csv
from rich.progress import track

from nahas.accelerator.grid import GRID, grid_shape
from nahas.accelerator.grid_model import evaluate_axes
from nahas.accelerator.import_tflite import import_tflite
from nahas.accelerator.sweep import grid_axes
from nahas.accelerator.template import WEIGHTS, Platform
from nahas.accelerator.workload import Workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

RESULTS = ROOT / "results" / "more_of_a_part"
TITLES = ("network", "knob", "weights", "steps", "slower steps", "largest rise")


class Step(NamedTuple):
    """All steps of one knob on the grid, for a network and a use of weights."""

    network: str
    knob: str
    weights: str
    steps: int
    slower: int
    largest: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, help="a folder of TFLite files")
    parser.add_argument("--largest-mb", type=float, default=130, help="of such a file")
    arguments = parser.parse_args()
    found = list(PUBLISHED) + files(arguments.models, arguments.largest_mb)
    steps = [
        step
        for name in track(found, "networks", transient=True)
        for step in compare(name if isinstance(name, str) else name.name, read(name))
    ]
    report(steps, len(found))


def files(folder: Path | None, largest_mb: float) -> list[Path]:
    """The files of a folder that are no larger: each has its weights in it."""
    everything = sorted(folder.glob("*.tflite")) if folder else []
    return [path for path in everything if path.stat().st_size <= largest_mb * 1e6]


def read(model: str | Path) -> Workload:
    if isinstance(model, Path):
        return import_tflite(model)
    return lower([PUBLISHED[model]])


def compare(name: str, work: Workload) -> Iterator[Step]:
    """The steps of each knob by each use of weights."""
    for weights in WEIGHTS:
        costs = evaluate_axes(work, grid_axes(), Platform(weights=weights))
        latency = costs.latency_ms.reshape(grid_shape())
        for axis, knob in enumerate(GRID):
            before = np.take(latency, range(latency.shape[axis] - 1), axis=axis)
            rise = np.diff(latency, axis=axis) / before
            slower = int((rise > 0).sum())
            yield Step(name, knob, weights, rise.size, slower, max(0.0, rise.max()))


def report(steps: list[Step], count: int) -> None:
    rows = []
    for knob in GRID:
        of_knob = [step for step in steps if step.knob == knob]
        slower = {step.network for step in of_knob if step.slower}
        worst = max(of_knob, key=lambda step: step.largest)
        rows.append(
            (knob, f"{sum(step.steps for step in of_knob):,}",
             f"{sum(step.slower for step in of_knob):,}", len(slower),
             f"{worst.largest:.2%}", worst.network if worst.slower else "")
        )  # fmt: skip
    heads = ("one step more of", "steps", "slower", "networks", "largest rise", "where")
    page = f"""# What more of a part does

Remade by

    {command()}

{count} networks on the grid of 50,000, with weights {", ".join(WEIGHTS)}:
every step of one knob, all others as they are. docs/machine.md says why some are
slower.

{table(heads, rows)}

{made_with("numpy", "numba")}
"""
    write_csv(RESULTS / "slower.csv", TITLES, [step for step in steps if step.slower])
    (RESULTS / "README.md").write_text(page)
    print(page)


if __name__ == "__main__":
    main()
