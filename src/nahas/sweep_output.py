"""Tables of a sweep: its ranking, its front, and what sharing costs each network."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nahas.output import number, percent, print_table

if TYPE_CHECKING:
    from nahas.accelerator.sweep import SweepResult
    from nahas.sweeps import Front

_COSTS = ("latency_ms", "energy_mj", "area_mm2", "power_mw")
_COLUMNS = ("", "PEs", "SIMD", "lanes", "MiB", "KiB", "GB/s", "ms", "mJ", "mm2", "mW",
            "utilization")  # fmt: skip
_UNITS = "(MiB: local memory a PE, KiB: register file a lane)"


def print_ranking(result: "SweepResult") -> None:
    """The best accelerators, best first."""
    from nahas.sweeps import sweep_rows

    names = result.names
    title = names[0] if len(names) == 1 else f"mix of {len(names)} networks"
    _print_accelerators(
        sweep_rows(result),
        f"{title}: best of {result.checked:,} accelerators by {result.objective} "
        f"{_UNITS}",
    )


def print_front(front: "Front") -> None:
    """All accelerators of the front, fastest first."""
    if len(front):
        _print_accelerators(
            front.rows(), f"Pareto front of latency, energy and area {_UNITS}"
        )
    print(
        f"{len(front):,} accelerators are on the front, with {front.distinct:,} "
        f"different costs; it dominates {percent(front.hypervolume)} of the box "
        "between its best and a tenth beyond its worst."
    )


def print_regrets(result: "SweepResult") -> None:
    """Each network on the mix's best accelerator, and on its own."""
    from nahas.sweeps import regret_rows

    rows = regret_rows(result)
    print_table(
        ("network", "share", "ms shared", "ms own", "mJ shared", "mJ own", "regret",
         "its own best"),
        [
            (
                row["model"],
                percent(row["share"]),
                *(
                    number(side and side[cost])
                    for cost in ("latency_ms", "energy_mj")
                    for side in (row["shared"], row["own"])
                ),
                _regret(row),
                _in_words(row["own_best"]),
            )
            for row in rows
        ],
        title=f"each network on the mix's best and on its own; regret: by how much "
        f"{result.objective} is worse",
        spare=("its own best", "mJ own", "mJ shared"),
    )  # fmt: skip


def _regret(row: Mapping[str, Any]) -> str:
    if row["regret"] is not None:
        return percent(row["regret"])
    return "none keeps the limits" if row["own"] is None else "breaks the limits alone"


def _in_words(accelerator: Mapping[str, Any] | None) -> str:
    if accelerator is None:
        return "-"
    return (
        "{pes_x}x{pes_y} PEs, {compute_lanes} lanes of {simd_units}, "
        "{local_memory_mib:g} MiB, {register_file_kib:g} KiB, "
        "{io_bandwidth_gbps:g} GB/s"
    ).format(**accelerator)


def _print_accelerators(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    print_table(
        _COLUMNS,
        [
            (
                place,
                f"{row['pes_x']}x{row['pes_y']}",
                row["simd_units"],
                row["compute_lanes"],
                f"{row['local_memory_mib']:g}",
                f"{row['register_file_kib']:g}",
                f"{row['io_bandwidth_gbps']:g}",
                *map(number, (row[name] for name in _COSTS)),
                percent(row["utilization"]),
            )
            for place, row in enumerate(rows, 1)
        ],
        title=title,
        spare=("mW", "utilization"),
    )
