"""The command `share`: one accelerator for the networks of several studies."""

import argparse
from typing import TYPE_CHECKING, Any

from nahas.cli_study import open_study
from nahas.output import in_words, note, number, percent, print_json, print_table
from nahas.usage import add_command, add_json, reading_input

if TYPE_CHECKING:
    from nahas.sharing import Sharing


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    share = add_command(
        commands,
        "share",
        _share,
        summary="the best accelerator for the trained networks of several studies",
        description="Simulates every trained network of every study on all 50,000 "
        "accelerators, takes on each the network that each study's reward likes best "
        "within that study's limits, and names the accelerator that serves all "
        "studies best: exact, some 0.1 s a network.",
        examples=[
            "share runs/faces runs/words",
            "share runs/faces runs/words --maximise mean --max-area-mm2 30 --json",
        ],
    )
    share.add_argument("study", metavar="STUDY", nargs="+", help="folders of studies")
    share.add_argument(
        "--maximise", metavar="WHAT", default="least",
        help="least: the reward of the study that fares worst; mean: that of all "
        "(default: %(default)s)",
    )  # fmt: skip
    share.add_argument(
        "--max-area-mm2", type=float, metavar="MM2",
        help="most area of the shared accelerator (default: the studies' limits)",
    )  # fmt: skip
    add_json(share)


def _share(arguments: argparse.Namespace) -> int:
    from nahas.sharing import share

    studies = [open_study(folder) for folder in arguments.study]
    with reading_input():
        found = share(
            studies,
            maximise=arguments.maximise,
            max_area_mm2=arguments.max_area_mm2,
            progress=lambda name: note(f"Simulating the networks of {name}."),
        )
    if arguments.json:
        print_json(found.to_dict())
    else:
        _print(found)
    return 0


def _print(found: "Sharing") -> None:
    columns = ("study", "on", "accuracy", "reward", "latency_ms", "energy_mj",
               "area_mm2")  # fmt: skip
    rows = [
        [
            one.study,
            where,
            percent(pair.accuracy),
            *(number(getattr(pair, name)) for name in columns[3:]),
        ]
        for one in found.studies
        for where, pair in (("shared", one.shared), ("its own best", one.own))
    ]
    print_table(columns, rows, title="best trained networks of each study")
    print(f"shared accelerator: {in_words(found.accelerator)}")
    print(
        f"{found.checked:,} checked, {found.serving:,} serve all studies; least reward "
        f"{number(found.least)}, mean {number(found.mean)}"
    )
    for one in found.studies:
        print(
            f"{one.study}: sharing costs {number(one.lost)} of reward; "
            f"{one.networks:,} networks tried, {one.accelerators:,} accelerators "
            "serve it"
        )
        print(f"  network: {one.shared.network}")
