"""Fits Coral's unknown constants to public measurements, and says how well they hold.

    python benchmarks/calibration.py --data FOLDER

1. The compiler's own cycles of five MobileNets tell which ports and register files are
   possible: those that agree within 15 %.
2. The instructions of an operator and the host's time come from the even rows of
   NAS-Bench-201 as measured on an Edge TPU; the odd rows are looked at once.
3. The link and the host's time of the Dev Board, and which of the possible ports, come
   from the published table of Coral, each network predicted from the other twelve.
4. Two constants of the board's energy come from a grid of MobileNets on a Dev Board
   Micro.

FOLDER holds edge_tpu/: compiler_cycle_estimates.csv (google-coral/edgetpu and
google-coral/test_data), nasbench201_edge_tpu_1000.csv (HW-NAS-Bench's networks as in
Ren-Research/OneProxy), coral_benchmarks_page.csv (coral.ai/docs/edgetpu/benchmarks) and
coral_micro_grid_energy.csv (starbelt/RADMA). The tables go to results/calibration/.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import nasbench201
import numpy as np
from calibration_report import Findings, report
from coral_networks import compiled_mobilenets, coral_page, energy_grid
from numpy.typing import NDArray
from scipy.optimize import least_squares

from nahas.accelerator.cost_model import evaluate
from nahas.accelerator.machines import Machines, leakage_mw
from nahas.accelerator.metrics import Metrics
from nahas.accelerator.presets import CORAL, CORAL_SLOW, EDGE_TPU_V1
from nahas.accelerator.template import Accelerator, Capabilities, Platform
from nahas.accelerator.workload import Workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

Floats = NDArray[np.float64]
FREE_GBPS = 1e6
"""An I/O that takes no time."""

WITHIN = 0.15
"""How closely the compiler's cycles must be met."""


class Structure(NamedTuple):
    """What is not public of a tile."""

    register_file_kib: float
    local_port_bytes: int
    lane_port_bytes: int
    slow: int


CHOICES = (
    (0.25, 0.3125, 0.375, 0.4375, 0.5, 0.625),
    (64, 72, 80, 88, 96),
    (6, 7, 8, 9, 10),
    (10, 13, 16),
)


@dataclass(frozen=True)
class OnChip:
    """A structure, and what it makes of the table's networks without link and host."""

    structure: Structure
    compiler_errors: Floats
    chip_ms: Floats
    io_bytes: Floats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("NAHAS_DATA"))
    arguments = parser.parse_args()
    if arguments.data is None or not (arguments.data / "edge_tpu").is_dir():
        sys.exit(f"`--data` must hold edge_tpu/. Received {arguments.data}.")
    folder = arguments.data / "edge_tpu"
    mobilenets, page = compiled_mobilenets(), coral_page()
    cycles = compiler_cycles(folder / "compiler_cycle_estimates.csv", list(mobilenets))
    measured = page_times(folder / "coral_benchmarks_page.csv", list(page))
    possible = structures(mobilenets, cycles, list(page.values()))
    operators = np.array([len(work) for work in page.values()], dtype=np.float64)

    instructions = float(CORAL.platform.instruction_bytes)
    dev = Table(operators * instructions, measured["devboard_edgetpu_ms"])
    chosen, link = dev.fit(possible, np.ones(len(page), dtype=bool))
    usb = Table(operators * instructions, measured["desktop_plus_usb_edgetpu_ms"])
    report(
        Findings(
            structure=dict(zip(Structure._fields, chosen.structure, strict=True)),
            possible=len(possible),
            cycles={
                name: (cycles[name], error)
                for name, error in zip(cycles, chosen.compiler_errors, strict=True)
            },
            nasbench=nasbench(folder / "nasbench201_edge_tpu_1000.csv"),
            networks=list(page),
            dev=(dev.measured, dev.left_out(possible), tuple(link)),
            usb=(usb.measured, usb.left_out([chosen]),
                 tuple(usb.fit([chosen], np.ones(len(page), dtype=bool))[1])),
            energy=energy(folder / "coral_micro_grid_energy.csv"),
            pixel=pixel_4(),
        )
    )  # fmt: skip


def costs(work: Workload, accelerator: Accelerator, platform: Platform) -> Metrics:
    return evaluate(work, [accelerator], platform)


def coral(structure: Structure) -> tuple[Accelerator, Platform]:
    """Coral with another structure, no link to wait for, no host."""
    slow = tuple((kind, structure.slow) for kind in CORAL_SLOW)
    return replace(
        CORAL.accelerator,
        register_file_kib=structure.register_file_kib,
        io_bandwidth_gbps=FREE_GBPS,
    ), replace(
        CORAL.platform,
        local_port_bytes=structure.local_port_bytes,
        lane_port_bytes=structure.lane_port_bytes,
        instruction_bytes=0,
        host_ms=0.0,
        capabilities=Capabilities(slow=slow),
    )


def compiler_cycles(path: Path, known: Sequence[str]) -> dict[str, int]:
    """Estimated cycles by the network's name."""
    found = {}
    for row in rows(path):
        name = row["model"].removesuffix("_edgetpu")
        if row["est_cycles"] and name in known:
            found[name] = int(row["est_cycles"])
    return {name: found[name] for name in known}


def structures(
    mobilenets: dict[str, Workload], cycles: dict[str, int], page: Sequence[Workload]
) -> list[OnChip]:
    """Those that the compiler's cycles allow."""
    found = []
    for choice in product(*CHOICES):
        structure = Structure(*choice)
        machine = coral(structure)
        per_ms = CORAL.platform.clock_mhz * 1e3
        errors = np.array([
            costs(work, *machine).latency_ms[0] * per_ms / cycles[name] - 1.0
            for name, work in mobilenets.items()
        ])  # fmt: skip
        if np.abs(errors).max() <= WITHIN:
            ran = [costs(work, *machine) for work in page]
            found.append(
                OnChip(
                    structure,
                    errors,
                    np.array([metrics.latency_ms[0] for metrics in ran]),
                    np.array([metrics.io_bytes[0] for metrics in ran], dtype=float),
                )
            )
    return found


