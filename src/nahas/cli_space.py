"""The command `space`: what there is to choose, and what pays on a chip."""

import argparse
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nahas.output import number, print_json, print_table
from nahas.usage import (
    PRESET_NAMES,
    add_command,
    add_json,
    add_settings,
    check_file,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.search_space.space import SearchSpace
    from nahas.search_space.tailor import Choice


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    space = add_command(
        commands,
        "space",
        _space,
        summary="the choices of a network space, and which are worth having on a chip",
        description="Prints the knobs of a network space. With --profile every choice "
        "of every block, plain and fused, is simulated on an accelerator: a choice is "
        "dropped where another is no slower, costs no more energy and can do at least "
        "as much, a fused block also where it is no faster than the plain one. "
        "`nahas search --tailor NAME --set platform.preset=NAME` searches what is "
        "kept, on the same platform.",
        examples=[
            "space s3",
            "space s2 --profile edge-tpu-v1 --csv blocks.csv",
            "space s3 --profile baseline --set accelerator.simd_units=16",
        ],
    )
    space.add_argument(
        "space",
        metavar="SPACE",
        help="s1, s2, s3, b0, nas-bench-macro, b0-stages or module:name",
    )
    space.add_argument(
        "--profile", metavar="NAME",
        help=f"a preset: {PRESET_NAMES}",
    )  # fmt: skip
    add_settings(space, "accelerator.simd_units=16")
    space.add_argument("--csv", metavar="FILE", help="write all choices there")
    add_json(space)


def _space(arguments: argparse.Namespace) -> int:
    from nahas.model_and_machine import machine
    from nahas.parts import network_space
    from nahas.search_space.tailor import profile, tailor

    with reading_input():
        check_file("--csv", arguments.csv)
        space = network_space(arguments.space)
        if arguments.profile is None:
            if arguments.settings or arguments.csv:
                raise ValueError("`--profile` must be given with --set or --csv.")
            _print_space(space, as_json=arguments.json)
            return 0
        chip = machine(arguments.settings, preset=arguments.profile, option="--profile")
        pair = chip.accelerator, chip.platform
        blocks, kept = profile(space, *pair), tailor(space, *pair)
    if arguments.csv:
        import pandas as pd

        frame = pd.DataFrame(asdict(choice) for block in blocks for choice in block)
        frame.to_csv(arguments.csv, index=False)
    if arguments.json:
        print_json(
            {
                "space": space.name,
                "profile": arguments.profile,
                "platform": chip.origin,
                "size": space.size,
                "tailored_size": kept.size,
                "choices": [asdict(choice) for block in blocks for choice in block],
            }
        )
    else:
        _print_profile(space, kept, blocks, arguments.profile)
        print(f"platform: {chip.origin}")
    return 0


def _print_space(space: "SearchSpace", *, as_json: bool) -> None:
    if as_json:
        knobs = {knob.name: list(knob.values) for knob in space.knobs}
        print_json({"space": space.name, "size": space.size, "knobs": knobs})
    else:
        print(space)


def _print_profile(
    space: "SearchSpace",
    kept: "SearchSpace",
    blocks: "tuple[tuple[Choice, ...], ...]",
    name: str,
) -> None:
    print_table(
        ("block", "kept", "of", "fused kept", "fastest", "ms", "slowest", "ms more"),
        [
            (
                number_of,
                len(stay := [choice for choice in block if choice.loses_to is None]),
                len(block),
                Counter(choice.kind for choice in stay)["fused_ibn"],
                str(first := min(block, key=lambda choice: choice.latency_ms)),
                number(first.latency_ms),
                str(last := max(block, key=lambda choice: choice.latency_ms)),
                number(last.latency_ms - first.latency_ms),
            )
            for number_of, block in enumerate(blocks)
        ],
        title=f"{space.name} on {name}; ms of the network, all other blocks being "
        "their first choice",
        spare=("ms", "slowest"),
    )
    print(
        f"{space.size:,} networks; tailored, fused blocks offered where they win, "
        f"{kept.size:,}."
    )
