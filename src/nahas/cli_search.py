"""The commands that make a study: search and resume."""

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nahas.cli_study import open_study, print_result
from nahas.output import note, search_progress
from nahas.usage import (
    LIMITS,
    PRESET_NAMES,
    UsageError,
    add_command,
    add_limits,
    add_settings,
    add_study,
    check_folder,
    reading_input,
)

if TYPE_CHECKING:
    from nahas.config import Config
    from nahas.controller.study import Study

QUICKSTART = Path("runs/quickstart")
# What a search without --config starts from, where that depends on its accuracies.
_PACKAGED = {"imagenet-predictor": "imagenet_predictor"}
# Options of `search` that are other words for a key of the configuration.
_SHORTHANDS = {
    "space": "search.space",
    "tailor": "search.tailor",
    "accuracy": "search.oracle",
    "controller": "search.controller",
    "trials": "search.trials",
    "minutes": "search.minutes",
    "workers": "search.workers",
    "engine": "search.engine",
    "address": "search.address",
    "seed": "search.seed",
    "data": "training.data",
    **{name: f"limits.{name}" for name in LIMITS},
}


def add_commands(commands: Any) -> None:
    """Adds the commands to the parser's."""
    _add_search(commands)
    resume = add_command(
        commands,
        "resume",
        _resume,
        summary="continue or extend a study, or salvage a damaged one",
        description="Continues a study where it stopped, as if it had never stopped.",
        examples=[
            "resume runs/quickstart",
            "resume runs/quickstart --trials 300 --minutes 10",
            "resume runs/damaged --salvage-to runs/saved",
        ],
    )
    add_study(resume)
    _add_run(resume, "as before")
    resume.add_argument(
        "--salvage-to",
        metavar="NEW",
        help="save every sound row of a damaged study into a new one there, and stop",
    )


def _add_search(commands: Any) -> None:
    search = add_command(
        commands,
        "search",
        _search,
        summary="search a network and its accelerator together",
        description="Searches a network and its accelerator together. Without options "
        "it runs the quick start, which the defaults below come from. A second search "
        "of a folder continues its study, or shows it if it is finished.",
        examples=[
            "search",
            "search --space s1 --controller evolution --folder runs/s1",
            "search --config mine.toml --set training.epochs=5",
            "search --accuracy imagenet-predictor --max-latency-ms 0.3",
            "search --space mine:space --accuracy mine:Oracle",
            "search --engine ray --workers 8 --folder runs/ray",
            "search --space nas-bench-macro --accuracy table:macro.csv.gz --workers 0",
            "search --tailor coral --set platform.preset=coral --folder runs/coral",
        ],
    )
    search.add_argument("--config", metavar="FILE", help="TOML file with the sections")
    search.add_argument(
        "--folder",
        metavar="DIR",
        help=f"the study's folder (default: {QUICKSTART} or, with the predictor, "
        "runs/imagenet_predictor; with --config FILE runs/NAME of the file)",
    )
    search.add_argument(
        "--space",
        help="s1, s2, s3, b0, nas-bench-macro, b0-stages, or your own as module:name "
        "(default: s2)",
    )
    search.add_argument(
        "--accuracy", metavar="NAME",
        help="where accuracies come from: proxy (trainings), imagenet-predictor "
        "(instant; by default space b0, 2000 trials of evolution and no workers), "
        "table:FILE (NAS-Bench-Macro's), or module:name (default: proxy)",
    )  # fmt: skip
    search.add_argument(
        "--tailor", metavar="NAME",
        help="keep the choices that pay on a preset's accelerator, on the search's "
        f"platform: {PRESET_NAMES}; see `nahas space --profile` (default: keep all)",
    )  # fmt: skip
    search.add_argument(
        "--controller",
        help="ppo, evolution, random, local, nsga2, reinforce, shrinking, guided, "
        "bayesian; sweep-random, sweep-evolution, sweep-guided or sweep-bayesian: "
        "these choose the network, an exact sweep its accelerator; or your own as "
        "module:name (default: ppo)",
    )
    search.add_argument("--data", metavar="NAME", help="images (default: mnist5k)")
    search.add_argument("--seed", type=int, metavar="S", help="seed (default: 0)")
    _add_run(search, "150 trials, 2 workers")
    search.add_argument(
        "--reuse", nargs="+", default=[], metavar="STUDY",
        help="studies whose trainings a new study starts with",
    )  # fmt: skip
    search.add_argument(
        "--dry-run", action="store_true",
        help="say how many trials, how long and how much disk, and stop; may do one "
        "training",
    )  # fmt: skip
    add_limits(search, "default: those of the quick start, 39.86 mm2 and 1 ms, or of "
               "--config; inf for none")  # fmt: skip
    add_settings(search, "training.epochs=5, or platform.preset=coral for its "
                 "platform")  # fmt: skip


def _add_run(parser: argparse.ArgumentParser, defaults: str) -> None:
    group = parser.add_argument_group(f"the run (default: {defaults})")
    group.add_argument("--trials", type=int, metavar="N", help="trials in the end")
    group.add_argument(
        "--minutes", type=float, metavar="M",
        help="settle no more trials after that long; continue by `nahas resume`",
    )  # fmt: skip
    group.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that train; 0 trains in this one",
    )
    group.add_argument(
        "--engine", metavar="NAME",
        help="where they run: local, or ray for tasks of a Ray cluster (docs/ray.md)",
    )  # fmt: skip
    group.add_argument(
        "--address", metavar="HOST:PORT",
        help="a running Ray cluster that this machine has joined; its CPUs count, not "
        "--workers (default: a private one here)",
    )  # fmt: skip


