"""Fits Coral's unknown constants to public measurements, and says how well they hold.

    python benchmarks/calibration.py --data FOLDER

1. The compiler's own cycles of five MobileNets tell which ports and register files are
   possible: those that agree within 15 %.
2. The instructions of an operator, the host's time and, for them alone, which of the
   possible ports, come from the even rows of NAS-Bench-201 as measured on an Edge TPU;
   the odd rows are looked at once.
3. The link and the host's time of the Dev Board, and which of the possible ports, come
   from the published table of Coral, each network predicted from the other twelve. For
   the USB stick the ports are the Dev Board's, chosen without that network too.
4. Candidates for what is missing there are tried one by one (`calibration_terms.py`).
5. Two constants of the board's energy come from a grid of MobileNets on a Dev Board
   Micro.

FOLDER holds edge_tpu/: compiler_cycle_estimates.csv (google-coral/edgetpu and
google-coral/test_data), nasbench201_edge_tpu_1000.csv (HW-NAS-Bench's networks as in
Ren-Research/OneProxy), coral_benchmarks_page.csv (coral.ai/docs/edgetpu/benchmarks) and
coral_micro_grid_energy.csv (starbelt/RADMA). The tables go to results/calibration/.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from calibration_findings import Findings
from calibration_nasbench import nasbench
from calibration_report import report
from calibration_table import OnChip, Table
from calibration_terms import Boards, Chip, Term, candidates
from calibration_variants import variants
from coral_networks import compiled_mobilenets, coral_page, energy_grid
from coral_structure import CHOICES, Floats, Structure, coral, costs, rows

from nahas.accelerator.machines import Machines, leakage_mw
from nahas.accelerator.presets import CORAL, EDGE_TPU_V1
from nahas.accelerator.template import Capabilities
from nahas.accelerator.workload import Kind, Workload
from nahas.search_space.lower import lower
from nahas.search_space.published import PUBLISHED

WITHIN = 0.15
"""How closely the compiler's cycles must be met."""


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

    everyone = np.ones(len(page), dtype=bool)
    instructions = operators * float(CORAL.platform.instruction_bytes)
    dev = Table(instructions, measured["devboard_edgetpu_ms"])
    usb = Table(instructions, measured["desktop_plus_usb_edgetpu_ms"])
    chosen, link = dev.fit(possible, everyone)
    without = [
        dev.fit(possible, np.arange(len(page)) != i)[0] for i in range(len(page))
    ]
    works = list(page.values())
    report(
        Findings(
            structure=dict(zip(Structure._fields, chosen.structure, strict=True)),
            possible=len(possible),
            cycles={
                name: (cycles[name], error)
                for name, error in zip(cycles, chosen.compiler_errors, strict=True)
            },
            nasbench=nasbench(
                folder / "nasbench201_edge_tpu_1000.csv",
                [chip.structure for chip in possible],
            ),
            networks=list(page),
            dev=(dev.measured, dev.left_out(without), tuple(link)),
            usb=(usb.measured, usb.left_out(without),
                 tuple(usb.fit([chosen], everyone)[1])),
            terms=missing_terms(works, without, chosen, dev, usb),
            variants=variants(page, without, (dev, usb)),
            energy=energy(folder / "coral_micro_grid_energy.csv"),
            pixel=pixel_4(),
        )
    )  # fmt: skip


def missing_terms(
    works: Sequence[Workload], without: Sequence[OnChip], chosen: OnChip,
    dev: Table, usb: Table,
) -> dict[str, tuple[Term, Floats, Floats]]:  # fmt: skip
    """Each candidate, [2, n] ms that it predicts, and its constants fitted to all."""
    boards = Boards(np.array([dev.measured, usb.measured]), dev.instruction_bytes)
    chips = {chip.structure: with_depthwise(chip, works) for chip in (*without, chosen)}
    tried = {
        key: candidates(works, dev.instruction_bytes, chip)
        for key, chip in chips.items()
    }
    found = {}
    for name, term in tried[chosen.structure].items():
        predicted = boards.left_out(
            [chips[chip.structure] for chip in without],
            [tried[chip.structure][name] for chip in without],
        )
        everyone = np.ones(len(works), dtype=bool)
        constants = boards.fit(chips[chosen.structure], term, everyone)
        found[name] = term, predicted, constants
    return found


def with_depthwise(chip: OnChip, works: Sequence[Workload]) -> Chip:
    """A structure with the time of the depthwise layers, which doubles if they do."""
    twice = coral(chip.structure, slow=((Kind.DEPTHWISE, 2),))
    slower = np.array([costs(work, *twice).latency_ms[0] for work in works])
    return Chip(slower - chip.chip_ms, chip.chip_ms, chip.io_bytes)


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


def page_times(path: Path, names: Sequence[str]) -> dict[str, Floats]:
    by_name = {row["model"]: row for row in rows(path)}
    columns = ("devboard_edgetpu_ms", "desktop_plus_usb_edgetpu_ms")
    return {
        column: np.array([float(by_name[name][column]) for name in names])
        for column in columns
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


def pixel_4() -> list[tuple[str, float, float, float, float]]:
    """Published ms, and ms on EDGE_TPU_V1 under three assumptions.

    Weights are resident, streamed, and resident with depthwise layers that take twice
    as long. Sources: the READMEs of MobileNet (tensorflow/models) and EfficientNet-Lite
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
    accelerator, platform = EDGE_TPU_V1
    slow = Capabilities(slow=((Kind.DEPTHWISE, 2),))
    platforms = (
        replace(platform, weights="resident"),
        replace(platform, weights="streamed"),
        replace(platform, weights="resident", capabilities=slow),
    )
    found = []
    for name, ms in published.items():
        work = lower([PUBLISHED[name]])
        resident, streamed, slower = (
            float(costs(work, accelerator, other).latency_ms[0]) for other in platforms
        )
        found.append((name, ms, resident, streamed, slower))
    return found


if __name__ == "__main__":
    main()
