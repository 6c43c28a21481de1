"""The command `truth`: the exact answers of a problem that can be enumerated."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.output import (
    duration,
    in_words,
    note,
    number,
    percent,
    print_json,
    print_table,
)
from nahas.usage import (
    LIMITS,
    add_command,
    add_json,
    add_limits,
    add_settings,
    check_file,
    check_folder,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.truths import Answer

CACHE = Path("runs/truth")
_LINE_SECONDS = 10.0


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    truth = add_command(
        commands,
        "truth",
        _truth,
        summary="the true optimum and front of all networks of a problem on all "
        "accelerators",
        description="Simulates every network of NAS-Bench-Macro's table on each of "
        "50,000 accelerators, and prints the exact Pareto front of accuracy, latency "
        "and energy, targets of latency on it, the best pair for each and the share of "
        "all pairs that reach it. A search sees a network's first training; the truth "
        "is the mean of the others. Accuracies are CIFAR-10's at 32x32, whatever size "
        "is deployed. With imagenet-predictor the networks are the 16,384 of space "
        "b0-stages and the predictor's accuracies are declared true: a surrogate's "
        "truth, without noise.",
        examples=[
            "truth nas_bench_macro_cifar10.csv.gz",
            "truth macro.csv.gz --set network.resolution=32 --set network.classes=10",
            "truth macro.csv.gz --max-area-mm2 inf --max-power-mw 500 --csv front.csv",
            "truth imagenet-predictor",
        ],
        notes="The file comes from github.com/xiusu/NAS-Bench-Macro, as a table with "
        "the columns\narch, acc1, acc2, ...: the layers as digits 0 to 2, and percent.",
    )
    truth.add_argument(
        "source", metavar="FILE",
        help="the table, .csv or .csv.gz; or imagenet-predictor",
    )  # fmt: skip
    add_limits(truth, "default: the area of the baseline; inf for none")
    add_settings(truth, "network.resolution=32 or platform.weights=resident")
    truth.add_argument("--csv", metavar="FILE", help="write the front there")
    truth.add_argument(
        "--cache", metavar="FOLDER", default=str(CACHE),
        help="where what takes minutes is kept, by a hash of the problem (default: "
        "%(default)s)",
    )  # fmt: skip
    add_json(truth)


def _truth(arguments: argparse.Namespace) -> int:
    from nahas.accelerator.grid import BASELINE
    from nahas.accelerator.machines import area_mm2
    from nahas.config import NetworkConfig, from_dict, merge
    from nahas.controller.reward import Limits
    from nahas.oracles import PREDICTOR
    from nahas.train.table import TableOracle
    from nahas.truths import answer, predictor_problem, table_problem

    with reading_input():
        check_file("--csv", arguments.csv)
        check_folder("--cache", arguments.cache)
        table = merge({}, arguments.settings)
        for section in table:
            if section not in ("network", "platform"):
                raise ValueError(
                    "`--set` must be network.KEY=VALUE or platform.KEY=VALUE here. "
                    f"Received {section}."
                )
        config = from_dict(table)
        given = {name: getattr(arguments, name) for name in LIMITS}
        if given["max_area_mm2"] is None:
            given["max_area_mm2"] = float(area_mm2([BASELINE], config.platform)[0])
        limits = Limits(**given)
        if arguments.source != PREDICTOR:
            oracle = TableOracle(arguments.source)
            problem = table_problem(oracle, config.network, config.platform)
        elif config.network == NetworkConfig():
            problem = predictor_problem(config.platform)
        else:
            raise ValueError(
                f"`network` must be left out with {PREDICTOR}, which knows 224x224 "
                "alone (in network)."
            )
    started = time.perf_counter()
    found = answer(problem, limits, Path(arguments.cache), _progress())
    seconds = time.perf_counter() - started
    if found is None:
        note("No pair keeps the limits.")
        return 1
    if arguments.csv:
        _write_front(found, arguments.csv)
    if arguments.json:
        print_json(to_dict(found, seconds))
    else:
        _print(found, seconds)
    return 0


def _progress() -> Callable[[int, int], None]:
    """A line on stderr now and then."""
    started = shown = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal started, shown
        now = time.monotonic()
        if done == 1:
            started = now
        if now - shown >= _LINE_SECONDS:
            shown = now
            left = (now - started) * (total - done) / max(done - 1, 1)
            note(f"{done:,} of {total:,} networks simulated, ETA {duration(left)}")

    return update


def _write_front(found: "Answer", path: str) -> None:
    import pandas as pd

    from nahas.truths import front_rows

    rows = [
        {**row, **row.pop("accelerator")}
        for row in front_rows(found.front, found.problem)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def to_dict(found: "Answer", seconds: float) -> dict[str, Any]:
    """The answer in JSON's types."""
    from dataclasses import asdict

    from nahas.truths import best_row, front_rows

    front = found.front
    return {
        "problem": found.problem.digest,
        "pairs": found.problem.pairs,
        "distinct_pairs": found.problem.problem.pairs,
        "contenders": len(found.truth.costs),
        "within_limits": found.within,
        "seconds": seconds,
        "limits": asdict(found.limits),
        "front": {
            "size": len(front),
            "hypervolume": front.hypervolume,
            "reference": dict(
                zip(
                    ("error", "latency_ms", "energy_mj"),
                    front.reference.tolist(),
                    strict=True,
                )
            ),
            "pairs": front_rows(front, found.problem),
        },
        "targets": [
            {
                "quantile": target.quantile,
                "latency_ms": target.latency_ms,
                "pairs": target.pairs,
                "share": target.share,
                "best": best_row(target.best, found.problem),
            }
            for target in found.targets
        ],
    }


def _print(found: "Answer", seconds: float) -> None:
    from nahas.truths import best_row

    problem, front = found.problem, found.front
    best = [best_row(target.best, problem) for target in found.targets]
    print_table(
        ("quantile", "target ms", "pairs that reach it", "best accuracy", "seen",
         "ms", "mJ", "mm2"),
        [
            (percent(t.quantile), number(t.latency_ms), percent(t.share),
             percent(row["accuracy"]), percent(row["seen"]), number(row["latency_ms"]),
             number(row["energy_mj"]), number(row["area_mm2"]))
            for t, row in zip(found.targets, best, strict=True)
        ],
        title="Targets: quantiles of the latencies on the true front",
        spare=("mm2", "mJ", "ms"),
    )  # fmt: skip
    for target, row in zip(found.targets, best, strict=True):
        print(f"{number(target.latency_ms)} ms: {row['network']}")
        print(f"  on {in_words_of(row['accelerator'])}")
    corner = ", ".join(map(number, front.reference.tolist()))
    print(
        f"\nThe true front has {len(front):,} pairs; its hypervolume is "
        f"{front.hypervolume:.6f} of the box to (error, ms, mJ) = ({corner})."
    )
    print(
        f"{problem.pairs:,} pairs of {int(problem.rows.sum()):,} rows and "
        f"{len(problem.problem.axes.machines.memory):,} accelerators, all simulated "
        f"({problem.problem.pairs:,} distinct: rows may spell one network); "
        f"{found.within:,} keep the limits; {len(found.truth.costs):,} are contenders; "
        f"{seconds:.1f} s."
    )
    print(f"problem: {problem.digest}")


def in_words_of(knobs: dict[str, float]) -> str:
    """An accelerator's knobs in a line."""
    from nahas.accelerator.template import Accelerator

    return in_words(Accelerator(**knobs))  # type: ignore[arg-type]
