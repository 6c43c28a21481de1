"""The command `explain`: why a pair costs what it costs."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.model_and_machine import MODEL, machine
from nahas.output import in_words, number, percent, print_json, print_table
from nahas.usage import (
    add_command,
    add_json,
    add_machine,
    check_picture,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.explain import Explanation


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    explain = add_command(
        commands,
        "explain",
        _explain,
        summary="why a pair costs what it costs, and what each knob would change",
        description="Says what binds a network on an accelerator, and simulates every "
        f"accelerator one knob away.\n\n{MODEL}",
        examples=[
            "explain runs/quickstart --plot why.png",
            "explain keras:EfficientNetB0 --accelerator edge-tpu-v1",
            "explain mine.tflite --set accelerator.io_bandwidth_gbps=5",
        ],
    )
    explain.add_argument("model", metavar="MODEL")
    add_machine(explain)
    explain.add_argument(
        "--plot", metavar="FILE", type=Path,
        help="draw knobs, roofline, memory over time and slowest operators there "
        "(PNG)",
    )  # fmt: skip
    add_json(explain)


def _explain(arguments: argparse.Namespace) -> int:
    from nahas.explain import explain
    from nahas.models import resolve

    with reading_input():
        check_picture("--plot", arguments.plot)
        model = resolve(arguments.model)
        chip = machine(
            arguments.settings,
            model,
            preset=arguments.accelerator,
            technology=arguments.technology,
        )
        found = explain(model, chip.accelerator, chip.platform)
    if arguments.plot is not None:
        from nahas.plots import png
        from nahas.plots_explain import plot_explanation

        arguments.plot.write_bytes(png(plot_explanation(found)))
    if arguments.json:
        print_json(found.to_dict() | {"platform": chip.origin})
    else:
        _print(found, chip.origin)
    return 0


def _print(found: "Explanation", platform: str) -> None:
    pair = found.simulation
    print(f"{pair.model.name} on {in_words(pair.accelerator)}")
    print(f"platform: {platform}")
    costs = pair.summary()
    print(
        f"{number(costs['latency_ms'])} ms, {number(costs['energy_mj'])} mJ, "
        f"{number(costs['area_mm2'])} mm2, utilization {percent(costs['utilization'])}"
        f", weights {pair.platform.weights}\n"
    )
    print_table(
        ("what binds", "share of the latency"),
        [(name, percent(share)) for name, share in found.binds.items()],
    )
    print_table(
        ("one knob changed", "to", "instead of", "latency", "energy", "area"),
        [
            (
                change.knob,
                f"{change.value:g}",
                f"{change.instead_of:g}",
                _change(change.latency),
                _change(change.energy) if not change.reason else change.reason,
                _change(change.area),
            )
            for change in found.counterfactuals
        ],
    )


def _change(fraction: float | None) -> str:
    return "cannot run" if fraction is None else f"{100 * fraction:+.1f} %"
