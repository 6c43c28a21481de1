"""What the pages under results/ share: tables, the command, and how they were made."""

import csv
import os
import platform as host
import shlex
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from textwrap import fill

ROOT = Path(__file__).parent.parent
WIDTH = 88


def table(titles: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table in Markdown, without a line end after the last row."""
    head = list(titles)
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def write_csv(
    path: Path, titles: Iterable[str], rows: Iterable[Iterable[object]]
) -> None:
    """A file of comma-separated values, in a folder that is made where missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows(rows)


def command() -> str:
    """The command that runs, as one types it in the repository's root.

    Where the data lies differs with the machine: its folder is FOLDER.
    """
    script, *words = sys.argv
    for place, word in enumerate(words[:-1]):
        if word == "--data":
            words[place + 1] = "FOLDER"
    return f"python benchmarks/{Path(script).name} {shlex.join(words)}".rstrip()


def made_with(
    *libraries: str, seed: int | None = None, machine: str = "no machine matters"
) -> str:
    """The last lines of a page: versions of nahas, libraries and Python, and the rest.

    Args:
        libraries: Names as pip knows them.
        seed: Where one was used.
        machine: What of the machine matters, such as `cores()`.
    """
    versions = ", ".join(f"{name} {version(name)}" for name in ("nahas", *libraries))
    seeded = "" if seed is None else f", seed {seed}"
    text = f"Made with {versions}, Python {host.python_version()}{seeded}; {machine}."
    return fill(text, WIDTH)


def cores() -> str:
    """The machine, where times are measured."""
    return f"{os.cpu_count()} cores, {_processor()}, {host.system()}"


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return host.machine()
