"""The command `export`: trained networks as files that other tools run."""

import argparse
from pathlib import Path
from typing import Any

from nahas.output import number, percent, print_json, print_table
from nahas.usage import (
    add_command,
    add_json,
    add_machine,
    check_folder,
    reading_input,
)


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    export = add_command(
        commands,
        "export",
        _export,
        summary="trained networks as .keras, int8 .tflite and .onnx files",
        description="Writes the network of a finished training in formats that other "
        "tools run, with its accelerator. The int8 file is quantized after the "
        "training, or made of the weights that were tuned for it (final.int8_epochs), "
        "and measured on the same test images; each file is read back, and costed on "
        "the accelerator as the network is.",
        examples=[
            "export runs/final/MobileNetV2-1a2b3c4d/seed0",
            "export runs/final/*/seed0 --pair runs/s3 --formats keras,tflite,onnx",
        ],
    )
    export.add_argument(
        "training", metavar="TRAINING", nargs="+",
        help="folders that `nahas train` has left, runs/final/NAME/seedK",
    )  # fmt: skip
    export.add_argument(
        "--pair", metavar="STUDY",
        help="a study, or a pair's file, whose accelerator it is for",
    )  # fmt: skip
    export.add_argument(
        "--formats", metavar="NAMES", default="keras,tflite",
        help="of keras, tflite and onnx (default: %(default)s)",
    )  # fmt: skip
    export.add_argument(
        "-o", "--output", metavar="DIR",
        help="where files go, in folders of the trainings' names "
        "(default: the trainings' own folders)",
    )  # fmt: skip
    add_machine(export)
    add_json(export)


def _export(arguments: argparse.Namespace) -> int:
    from nahas.exports import export
    from nahas.model_and_machine import machine
    from nahas.models import resolve

    with reading_input():
        check_folder("--output", arguments.output)
        pair = None if arguments.pair is None else resolve(arguments.pair)
        if pair is not None and pair.accelerator is None:
            raise ValueError(
                "`--pair` must name a pair of a network and an accelerator. Received "
                f"{arguments.pair}, which has no accelerator."
            )
        accelerator, platform, _ = machine(
            arguments.settings,
            pair,
            preset=arguments.accelerator,
            technology=arguments.technology,
        )
        rows = []
        for word in arguments.training:
            training = Path(word)
            output = training
            if arguments.output is not None:
                own = training.resolve()
                output = Path(arguments.output) / own.parent.name / own.name
            formats = [part.strip() for part in arguments.formats.split(",")]
            rows.append(export(training, output, accelerator, platform, formats))
    if arguments.json:
        print_json(rows)
    else:
        _print(rows)
    return 0


def _print(rows: list[dict[str, Any]]) -> None:
    columns = ("network", "seed", "accuracy", "int8", "latency_ms", "energy_mj", "MACs")
    print_table(
        columns,
        [
            [
                row["name"],
                str(row["seed"]),
                percent(row["accuracy"]),
                percent(row.get("int8_accuracy")),
                number(row["latency_ms"]),
                number(row["energy_mj"]),
                f"{row['macs']:,}",
            ]
            for row in rows
        ],
        title=f"exported; accuracy on {rows[0]['test_images']:,} test images",
    )
    for row in rows:
        for file in row["files"]:
            print(
                f"{file['file']}: {file['bytes']:,} bytes; read back "
                f"{file['macs']:,} MACs, {number(file['latency_ms'])} ms"
            )