def _search(arguments: argparse.Namespace) -> int:
    from nahas.config import from_dict, merge, read_toml

    with reading_input():
        said = merge({}, arguments.settings).get("search", {}).get("oracle")
        asked = said if arguments.accuracy is None else arguments.accuracy
        packaged = _PACKAGED.get(str(asked), QUICKSTART.stem)
        table = merge(read_toml(arguments.config, packaged), arguments.settings)
        for name, path in _SHORTHANDS.items():
            if (value := getattr(arguments, name)) is not None:
                section, _, key = path.partition(".")
                table.setdefault(section, {})[key] = value
        config = from_dict(table)
        default = Path("runs") / Path(arguments.config or packaged).stem
        check_folder("--folder", arguments.folder)
        for study in arguments.reuse:
            open_study(study)
        folder = default if arguments.folder is None else Path(arguments.folder)
    if arguments.dry_run:
        return _forecast(folder, config, arguments.reuse)
    return _run(folder, config, arguments.reuse)


def _forecast(folder: Path, config: "Config", reuse: list[str]) -> int:
    from nahas.controller.ray_cluster import check_engine
    from nahas.dry_run import forecast

    with reading_input():
        check_engine(config.search.engine, config.search.address)
        found = forecast(config, folder, reuse)
    print(found.text())
    return 0


def _resume(arguments: argparse.Namespace) -> int:
    from nahas.closing import configuration
    from nahas.controller.salvage import salvage

    if arguments.salvage_to is not None:
        with reading_input():
            check_folder("--salvage-to", arguments.salvage_to)
        saved = salvage(arguments.study, arguments.salvage_to)
        print(
            f"{saved.trials} trials and {saved.trainings} trainings are saved in "
            f"{arguments.salvage_to}. Continue with: nahas resume "
            f"{arguments.salvage_to}"
        )
        return 0
    study = open_study(arguments.study)
    config = configuration(study)
    if config is None:
        raise UsageError(
            f"The study in {study.folder} was started from Python: continue it with "
            "nahas.search(..., folder=...) and the same arguments."
        )
    given = {
        name: getattr(arguments, name)
        for name in ("trials", "minutes", "workers", "engine", "address")
        if getattr(arguments, name) is not None
    }
    if arguments.engine == "local":
        given.setdefault("address", "")  # that of the run before is left
    with reading_input():
        # Minutes were those of the run before, not of the study.
        config = replace(config, search=replace(config.search, minutes=None))
        config = replace(config, search=replace(config.search, **given))
    return _run(study.folder, config, study.config.get("reuse", []))


def _run(folder: Path, config: "Config", reuse: list[str]) -> int:
    """Searches, then closes: references, test, files, the result on stdout."""
    from nahas import closing, report
    from nahas.config import to_stored
    from nahas.controller.ray_cluster import check_engine
    from nahas.controller.search import search
    from nahas.controller.study import CONFIG, Study
    from nahas.parts import make_parts, tailoring

    with reading_input():
        check_engine(config.search.engine, config.search.address)
        parts = make_parts(config)
    if said := tailoring(config):
        note(said)
    if (folder / CONFIG).exists():
        study = Study.open(folder)
        reuse = reuse or study.config.get("reuse", [])
        note(f"{folder} has {study.counts()['trials']} trials.")
    asked, started = config.search, time.monotonic()
    with search_progress() as progress:
        study = search(
            parts.task.space,
            parts.controller,
            parts.oracle,
            config.reward,
            trials=asked.trials,
            limits=config.limits,
            seed=asked.seed,
            folder=folder,
            platform=config.platform,
            workers=asked.workers,
            engine=asked.engine,
            address=asked.address,
            window=asked.window,
            minutes=asked.minutes,
            reuse=reuse,
            config=to_stored(config),
            progress=progress,
        )
    done = study.counts()["trials"]
    finished = done >= asked.trials
    time_up = time.monotonic() - started >= 60 * (asked.minutes or math.inf)
    if finished or time_up:
        _compare(study, config, parts.oracle, finished=finished)
    written = closing.write_files(study, report.render)
    print_result(closing.summary(study))
    print("written: " + ", ".join(str(path) for path in written))
    if finished:
        print(f"extend:  nahas resume {folder} --trials {2 * done}")
    else:
        print(f"stopped after {done} trials; continue: nahas resume {folder}")
    return 0 if finished or time_up else 1


def _compare(study: "Study", config: "Config", oracle: Any, *, finished: bool) -> None:
    """Trains and tests what the result is compared with, as far as it is not known."""
    from nahas import closing, references

    rows = closing.read_json(study.folder / closing.REFERENCES)
    workers = config.search.workers
    if not rows:
        note("Asking for the accuracies of the reference networks.")
        rows = references.train_references(study, config, oracle)
    best = closing.best_row(study)
    known = closing.read_json(study.folder / closing.TEST)
    judged = (
        best and isinstance(known, dict) and known.get("network") == best["network"]
    )
    if finished and best and hasattr(oracle, "test") and not judged:
        note("Judging the best network on the test images.")
        other = next(row for row in rows if row["name"] == references.SMALLEST)
        references.judge_best(study, oracle, best["network"], other["network"], workers)
