"""Usage: what the commands share, and the border at which bad input becomes a line."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

LIMITS = {
    "max_latency_ms": ("MS", "latency of one inference"),
    "max_energy_mj": ("MJ", "energy of one inference"),
    "max_area_mm2": ("MM2", "area of the accelerator"),
    "max_power_mw": ("MW", "mean power of back-to-back inferences"),
}


class UsageError(Exception):
    """The command was asked for something that cannot be; the message says what."""


@contextmanager
def reading_input() -> Iterator[None]:
    """Turns the errors of reading what the user gave into a `UsageError`.

    Only around that: the same errors later are the program's own.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def add_limits(
    parser: argparse.ArgumentParser, defaults: str = "default: none"
) -> None:
    """Adds the --max-... options."""
    group = parser.add_argument_group(f"limits ({defaults})")
    for name, (unit, text) in LIMITS.items():
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, type=float, metavar=unit, help=f"most {text}")


def add_settings(parser: argparse.ArgumentParser, example: str) -> None:
    """Adds --set, which may be given many times."""
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help=f"override one value, such as {example}; may be repeated",
    )


def add_technology(parser: argparse.ArgumentParser) -> None:
    """Adds --technology."""
    parser.add_argument(
        "--technology",
        metavar="NODE_OR_FILE",
        help="65nm .. 7nm, or a TOML table of your own (see docs/machine.md) "
        "(default: 22nm)",
    )