@dataclass(frozen=True)
class Table:
    """Measured latencies [n], ms, and the bytes of instructions of their networks."""

    instruction_bytes: Floats
    measured: Floats

    def predict(self, chip: OnChip, link: Floats) -> Floats:
        """[n] ms; `link` is the ms a megabyte and the host's ms."""
        megabytes = (chip.io_bytes + self.instruction_bytes) * 1e-6
        predicted: Floats = chip.chip_ms + megabytes * link[0] + link[1]
        return predicted

    def fit(
        self, chips: Iterable[OnChip], keep: NDArray[np.bool_]
    ) -> tuple[OnChip, Floats]:
        """The structure and the link with the least error over what is kept."""
        best: tuple[float, OnChip, Floats] | None = None
        for chip in chips:

            def errors(link: Floats, chip: OnChip = chip) -> Floats:
                return (self.predict(chip, link) / self.measured - 1.0)[keep]

            link = robust(errors, [2.0, 0.1])
            error = float(np.abs(errors(link)).mean())
            if best is None or error < best[0]:
                best = error, chip, link
        assert best is not None
        return best[1:]

    def left_out(self, chips: Sequence[OnChip]) -> Floats:
        """[n] ms of each network, fitted to the others alone."""
        predicted = []
        for i in range(len(self.measured)):
            keep = np.arange(len(self.measured)) != i
            predicted.append(self.predict(*self.fit(chips, keep))[i])
        return np.array(predicted)


def robust(errors: Callable[[Floats], Floats], start: Sequence[float]) -> Floats:
    """Least absolute errors, nearly, of constants that are not negative."""
    solved = least_squares(
        errors, start, bounds=(0.0, np.inf), loss="soft_l1", f_scale=0.02
    )
    found: Floats = solved.x
    return found


def page_times(path: Path, names: Sequence[str]) -> dict[str, Floats]:
    by_name = {row["model"]: row for row in rows(path)}
    columns = ("devboard_edgetpu_ms", "desktop_plus_usb_edgetpu_ms")
    return {
        column: np.array([float(by_name[name][column]) for name in names])
        for column in columns
    }


def nasbench(path: Path) -> dict[str, Floats]:
    """Fitted instructions (bytes) and host (ms), and the odd rows' times."""
    accelerator, platform = CORAL
    bare = replace(platform, instruction_bytes=0, host_ms=0.0)
    instructed = replace(bare, instruction_bytes=1000)
    number, measured, chip, thousand = [], [], [], []
    for n, row in enumerate(rows(path)):
        edges = nasbench201.parse(row["arch_str"])
        if float(row["rice_edgetpu"]) < 0 or not edges[-1]:
            continue
        work = nasbench201.network(row["arch_str"])
        number.append(n)
        measured.append(float(row["rice_edgetpu"]))
        chip.append(costs(work, accelerator, bare).latency_ms[0])
        thousand.append(costs(work, accelerator, instructed).latency_ms[0] - chip[-1])
    times, base, each = map(np.array, (measured, chip, thousand))
    even = np.array(number) % 2 == 0

    def errors(constants: Floats) -> Floats:
        predicted = base + each * constants[0] + constants[1]
        return (predicted / times - 1.0)[even]

    found = robust(errors, [1.5, 0.2])
    predicted = base + each * found[0] + found[1]
    return {
        "constants": found * [1000.0, 1.0],
        "measured": times[~even],
        "predicted": predicted[~even],
    }


def energy(path: Path) -> dict[str, Floats]:
    """The board's power (W) and what a simulated joule stands for; measured and fitted.

    What the chip does costs in proportion to its simulated energy without leakage; all
    else draws a constant power for as long as the inference was measured to take.
    """
    accelerator, platform = CORAL
    [leakage] = leakage_mw(Machines.of([accelerator]), platform)
    times, measured, dynamic = [], [], []
    for row, work in zip(rows(path), energy_grid(rows(path)), strict=True):
        metrics = costs(work, accelerator, platform)
        times.append(float(row["latency_ms"]))
        measured.append(float(row["energy_mJ"]))
        still = leakage * metrics.latency_ms[0] * 1e-3
        dynamic.append(metrics.energy_mj[0] - still)
    joules = np.array(measured)
    terms = np.column_stack([times, dynamic])
    found = np.linalg.lstsq(terms / joules[:, None], np.ones(len(joules)), rcond=None)
    return {"constants": found[0], "measured": joules, "predicted": terms @ found[0]}


def pixel_4() -> list[tuple[str, float, float, float]]:
    """Published ms, and ms on EDGE_TPU_V1 with weights resident and streamed.

    Sources: the READMEs of MobileNet (tensorflow/models) and EfficientNet-Lite
    (tensorflow/tpu).
    """
    published = {
        "MobileNetEdgeTPU-0.75": 3.1,
        "MobileNetEdgeTPU-1": 3.6,
        "EfficientNetLite0": 3.8,
        "EfficientNetLite1": 5.4,
        "EfficientNetLite2": 7.9,
        "EfficientNetLite3": 9.7,
    }
    found = []
    for name, ms in published.items():
        work = lower([PUBLISHED[name]])
        both = [
            costs(
                work,
                EDGE_TPU_V1.accelerator,
                replace(EDGE_TPU_V1.platform, weights=weights),
            ).latency_ms[0]
            for weights in ("resident", "streamed")
        ]
        found.append((name, ms, float(both[0]), float(both[1])))
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
