"""Costs of every pair of a problem, on disk: what a comparison of searches looks up.

A search of a table asks for hundreds of thousands of pairs one at a time, which takes
half a millisecond each to simulate and microseconds to look up. The arrays are written
while the truth is found, of the same simulations, and hold the same numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.machines import area_mm2
from nahas.accelerator.metrics import Metrics
from nahas.controller.truth import Problem, Progress, Truth
from nahas.controller.truth_cache import digest, truth_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AllCosts:
    """K networks on G accelerators.

    Attributes:
        latency_ms: [K, G]; +inf where the accelerator cannot run the network.
        energy_mj: [K, G].
    """

    latency_ms: Floats
    energy_mj: Floats


@dataclass(frozen=True, eq=False)
class _Recorded(Problem):
    """A problem whose simulations are written down as they come."""

    folder: Path = Path()

    def simulate(self, progress: Progress | None = None) -> Iterator[Metrics]:
        shape = len(self.networks), len(self.axes.machines.memory)
        drafts = [
            np.lib.format.open_memmap(
                self.folder / f"{name}.draft", "w+", np.float64, shape
            )
            for name in ("latency_ms", "energy_mj")
        ]
        for k, metrics in enumerate(super().simulate(progress)):
            drafts[0][k] = np.where(metrics.feasible, metrics.latency_ms, np.inf)
            drafts[1][k] = metrics.energy_mj
            yield metrics
        for draft, name in zip(drafts, ("latency_ms", "energy_mj"), strict=True):
            draft.flush()
            (self.folder / f"{name}.draft").rename(self.folder / f"{name}.npy")


def all_costs(
    problem: Problem, folder: Path, progress: Progress | None = None
) -> tuple[Truth, AllCosts]:
    """The truth and the costs of all pairs, from the folder where they were found.

    The truth is kept as `nahas truth` keeps it, the costs in a folder beside it.
    """
    named = digest(problem)
    own = folder / named
    own.mkdir(parents=True, exist_ok=True)
    files = [own / f"{name}.npy" for name in ("latency_ms", "energy_mj")]
    if not all(file.exists() for file in files):
        (folder / f"{named}.npz").unlink(missing_ok=True)
    recorded = _Recorded(problem.networks, problem.platform, problem.axes, own)
    truth = truth_of(recorded, folder, progress)
    # Views as plain arrays: one number of a memory map itself takes ten times as long.
    arrays = [np.asarray(np.load(file, mmap_mode="r")) for file in files]
    return truth, AllCosts(*arrays)


@dataclass(frozen=True, eq=False)
class _Remembered(Problem):
    """A problem whose costs were simulated before; it knows no more than costs."""

    costs: AllCosts | None = None

    def simulate(self, progress: Progress | None = None) -> Iterator[Metrics]:
        assert self.costs is not None
        area = area_mm2(self.axes.machines, self.platform)
        unknown = np.zeros(len(area), np.int64)
        for k in range(len(self.networks)):
            latency = np.array(self.costs.latency_ms[k])
            energy = np.array(self.costs.energy_mj[k])
            yield Metrics(
                latency, energy, area, np.zeros(len(area)), unknown,
                np.isfinite(latency), unknown.astype(np.int8), unknown, unknown, (),
            )  # fmt: skip
            if progress is not None:
                progress(k + 1, len(self.networks))


def remembered(problem: Problem, folder: Path) -> Problem:
    """The problem, whose costs are simulated at most once, to count pairs by."""
    _, costs = all_costs(problem, folder)
    return _Remembered(problem.networks, problem.platform, problem.axes, costs)
