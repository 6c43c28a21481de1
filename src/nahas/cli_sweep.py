"""The command `sweep`: the best of all accelerators of the grid."""

import argparse
from dataclasses import asdict
from typing import Any

from nahas.model_and_machine import MODEL, check_top, machine
from nahas.output import number, percent, print_json, print_table
from nahas.usage import LIMITS, add_limits, add_settings, reading_input

_TINY = "r8_c2 stem_k1_s1_f8_relu6 ibn_k1_e1_f8_relu6 head_f8_relu6"
_OBJECTIVES = ("latency", "energy", "edp", "edap")


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    sweep = commands.add_parser(
        "sweep",
        help="the best of all 50,000 accelerators for one network",
        description=f"Simulates a network on every accelerator.\n\n{MODEL}",
        epilog="examples:\n"
        "  nahas sweep keras:MobileNetV2 --max-area-mm2 30\n"
        "  nahas sweep keras:EfficientNetB0 --objective edp --max-latency-ms 2 --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sweep.add_argument("model", metavar="MODEL")
    sweep.add_argument(
        "--objective",
        choices=_OBJECTIVES,
        default="latency",
        help="what to minimise; edp is energy x latency, edap that x area "
        "(default: %(default)s)",
    )
    add_limits(sweep)
    add_settings(sweep, "platform.weights=resident")
    sweep.add_argument(
        "--top", type=int, default=10, metavar="N",
        help="how many to show (default: %(default)s)",
    )  # fmt: skip
    sweep.add_argument("--json", action="store_true", help="print JSON")
    sweep.set_defaults(run=_sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    from nahas.controller.reward import Limits
    from nahas.costs import sweep, sweep_rows
    from nahas.models import resolve

    with reading_input():
        check_top(arguments.top)
        model = resolve(arguments.model)
        _, platform = machine(arguments.settings, None, only_platform=True)
        limits = asdict(Limits(**{name: getattr(arguments, name) for name in LIMITS}))
    sweep(_TINY, platform=platform)  # compiles: that is no part of the seconds
    result = sweep(
        model,
        objective=arguments.objective,
        platform=platform,
        top=arguments.top,
        **limits,
    )
    rows = sweep_rows(result)
    if arguments.json:
        print_json(
            {
                "model": model.name,
                "objective": result.objective,
                "limits": limits,
                "checked": result.checked,
                "runnable": result.runnable,
                "allowed": result.allowed,
                "seconds": result.seconds,
                "evaluations_per_second": result.evaluations_per_second,
                "best": rows[0] if rows else None,
                "ranking": rows,
            }
        )
    else:
        title = f"{model.name}: best of {result.checked:,} accelerators by "
        if rows:
            _print_ranking(title + result.objective, rows)
        print(
            f"{result.checked:,} of {result.checked:,} accelerators checked in "
            f"{result.seconds:.2f} s ({result.evaluations_per_second:,.0f} a second); "
            f"{result.runnable:,} can run the network, {result.allowed:,} of them "
            "keep the limits."
        )
    return 0 if rows else 1


def _print_ranking(title: str, rows: list[dict[str, Any]]) -> None:
    print_table(
        ("", "PEs", "SIMD", "lanes", "MiB", "KiB", "GB/s", "ms", "mJ", "mm2", "mW",
         "utilization"),
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
        title=f"{title} (MiB: local memory a PE, KiB: register file a lane)",
        spare=("mW", "utilization"),
    )  # fmt: skip


_COSTS = ("latency_ms", "energy_mj", "area_mm2", "power_mw")
