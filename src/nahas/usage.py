"""Usage: what the commands share, and the border at which bad input becomes a line."""

import argparse
import os
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nahas.accelerator.presets import PRESETS

LIMITS = {
    "max_latency_ms": ("MS", "latency of one inference"),
    "max_energy_mj": ("MJ", "energy of one inference"),
    "max_area_mm2": ("MM2", "area of the accelerator"),
    "max_power_mw": ("MW", "mean power of back-to-back inferences"),
}
_WIDTH = 88
PRESET_NAMES = ", ".join(PRESETS)


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


def add_command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: Sequence[str],
    notes: str = "",
) -> argparse.ArgumentParser:
    """Adds a command to the parser's.

    Args:
        commands: The parser's.
        name: What the user types.
        run: What does it; returns the exit code.
        summary: One line, for the list of commands.
        description: Above its options.
        examples: What the user may type, below its options.
        notes: Below these.
    """
    lines = "\n".join(f"  nahas {example}" for example in examples)
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=_filled(description),
        epilog=f"examples:\n{lines}" + (f"\n\n{notes}" if notes else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _filled(text: str) -> str:
    """The text with its long lines broken; those that fit stay as they are."""
    return "\n".join(textwrap.fill(line, _WIDTH) for line in text.split("\n"))


def add_study(parser: argparse.ArgumentParser) -> None:
    """Adds STUDY."""
    parser.add_argument("study", metavar="STUDY", help="folder of the study")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds --json."""
    parser.add_argument("--json", action="store_true", help="print JSON")


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


def add_images(
    parser: argparse.ArgumentParser, resolution: int | None, width: float
) -> None:
    """Adds --data, --resolution and --width, with the defaults of the last two."""
    own = "their own" if resolution is None else "%(default)s"
    parser.add_argument(
        "--data", metavar="NAME", required=True,
        help="images: cifar10, fashion_mnist, mnist5k ..., a .npz file, a folder with "
        "one of pictures for each class, or tfds:NAME",
    )  # fmt: skip
    parser.add_argument(
        "--resolution", type=int, metavar="PIXELS", default=resolution,
        help=f"rows and columns of the images (default: {own})",
    )  # fmt: skip
    parser.add_argument(
        "--width", type=float, metavar="FACTOR", default=width,
        help="factor on all filters of all networks (default: %(default)s)",
    )  # fmt: skip


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Adds --accelerator, --set and --technology."""
    parser.add_argument(
        "--accelerator",
        metavar="NAME",
        help=f"{PRESET_NAMES}: with the platform around it (default: the pair's own "
        "and its study's, or baseline)",
    )
    add_settings(parser, "accelerator.pes_x=8 or platform.weights=resident")
    add_technology(parser)


def add_technology(parser: argparse.ArgumentParser) -> None:
    """Adds --technology."""
    parser.add_argument(
        "--technology",
        metavar="NODE_OR_FILE",
        help="65nm .. 7nm, or a TOML table of your own (see docs/machine.md) "
        "(default: the platform's, 22nm)",
    )


def check_file(option: str, word: str | Path | None) -> None:
    """Raises ValueError unless a file can be written there; None is not asked for.

    Before the work, which would be lost else.
    """
    if word is None:
        return
    path = Path(word)
    if not str(word):
        raise _not_writable(option, "a file", word, "it has no name")
    if path.is_dir():
        raise _not_writable(option, "a file", word, "a folder is there")
    if not path.parent.is_dir():
        raise _not_writable(option, "a file", word, f"{path.parent} is no folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _not_writable(option, "a file", word, "it cannot be written")


def check_picture(option: str, word: str | Path | None) -> None:
    """As `check_file`, of a PNG file."""
    check_file(option, word)
    if word is not None and Path(word).suffix.lower() != ".png":
        raise ValueError(f"`{option}` must be a file .png. Received {str(word)!r}.")


def check_folder(option: str, word: str | Path | None) -> None:
    """Raises ValueError unless a folder is there, or can be made; as `check_file`."""
    if word is None:
        return
    if not str(word):
        raise _not_writable(option, "a folder", word, "it has no name")
    path = Path(word).absolute()
    there = next(place for place in (path, *path.parents) if place.exists())
    if not there.is_dir():
        raise _not_writable(option, "a folder", word, f"{there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _not_writable(option, "a folder", word, f"{there} cannot be written to")


def _not_writable(option: str, what: str, word: str | Path, why: str) -> ValueError:
    return ValueError(
        f"`{option}` must be {what} that can be written. Received {str(word)!r}: {why}."
    )
