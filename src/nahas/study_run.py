"""A study from its configuration to its files: searched, compared and shown."""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.cli_study import print_result
from nahas.output import note, search_progress
from nahas.usage import reading_input

if TYPE_CHECKING:
    from nahas.config import Config
    from nahas.controller.study import Study


def run_study(
    folder: Path, config: "Config", reuse: list[str], whole: Path | None = None
) -> int:
    """Searches, then closes: references, test, files, the result on stdout.

    An interrupt at any time says how to go on.

    Args:
        folder: Where the study lies.
        config: What is asked for.
        reuse: Studies whose trainings a new study starts with.
        whole: The folder that the user continues, where it is another.

    Returns:
        The exit code.
    """
    from nahas.controller.study import CONFIG

    begun = whole or folder
    try:
        return _search_and_close(folder, config, reuse, begun)
    except KeyboardInterrupt:
        if (folder / CONFIG).exists():
            print(f"stopped; continue: nahas resume {begun}")
        raise


def _search_and_close(
    folder: Path, config: "Config", reuse: list[str], whole: Path
) -> int:
    from nahas import closing, report
    from nahas.config import to_stored
    from nahas.controller.ray_cluster import check_engine
    from nahas.controller.search import search
    from nahas.controller.study import CONFIG, Study
    from nahas.parts import make_parts, make_space, platform_notes, warm_start
    from nahas.warm_starts import recorded

    first = None
    if (folder / CONFIG).exists():
        study = Study.open(folder)
        reuse = reuse or study.config.get("reuse", [])
        first = recorded(study)
    with reading_input():
        check_engine(config.search.engine, config.search.address)
        if first is None and config.search.warm_start:
            warm = warm_start(config, make_space(config))
            first = warm.rows
            for line in warm.sources:
                note(f"warm start: {line}")
        parts = make_parts(config, first)
    for said in platform_notes(config):
        note(said)
    if (folder / CONFIG).exists():
        note(f"{folder} has {study.counts()['trials']} trials.")
    asked, started = config.search, time.monotonic()
    with search_progress() as progress:
        study = search(
            parts.task.space,
            parts.controller,
            parts.oracle,
            config.goal,
            trials=asked.trials,
            limits=config.limits,
            reject=asked.reject,
            seed=asked.seed,
            folder=folder,
            platform=config.platform,
            workers=asked.workers,
            engine=asked.engine,
            address=asked.address,
            window=asked.window,
            minutes=asked.minutes,
            reuse=reuse,
            screening=parts.screening,
            config=to_stored(config),
            progress=progress,
        )
    done = study.counts()["trials"]
    finished = done >= asked.trials
    time_up = time.monotonic() - started >= 60 * (asked.minutes or math.inf)
    if finished or time_up:
        _compare(study, config, parts.oracles, finished=finished)
    written = closing.write_files(study, report.render)
    print_result(closing.summary(study))
    print("written: " + ", ".join(str(path) for path in written))
    if finished:
        print(f"extend:  nahas resume {whole} --trials {2 * done}")
    else:
        print(f"stopped after {done} trials; continue: nahas resume {whole}")
    return 0 if finished or time_up else 1


def _compare(
    study: "Study", config: "Config", oracles: list[Any], *, finished: bool
) -> None:
    """Trains and tests what the result is compared with, as far as it is not known."""
    from nahas import closing, references

    oracle = oracles[-1]
    rows = closing.read_json(study.folder / closing.REFERENCES)
    workers = config.search.workers
    if not rows:
        note("Asking for the accuracies of the reference networks.")
        rows = references.train_references(study, config, oracles)
    best = closing.best_row(study)
    known = closing.read_json(study.folder / closing.TEST)
    judged = (
        best and isinstance(known, dict) and known.get("network") == best["network"]
    )
    if finished and best and hasattr(oracle, "test") and not judged:
        note("Judging the best network on the test images.")
        other = next(row for row in rows if row["name"] == references.SMALLEST)
        references.judge_best(study, oracle, best["network"], other["network"], workers)
