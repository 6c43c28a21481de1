"""Whole searches on CIFAR-10: which space, which mode, and what the finds are worth.

    python benchmarks/cifar_search.py --data FOLDER

S1, S2 and S3 have shared weights, trained alike (`nahas one-shot`); `guided` searches
each space with its weights as the oracle, on the baseline accelerator and jointly, and
S3 also tailored to the baseline, all within EfficientNet-B0's latency there. What is
found and B0 itself are trained to the end by one recipe, S3's and B0 with several
seeds, exported as int8, and costed on the baseline and on each one's best accelerator.
Interrupted, it goes on where it stopped. The figures go to results/cifar_search/.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cifar_runs import (
    FINAL,
    RESOLUTION,
    RUNS,
    SIZE,
    WIDTH,
    at_once,
    images,
    kept,
    nahas,
    retrained,
    run,
    settings,
)
from page import ROOT, command, cores, made_with, table, write_csv
from scipy import stats

RESULTS = ROOT / "results" / "cifar_search"
FOLDER = RUNS / "search"
RIVAL = "EfficientNetB0"
TARGET_MS = 0.415
"""EfficientNet-B0's on the baseline accelerator, in round figures."""
SHARED = ("final.epochs=20", "final.batch=64", "final.crop=2", "final.operations=0",
          "final.label_smoothing=0.0", "final.weight_decay=2e-4", "sampling.rule=fair",
          "sampling.round=3")  # fmt: skip
TRIALS = 600
SEARCHES = {
    f"{space}{' tailored' * tailored}, {mode}": (space, tailored, mode)
    for space, tailored in (("s1", 0), ("s2", 0), ("s3", 0), ("s3", 1))
    for mode in ("fixed", "joint")
}
MOST_SEEDS = ("s3, fixed", "s3, joint", RIVAL)
"""Trained with all seeds; the others with two."""
FEW = 2


def shared_weights(space: str, data: str) -> None:
    """The weights of a space."""
    folder = FOLDER / space
    kept(folder / "done.json", lambda: nahas(
        "one-shot", space, "--data", data, *SIZE, *settings(*SHARED),
        "--folder", str(folder), log=folder / "commands.txt",
    ))  # fmt: skip


def searched(space: str, tailored: int, mode: str) -> dict[str, Any]:
    """The best pair of a search, within the target and the baseline's area."""
    folder = FOLDER / f"{space}-{'tailored-' * tailored}{mode}"
    log = folder / "commands.txt"

    def search() -> Any:
        run(
            "search", "--space", space, "--accuracy", f"one-shot:{FOLDER / space}",
            "--controller", "guided", "--mode", mode, "--trials", str(TRIALS),
            "--max-latency-ms", str(TARGET_MS), "--workers", "0",
            *(["--tailor", "baseline"] * tailored),
            *settings("search.seed=0"), "--folder", str(folder / "study"), log=log,
        )  # fmt: skip
        return nahas("status", str(folder / "study"), log=log)

    return dict(kept(folder / "found.json", search))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    data, workers = images(arguments.data), arguments.workers
    spaces = sorted({space for space, *_ in SEARCHES.values()})
    at_once([partial(shared_weights, space, data) for space in spaces], workers)
    jobs = [partial(searched, *asked) for asked in SEARCHES.values()]
    found = dict(zip(SEARCHES, at_once(jobs, workers), strict=True))
    final = FOLDER / "final"
    networks = {name: row["best"]["network"] for name, row in found.items()}
    networks[RIVAL] = RIVAL
    many = [networks[name] for name in MOST_SEEDS]
    few = sorted(set(networks.values()) - set(many))
    retrained(many, arguments.data, final, seeds=arguments.seeds, workers=workers)
    retrained(few, arguments.data, final, seeds=FEW, workers=workers)
    log = final / "exports.txt"
    for folder in sorted(final.glob("*/seed*")):
        kept(folder / "exported.json", partial(nahas, "export", str(folder), log=log))
    compared = nahas(
        "compare", str(FOLDER / "s3-joint" / "study"), "--trainings", str(final),
        log=log,
    )  # fmt: skip
    rows = [row for name in networks for row in shown(name, found, compared)]
    for row in rows:
        print(*row, flush=True)
    write(rows, arguments)


