"""Several latency targets in one run: what search, resume, status and report do."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nahas import targets
from nahas.config import Config
from nahas.output import note, number, percent, print_json, print_table
from nahas.targets import Targets
from nahas.usage import UsageError

PICTURE = "targets.png"
PAGE = "report.html"


def run(asked: Targets) -> int:
    """Searches for each target in turn, or continues, and shows them together."""
    from nahas.study_run import run_study

    targets.begin(asked)
    started, minutes = time.monotonic(), asked.config.search.minutes
    code, done = 0, True
    for target in asked.latency_ms:
        left = None
        if minutes is not None:
            left = minutes - (time.monotonic() - started) / 60
            if left <= 0:
                done = False
                break
        config = asked.config_of(target)
        config = replace(config, search=replace(config.search, minutes=left))
        known = asked.study(target)
        note(f"Latency target {target:g} ms.")
        # What a study began with is in it.
        reuse = [] if known else asked.reuse_of(target)
        code = run_study(asked.study_folder(target), config, reuse, asked.folder)
        study = asked.study(target)
        done = study is not None and study.counts()["trials"] >= config.search.trials
        if not done:
            break
    written = write_files(asked)
    show(asked)
    print("written: " + ", ".join(str(path) for path in written))
    if not done:
        print(f"stopped before the end; continue: nahas resume {asked.folder}")
    return code


def resumed(folder: Path, **given: object) -> Targets:
    """What the studies in a folder were asked for, with other settings of the run."""
    asked = targets.read(folder)
    search = replace(asked.config.search, minutes=None)
    search = replace(search, **given)  # type: ignore[arg-type]
    return replace(asked, config=replace(asked.config, search=search))


def refuse_limit(flag: float | None, said: Mapping[str, Any]) -> None:
    """Refuses a latency limit beside targets, which are the limits.

    Args:
        flag: Of `--max-latency-ms`.
        said: What the user's file and `--set` say, by sections.

    Raises:
        UsageError: If there is one.
    """
    latencies = {
        "--max-latency-ms": flag,
        "limits.max_latency_ms": said.get("limits", {}).get("max_latency_ms"),
        "reward.latency_ms": said.get("reward", {}).get("latency_ms"),
    }
    for words, value in latencies.items():
        if value is not None:
            raise UsageError(
                f"`{words}` must be left out with --latency-targets, each of which is "
                f"the limit and the target of its study. Received {value}."
            )


def forecast(asked: Targets) -> str:
    """What the search of one target would take, for the loosest."""
    from nahas.dry_run import forecast

    loosest = max(asked.latency_ms)
    config: Config = asked.config_of(loosest)
    found = forecast(config, asked.study_folder(loosest), list(asked.reuse))
    count = len(asked.latency_ms)
    return f"{count} searches, each at most as that of {loosest:g} ms:\n{found.text()}"


def status(folder: Path, *, as_json: bool) -> int:
    """Where the studies of a folder stand."""
    asked = targets.read(folder)
    if as_json:
        print_json(targets.summary(asked))
    else:
        show(asked)
    return 0


def show(asked: Targets) -> None:
    """Prints what came of each target."""
    table = targets.cells(targets.rows(asked))
    columns = list(table[0])
    shown = [[_shown(name, value) for name, value in row.items()] for row in table]
    print_table(columns, shown, title=f"{asked.folder}: the best pair of each target")


def _shown(name: str, value: float | None) -> str:
    if name.startswith("accuracy"):
        return percent(value)
    return number(value) if isinstance(value, float | None) else str(value)


def write_files(asked: Targets) -> list[Path]:
    """Writes the table, its picture and the page; returns them."""
    from nahas.closing import write, write_json

    picture = draw(asked)
    files = {PICTURE: picture, PAGE: page(asked, picture)}
    path = asked.folder / targets.SUMMARY
    write_json(path, targets.summary(asked))
    for name, content in files.items():
        write(asked.folder / name, content)
    return [path, *(asked.folder / name for name in files)]


def draw(asked: Targets) -> bytes:
    """The picture of accuracy at each target, a PNG file."""
    from nahas.oracles import PREDICTOR
    from nahas.plots import plot_targets, png

    predicted = asked.config.search.oracle == PREDICTOR
    figure, _ = plot_targets(
        targets.rows(asked), title=str(asked.folder), predicted=predicted
    )
    return png(figure)


def page(asked: Targets, picture: bytes | None = None) -> bytes:
    """One HTML page that needs nothing else."""
    from nahas.report import flat, render_template

    found = targets.rows(asked)
    return render_template(
        "targets.html",
        folder=str(asked.folder),
        cells=targets.cells(found),
        rows=found,
        config=list(flat(targets.summary(asked)["config"])),
        pictures={"targets": draw(asked) if picture is None else picture},
    )
