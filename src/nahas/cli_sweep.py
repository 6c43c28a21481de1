"""The command `sweep`: the best of all accelerators of the grid."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.model_and_machine import MODEL, check_top, platform_for
from nahas.output import note, print_json
from nahas.sweep_output import (
    print_front,
    print_inabilities,
    print_kept_weights,
    print_ranking,
    print_regrets,
    print_shortfalls,
)
from nahas.usage import (
    LIMITS,
    add_command,
    add_json,
    add_limits,
    add_settings,
    add_technology,
    check_file,
    check_folder,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.accelerator.sweep import SweepResult
    from nahas.sweeps import Front

_TINY = "r8_c2 stem_k1_s1_f8_relu6 ibn_k1_e1_f8_relu6 head_f8_relu6"
_MIX = """\
Several models are a mix that one accelerator serves: MODEL=3 gives a model three times
the inferences of one without a weight. Costs and limits are those of the mix's mean
inference. What follows the last "=" of a word is a weight if it is a number; a file
whose own name ends so takes one more, such as net=3=1."""


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    sweep = add_command(
        commands,
        "sweep",
        _sweep,
        summary="the best of all 50,000 accelerators for one network or a mix",
        description="Simulates a network, or a mix of networks, on every accelerator."
        f"\n\n{MODEL}\n\n{_MIX}",
        examples=[
            "sweep keras:MobileNetV2 --max-area-mm2 30",
            "sweep keras:EfficientNetB0 --objective edp --max-latency-ms 2 --json",
            "sweep keras:MobileNetV2=3 keras:ResNet50 --objective "
            "latency=0.5,energy=0.3,area=0.2",
            "sweep mine.tflite --set platform.preset=coral",
            "sweep mine.tflite --pareto --csv front.csv --plots pictures",
        ],
    )
    sweep.add_argument("model", metavar="MODEL[=WEIGHT]", nargs="+")
    sweep.add_argument(
        "--objective",
        default="latency",
        metavar="WHAT",
        help="what to minimise: latency, energy, edp (energy x latency), edap (that x "
        "area), or exponents of a product such as latency=0.5,energy=0.3,area=0.2 "
        "(default: %(default)s)",
    )
    add_limits(sweep)
    sweep.add_argument(
        "--limits-for-each", action="store_true",
        help="each network of a mix must keep the limits, not just their mean",
    )  # fmt: skip
    add_settings(sweep, "platform.weights=resident")
    add_technology(sweep)
    sweep.add_argument(
        "--top", type=int, default=10, metavar="N",
        help="how many to show (default: %(default)s)",
    )  # fmt: skip
    sweep.add_argument(
        "--pareto", action="store_true",
        help="show all accelerators that none beats in latency, energy and area",
    )  # fmt: skip
    sweep.add_argument(
        "--csv", metavar="FILE", help="write the ranking there, or with --pareto that"
    )
    sweep.add_argument(
        "--plots", metavar="FOLDER", help="draw the front and maps of the knobs there"
    )
    add_json(sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    from nahas.accelerator.mix import shares
    from nahas.accelerator.objective import exponents
    from nahas.controller.reward import Limits
    from nahas.sweeps import (
        inability_rows,
        kept_weights_mib,
        pareto_front,
        read_mix,
        sweep,
        sweep_frame,
    )

    with reading_input():
        check_top(arguments.top)
        check_file("--csv", arguments.csv)
        check_folder("--plots", arguments.plots)
        exponents(arguments.objective)
        mix = read_mix(arguments.model)
        shares([weight for _, weight in mix])
        platform, origin = platform_for(
            [model for model, _ in mix], arguments.settings, arguments.technology
        )
        bounds = Limits(**{name: getattr(arguments, name) for name in LIMITS})
        limits = {name: getattr(bounds, name) for name in LIMITS}
    sweep(_TINY, platform=platform)  # compiles: that is no part of the seconds
    result = sweep(
        dict(mix),
        objective=arguments.objective,
        limits_for_each=arguments.limits_for_each,
        platform=platform,
        top=arguments.top,
        **limits,
    )
    front = pareto_front(result) if arguments.pareto or arguments.plots else None
    shown = front if arguments.pareto else None
    if arguments.csv:
        table = sweep_frame(result) if shown is None else shown.to_frame()
        table.to_csv(arguments.csv, index=False)
    if front is not None and arguments.plots:
        _draw(result, front, Path(arguments.plots))
    cannot = inability_rows(result, [model for model, _ in mix], platform)
    kept = kept_weights_mib([model for model, weight in mix if weight > 0], platform)
    if arguments.json:
        said = {"platform": origin, "inabilities": cannot, "kept_weights_mib": kept}
        print_json(_to_dict(result, limits, shown) | said)
    else:
        _print(result, shown)
        print_inabilities(cannot)
        print(f"platform: {origin}")
        if kept:
            print_kept_weights(kept, platform)
    return 0 if result.allowed else 1


def _draw(result: "SweepResult", front: "Front", folder: Path) -> None:
    from nahas.plots_sweep import of_sweep

    if not result.allowed:
        note(f"No pictures are drawn in {folder}: there is no accelerator to show.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in of_sweep(result, front).items():
        (folder / f"{name}.png").write_bytes(picture)
        note(f"{folder / name}.png")


def _to_dict(
    result: "SweepResult", limits: dict[str, float | None], front: "Front | None"
) -> dict[str, Any]:
    from nahas.sweeps import regret_rows, shortfall_rows, sweep_rows

    ranking = sweep_rows(result)
    table: dict[str, Any] = {
        "model": result.names[0] if len(result.names) == 1 else None,
        "models": [
            {"model": name, "share": share}
            for name, share in zip(result.names, result.shares.tolist(), strict=True)
        ],
        "objective": result.objective,
        "limits": limits,
        "limits_for_each": result.limits_for_each,
        "checked": result.checked,
        "runnable": result.runnable,
        "allowed": result.allowed,
        "seconds": result.seconds,
        "evaluations_per_second": result.evaluations_per_second,
        "best": ranking[0] if ranking else None,
        "ranking": ranking,
        "regrets": regret_rows(result),
        "shortfalls": [] if result.allowed else shortfall_rows(result),
    }
    if front is not None:
        table["front"] = {
            "size": len(front),
            "distinct": front.distinct,
            "hypervolume": front.hypervolume,
            "reference": front.reference,
            "accelerators": front.rows(),
        }
    return table


def _print(result: "SweepResult", front: "Front | None") -> None:
    if result.allowed:
        print_ranking(result)
        if len(result.names) > 1:
            print_regrets(result)
        if front is not None:
            print_front(front)
    elif result.runnable:
        print_shortfalls(result)
    what = "the network" if len(result.names) == 1 else "all networks"
    print(
        f"{result.checked:,} of {result.checked:,} accelerators checked in "
        f"{result.seconds:.2f} s ({result.evaluations_per_second:,.0f} evaluations a "
        f"second); {result.runnable:,} can run {what}, {result.allowed:,} of them keep "
        "the limits."
    )
