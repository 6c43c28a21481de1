"""The command `prove`: the provably best pair under an additive predictor."""

import argparse
import math
import textwrap
import time
from typing import TYPE_CHECKING, Any

from nahas.cli_study import open_study
from nahas.output import duration, note, number, percent, print_json, print_table
from nahas.usage import (
    LIMITS,
    UsageError,
    add_command,
    add_json,
    add_limits,
    add_settings,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.config import Config
    from nahas.controller.proof import Progress, Proof
    from nahas.controller.study import Study
    from nahas.proofs import Proven

_PACKAGED = "imagenet_predictor"
_LINE_SECONDS = 10.0
# What may be changed of a study: its trainings and its space stay.
_OF_STUDY = ("limits", "reward", "platform")


def add_commands(commands: Any) -> None:
    """Adds the command to the parser's."""
    prove = add_command(
        commands,
        "prove",
        _prove,
        summary="the provably best pair, or how far from it the best found may be",
        description="Finds the network and accelerator of the highest reward within "
        "the limits by branch and bound over all pairs, and proves that none is better "
        "or, when time is up, prints the gap that is left. The proof is relative to an "
        "additive predictor of accuracy: each choice of the network adds its part. "
        "With STUDY it is fitted on the study's own trainings; without, it is the "
        "shipped one of Accel-NASBench on space b0, or that of a table.\n\n"
        "See docs/prove.md.",
        examples=[
            "prove --max-latency-ms 0.3 --set reward.latency_ms=0.3",
            "prove runs/quickstart --minutes 10",
            "prove --space nas-bench-macro --accuracy table:macro.csv.gz --json",
            "prove --set reward.p=-0.07 --set reward.q=-0.07 --max-latency-ms inf",
        ],
    )
    prove.add_argument(
        "study", metavar="STUDY", nargs="?",
        help="folder of a study, whose trainings the predictor is fitted on",
    )  # fmt: skip
    prove.add_argument("--config", metavar="FILE", help="TOML file with the sections")
    prove.add_argument(
        "--space", help="b0, b0-stages, nas-bench-macro, or your own as module:name "
        "(default: b0)"
    )  # fmt: skip
    prove.add_argument(
        "--accuracy", metavar="NAME",
        help="imagenet-predictor or table:FILE (default: imagenet-predictor)",
    )  # fmt: skip
    prove.add_argument(
        "--strength", type=float, metavar="L",
        help="penalty of the ridge regression that is fitted (default: 5)",
    )  # fmt: skip
    prove.add_argument(
        "--minutes", type=float, metavar="M",
        help="stop after that long and print the gap (default: go on to the proof)",
    )  # fmt: skip
    add_limits(prove, "default: those of STUDY or --config, or 39.86 mm2 and 1 ms; inf "
               "for none")  # fmt: skip
    add_settings(prove, "reward.latency_ms=0.3 or platform.weights=resident")
    add_json(prove)


def _prove(arguments: argparse.Namespace) -> int:
    from nahas.proofs import STRENGTH, prove, question

    with reading_input():
        study = None if arguments.study is None else open_study(arguments.study)
        config = _configuration(arguments, study)
        minutes = arguments.minutes
        if minutes is not None and not minutes > 0:
            raise ValueError(f"`--minutes` must be positive. Received {minutes!r}.")
        strength = STRENGTH if arguments.strength is None else arguments.strength
        asked = question(config, study, strength=strength)
    found = prove(asked, minutes=minutes, progress=_progress())
    if arguments.json:
        print_json(found.to_dict())
    else:
        _print(found)
    return 0 if found.row else 1


def _configuration(arguments: argparse.Namespace, study: "Study | None") -> "Config":
    from nahas.closing import configuration
    from nahas.config import from_dict, merge, read_toml, to_dict

    if study is None:
        table = read_toml(arguments.config, _PACKAGED)
    else:
        for name in ("config", "space", "accuracy"):
            if getattr(arguments, name) is not None:
                raise UsageError(
                    f"`--{name}` must be left out where STUDY says it. Received "
                    f"{getattr(arguments, name)!r}."
                )
        known = configuration(study)
        if known is None:
            raise UsageError(
                f"The study in {study.folder} was started from Python: prove it with "
                "nahas.proofs.of_study and nahas.controller.prove."
            )
        table = to_dict(known)
        for section in merge({}, arguments.settings):
            if section not in _OF_STUDY:
                raise UsageError(
                    f"`--set` must be of {', '.join(_OF_STUDY)} where STUDY says the "
                    f"rest. Received {section}."
                )
    table = merge(table, arguments.settings)
    given = {f"limits.{name}": getattr(arguments, name) for name in LIMITS}
    given |= {
        "search.space": arguments.space,
        "search.oracle": arguments.accuracy,
    }
    for path, value in given.items():
        if value is not None:
            section, _, key = path.partition(".")
            table.setdefault(section, {})[key] = value
    return from_dict(table)


def _progress() -> "Progress":
    """A line on stderr now and then."""
    shown = time.monotonic()

    def update(proof: "Proof") -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _LINE_SECONDS:
            shown = now
            above = "no bound yet"
            if math.isfinite(proof.bound):
                above = f"none above {proof.bound:.6f}"
            note(
                f"{duration(proof.seconds)}: best reward {proof.reward:.6f}, {above}; "
                f"{proof.searched:,} accelerators searched, {proof.nodes:,} nodes"
            )

    return update


def _print(found: "Proven") -> None:
    from nahas.proofs import in_words

    row = found.row
    if row:
        costs = ("latency_ms", "energy_mj", "area_mm2", "power_mw")
        print_table(
            ("reward", "accuracy", *costs),
            [[f"{row['reward']:.6f}", percent(row["accuracy"]),
              *(number(row[name]) for name in costs)]],
            title=f"best pair of {found.task.space.name}; accuracy predicted, costs "
            "simulated",
        )  # fmt: skip
        print(f"network:     {row['network']}")
        knobs = ", ".join(f"{k} {v:g}" for k, v in row["accelerator"].items())
        print(f"accelerator: {knobs}")
        if row["oracle_accuracy"] is not None:
            said = percent(row["oracle_accuracy"])
            print(f"accuracy that a search would see: {said}")
    print(textwrap.fill(in_words(found), 88))
    print(textwrap.fill(found.relative_to, 88))