def shown(
    name: str, found: Mapping[str, Any], compared: list[dict[str, Any]]
) -> list[tuple[object, ...]]:
    """The rows of a network: as it was found, or on the baseline; and at its best."""
    best = found[name]["best"] if name in found else None
    network = None if best is None else best["network"]
    own = [
        row for row in compared
        if (row["name"] == RIVAL if network is None else row["network"] == network)
    ]  # fmt: skip
    rows = []
    for row in own:
        if row["on"] == "as found":
            continue  # of the study that compares; others' are below
        rows.append(cells(name, row["on"], row, row, best))
    if best is not None:
        rows.append(cells(name, "as found", own[0], best, best))
    return rows


def cells(
    name: str, on: str, trained: Mapping[str, Any], costs: Mapping[str, Any],
    best: Mapping[str, Any] | None,
) -> tuple[object, ...]:  # fmt: skip
    """A row of the table."""
    half, seeds = "", trained["seeds"]
    if seeds > 1:
        t = stats.t.ppf(0.975, seeds - 1)
        half = f" ± {100 * t * trained['deviation'] / np.sqrt(seeds):.2f}"
    return (
        name, on, "" if best is None else f"{100 * best['accuracy']:.1f}",
        f"{100 * trained['accuracy']:.2f}{half}", seeds,
        f"{100 * trained['int8']:.2f}", f"{costs['latency_ms']:.3f}",
        f"{costs['energy_mj']:.3f}", f"{costs['area_mm2']:.1f}",
        f"{trained['parameters']:,}", f"{trained['macs'] / 1e6:.0f}",
    )  # fmt: skip


TITLES = (
    "search", "on", "by shared weights, %", "accuracy, %", "seeds", "int8, %",
    "latency, ms", "energy, mJ", "area, mm2", "parameters", "million MACs",
)  # fmt: skip


def write(rows: list[tuple[object, ...]], arguments: argparse.Namespace) -> None:
    """The table and the page."""
    write_csv(RESULTS / "summary.csv", TITLES, rows)
    (RESULTS / "README.md").write_text(_PAGE.format(
        command=command(), table=table(TITLES, rows), target=TARGET_MS, trials=TRIALS,
        resolution=RESOLUTION, width=WIDTH, final=", ".join(FINAL),
        shared=", ".join(SHARED), few=FEW, seeds=arguments.seeds,
        made=made_with("keras", "tensorflow", "numpy", seed=0, machine=cores()),
    ))  # fmt: skip


_PAGE = """\
# Searches on CIFAR-10: spaces, modes, and what they find

Remade by

    {command}

{table}

Accuracies are CIFAR-10's, of networks at {resolution}x{resolution} and {width} of their
width; costs are of the same networks deployed at 224x224 in their full width. Each
search is of {trials} pairs by `guided`, with the shared weights of its space as the
oracle (`by shared weights`, validation images), within {target} ms, which is
EfficientNet-B0's latency on the baseline accelerator, and the baseline's area. `fixed`
searches networks for the baseline, `joint` pairs; `tailored` leaves out the blocks that
do not pay on the baseline. `its best` is the accelerator of all 50,000 that the goal of
the joint search likes best for the network.

Shared weights: {shared}. Final trainings: {final}; {seeds} seeds of S3's, of both
modes, and of EfficientNet-B0, {few} of the others, with the 95 % interval of Student's
t over the seeds. int8 is the accuracy of the exported TFLite file, quantized after the
training, on the same test images.

{made}
"""


if __name__ == "__main__":
    main()
