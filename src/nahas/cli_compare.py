"""The command `compare`: what was trained to the end, beside its rivals."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.cli_study import open_study
from nahas.output import number, percent, print_json, print_table
from nahas.usage import (
    add_command,
    add_json,
    add_study,
    check_file,
    check_picture,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.compare import Placed, Published


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    compare = add_command(
        commands,
        "compare",
        _compare,
        summary="networks that were trained to the end, and what they cost",
        description="Shows the networks that `nahas train` has trained under one "
        "recipe: test accuracy over the seeds, float and int8 (once exported, without "
        "--output), and costs at the size at which the study deploys its own, on the "
        "baseline accelerator and on the one of all 50,000 that the study's goal and "
        "limits like best for each network. "
        "Published ImageNet accuracies are of other recipes, and apart.",
        examples=[
            "compare runs/s3",
            "compare runs/s3 --trainings runs/final --plot compared.png --csv rows.csv",
            "compare runs/s3 --published",
        ],
    )
    add_study(compare)
    compare.add_argument(
        "--trainings", metavar="DIR", default="runs/final",
        help="the folder that `nahas train` was given (default: %(default)s)",
    )  # fmt: skip
    compare.add_argument(
        "--published", action="store_true",
        help="also published ImageNet accuracies, beside simulated costs",
    )  # fmt: skip
    compare.add_argument("--csv", metavar="FILE", help="write the rows there")
    compare.add_argument(
        "--plot",
        metavar="FILE",
        help="write the picture there (PNG); that of --published beside it",
    )
    add_json(compare)


def _compare(arguments: argparse.Namespace) -> int:
    from nahas.closing import write
    from nahas.compare import compare, published
    from nahas.study_platform import platform_of

    study = open_study(arguments.study)
    with reading_input():
        check_file("--csv", arguments.csv)
        check_picture("--plot", arguments.plot)
        rows = compare(study, Path(arguments.trainings))
    others = published(platform_of(study.config)) if arguments.published else []
    table = [asdict(row) for row in rows]
    if arguments.csv is not None:
        import pandas as pd

        flat = pd.json_normalize(table, sep=".")
        write(Path(arguments.csv), flat.to_csv(index=False).encode())
    if arguments.plot is not None:
        from nahas.plots import png
        from nahas.plots_compare import plot_comparison, plot_published

        path = Path(arguments.plot)
        title = f"{arguments.trainings}, by the goal of {arguments.study}"
        write(path, png(plot_comparison(rows, title=title)))
        if others:
            beside = path.with_stem(f"{path.stem}_published")
            write(beside, png(plot_published(others)))
    if arguments.json:
        more = {"published": [asdict(row) for row in others]} if others else {}
        print_json({"trained": table, **more})
    else:
        _print(rows)
        if others:
            _print_published(others)
    return 0


def _print(rows: "list[Placed]") -> None:
    print_table(
        ("network", "on", "seeds", "accuracy", "deviation", "int8", "latency_ms",
         "energy_mj", "area_mm2", "parameters", "MACs", "limits"),
        [
            [
                row.name if row.on == "baseline" else "",
                row.on,
                str(row.seeds),
                percent(row.accuracy),
                percent(row.deviation),
                percent(row.int8),
                number(row.latency_ms),
                number(row.energy_mj),
                number(row.area_mm2),
                f"{row.parameters:,}",
                f"{row.macs:,}",
                "kept" if row.keeps else "broken",
            ]
            for row in rows
        ],
        title="trained to the end; costs of the deployed networks",
    )  # fmt: skip


def _print_published(rows: "list[Published]") -> None:
    print_table(
        ("network", "precision", "ImageNet top-1", "latency_ms", "energy_mj", "source"),
        [
            [
                row.name,
                row.precision,
                percent(row.top1),
                number(row.latency_ms),
                number(row.energy_mj),
                ", ".join(filter(None, (row.source, row.note))),
            ]
            for row in rows
        ],
        title="published accuracies, other recipes and data; simulated on the baseline",
    )
