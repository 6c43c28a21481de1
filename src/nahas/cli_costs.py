"""The commands `simulate` and `sweep`: what named models cost."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nahas.output import number, percent, print_json, print_table
from nahas.usage import LIMITS, add_limits, add_settings, reading_input

if TYPE_CHECKING:
    from nahas.accelerator.template import Accelerator, Platform
    from nahas.costs import Simulation

_RAW = argparse.RawDescriptionHelpFormatter
_MODEL = """\
MODEL is a model file (.keras, .tflite, .onnx), a model of Keras Applications
(keras:ResNet50), a published network by its name (below), a network's text, a pair's
JSON (best.json of a study), or a file that holds one of these two.

Published networks: MobileNetV2, EfficientNetB0 .. B7, EfficientNetLite0 .. 4,
EfficientNetEdgeTPU-S, -M, -L, MobileNetEdgeTPU-0.75, -1, -1.25, -1.5, -1.75,
MobileNetEdgeTPUv2-Tiny, -XS, -S, -M, -L, MnasNet-A1, -B1."""
_TINY = "r8_c2 stem_k1_s1_f8_relu6 ibn_k1_e1_f8_relu6 head_f8_relu6"
_OBJECTIVES = ("latency", "energy", "edp", "edap")
# Column of the table: column of `Simulation.operators`, and how it is shown.
_ROW_COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "operator": ("operator", str),
    "kind": ("kind", str),
    "output": ("output", str),
    "latency, ms": ("latency_ms", number),
    "share": ("share", percent),
    "energy, mJ": ("energy_mj", number),
    "utilization": ("utilization", percent),
    "I/O, bytes": ("io_bytes", "{:,}".format),
    "bound": ("bound", str),
}


def add_commands(commands: Any) -> None:
    """Adds both commands to the parser's."""
    simulate = commands.add_parser(
        "simulate",
        help="cost of one network on one accelerator, operator by operator",
        description=f"Simulates a network on an accelerator.\n\n{_MODEL}",
        epilog="examples:\n"
        "  nahas simulate keras:EfficientNetB0 --top 10\n"
        "  nahas simulate runs/quickstart/best.json --json\n"
        "  nahas simulate keras:MobileNetV2 --set accelerator.pes_x=8 "
        "--set platform.weights=resident",
        formatter_class=_RAW,
    )
    simulate.add_argument("model", metavar="MODEL")
    add_settings(simulate, "accelerator.pes_x=8 or platform.weights=resident")
    simulate.add_argument(
        "--top", type=int, metavar="N", help="print the N slowest operators only"
    )
    simulate.add_argument("--csv", metavar="FILE", help="write all operators there")
    simulate.add_argument("--json", action="store_true", help="print JSON")
    simulate.set_defaults(run=_simulate)

    sweep = commands.add_parser(
        "sweep",
        help="the best of all 50,000 accelerators for one network",
        description=f"Simulates a network on every accelerator.\n\n{_MODEL}",
        epilog="examples:\n"
        "  nahas sweep keras:MobileNetV2 --max-area-mm2 30\n"
        "  nahas sweep keras:EfficientNetB0 --objective edp --max-latency-ms 2 --json",
        formatter_class=_RAW,
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


def _simulate(arguments: argparse.Namespace) -> int:
    from nahas.costs import simulate
    from nahas.models import resolve

    with reading_input():
        _check_top(arguments.top)
        model = resolve(arguments.model)
        accelerator, platform = _machine(arguments.settings, model.accelerator)
    found = simulate(model, accelerator, platform)
    if arguments.csv and found.metrics.feasible[0]:
        found.operators.to_csv(arguments.csv, index=False)
    if arguments.json:
        print_json(found.to_dict())
    else:
        _print_simulation(found, arguments.top)
    return 0 if found.metrics.feasible[0] else 1


def _sweep(arguments: argparse.Namespace) -> int:
    from nahas.controller.reward import Limits
    from nahas.costs import sweep, sweep_rows
    from nahas.models import resolve

    with reading_input():
        _check_top(arguments.top)
        model = resolve(arguments.model)
        _, platform = _machine(arguments.settings, None, only_platform=True)
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


def _machine(
    settings: list[str],
    own: "Accelerator | None",
    *,
    only_platform: bool = False,
) -> tuple["Accelerator", "Platform"]:
    """The accelerator (its own, or the baseline) and platform with the settings."""
    from nahas.accelerator.grid import BASELINE
    from nahas.accelerator.template import Accelerator, Platform
    from nahas.config import merge
    from nahas.decode import decode, unknown

    sections = ["platform"] if only_platform else ["accelerator", "platform"]
    table: Mapping[str, Any] = merge({}, settings)
    for section in table:
        if section not in sections:
            raise ValueError(unknown(section, sections, ""))
    base = asdict(own or BASELINE) | table.get("accelerator", {})
    return (
        decode(Accelerator, base, "accelerator"),
        decode(Platform, table.get("platform", {}), "platform"),
    )


def _check_top(top: int | None) -> None:
    if top is not None and top < 1:
        raise ValueError(f"`--top` must be a positive integer. Received {top}.")


def _print_simulation(found: "Simulation", top: int | None) -> None:
    from nahas.costs import WEIGHTS

    first = found.workload.operators[0]
    size = f"{first['height']}x{first['width']}"
    values = asdict(found.accelerator).items()
    print(f"{found.model.name} at {size} on")
    print(", ".join(f"{name} {value:g}" for name, value in values))
    print()
    sides = [found.with_weights(weights).summary() for weights in WEIGHTS]
    rows = [
        (label, unit, *(show(side[key]) for side in sides))
        for key, label, unit, show in _SUMMARY_ROWS
    ]
    print_table(["", "unit", *(f"weights {name}" for name in WEIGHTS)], rows)
    if not found.metrics.feasible[0]:
        print(f"It cannot run: {found.metrics.reason(0)}.")
        return
    frame = found.operators
    shown = frame if top is None else frame.nlargest(top, "latency_ms")
    print_table(
        list(_ROW_COLUMNS),
        [
            [show(row[name]) for name, show in _ROW_COLUMNS.values()]
            for row in shown.to_dict("records")
        ],
        title=f"{len(shown)} of {len(frame)} operators, weights "
        f"{found.platform.weights}",
        spare=("I/O, bytes", "kind", "output", "utilization"),
    )


_SUMMARY_ROWS: tuple[tuple[str, str, str, Callable[[Any], str]], ...] = (
    ("latency_ms", "latency", "ms", number),
    ("energy_mj", "energy", "mJ", number),
    ("power_mw", "power, back to back", "mW", number),
    ("area_mm2", "area", "mm2", number),
    ("utilization", "utilization", "", percent),
    ("macs", "MACs", "", "{:,}".format),
    ("parameters", "parameters", "", "{:,}".format),
    ("io_mib", "I/O", "MiB", number),
    ("local_memory_mib", "local memory", "MiB", number),
    ("peak_activations_mib", "peak of activations", "MiB", number),
    ("weights_mib", "weights", "MiB", number),
)


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
