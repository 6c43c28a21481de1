"""Output: tables and JSON on stdout, progress on stderr."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, get_args

import rich.progress as bars
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nahas.controller.progress import Progress
from nahas.controller.trial import Status

_LINE_SECONDS = 15.0


def print_json(value: Any) -> None:
    """Prints JSON; infinities and NaN become null."""
    print(to_json(value))


def to_json(value: Any) -> str:
    """JSON text in which infinities and NaN are null.

    >>> to_json({"cost": float("inf"), "pes": 4}).split()
    ['{', '"cost":', 'null,', '"pes":', '4', '}']
    """
    return json.dumps(_plain(value), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: float | None, digits: int = 4) -> str:
    """The value with so many significant digits, a dash for None.

    >>> number(0.123456), number(1234567.0), number(None)
    ('0.1235', '1,234,567', '-')
    """
    if value is None:
        return "-"
    decimals = digits - 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{min(max(decimals, 0), 9)}f}"


def percent(value: float | None) -> str:
    """A fraction as a percentage with two decimals, a dash where there is none.

    >>> percent(0.125), percent(float("inf")), percent(None)
    ('12.50 %', '-', '-')
    """
    return "-" if value is None or not math.isfinite(value) else f"{100 * value:.2f} %"


def in_words(accelerator: Any) -> str:
    """An accelerator's knobs in a line.

    >>> from nahas.accelerator.grid import BASELINE
    >>> in_words(BASELINE)[:25]
    'pes_x 4, pes_y 4, simd_un'
    """
    knobs = asdict(accelerator).items()
    return ", ".join(f"{name} {value:g}" for name, value in knobs)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    spare: Sequence[str] = (),
) -> None:
    """Prints a table: by rich on a terminal, as plain columns elsewhere.

    Columns that hold numbers only are set to the right; a plain table is never cut.

    Args:
        columns: Their heads.
        rows: A cell a column each.
        title: Above the table.
        spare: Columns that a terminal too narrow for all goes without, first ones
            first.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        columns, cells = _fitting(columns, cells, spare, Console().width)
    right = [_is_numeric([row[i] for row in cells]) for i in range(len(columns))]
    if not sys.stdout.isatty():
        print("\n".join(_plain_lines(columns, cells, right, title)))
        return
    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left")
    for column, is_right in zip(columns, right, strict=True):
        table.add_column(
            Text(column),
            justify="right" if is_right else "left",
            overflow="fold",
            no_wrap=is_right,  # a number over two lines is two numbers
        )
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)


def _fitting(
    columns: Sequence[str], cells: list[list[str]], spare: Sequence[str], width: int
) -> tuple[Sequence[str], list[list[str]]]:
    """The table without as many spare columns as a terminal of `width` cannot show."""
    for name in spare:
        if sum(_widths(columns, cells)) + 3 * len(columns) <= width:
            break
        keep = [i for i, column in enumerate(columns) if column != name]
        columns = [columns[i] for i in keep]
        cells = [[row[i] for i in keep] for row in cells]
    return columns, cells


def _widths(columns: Sequence[str], cells: list[list[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(columns, *cells, strict=True)]


def _plain_lines(
    columns: Sequence[str], cells: list[list[str]], right: list[bool], title: str
) -> Iterator[str]:
    widths = _widths(columns, cells)
    if title:
        yield title
    for row in [list(columns), ["-" * width for width in widths], *cells]:
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip()
    yield ""


def _is_numeric(cells: Sequence[str]) -> bool:
    return bool(cells) and all(cell[:1] in "-+0123456789" for cell in cells if cell)


def note(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def search_progress() -> Iterator[Callable[[Progress], None]]:
    """Shows a running search: a bar on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    bar = bars.Progress(
        bars.TextColumn("{task.completed}/{task.total} trials"),
        bars.BarColumn(bar_width=24),
        bars.TextColumn("{task.fields[rest]}", markup=False),
    )
    task = bar.add_task("", total=None, rest="starting")
    counts = Text("")
    with Live(Group(bar, counts), console=Console(stderr=True), transient=True):

        def update(state: Progress) -> None:
            rest = f"ETA {duration(state.eta_seconds)}, {_best(state)}"
            bar.update(task, completed=state.done, total=state.total, rest=rest)
            counts.plain = _counts(state)

        yield update


def describe(state: Progress) -> str:
    """Time left, the best so far and the counts, in one line."""
    return f"ETA {duration(state.eta_seconds)}, {_best(state)} | {_counts(state)}"


def _best(state: Progress) -> str:
    reward = state.best_reward
    return "best reward -" if reward is None else f"best reward {reward:.4f}"


def _counts(state: Progress) -> str:
    counts = counted({name: getattr(state, name) for name in get_args(Status)})
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def counted(found: Mapping[str, Any]) -> dict[str, int]:
    """Trials of each status, and of all if they are named; screened where there are.

    >>> counted({"trials": 3, "failed": 1, "trained": 2, "screened": 0})
    {'trials': 3, 'trained': 2, 'failed': 1}
    """
    names = [name for name in ("trials", *get_args(Status)) if name in found]
    return {n: found[n] for n in names if n != "screened" or found[n]}


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds.

    >>> duration(75), duration(3700), duration(None)
    ('1:15', '1:01:40', '-')
    """
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _lines() -> Callable[[Progress], None]:
    shown = -math.inf

    def update(state: Progress) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _LINE_SECONDS or state.done == state.total:
            shown = now
            note(f"{state.done}/{state.total} trials, {describe(state)}")

    return update
