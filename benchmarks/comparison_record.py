"""The record of the comparison's runs: what each had found, a line of JSON a run.

What is made here goes to runs/comparison/runs.jsonl, a line at a time. The page's
script packs all that is known into results/comparison/runs.jsonl.gz, so that nobody has
to repeat hours of searches to go on with them, or to draw them anew.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from page import ROOT

VERSION = 3
"""Of contestants and of what is counted; to be raised with them: no others are read."""
MADE = ROOT / "runs" / "comparison" / "runs.jsonl"
KEPT = ROOT / "results" / "comparison" / "runs.jsonl.gz"

Row = dict[str, Any]
Key = tuple[str, str, str, int]
"""Problem, goal, contestant, seed."""


def key_of(row: Row) -> Key:
    """What a run is known by."""
    return row["problem"], row["goal"], row["name"], row["seed"]


def known_runs(made: Path = MADE, kept: Path = KEPT) -> dict[Key, Row]:
    """The runs of both files that are of this version, in the order of their keys."""
    lines: list[str] = []
    if kept.exists():
        with gzip.open(kept, "rt", encoding="utf-8") as file:
            lines += file
    if made.exists():
        lines += made.read_text(encoding="utf-8").splitlines()
    rows = {key_of(row): row for row in _sound(lines) if row["version"] == VERSION}
    return dict(sorted(rows.items()))


def _sound(lines: Iterable[str]) -> Iterator[Row]:
    """The lines' rows, without one that was cut short by a kill."""
    for line in lines:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            print(f"A line of {len(line)} characters was cut short, and is left out.")


def append(row: Row, made: Path = MADE) -> None:
    """Writes a run behind those that were made."""
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.open("ab+") as file:
        end = file.tell()
        file.seek(max(end - 1, 0))
        torn = end > 0 and file.read(1) != b"\n"
        file.write(b"\n" * torn + json.dumps(row).encode() + b"\n")


def pack(rows: Iterable[Row], kept: Path = KEPT) -> None:
    """Writes all runs, the same bytes for the same runs."""
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    kept.write_bytes(gzip.compress(lines.encode(), mtime=0))
